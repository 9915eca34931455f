from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from analytics import period
from tollbook.desk import UsageError
from tollbook.spans import compared, so_far, span

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 10, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026-10-25", date(2026, 10, 25), date(2026, 10, 26)),
        ("2026-W44", date(2026, 10, 26), date(2026, 11, 2)),
        ("2026-10", date(2026, 10, 1), date(2026, 11, 1)),
        ("2026-10-01..2026-10-15", date(2026, 10, 1), date(2026, 10, 16)),
        ("day", date(2026, 10, 30), date(2026, 10, 31)),
        ("week", date(2026, 10, 19), date(2026, 10, 26)),
        ("month", date(2026, 9, 1), date(2026, 10, 1)),
    ],
)
def test_a_period_is_written_as_people_write_it(text, first, after) -> None:
    assert span(text, "--period", NOW, BERLIN) == period.between(first, after, BERLIN)


@pytest.mark.parametrize("text", ["", "2026-13", "2026-10-32", "2026-10-15..2026-10-01", "last tuesday"])
def test_what_is_no_period_is_refused(text) -> None:
    with pytest.raises(UsageError, match="is no period"):
        span(text, "--period", NOW, BERLIN)


def test_a_period_is_compared_with_the_one_before_or_a_week_earlier() -> None:
    month = period.month(date(2026, 10, 1), BERLIN)
    day = period.day(date(2026, 10, 30), BERLIN)
    assert compared(month, "previous", NOW, BERLIN) == period.month(date(2026, 9, 1), BERLIN)
    assert compared(day, "week-before", NOW, BERLIN) == period.day(date(2026, 10, 23), BERLIN)


def test_a_running_month_is_held_against_as_much_of_the_one_before() -> None:
    month = period.month(date(2026, 10, 1), ZoneInfo("UTC"))
    end = datetime(2026, 10, 11, tzinfo=UTC)
    current, versus = so_far(month, period.previous(month), end)
    assert (current.end, versus.end) == (end, datetime(2026, 9, 11, tzinfo=UTC))
