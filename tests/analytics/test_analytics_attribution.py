from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import attribution, period
from ledger.types import SEGMENTS

ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]
UTC_ZONE = ZoneInfo("UTC")
DAY = period.day(date(2026, 10, 2), UTC_ZONE)
BEFORE = period.previous(DAY)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def by(rollup: pl.DataFrame, dimension: str = "tenant", trend_days: int = 3) -> pl.DataFrame:
    return attribution.spend_by(rollup, dimension, DAY, BEFORE, trend_days, UTC_ZONE)


def test_values_are_ranked_by_money(rollup_frame) -> None:
    frame = by(
        rollup_frame(
            [
                {"bucket": at(2), "tenant": "a", "cost_usd": "1"},
                {"bucket": at(2), "tenant": "b", "cost_usd": "3"},
            ]
        )
    )
    assert frame.select("value", "cost_usd", "share").rows() == [("b", 3, 0.75), ("a", 1, 0.25)]


def test_spend_without_a_tenant_keeps_its_own_row(rollup_frame) -> None:
    frame = by(
        rollup_frame([{"bucket": at(2), "tenant": None, "cost_usd": "2"}, {"bucket": at(2), "cost_usd": "1"}])
    )
    assert frame.select("value", "cost_usd").rows() == [(None, 2), ("acme", 1)]


def test_a_tenant_that_left_is_shown_with_what_it_no_longer_spends(rollup_frame) -> None:
    frame = by(rollup_frame([{"bucket": at(1), "tenant": "gone", "cost_usd": "5"}]))
    assert frame.select("value", "requests", "cost_usd", "change_usd").rows() == [("gone", 0, 0, -5)]


def test_a_value_whose_every_request_is_unpriced_costs_unknown_not_zero(rollup_frame) -> None:
    frame = by(
        rollup_frame([{"bucket": at(2), "model": "house", "unpriced_requests": 1, "input_tokens": 9}]),
        "model",
    )
    assert frame.select("value", "cost_usd", "tokens", "unpriced_requests").rows() == [("house", None, 9, 1)]


def test_estimated_money_is_told_apart(rollup_frame) -> None:
    frame = by(
        rollup_frame(
            [
                {"bucket": at(2), "cost_usd": "1"},
                {"bucket": at(2), "cost_usd": "2", "usage_source": "estimated"},
            ]
        )
    )
    assert frame["estimated_cost_usd"].to_list() == [Decimal(2)]


def test_a_trend_has_one_number_a_day_and_a_gap_where_the_books_are_empty(rollup_frame) -> None:
    frame = by(
        rollup_frame(
            [
                {"bucket": datetime(2026, 9, 30, 1, tzinfo=UTC), "tenant": "other", "cost_usd": "7"},
                {"bucket": at(2), "cost_usd": "1"},
                {"bucket": at(2, 20), "cost_usd": "1"},
            ]
        )
    )
    assert frame.filter(value="acme")["trend"].to_list() == [[0.0, None, 2.0]]


def test_a_day_without_rows_is_a_gap(rollup_frame) -> None:
    frame = attribution.daily(
        rollup_frame([{"bucket": at(1), "cost_usd": "1"}]),
        date(2026, 10, 1),
        date(2026, 10, 3),
        UTC_ZONE,
        datetime(2026, 10, 3, tzinfo=UTC),
        Decimal(4),
    )
    assert frame.select("day", "requests", "cost_usd", "plan_usd", "weekend", "complete").rows() == [
        (date(2026, 10, 1), 1, 1, 4, False, True),
        (date(2026, 10, 2), 0, None, 4, False, True),
        (date(2026, 10, 3), 0, None, 4, True, False),
    ]


def test_late_evening_in_utc_is_the_next_day_in_kolkata(rollup_frame) -> None:
    frame = attribution.daily(
        rollup_frame([{"bucket": at(1, 18), "cost_usd": "1"}, {"bucket": at(1, 19), "cost_usd": "2"}]),
        date(2026, 10, 1),
        date(2026, 10, 2),
        ZoneInfo("Asia/Kolkata"),
        datetime(2026, 10, 9, tzinfo=UTC),
        None,
    )
    assert frame["cost_usd"].to_list() == [1, 2]


