"""A closed period: its rows and sums stay, what comes late is a correction that ties."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger import closed, derived, queries, store
from ledger.posting import post
from ledger.retention import drop
from ledger.rows import unite

NOW = datetime(2026, 11, 3, tzinfo=UTC)
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
# gpt-4.1-mini: $0.40 a million tokens in, $1.60 out.
BOOKED = {"id": "a", "input_tokens": 1_000_000, "output_tokens": 0}
LATE = {"id": "b", "input_tokens": 500_000, "output_tokens": 1_000_000}
NOVEMBER = {"id": "c", "input_tokens": 10, "output_tokens": 1, "ts": datetime(2026, 11, 2)}
COMPLETED = {"id": "a", "tenant": "globex", "input_tokens": 2_000_000, "output_tokens": 1_000_000}


@pytest.fixture
def shut(ledger_path, records, batch):
    """A ledger with one call of October, which is closed."""
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(BOOKED)), [], NOW)
        closed.close(ledger, *OCTOBER, NOW)
        yield ledger


def rows_of(ledger):
    return ledger.rows("SELECT * EXCLUDE (ingested_at) FROM requests ORDER BY request_id, ts")


def sums_of(ledger):
    derived.settle(ledger)
    return {name: ledger.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in derived.DERIVED}


def corrections_of(ledger):
    return ledger.rows("SELECT * EXCLUDE (corrected_at) FROM corrections ORDER BY ALL")


def corrected(ledger, column):
    return ledger.rows(
        "SELECT old_value, new_value FROM corrections WHERE column_name = ? AND reason = 'late'", [column]
    )


def test_a_call_that_comes_late_leaves_rows_and_sums_as_they_were(shut, records, batch):
    before = rows_of(shut), sums_of(shut)
    post(shut, batch(records(LATE)), [], NOW)
    assert (rows_of(shut), sums_of(shut)) == before


def test_a_late_call_is_corrected_from_nothing_to_what_it_costs(shut, records, batch):
    post(shut, batch(records(LATE)), [], NOW)
    assert corrected(shut, "cost_usd") == [(None, "1.800000000000")]  # 0.5 × $0.40 + 1 × $1.60
    assert corrected(shut, "tenant") == [(None, "acme")]
    assert corrected(shut, "service_tier") == []


def test_a_late_record_of_a_closed_call_is_corrected_from_the_value_that_was_closed(shut, records, batch):
    before = rows_of(shut), sums_of(shut)
    post(shut, batch(records(COMPLETED)), [], NOW)
    assert (rows_of(shut), sums_of(shut)) == before
    assert corrected(shut, "cost_usd") == [("0.400000000000", "2.400000000000")]  # 2 × $0.40 + 1 × $1.60
    assert corrected(shut, "tenant") == [("acme", "globex")]
    assert corrected(shut, "model") == []


def test_corrections_and_the_closed_total_make_the_total_of_an_open_period(shut, tmp_path, records, batch):
    late = batch(records(LATE, COMPLETED, NOVEMBER))
    post(shut, late, [], NOW)
    with store.open(tmp_path / "open.duckdb") as plain:
        post(plain, batch(records(BOOKED)), [], NOW)
        post(plain, late, [], NOW)
        ((whole,),) = plain.rows("SELECT sum(cost_usd) FROM requests")
    ((booked,),) = shut.rows("SELECT sum(cost_usd) FROM requests")
    ((more,),) = shut.rows(
        "SELECT sum(new_value::DECIMAL(38, 12) - coalesce(old_value::DECIMAL(38, 12), 0)) "
        "FROM corrections WHERE column_name = 'cost_usd'"
    )
    assert more == Decimal("3.8")  # $1.80 of the late call, $2.00 more of the closed one
    assert booked + more == whole


def test_what_came_late_once_is_known_and_read_again_changes_nothing(shut, records, batch):
    post(shut, batch(records(LATE, COMPLETED)), [], NOW)
    before = rows_of(shut), corrections_of(shut), sums_of(shut)
    again = post(shut, batch(records(LATE, COMPLETED, BOOKED)), [], NOW + timedelta(days=1))
    assert (again.added, again.updated, again.duplicate) == (0, 0, 3)
    assert (rows_of(shut), corrections_of(shut), sums_of(shut)) == before


_TOLD = (
    LATE,
    {**LATE, "digest": "more", "workflow": None, "output_tokens": 2_000_000},
    COMPLETED,
    {**COMPLETED, "digest": "unlike", "input_tokens": None, "output_tokens": None, "latency_ms": 5},
)


@pytest.mark.parametrize("order", list(itertools.permutations(_TOLD))[::4])
def test_corrections_are_the_same_in_any_order(tmp_path, records, batch, order):
    def told(name, groups):
        with store.open(tmp_path / name) as ledger:
            post(ledger, batch(records(BOOKED)), [], NOW)
            closed.close(ledger, *OCTOBER, NOW)
            for group in groups:
                post(ledger, batch(records(*group)), [], NOW)
            return rows_of(ledger), corrections_of(ledger), sums_of(ledger)

    together = told("together.duckdb", [_TOLD])
    assert together[1]
    assert told("apart.duckdb", [[each] for each in order]) == together


def test_a_call_that_turns_out_to_be_of_an_open_period_is_booked_there(shut, records, batch):
    late = {"id": "x", "ts": datetime(2026, 10, 31, 23, 59), "input_tokens": None, "output_tokens": None}
    post(shut, batch(records(late)), [], NOW)
    assert corrected(shut, "status") == [(None, "ok")]
    post(shut, batch(records({**late, "ts": datetime(2026, 11, 1), "input_tokens": 5})), [], NOW)
    assert shut.rows("SELECT ts, input_tokens FROM requests WHERE ts >= '2026-11-01'") == [
        (datetime(2026, 11, 1), 5)
    ]
    assert corrections_of(shut) == []


def test_an_open_call_that_turns_out_to_be_of_a_closed_period_leaves_its_sums(shut, records, batch):
    early = {"id": "x", "ts": datetime(2026, 11, 1), "input_tokens": None, "output_tokens": None}
    before = sums_of(shut)
    post(shut, batch(records(early)), [], NOW)
    post(shut, batch(records({**early, "ts": datetime(2026, 10, 31, 23), "input_tokens": 5})), [], NOW)
    assert shut.rows("SELECT count(*) FROM requests WHERE ts >= '2026-11-01'") == [(0,)]
    assert corrected(shut, "input_tokens") == [(None, "5")]
    assert sums_of(shut) == before


def test_a_call_booked_twice_keeps_the_row_of_the_closed_period(shut, records, batch):
    far = {**COMPLETED, "ts": datetime(2026, 11, 2, 12)}
    post(shut, batch(records(far)), [], NOW)
    assert unite(shut, [], NOW) == 1
    assert shut.rows("SELECT ts, tenant FROM requests") == [(datetime(2026, 10, 5, 12), "acme")]
    assert corrected(shut, "tenant") == [("acme", "globex")]


def test_closing_a_period_again_changes_nothing(shut):
    closed.close(shut, *OCTOBER, NOW + timedelta(days=1))
    assert shut.rows("SELECT kind FROM sealed") == [("closed",)]


def test_what_came_after_closing_is_late_in_the_data_health_of_its_day(shut, records, batch):
    post(shut, batch(records(LATE, COMPLETED)), [], NOW)
    day = (NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    found = queries.health(shut, *day, NOW, "book")
    assert (found.late_requests, found.late_usd) == (2, Decimal("3.8"))
    later = queries.health(shut, *(each + timedelta(days=1) for each in day), NOW + timedelta(days=1), "book")
    assert later.late_requests == 0


def test_records_of_late_calls_are_dropped_with_their_day_and_the_corrections_stay(shut, records, batch):
    post(shut, batch(records(LATE, COMPLETED)), [], NOW)
    before = corrections_of(shut)
    assert drop(shut, 20, NOW).requests == 1
    assert shut.rows("SELECT count(*) FROM record_parts") == [(0,)]
    assert corrections_of(shut) == before
