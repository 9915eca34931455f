"""Old rows are dropped by the day; their sums stay, and their days take no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger import derived, store
from ledger.posting import post
from ledger.retention import Drop, drop

NOW = datetime(2026, 10, 6, 9, tzinfo=UTC)
OLD, NEW = datetime(2026, 10, 1, 23, 50), datetime(2026, 10, 5, 12)
_SUMS = "SELECT * FROM {} ORDER BY ALL"


@pytest.fixture
def two_days(records):
    return records(
        {"id": "a", "ts": OLD, "input_tokens": 100, "output_tokens": 5, "prompt_version": "v1"},
        {"id": "a", "ts": OLD, "digest": "again", "latency_ms": 7, "tenant": None},
        {"id": "b", "ts": NEW, "input_tokens": 50, "output_tokens": 5},
    )


def test_rows_of_old_days_go_and_every_sum_stays(ledger_path, two_days, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(two_days), [], NOW)
        derived.settle(ledger)
        before = {name: ledger.rows(_SUMS.format(name)) for name in derived.DERIVED}
        assert drop(ledger, 4, NOW) == Drop(days=1, requests=1)
        assert ledger.rows("SELECT ts FROM requests") == [(NEW,)]
        assert ledger.rows("SELECT count(*) FROM record_parts") == [(0,)]
        assert {name: ledger.rows(_SUMS.format(name)) for name in derived.DERIVED} == before


def test_a_day_is_kept_until_it_is_whole_days_old(ledger_path, two_days, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(two_days), [], NOW)
        assert drop(ledger, 5, NOW) == Drop()
        assert drop(ledger, 4, NOW).days == 1
        assert ledger.rows("SELECT period_start, period_end, kind FROM sealed") == [
            (datetime(2026, 10, 1), datetime(2026, 10, 2), "dropped")
        ]


def test_a_dropped_day_read_again_adds_nothing_and_says_so(ledger_path, two_days, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(two_days), [], NOW)
        drop(ledger, 4, NOW)
        sums = ledger.rows("SELECT sum(requests), sum(cost_usd) FROM rollup")
        outcome = post(ledger, batch(two_days), [], NOW)
        again = post(ledger, batch(two_days), [], NOW)
        assert (outcome.read, outcome.added, outcome.duplicate, outcome.rejected) == (3, 0, 1, 2)
        assert again == outcome
        assert ledger.rows("SELECT sum(requests), sum(cost_usd) FROM rollup") == sums
        assert ledger.rows("SELECT DISTINCT reason FROM rejects") == [
            ("its day was dropped: the rows of 2026-10-01 are no longer kept, their sums stay as they are",)
        ]
        assert ledger.rows("SELECT count(*) FROM rejects") == [(2,)]


def test_a_new_call_of_a_day_that_is_not_dropped_is_booked(ledger_path, two_days, records, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(two_days), [], NOW)
        drop(ledger, 4, NOW)
        late = records({"id": "c", "ts": OLD + timedelta(days=1), "input_tokens": 1, "output_tokens": 1})
        assert post(ledger, batch(late), [], NOW).added == 1