def test_segments_carry_their_own_money_and_change(rollup_frame) -> None:
    rows = [
        {"bucket": at(2), "cost_usd": "5", "input_cost_usd": "3", "output_cost_usd": "2",
         "cost_context_usd": "3", "cost_answer_usd": "2", "seg_context": 40, "output_tokens": 9},
        {"bucket": at(1), "cost_usd": "1", "input_cost_usd": "1", "cost_context_usd": "1"},
    ]  # fmt: skip
    frame = attribution.segment_spend(rollup_frame(rows), DAY, BEFORE)
    assert frame.select("segment", "tokens", "cost_usd", "change_usd").head(2).rows() == [
        ("context", 40, 3, 2),
        ("answer", 9, 2, 2),
    ]


def test_output_money_without_a_split_is_the_answers(rollup_frame) -> None:
    row = {
        "bucket": at(2),
        "cost_usd": "5",
        "input_cost_usd": "3",
        "output_cost_usd": "2",
        "cost_user_usd": "3",
    }
    frame = attribution.segment_spend(rollup_frame([row]), DAY, BEFORE)
    assert frame.filter(segment="answer")["cost_usd"].item() == 2


def test_input_money_without_a_split_is_unexplained(rollup_frame) -> None:
    row = {
        "bucket": at(2),
        "cost_usd": "5",
        "input_cost_usd": "3",
        "output_cost_usd": "2",
        "cost_answer_usd": "2",
    }
    frame = attribution.segment_spend(rollup_frame([row]), DAY, BEFORE)
    assert frame.filter(segment="unexplained")["cost_usd"].item() == 3


def test_empty_books_give_empty_and_zero_frames(rollup_frame) -> None:
    empty = rollup_frame([])
    assert by(empty).is_empty()
    assert attribution.total_usd(empty, DAY) == 0
    assert attribution.segment_spend(empty, DAY, BEFORE)["cost_usd"].sum() == 0


names = st.sampled_from([None, "a", "b", "c"])
cents = st.integers(0, 10**15).map(lambda n: Decimal(n).scaleb(-12))
rows = st.lists(
    st.fixed_dictionaries(
        {
            "bucket": st.integers(0, 96 * 40).map(
                lambda n: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(minutes=15 * n)
            ),
            "tenant": names,
            "workflow": names,
            "model": names,
            "input_cost_usd": cents,
            "output_cost_usd": cents,
            "cost_context_usd": cents,
            "cost_answer_usd": cents,
            "cost_usd": cents,
        }
    ),
    max_size=25,
)


@pytest.mark.parametrize("zone_name", ZONES)
@given(rows=rows, offset=st.integers(0, 38))
@settings(max_examples=25, deadline=None)
def test_every_cut_of_a_day_ties_to_its_total(rollup_frame, zone_name: str, rows: list, offset: int) -> None:
    zone = ZoneInfo(zone_name)
    rollup = rollup_frame(rows)
    on = date(2026, 10, 1) + timedelta(days=offset)
    today = period.day(on, zone)
    total = attribution.total_usd(rollup, today)
    cuts = [
        attribution.spend_by(rollup, dimension, today, period.previous(today), 7, zone)
        for dimension in ("tenant", "workflow", "model", "environment")
    ]
    assert {attribution.usd_sum(cut["cost_usd"]) for cut in cuts} == {total}
    assert attribution.usd_sum(attribution.segment_spend(rollup, today, today)["cost_usd"]) == total


@pytest.mark.parametrize("zone_name", ZONES)
@given(rows=rows)
@settings(max_examples=25, deadline=None)
def test_days_sum_to_the_total_of_the_same_days(rollup_frame, zone_name: str, rows: list) -> None:
    zone = ZoneInfo(zone_name)
    rollup = rollup_frame(rows)
    first, last = date(2026, 10, 3), date(2026, 11, 5)
    days = attribution.daily(rollup, first, last, zone, datetime(2027, 1, 1, tzinfo=UTC), None)
    span = period.between(first, last + timedelta(days=1), zone)
    assert days.height == 34
    assert attribution.usd_sum(days["cost_usd"]) == attribution.total_usd(rollup, span)


def test_all_segments_are_listed_once(rollup_frame) -> None:
    frame = attribution.segment_spend(rollup_frame([]), DAY, BEFORE)
    assert sorted(frame["segment"]) == sorted([*SEGMENTS, "answer", "tool_calls", "reasoning"])
