"""A re-attribution ends as if the rules of today had been in force when the files were read."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from collector.attribution import DEFAULT_RULES, Rules
from collector.ingest import Intake
from collector.reattribution import Order, Summary, reattribute_files
from ledger import derived
from ledger.prices import Contract
from ledger.reattribution import Move
from ledger.recounting import Which

NOW = datetime(2026, 10, 8, tzinfo=UTC)
ALL = Which(every=True)
SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "formats"
OLDER = Rules(tenant=("metadata.team",), defaults={"environment": "dev"})
NEWER = Rules(
    tenant=("metadata.customer", "metadata.team"),
    workflow=("metadata.feature",),
    environment=("source.name",),
    end_user=("metadata.person",),
    tiers=(("economy", ("*mini*",)),),
    tags={"cost_center": ("metadata.cc",)},
)


def contents(books) -> dict[str, list[tuple[object, ...]]]:
    """Rows, what is kept beside them, and the sums of them."""
    rows = (
        "SELECT * EXCLUDE (ingested_at, source_file) REPLACE (map_entries(tags) AS tags) FROM {} ORDER BY ALL"
    )
    versions = "SELECT * REPLACE (map_entries(tool_tokens) AS tool_tokens) FROM prompt_versions ORDER BY ALL"
    return {
        "requests": books.rows(rows.format("requests")),
        "record_parts": books.rows(rows.format("record_parts")),
        "spans": books.rows("SELECT * FROM spans ORDER BY ALL"),
        "prompt_versions": books.rows(versions),
        **{name: books.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in derived.DERIVED},
    }


@pytest.fixture
def again(books):
    def apply(*paths, rules=NEWER, which=ALL, dry_run=False) -> Summary:
        names = [str(path) for path in paths] or None
        order = Order(which, "ida", "teams were renamed", dry_run)
        return reattribute_files(names, books.visit, Intake(rules=rules), NOW, order)

    return apply


@pytest.fixture
def log(chat_record, as_lines) -> bytes:
    """Calls of two teams, one told of twice, one without a time, one without any word of whose it is."""
    untimed = chat_record(5, metadata={"team": "blue"})
    del untimed["response"]["created"]
    return as_lines(
        [
            chat_record(1, metadata={"team": "blue", "customer": "acme", "person": "ida", "cc": "k-7"}),
            chat_record(2, metadata={"team": "blue", "feature": "digest"}),
            chat_record(3, metadata={"team": "red"}, usage=False),
            chat_record(4, metadata={"team": "red"}),
            chat_record(4, metadata={"team": "red", "customer": "umbra"}, status=201),
            untimed,
            chat_record(6),
        ]
    )


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_it_ends_as_if_the_rules_of_today_had_read_the_files(books, open_books, again, log, suffix):
    pack = gzip.compress if suffix else bytes
    books.ingest(books.file("a.jsonl" + suffix, pack(log)), rules=OLDER)
    done = again()
    assert (done.done.calls, done.done.changed, done.not_found, done.files) == (6, 6, 0, 1)
    fresh = open_books()
    fresh.ingest(fresh.file("a.jsonl" + suffix, pack(log)), rules=NEWER)
    assert contents(books) == contents(fresh)
    again(rules=OLDER)
    back = open_books()
    back.ingest(back.file("a.jsonl" + suffix, pack(log)), rules=OLDER)
    assert contents(books) == contents(back)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.jsonl")))
def test_it_does_so_for_every_format(books, open_books, again, name):
    content = (SAMPLES / name).read_bytes()
    rules = replace(
        DEFAULT_RULES, environment=("source.name",), tenant=(*DEFAULT_RULES.workflow,), end_user=()
    )
    file = books.file(name, content)
    books.ingest(file)
    done = again(rules=rules)
    assert (done.problems, done.not_found) == ((), 0)
    # Of the same file: some formats' names of calls hold in one folder only.
    fresh = open_books()
    fresh.ingest(file, rules=rules)
    assert contents(books) == contents(fresh)


def test_records_of_one_call_in_two_files_each_say_their_own(books, open_books, again, chat_record, as_lines):
    def files(to):
        return [
            to.file("a.jsonl", as_lines([chat_record(1, usage=False, metadata={"feature": "digest"})])),
            to.file("b.jsonl", as_lines([chat_record(1, metadata={"customer": "acme"})])),
        ]

    books.ingest(*files(books), rules=OLDER)
    again()
    fresh = open_books()
    fresh.ingest(*files(fresh), rules=NEWER)
    assert contents(books) == contents(fresh)
    assert books.rows("SELECT tenant, workflow FROM requests") == [("acme", "digest")]


def span(name: str, parent: str = "", **said: str) -> dict[str, object]:
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}
    told = {**said, **(call if name == "b" else {})}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in told.items()]
    tokens = [
        {"key": f"gen_ai.usage.{kind}_tokens", "value": {"intValue": "1000"}}
        for kind in (("input", "output") if name == "b" else ())
    ]
    return {
        "traceId": "1" * 32,
        "spanId": name * 16,
        "parentSpanId": parent * 16,
        "name": name,
        "startTimeUnixNano": "1791280800000000000",
        "endTimeUnixNano": "1791280801000000000",
        "attributes": [*attributes, *tokens],
    }


def export(*spans: dict[str, object]) -> bytes:
    resource = {"attributes": [{"key": "team", "value": {"stringValue": "blue"}}]}
    told = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}
    return json.dumps(told).encode() + b"\n"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_calls_take_what_the_step_above_them_says_by_now(books, open_books, again, order):
    told = {"a": span("a", customer="acme", flow="digest"), "b": span("b", "a")}
    content = b"".join(export(told[name]) for name in order)
    before, after = Rules(tenant=("flow",)), Rules(tenant=("team",), workflow=("customer",))
    books.ingest(books.file("a.jsonl", content), rules=before)
    assert books.rows("SELECT tenant, workflow FROM requests") == [("digest", None)]
    again(rules=after)
    assert books.rows("SELECT tenant, workflow FROM requests") == [("blue", "acme")]
    fresh = open_books()
    fresh.ingest(fresh.file("a.jsonl", content), rules=after)
    assert contents(books) == contents(fresh)


def test_what_it_cost_stays_as_it_was_booked(books, again, chat_record, as_lines):
    discount = Contract(model="*", provider=None, tenant="acme", discount=Decimal("0.5"))
    log = as_lines([chat_record(1, metadata={"team": "blue", "customer": "acme"})])
    books.ingest(books.file("a.jsonl", log), rules=OLDER, contracts=(discount,))
    booked = "SELECT cost_usd, list_cost_usd, price_id FROM requests"
    before = books.rows(booked)
    again()
    assert books.rows(booked) == before
    assert books.rows("SELECT tenant FROM requests") == [("acme",)]


def test_it_says_what_goes_from_where_to_where(books, again, log):
    books.ingest(books.file("a.jsonl", log), rules=OLDER)
    usd = dict(books.rows("SELECT source_line, cost_usd FROM requests"))
    moves = {(move.dimension, move.before, move.after): move for move in again(dry_run=True).done.moves}
    assert moves["tenant", "blue", "acme"] == Move("tenant", "blue", "acme", 1, usd[1])
    assert moves["workflow", None, "digest"] == Move("workflow", None, "digest", 1, usd[2])
    assert moves["environment", "dev", "a.jsonl"].calls == 6
    assert moves["model_tier", None, "economy"].usd == sum(usd.values())


def test_a_dry_run_changes_nothing(books, again, log):
    books.ingest(books.file("a.jsonl", log), rules=OLDER)
    before = contents(books)
    assert again(dry_run=True).done.changed == 6
    assert contents(books) == before
    assert books.rows("SELECT count(*) FROM audit") == [(0,)]


def test_a_second_run_has_nothing_to_do(books, again, log):
    books.ingest(books.file("a.jsonl", log), rules=OLDER)
    again()
    before = contents(books)
    assert again().done.changed == 0
    assert contents(books) == before
    assert books.rows("SELECT count(*) FROM audit") == [(1,)]


def test_the_audit_says_who_did_what_by_which_rules(books, again, log):
    books.ingest(books.file("a.jsonl", log), rules=OLDER)
    again()
    ((action, detail),) = books.rows("SELECT action, detail FROM audit")
    told = json.loads(detail)
    assert action == "attribution.applied"
    assert (told["by"], told["note"], told["calls"]) == ("ida", "teams were renamed", 6)
    assert ["workflow", None, "digest", 1] in [move[:4] for move in told["moved"]]


def test_calls_whose_file_is_gone_stay_and_are_counted(books, again, log):
    file = books.file("a.jsonl", log)
    books.ingest(file, rules=OLDER)
    file.unlink()
    before = contents(books)
    done = again()
    assert (done.done.changed, done.not_found, done.gone) == (0, 6, (str(file),))
    assert contents(books) == before


def test_records_that_are_gone_from_their_file_are_counted(books, again, log):
    file = books.file("a.jsonl", log)
    books.ingest(file, rules=OLDER)
    books.file("a.jsonl", b"".join(log.splitlines(keepends=True)[:2]))
    done = again()
    assert (done.done.calls, done.not_found) == (2, 4)


def test_only_calls_of_the_time_asked_for_change(books, again, chat_record, as_lines):
    records = [chat_record(number, metadata={"customer": "acme"}) for number in (1, 2)]
    records[0]["response"]["created"] = int(datetime(2026, 9, 30, 12, tzinfo=UTC).timestamp())
    books.ingest(books.file("a.jsonl", as_lines(records)), rules=OLDER)
    which = Which(since=datetime(2026, 10, 1, tzinfo=UTC), every=True)
    assert again(which=which).done.changed == 1
    assert books.rows("SELECT tenant FROM requests ORDER BY ts") == [(None,), ("acme",)]


def test_closed_periods_stay_as_they_are(books, again, log):
    books.ingest(books.file("a.jsonl", log), rules=OLDER)
    with books.visit() as ledger:
        ledger.execute(
            "INSERT INTO sealed SELECT min(ts) - INTERVAL 9 DAY, max(ts) + INTERVAL 9 DAY, 'closed', max(ts) "
            "FROM requests"
        )
    before = contents(books)
    done = again()
    assert (done.done.changed, done.sealed) == (0, 6)
    assert contents(books) == before


def test_a_later_record_of_a_call_that_was_attributed_again_keeps_it(books, again, chat_record, as_lines):
    early = chat_record(1, usage=False, metadata={"customer": "acme", "team": "blue"})
    books.ingest(books.file("a.jsonl", as_lines([early])), rules=OLDER)
    again()
    books.ingest(books.file("b.jsonl", as_lines([chat_record(1)])), rules=NEWER)
    assert books.rows("SELECT tenant, output_tokens FROM requests") == [("acme", 7)]
