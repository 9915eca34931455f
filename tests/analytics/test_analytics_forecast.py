from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analytics import forecast, period
from analytics.projection import Method
from ledger.frames import USD
from ledger.frames import UTC as UTC_STORED

ZONE = ZoneInfo("UTC")
OCTOBER = period.month(date(2026, 10, 1), ZONE)


def utc(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def days(first: datetime, amounts: list[int]) -> list[dict]:
    return [{"bucket": first + timedelta(days=n), "cost_usd": usd} for n, usd in enumerate(amounts)]


def hourly(first: datetime, amounts: list[float]) -> list[dict]:
    return [{"bucket": first + timedelta(hours=n), "cost_usd": usd} for n, usd in enumerate(amounts)]


def test_ten_days_of_ten_dollars_make_a_month_of_310(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 1), [10] * 10))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 11), ZONE)
    assert (ahead.value, ahead.low, ahead.high) == (310, 310, 310)
    assert ahead.error == pytest.approx(0)


def test_with_two_weeks_of_history_weekends_are_expected_quiet(rollup_frame) -> None:
    # 28 September 2026 is a Monday; weekdays cost 10, weekends nothing.
    rollup = rollup_frame(days(utc(9, 28), [10, 10, 10, 10, 10, 0, 0] * 2))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 12), ZONE)
    # October 2026 has 22 weekdays, seven of them before the 12th.
    assert ahead.value == 220
    assert ahead.method is Method.WEEKDAYS
    assert (ahead.low, ahead.high, ahead.error) == (220, 220, 0)


def test_weekdays_keep_their_places_when_clocks_change(rollup_frame) -> None:
    # Berlin's clocks went back on 25 October 2026; each day's spend stands at its local midnight.
    berlin = ZoneInfo("Europe/Berlin")
    first = date(2026, 10, 12)
    rollup = rollup_frame(
        [
            {"bucket": period.midnight(first + timedelta(days=n), berlin), "cost_usd": usd}
            for n, usd in enumerate([10, 10, 10, 10, 10, 0, 0] * 2)
        ]
    )
    week = period.week(date(2026, 10, 26), berlin)
    now = period.midnight(date(2026, 10, 27), berlin)
    seen = rollup_frame([{"bucket": week.start, "cost_usd": 10}])
    ahead = forecast.to_period_end(rollup.vstack(seen), week, now, berlin)
    assert (ahead.value, ahead.method) == (50, Method.WEEKDAYS)


def test_a_zone_of_half_hours_tells_the_same(rollup_frame) -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    october = period.month(date(2026, 10, 1), kolkata)
    rollup = rollup_frame(hourly(october.start, [1] * 240))
    assert forecast.to_period_end(rollup, october, october.start + timedelta(days=10), kolkata).value == 744


def test_the_band_holds_nine_of_ten_sums_told_before(rollup_frame) -> None:
    # Spend that doubled on some days: sums told before were off, so the band has a low and a high end.
    rollup = rollup_frame(days(utc(10, 1), [8, 12, 8, 12, 9, 11, 8, 12, 10, 9]))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 11), ZONE)
    assert 99 < ahead.low < ahead.value < ahead.high < 500
    assert 0 < ahead.error < 0.3


def test_the_low_end_is_never_below_what_is_spent(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 1), [1, 5] * 14 + [100]))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 30), ZONE)
    assert 184 <= ahead.low < ahead.value


def test_a_series_without_a_pattern_has_no_band(rollup_frame) -> None:
    rollup = rollup_frame(
        days(utc(10, 1), [1, 0, 0, 400, 0, 0, 0, 90, 0, 0, 0, 2000, 0, 0, 0, 0, 1, 0, 0, 0])
    )
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 21), ZONE)
    assert (ahead.low, ahead.high) == (None, None)


def test_each_value_has_a_forecast_of_its_own() -> None:
    sums = pl.DataFrame(
        {
            "value": ["new"] + ["old"] * 10 + [None] * 10,
            "bucket": [datetime(2026, 10, 10, 12)] + [datetime(2026, 10, day) for day in range(1, 11)] * 2,
            "amount": [Decimal(6)] + [Decimal(10)] * 10 + [Decimal(1)] * 10,
        },
        schema={"value": pl.String, "bucket": UTC_STORED, "amount": USD},
    )
    found = forecast.by_value(sums, OCTOBER, utc(10, 11), ZONE)
    # Half a day of "new" at 12 dollars a day, 21 days left.
    assert {value: ahead.value for value, ahead in found.items()} == {
        "old": 310,
        None: 31,
        "new": 6 + 21 * 12,
    }


def test_without_rows_nothing_is_forecast(rollup_frame) -> None:
    ahead = forecast.to_period_end(rollup_frame([]), OCTOBER, utc(10, 5), ZONE)
    assert ahead == forecast.Forecast(None, None, None, Method.NONE)


def test_two_days_are_too_few_for_a_band(rollup_frame) -> None:
    ahead = forecast.to_period_end(rollup_frame(days(utc(10, 1), [1, 2])), OCTOBER, utc(10, 3), ZONE)
    assert (ahead.low, ahead.high, ahead.error, ahead.method) == (None, None, None, Method.STRAIGHT_LINE)


def test_rows_after_now_are_not_seen(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 1), [10] * 10 + [1000]))
    assert forecast.to_period_end(rollup, OCTOBER, utc(10, 11), ZONE).value == 310


def test_a_period_that_is_over_is_known(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 1), [10] * 31))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(11, 2), ZONE)
    assert (ahead.value, ahead.low, ahead.high) == (310, 310, 310)


def test_books_younger_than_the_period_set_the_pace_from_their_first_row(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 22), [10] * 5))
    assert forecast.to_period_end(rollup, OCTOBER, utc(10, 27), ZONE).value == 100


def test_today_is_expected_by_what_its_hours_took_before(rollup_frame) -> None:
    # Nothing at night, 2 dollars an hour from noon on: at 18:00 six hours of 2 dollars are left.
    rollup = rollup_frame(hourly(utc(9, 28), ([0] * 12 + [2] * 12) * 14 + [0] * 12 + [2] * 6))
    today = period.day(date(2026, 10, 12), ZONE)
    assert forecast.to_period_end(rollup, today, utc(10, 12, 18), ZONE).value == 24
