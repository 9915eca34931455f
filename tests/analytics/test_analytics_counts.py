"""Counts held against bills: shares, errors and the fall of what used to be equal."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.books import Books
from analytics.counts import By, Step, over_time, step_of, summary, sure, total
from analytics.detectors import count_drift
from ledger import frames
from ledger.frames import COUNT_DAYS, PROMPT_USE, ROLLUP, SIZE_BINS

NOW = datetime(2026, 10, 30, 15, tzinfo=UTC)
TODAY = NOW.date()


def day(when: date, compared: int, equal: int, **more: object) -> dict[str, object]:
    return {
        "day": when,
        "model": "gpt-4.1-mini",
        "api": "openai.chat",
        "category": "text",
        "method": "exact",
        "ts_estimated": False,
        "compared": compared,
        "equal": equal,
        "within_2": equal,
        "reported_tokens": 100 * compared,
        "counted_tokens": 100 * compared,
        "error_ppm": 0,
        "bin": 0,
        **more,
    }


def days(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=COUNT_DAYS)


def month(share: float = 1.0, calls: int = 20, length: int = 28) -> list[dict[str, object]]:
    """The days before the newest, each with the same share of equal calls."""
    return [day(TODAY - timedelta(days=back), calls, round(calls * share)) for back in range(1, length + 1)]


def found(*rows: dict[str, object], fall: float = 0.05) -> list:
    empty = (frames.empty(ROLLUP), frames.empty(SIZE_BINS))
    books = Books(
        rollup=empty[0],
        sizes=empty[1],
        prompts=frames.empty(PROMPT_USE),
        now=NOW,
        zone=ZoneInfo("UTC"),
        counts=days(*rows),
        exact_share_fall=fall,
    )
    return count_drift.find(books)


def test_shares_and_errors_are_of_the_compared_calls():
    rows = days(
        day(TODAY, 3, 2, within_2=3, reported_tokens=300, counted_tokens=299, error_ppm=10_000),
        day(
            TODAY,
            1,
            0,
            within_2=0,
            category="tools",
            reported_tokens=100,
            counted_tokens=51,
            error_ppm=490_000,
        ),
    )
    (all_,) = total(rows).to_dicts()
    assert (all_["compared"], all_["exact_share"], all_["within_2_share"]) == (4, 0.5, 0.75)
    assert (all_["mean_error"], all_["drift"]) == (0.125, -0.125)
    assert [row["group"] for row in summary(rows, By.CATEGORY).to_dicts()] == ["text", "tools"]


@given(
    st.lists(st.floats(0.0002, 5), min_size=1, max_size=40), st.lists(st.booleans(), min_size=40, max_size=40)
)
def test_the_median_error_is_within_5_percent_of_the_true_one(errors, signs):
    import math

    filed: dict[int, int] = {}
    for error, below in zip(errors, signs, strict=False):
        bucket = 1 + math.floor(math.log(error / 1e-4) / math.log(1.1))
        key = -bucket if below else bucket
        filed[key] = filed.get(key, 0) + 1
    rows = days(*(day(TODAY, calls, 0, bin=key) for key, calls in filed.items()))
    true = sorted(errors)[(len(errors) - 1) // 2]
    assert total(rows)["median_error"][0] == pytest.approx(true, rel=0.0501)


def test_nothing_compared_is_no_row():
    assert total(days()).is_empty()
    assert summary(days(), By.MODEL).is_empty()


def test_weeks_are_named_by_their_monday():
    rows = days(day(date(2026, 10, 4), 1, 1), day(date(2026, 10, 5), 2, 1), day(date(2026, 10, 11), 2, 1))
    assert over_time(rows, Step.WEEK).select("group", "compared").rows() == [
        ("2026-09-28", 1),
        ("2026-10-05", 4),
    ]
    assert step_of(date(2026, 10, 1), date(2026, 10, 22)) is Step.DAY
    assert step_of(date(2026, 10, 1), date(2026, 10, 23)) is Step.WEEK


def test_only_text_by_exact_rules_should_be_equal():
    rows = days(day(TODAY, 1, 1), day(TODAY, 1, 1, category="tools"), day(TODAY, 1, 1, method="calibrated"))
    assert len(sure(rows)) == 1


def test_a_fall_below_the_four_weeks_before_is_a_ticket_of_the_model():
    (one,) = found(*month(), day(TODAY, 40, 20, reported_tokens=4740, counted_tokens=4000))
    assert (one.rule, one.severity.value, one.scope.model) == ("count_drift", "ticket", "gpt-4.1-mini")
    assert one.since == datetime(2026, 10, 30, tzinfo=UTC)
    assert one.summary == "50 % of 40 text-only calls count as billed, 100 % is usual"
    # 740 tokens on the 20 calls that differ.
    assert one.why[0] == "the bill is 37 tokens a call above our count, in 20 calls"


def test_a_fall_that_began_days_ago_says_since_when():
    low = [day(TODAY - timedelta(days=back), 20, 4) for back in range(3)]
    (one,) = found(*month()[2:], *low)
    assert one.since.date() == TODAY - timedelta(days=2)


@pytest.mark.parametrize(
    ("newest", "why"),
    [
        (day(TODAY, 40, 40), "all equal"),
        (day(TODAY, 400, 385), "less than five points"),
        (day(TODAY, 19, 0), "too few calls in three days"),
        (day(TODAY, 40, 20, category="tools"), "not text only"),
        (day(TODAY, 40, 20, method="calibrated"), "never said to be exact"),
        (day(TODAY, 40, 20, ts_estimated=True), "nobody knows when"),
        (day(TODAY - timedelta(days=3), 40, 20), "too long ago"),
    ],
)
def test_what_is_no_fall_is_not_told(newest, why):
    past = [row for row in month() if row["day"] < TODAY - timedelta(days=3)]
    assert found(*past, newest) == [], why


def test_a_model_that_always_swings_is_not_told_for_swinging():
    swinging = [day(TODAY - timedelta(days=back), 40, 40 if back % 2 else 24) for back in range(1, 29)]
    assert found(*swinging, day(TODAY, 40, 26)) == []


def test_a_short_past_says_nothing_of_the_usual():
    assert found(*month(length=2), day(TODAY, 40, 0)) == []


def test_the_least_fall_is_the_configurations():
    rows = (*month(), day(TODAY, 400, 360))
    assert len(found(*rows)) == 1
    assert found(*rows, fall=0.2) == []


def test_a_single_bad_day_in_the_past_does_not_hide_a_fall():
    rows = [*month(length=20), day(TODAY - timedelta(days=21), 4000, 0), day(TODAY, 40, 10)]
    assert len(found(*rows)) == 1
