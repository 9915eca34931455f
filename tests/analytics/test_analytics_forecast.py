from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from analytics import forecast, period

ZONE = ZoneInfo("UTC")
OCTOBER = period.month(date(2026, 10, 1), ZONE)


def utc(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def days(first: datetime, amounts: list[int]) -> list[dict]:
    return [{"bucket": first + timedelta(days=n), "cost_usd": usd} for n, usd in enumerate(amounts)]


def test_ten_days_of_ten_dollars_make_a_month_of_310(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(10, 1), [10] * 10))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 11), ZONE)
    assert ahead == forecast.Forecast(Decimal(310), Decimal(310), Decimal(310), forecast.Method.STRAIGHT_LINE)


def test_with_two_weeks_of_history_weekends_are_expected_quiet(rollup_frame) -> None:
    # 28 September 2026 is a Monday; weekdays cost 10, weekends nothing.
    rollup = rollup_frame(days(utc(9, 28), [10, 10, 10, 10, 10, 0, 0] * 2))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 12), ZONE)
    # October 2026 has 22 weekdays, seven of them before the 12th.
    assert ahead.value == 220
    assert ahead.method is forecast.Method.WEEKDAYS
    assert (ahead.low, ahead.high) == (220, 220)


def test_the_band_widens_with_the_root_of_the_days_left(rollup_frame) -> None:
    # Sample deviation of 8, 12, 8, 12 is √(16/3); 27 days are left.
    rollup = rollup_frame(days(utc(10, 1), [8, 12, 8, 12]))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 5), ZONE)
    assert ahead.value == 310
    assert round(float(ahead.high) - 310, 6) == round(1.2816 * (16 / 3) ** 0.5 * 27**0.5, 6)


def test_the_low_end_is_never_below_what_is_spent(rollup_frame) -> None:
    # All of it on one Thursday: nothing is expected of the Friday and Saturday left.
    rollup = rollup_frame(days(utc(10, 1), [0] * 28 + [100]))
    ahead = forecast.to_period_end(rollup, OCTOBER, utc(10, 30), ZONE)
    assert (ahead.value, ahead.low) == (100, 100)
    assert ahead.high > 100


def test_without_rows_nothing_is_forecast(rollup_frame) -> None:
    ahead = forecast.to_period_end(rollup_frame([]), OCTOBER, utc(10, 5), ZONE)
    assert ahead == forecast.Forecast(None, None, None, forecast.Method.NONE)


def test_two_days_are_too_few_for_a_band(rollup_frame) -> None:
    ahead = forecast.to_period_end(rollup_frame(days(utc(10, 1), [1, 2])), OCTOBER, utc(10, 3), ZONE)
    assert (ahead.low, ahead.high) == (None, None)


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


def test_today_is_expected_by_the_hours_it_has_left(rollup_frame) -> None:
    rollup = rollup_frame(days(utc(9, 28), [24] * 14))
    today = period.day(date(2026, 10, 12), ZONE)
    assert forecast.to_period_end(rollup, today, utc(10, 12, 18), ZONE).value == 6
