"""The derived tables: whatever is posted, merged or replaced, they say what their queries say of the rows."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ledger import derived, keys, migrate, rows, store
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch, post

NOW = datetime(2026, 10, 6, tzinfo=UTC)
START = datetime(2026, 10, 5, 11, 50)
SAMPLES = Path(__file__).parents[1] / "samples" / "ledger"
_ENDS = ("first_ts", "last_ts")


def batch_of(frame: pl.DataFrame) -> Batch:
    return Batch(
        frame,
        pl.DataFrame(schema=REJECTS),
        pl.DataFrame(schema=PROMPT_VERSIONS),
        None,
        "a.jsonl",
        "pair",
        0,
    )


def summed(ledger: store.Ledger, name: str, sql: str) -> pl.DataFrame:
    """The groups of a derived table added up, without those that have no call left."""
    table = derived.DERIVED[name]
    keys_ = ", ".join(table.keys)
    left_out = ", ".join((*table.keys, *table.least, *table.most))
    return ledger.frame(
        f"SELECT {keys_}, sum(COLUMNS(* EXCLUDE ({left_out}))) FROM ({sql}) "
        f"GROUP BY {keys_} HAVING sum({table.count}) <> 0 ORDER BY ALL"
    )


record = st.fixed_dictionaries(
    {
        "id": st.sampled_from("abcdef"),
        "digest": st.integers(0, 9).map(str),
        "ts": st.integers(0, 90).map(lambda minutes: START + timedelta(minutes=minutes)),
        "ts_estimated": st.booleans(),
        "tenant": st.sampled_from(["acme", "zenith", None]),
        "model": st.sampled_from(["gpt-4.1-mini", "no-such-model"]),
        "status": st.sampled_from(["ok", "error"]),
        "prompt_version": st.sampled_from(["v1", "v2", None]),
        "input_tokens": st.one_of(st.none(), st.integers(0, 5000)),
        "output_tokens": st.one_of(st.none(), st.integers(0, 500)),
    }
)


@settings(max_examples=25)
@given(groups=st.lists(st.lists(record, min_size=1, max_size=5), min_size=1, max_size=4))
def test_they_equal_their_queries_after_any_postings(records_factory, groups):
    with tempfile.TemporaryDirectory() as folder, store.open(Path(folder) / "l.duckdb") as ledger:
        for group in groups:
            post(ledger, batch_of(records_factory(*group)), [], NOW)
        for name in derived.DERIVED:
            assert_frame_equal(
                summed(ledger, name, f"FROM {name}"), summed(ledger, name, derived.query(name))
            )
        derived.settle(ledger)
        for name in derived.DERIVED:
            ends = [
                end for end in _ENDS if end in (*derived.DERIVED[name].least, *derived.DERIVED[name].most)
            ]
            settled = ledger.frame(f"FROM {name} ORDER BY ALL").drop(ends)
            scratch = ledger.frame(f"FROM ({derived.query(name)}) ORDER BY ALL").drop(ends)
            assert_frame_equal(settled, scratch)
        assert ledger.rows("SELECT count(*) FROM unsettled") == [(0,)]


def test_a_group_is_one_row_once_settled(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        for number in range(3):
            row = {"id": number, "ts": START + timedelta(minutes=number), "input_tokens": 7}
            post(ledger, batch(records(row)), [], NOW)
        derived.settle(ledger)
        assert ledger.rows("SELECT requests, input_tokens FROM rollup") == [(3, 21)]


def test_a_prompt_keeps_when_it_was_first_and_last_used(ledger_path, records, batch):
    times = [START + timedelta(minutes=minutes) for minutes in (4, 1, 3)]
    with store.open(ledger_path) as ledger:
        for number, ts in enumerate(times):
            post(ledger, batch(records({"id": number, "ts": ts, "prompt_version": "v1"})), [], NOW)
        derived.settle(ledger)
        assert ledger.rows("SELECT first_ts, last_ts, requests FROM prompt_use") == [(times[1], times[0], 3)]


def test_sizes_of_one_bin_lie_within_two_per_cent(ledger_path, records, batch):
    given_sizes = [*range(60), 100, 101, 102, 5_000, 5_099, 1_000_000, 1_019_000, 123_456_789]
    rows_of = [{"id": n, "input_tokens": size, "output_tokens": 0} for n, size in enumerate(given_sizes)]
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(*rows_of)), [], NOW)
        bins = ledger.rows("SELECT bin, requests, tokens FROM size_bins WHERE side = 'input'")
    assert sum(tokens for _, _, tokens in bins) == sum(given_sizes)
    means = {bin_: tokens / requests for bin_, requests, tokens in bins}
    assert all(min(abs(mean - size) for mean in means.values()) <= 0.02 * size for size in given_sizes)
    assert {bin_ for bin_ in means if bin_ < 50} == set(range(50))


def test_a_call_whose_records_lie_weeks_apart_is_one_row_after_uniting(ledger_path, records, batch):
    early = {"id": "x", "ts": START, "latency_ms": 900, "tenant": "acme"}
    late = {
        "id": "x",
        "ts": START + timedelta(days=20),
        "tenant": None,
        "input_tokens": 100,
        "output_tokens": 5,
    }
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(early)), [], NOW)
        post(ledger, batch(records(late)), [], NOW)
        assert ledger.rows("SELECT count(*) FROM requests") == [(2,)]
        assert rows.unite(ledger, [], NOW) == 1
        assert ledger.rows("SELECT tenant, latency_ms, input_tokens, cost_usd FROM requests") == [
            ("acme", 900, 100, Decimal("0.000048"))
        ]
        assert ledger.rows("SELECT sum(requests), sum(cost_usd) FROM rollup") == [(1, Decimal("0.000048"))]
        assert rows.unite(ledger, [], NOW) == 0


@pytest.fixture(params=[1, 2])
def older(request, ledger_path) -> Path:
    connection = duckdb.connect(str(ledger_path))
    connection.execute((SAMPLES / f"version-{request.param}.sql").read_text())
    connection.execute("INSERT INTO ledger_facts VALUES ('key_id', ?)", [keys.key_id(bytes(32))])
    connection.close()
    return ledger_path


def test_an_older_ledger_gets_its_tables_from_its_rows(older):
    with store.open(older) as ledger:
        found = ledger.rows(
            "SELECT bucket, tenant, sum(requests), sum(cost_usd) FROM rollup GROUP BY ALL ORDER BY ALL"
        )
        uses = ledger.rows("SELECT sum(requests), min(first_ts) FROM prompt_use")
        assert ledger.rows("SELECT max(version) FROM schema_version") == [(migrate.LATEST,)]
    # Calls at 11:50, 57, 12:04, 11, 18, 25; every other one is acme's.
    quarters = [
        (datetime(2026, 10, 5, 11, 45), 2),
        (datetime(2026, 10, 5, 12), 2),
        (datetime(2026, 10, 5, 12, 15), 2),
    ]
    expected = [(at, who, 1, Decimal("0.000056")) for at, _ in quarters for who in ("acme", None)]
    assert found == expected
    assert uses == [(6, START)]


def test_a_migrated_ledger_has_the_tables_of_a_new_one(older, tmp_path):
    columns = (
        "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name <> 'system' "
        "AND NOT internal ORDER BY ALL"
    )
    with store.open(older) as old, store.open(tmp_path / "new.duckdb") as new:
        assert sorted(set(old.rows(columns)), key=str) == sorted(set(new.rows(columns)), key=str)


@pytest.mark.parametrize("seen", ["(SELECT * FROM requests WHERE false)", "requests"])
def test_sums_are_those_of_what_came_where_the_rows_of_a_commit_cannot_be_told(
    ledger_path, records, batch, monkeypatch, seen
):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records({"id": "a", "input_tokens": 5, "output_tokens": 1})), [], NOW)
        monkeypatch.setattr(rows, "_JUST_INSERTED", seen)
        post(ledger, batch(records({"id": "b", "input_tokens": 7, "output_tokens": 1})), [], NOW)
        assert ledger.rows("SELECT sum(requests), sum(input_tokens) FROM rollup") == [(2, 12)]


def test_rows_of_the_running_transaction_are_told_by_their_number(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records({"id": "a", "input_tokens": 5, "output_tokens": 1})), [], NOW)
        assert ledger.rows(f"SELECT count(*) FROM {rows._JUST_INSERTED}") == [(0,)]
        with ledger.transaction():
            ledger.execute("INSERT INTO requests SELECT * FROM requests")
            assert ledger.rows(f"SELECT count(*) FROM {rows._JUST_INSERTED}") == [(1,)]


def test_rows_of_an_older_ledger_take_records_that_come_later(older, records, batch):
    with store.open(older) as ledger:
        known = ledger.rows(
            "SELECT request_id::VARCHAR FROM requests WHERE tenant IS NULL ORDER BY ts LIMIT 1"
        )
        later = records({"ts": START + timedelta(minutes=7), "tenant": "late", "latency_ms": 900})
        post(ledger, batch(later.with_columns(request_id=pl.lit(known[0][0]))), [], NOW)
        found = ledger.rows("SELECT tenant, latency_ms, inherited FROM requests WHERE latency_ms = 900")
        assert found == [("late", 900, 12)]
        summed = ledger.rows("SELECT sum(requests)::INT FROM rollup WHERE tenant = 'late'")
        assert summed == [(1,)]
