"""The questions of reports and checks, answered from sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest

from ledger import queries, store
from ledger.frames import ROLLUP_KEYS
from ledger.posting import post
from ledger.retention import drop

NOW = datetime(2026, 10, 6, tzinfo=UTC)
START = datetime(2026, 10, 5, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START.replace(tzinfo=None) + timedelta(minutes=minutes)


@pytest.fixture
def ledger(ledger_path, records, batch):
    frame = records(
        {"id": "a", "ts": at(1), "input_tokens": 100, "output_tokens": 5, "prompt_version": "v1"},
        {"id": "b", "ts": at(20), "input_tokens": 100, "output_tokens": 5, "prompt_version": "v1"},
        {"id": "c", "ts": at(70), "input_tokens": None, "output_tokens": None, "prompt_version": "v2"},
        {"id": "d", "ts": at(2), "status": "error", "input_tokens": 900, "output_tokens": 0},
        {"id": "e", "ts": at(3), "ts_estimated": True, "input_tokens": 900, "output_tokens": 0},
        {"id": "f", "ts": at(4), "workflow": "other", "input_tokens": 7, "output_tokens": 0},
    )
    with store.open(ledger_path) as ledger:
        post(ledger, batch(frame), [], NOW)
        yield ledger


def test_sizes_are_of_answered_calls_with_a_time_and_a_size_of_their_own(ledger):
    bins = queries.size_bins(ledger, START, START + timedelta(hours=2), ["support"])
    found = bins.filter(side="input").select("bucket", "requests", "tokens", "usd").rows()
    # Two of 100 tokens at $0.40 a million.
    assert found == [(at(0), 2, 200, Decimal("0.00008"))]


def test_sizes_by_time_stand_at_their_hour(ledger, records, batch):
    later = records({"id": "g", "ts": at(65), "input_tokens": 100, "output_tokens": 5})
    post(ledger, batch(later), [], NOW)
    bins = queries.size_bins(ledger, START, START + timedelta(hours=2), ["support"], by_time=True)
    assert bins.filter(side="output")["bucket"].to_list() == [at(0), at(60)]


@pytest.mark.parametrize(
    ("first", "end", "expected"), [(0, 15, 1), (15, 60, 1), (15, 75, 1), (0, 90, 2), (5, 20, 0), (-45, 2, 1)]
)
def test_sizes_of_a_part_of_an_hour_are_of_its_calls(ledger, first, end, expected):
    ends = (START + timedelta(minutes=first), START + timedelta(minutes=end))
    bins = queries.size_bins(ledger, *ends, ["support"])
    assert bins.filter(side="input")["requests"].sum() == expected


def test_sizes_of_dropped_days_are_told_once_whatever_they_are_cut_into(ledger):
    drop(ledger, 1, NOW + timedelta(days=5))
    cuts = [START + timedelta(minutes=30 * n) for n in range(-3, 6)]
    parts = [queries.size_bins(ledger, *ends, ["support"]) for ends in pairwise(cuts)]
    assert [each.filter(side="input")["requests"].sum() for each in parts] == [0, 0, 0, 2, 0, 0, 0, 0]


def test_prompts_are_told_by_the_hour_with_what_was_measured(ledger):
    used = queries.prompt_use(ledger, START, START + timedelta(hours=2)).filter(
        status="ok", workflow="support"
    )
    assert used.drop("tenant", "workflow", "status", "measured_usd").rows() == [
        (at(1), "v1", 2, 2, 200),
        (at(70), "v2", 1, 0, 0),
    ]


def test_the_newest_call_is_told_to_the_second(ledger):
    assert queries.last_data(ledger, NOW) == START + timedelta(minutes=70)
    assert queries.last_data(ledger, START + timedelta(minutes=30)) == START + timedelta(minutes=20)
    assert queries.last_data(ledger, START) is None


def test_rows_between_two_cuts_are_added_up_at_the_first(ledger):
    cuts = [START, START + timedelta(minutes=60)]
    told = queries.rollup(ledger, START, START + timedelta(hours=2), cuts).filter(
        status="ok", workflow="support"
    )
    assert told.sort("bucket").select("bucket", "usage_source", "requests").rows() == [
        (at(0), "reported", 3),
        (at(60), "none", 1),
    ]


def test_cuts_change_no_sum(ledger):
    span = (START - timedelta(hours=1), START + timedelta(hours=2))
    whole = queries.rollup(ledger, *span).drop("bucket").sum()
    assert queries.rollup(ledger, *span, [START + timedelta(minutes=15)]).drop("bucket").sum().equals(whole)


def test_outside_the_whole_spans_only_the_main_sums_are_told(ledger):
    span = (START - timedelta(hours=1), START + timedelta(hours=2))
    order = ("bucket", *ROLLUP_KEYS)
    full = queries.rollup(ledger, *span).sort(order)
    told = queries.rollup(ledger, *span, (), [(START + timedelta(hours=1), span[1])]).sort(order)
    old = pl.col("bucket") < at(60)
    assert told.filter(~old).equals(full.filter(~old))
    assert told.filter(old)["seg_user"].null_count() == told.filter(old).height > 0
    assert told.filter(old)["model"].null_count() == told.filter(old).height
    main = ["requests", "input_tokens", "output_tokens", "cost_usd", "unpriced_requests"]
    kept = ["bucket", "tenant", "workflow", "model_tier", "environment", "status"]
    sums = [frame.group_by(kept).agg(pl.col(main).sum()).sort(kept) for frame in (full, told)]
    assert sums[0].equals(sums[1])


def test_a_row_is_told_once_where_whole_spans_overlap(ledger):
    span = (START - timedelta(hours=1), START + timedelta(hours=2))
    twice = [span, (START, START + timedelta(hours=1))]
    told = queries.rollup(ledger, *span, (), twice)
    assert told.drop("bucket").sum().equals(queries.rollup(ledger, *span).drop("bucket").sum())
