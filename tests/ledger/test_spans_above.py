"""Steps above calls, parts of calls: the same books in whatever order they are told."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import spans, store
from ledger.derived import settle
from ledger.frames import PART, SPANS
from ledger.posting import post
from ledger.prices import Contract

NOW = datetime(2026, 10, 6, tzinfo=UTC)
START = datetime(2026, 10, 5, 12)


def named(name: str) -> str:
    return str(uuid.UUID(bytes=name.encode().ljust(16, b".")))


def step(name: str, parent: str | None = None, ts: datetime = START, **said: str) -> pl.DataFrame:
    row = {
        "span": named(name),
        "parent": parent and named(parent),
        "ts": ts,
        "ts_estimated": False,
        **said,
    }
    return pl.DataFrame([{**dict.fromkeys(SPANS), **row}], schema=SPANS)


@pytest.fixture
def call(records_factory):
    def build(name: str = "x", parent: str | None = None, **more: object) -> pl.DataFrame:
        said = {"tenant": None, "workflow": None, "input_tokens": 100, "output_tokens": 5, **more}
        return records_factory(
            {"id": name, "span": named(name), "parent_span": parent and named(parent), **said}
        )

    return build


@pytest.fixture
def part(records_factory):
    def build(name: str = "x", **more: object) -> pl.DataFrame:
        return records_factory(
            {
                "tenant": None,
                "workflow": None,
                **more,
                "id": f"part {name}",
                "id_kind": PART,
                "span": named(name),
            }
        ).with_columns(request_id=pl.lit(named(name)))

    return build


@pytest.fixture
def tell(ledger_path, batch):
    """Post what is told, one commit each: RECORDS or SPANS."""

    def post_each(*told: pl.DataFrame, path: Path = ledger_path, contracts=()) -> list:
        outcomes = []
        with store.open(path) as ledger:
            for frame in told:
                is_span = "parent" in frame.columns
                made = batch(frame.clear() if is_span else frame)
                if is_span:
                    made = _with_spans(made, frame)
                outcomes.append(post(ledger, made, contracts, NOW))
        return outcomes

    def _with_spans(made, frame):
        from dataclasses import replace

        from ledger.frames import RECORDS

        return replace(made, records=RECORDS.to_frame(), spans=frame)

    return post_each


def rows(path: Path, columns: str) -> list[tuple[object, ...]]:
    with store.open(path) as ledger:
        return ledger.rows(f"SELECT {columns} FROM requests ORDER BY ALL")


def test_a_call_takes_from_the_nearest_step_what_it_does_not_say(tell, call, ledger_path):
    tell(step("top", tenant="far", workflow="triage"), step("mid", "top", tenant="near"), call("x", "mid"))
    assert rows(ledger_path, "tenant, workflow") == [("near", "triage")]


def test_what_the_call_says_itself_stands(tell, call, ledger_path):
    tell(step("top", tenant="above", workflow="w"), call("x", "top", tenant="own"))
    assert rows(ledger_path, "tenant, workflow") == [("own", "w")]


def test_a_step_goes_before_what_holds_of_the_whole_source(tell, call, ledger_path):
    otherwise = ["default", None, "prod", None]
    tell(call("x", "top", otherwise=otherwise), call("y", otherwise=otherwise), step("top", tenant="above"))
    assert rows(ledger_path, "tenant, environment") == [("above", "prod"), ("default", "prod")]


def test_a_parent_that_comes_late_updates_the_calls_beneath_it(tell, call, ledger_path):
    outcomes = tell(call("x", "top"), call("y", "top"), call("z"), step("top", tenant="acme"))
    assert [(each.added, each.updated) for each in outcomes] == [(1, 0), (1, 0), (1, 0), (0, 2)]
    assert rows(ledger_path, "tenant") == [("acme",), ("acme",), (None,)]
    with store.open(ledger_path) as ledger:
        found = ledger.rows("SELECT tenant, sum(requests)::INT FROM rollup GROUP BY ALL ORDER BY ALL")
    assert found == [("acme", 2), (None, 1)]


def test_a_step_told_again_changes_nothing(tell, call, ledger_path):
    tell(call("x", "top"), step("top", tenant="acme"))
    before = rows(ledger_path, "*")
    (outcome,) = tell(step("top", tenant="acme"))
    assert outcome.updated == 0
    assert rows(ledger_path, "*") == before


def test_the_link_in_the_middle_may_come_last(tell, call, ledger_path):
    tell(call("x", "low"), step("low", "mid", workflow="w"), step("top", tenant="acme"), step("mid", "top"))
    assert rows(ledger_path, "tenant, workflow") == [("acme", "w")]


def test_steps_in_a_circle_end_the_search(tell, call, ledger_path):
    tell(call("x", "a"), step("a", "b", tenant="acme"), step("b", "a", workflow="w"))
    assert rows(ledger_path, "tenant, workflow") == [("acme", "w")]


def test_a_late_tenant_with_a_contract_is_charged_by_it_and_another_keeps_its_price(tell, call, ledger_path):
    contract = Contract(tenant="acme", provider="openai", model="gpt-4.1-mini", discount=Decimal("0.5"))
    tell(call("x", "top"), call("y", "other"), contracts=[contract])
    tell(step("top", tenant="acme"), step("other", tenant="beta"), contracts=[contract])
    # 100 × 0.40 + 5 × 1.60 dollars a million; half of it by the contract.
    assert rows(ledger_path, "tenant, cost_usd") == [
        ("acme", Decimal("0.000024")),
        ("beta", Decimal("0.000048")),
    ]


def test_a_pruned_step_leaves_the_calls_what_they_took_from_it(tell, call, ledger_path):
    tell(step("top", tenant="acme"), call("x", "top"), step("new", "n", ts=START + timedelta(days=15)))
    with store.open(ledger_path) as ledger:
        assert spans.prune(ledger) == 1
    tell(call("x", "top", latency_ms=900))
    assert rows(ledger_path, "tenant, latency_ms") == [("acme", 900)]


def test_a_part_is_no_row_and_completes_the_call_before_or_after_it(tell, call, part, ledger_path):
    prompt = {"counted_input_tokens": 90, "count_method": "exact", "tenant": "acme"}
    first = tell(part("x", **prompt))[0]
    assert (first.added, first.updated, first.set_aside, first.read) == (0, 0, 1, 1)
    assert rows(ledger_path, "*") == []
    tell(call("x"))
    second = tell(call("y"), part("y", **prompt))[1]
    assert (second.added, second.updated, second.set_aside) == (0, 1, 0)
    expected = ("acme", 90, "exact", 100, "response")
    assert (
        rows(ledger_path, "tenant, counted_input_tokens, count_method, input_tokens, id_kind")
        == [expected] * 2
    )


def test_a_call_of_start_and_end_begins_with_its_start(tell, call, part, ledger_path):
    tell(call("x", ts=START + timedelta(seconds=3)), part("x", ts=START + timedelta(seconds=1)))
    assert rows(ledger_path, "ts, latency_ms") == [(START + timedelta(seconds=1), 2000)]


def test_a_part_told_twice_is_a_duplicate(tell, part):
    assert [outcome.duplicate for outcome in tell(part("x"), part("x"))] == [0, 1]


def test_of_equal_records_the_one_with_the_longer_prompt_is_the_whole_one(tell, records_factory, ledger_path):
    whole = {"id": "x", "counted_input_tokens": 90, "count_method": "exact", "prompt_hash": "whole"}
    cut = {"id": "x", "counted_input_tokens": 40, "count_method": "exact", "prompt_hash": "cut"}
    for number, pair in enumerate(itertools.permutations([whole, cut])):
        path = ledger_path.with_name(f"{number}.duckdb")
        tell(*(records_factory(each) for each in pair), path=path)
        assert rows(path, "prompt_hash") == [("whole",)]


def test_books_are_the_same_in_any_order_and_any_split(tmp_path_factory, records_factory, batch):
    def told() -> list[pl.DataFrame]:
        usage = {"input_tokens": 100, "output_tokens": 5}
        none = {"tenant": None, "workflow": None}
        calls = [
            {"id": "a", "span": named("a"), "parent_span": named("low"), **none, **usage},
            {"id": "a", "span": named("a"), "parent_span": named("low"), **none, "latency_ms": 4},
            {
                "id": "b",
                "span": named("b"),
                "parent_span": named("a"),
                **none,
                "otherwise": ["d", "w", None, None],
            },
            {"id": "c", "span": named("c"), "parent_span": named("gone"), **none, **usage},
            {"id": "d", **none, **usage, "otherwise": [None, None, "prod", None]},
            {"id": "d", "tenant": "own", "workflow": None, "ts": START + timedelta(minutes=20)},
        ]
        parts = [
            {"id": f"p{name}", "id_kind": PART, "span": named(name), **none, "counted_input_tokens": 90,
             "count_method": "exact", "environment": "test"}
            for name in ("a", "b", "nobody")
        ]  # fmt: skip
        frames = [records_factory(each) for each in (*calls, *parts)]
        frames[-3:] = [frame.with_columns(request_id="span") for frame in frames[-3:]]
        steps = [
            step("low", "mid", workflow="triage"),
            step("mid", "top"),
            step("top", "mid", tenant="acme", end_user="u"),
            step("a", "low"),
        ]
        return [*frames, *steps]

    everything = told()

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        order=st.permutations(range(len(everything))),
        again=st.lists(st.sampled_from(range(len(everything))), max_size=4),
        cuts=st.sets(st.integers(1, len(everything) + 3), max_size=5),
    )
    def check(order, again, cuts):
        from dataclasses import replace

        from ledger.frames import RECORDS

        path = tmp_path_factory.mktemp("books") / "tollbook.duckdb"
        sequence = [everything[number] for number in [*order, *again]]
        edges = [0, *sorted(cut for cut in cuts if cut < len(sequence)), len(sequence)]
        with store.open(path) as ledger:
            for start, end in itertools.pairwise(edges):
                some = sequence[start:end]
                found = pl.concat([RECORDS.to_frame(), *(f for f in some if "parent" not in f.columns)])
                above = pl.concat([SPANS.to_frame(), *(f for f in some if "parent" in f.columns)])
                post(ledger, replace(batch(found), spans=above), [], NOW)
            settle(ledger)
            books = [
                ledger.rows(f"SELECT * FROM {table} ORDER BY ALL")
                for table in ("requests", "rollup", "spans")
            ]
        assert books == expected.setdefault("books", books)

    expected: dict[str, object] = {}
    check()
    (first,) = [row for row in expected["books"][0] if "acme" in row and "exact" in row][:1]
    assert "triage" in first
