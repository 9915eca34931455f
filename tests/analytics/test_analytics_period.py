from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics import period

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_day_is_drawn_by_the_zones_midnights() -> None:
    assert period.day(date(2026, 10, 30), BERLIN) == period.Period(
        utc(2026, 10, 29, 23), utc(2026, 10, 30, 23)
    )


def test_the_day_clocks_go_back_has_25_hours() -> None:
    assert period.day(date(2026, 10, 25), BERLIN).hours == 25


def test_the_day_clocks_go_forward_has_23_hours() -> None:
    assert period.day(date(2026, 3, 29), BERLIN).hours == 23


def test_a_zone_off_by_45_minutes_starts_its_day_there() -> None:
    assert period.day(date(2026, 6, 1), ZoneInfo("Asia/Kathmandu")).start == utc(2026, 5, 31, 18, 15)


def test_a_midnight_that_clocks_skip_is_the_moment_of_the_change() -> None:
    # Cairo goes from 00:00 straight to 01:00 on the last Friday of April.
    assert period.day(date(2026, 4, 24), ZoneInfo("Africa/Cairo")).start == utc(2026, 4, 23, 22)


def test_a_week_runs_from_monday() -> None:
    week = period.week(date(2026, 11, 1), ZoneInfo("UTC"))
    assert week == period.Period(utc(2026, 10, 26), utc(2026, 11, 2))


def test_a_month_ends_where_the_next_begins() -> None:
    assert period.month(date(2026, 12, 31), ZoneInfo("UTC")) == period.Period(
        utc(2026, 12, 1), utc(2027, 1, 1)
    )


def test_before_march_comes_the_whole_of_february() -> None:
    before = period.previous(period.month(date(2027, 3, 5), BERLIN))
    assert before == period.month(date(2027, 2, 1), BERLIN)


def test_before_a_25_hour_day_comes_a_calendar_day() -> None:
    before = period.previous(period.day(date(2026, 10, 25), BERLIN))
    assert before == period.day(date(2026, 10, 24), BERLIN)


def test_before_a_span_of_hours_comes_a_span_as_long() -> None:
    span = period.Period(utc(2026, 10, 1, 6), utc(2026, 10, 1, 12))
    assert period.previous(span) == period.Period(utc(2026, 10, 1), utc(2026, 10, 1, 6))


def test_a_week_earlier_keeps_the_local_clock() -> None:
    # One hour more in UTC: the clocks went back in between.
    assert period.days_before(period.day(date(2026, 10, 30), BERLIN), 7) == period.day(
        date(2026, 10, 23), BERLIN
    )


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_each_unit_holds_its_own_day(unit: str) -> None:
    span = period.of(unit, date(2026, 10, 30), BERLIN)
    assert span.start <= utc(2026, 10, 30, 12) < span.end


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        period.of("fortnight", date(2026, 10, 30), BERLIN)
