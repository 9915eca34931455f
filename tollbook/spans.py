"""Periods as people write them: a day, a week, a month, or the days between two."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics import period as calendar
from analytics.period import Period
from tollbook.desk import UsageError

_FORMS = (
    "write it as 2026-10-30, 2026-W44, 2026-10, 2026-10-01..2026-10-15, or day, week or month for the last"
)


def span(text: str, option: str, now: datetime, zone: ZoneInfo) -> Period:
    """The period a text names; `day`, `week` and `month` are the last that is over. Raises UsageError."""
    today = now.astimezone(zone).date()
    if text in list(calendar.Unit):
        return calendar.of(text, calendar.local_days(calendar.of(text, today, zone), zone)[0] - _DAY, zone)
    try:
        return _named(text, zone)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no period: {_FORMS}") from None


_DAY = timedelta(days=1)


def _named(text: str, zone: ZoneInfo) -> Period:
    first, dots, last = text.partition("..")
    if dots:
        begun, ended = date.fromisoformat(first), date.fromisoformat(last)
        if ended < begun:
            raise ValueError(text)
        return calendar.between(begun, ended + _DAY, zone)
    if re.fullmatch(r"\d{4}-\d\d", text):
        return calendar.month(date.fromisoformat(f"{text}-01"), zone)
    if re.fullmatch(r"\d{4}-W\d\d", text):
        return calendar.week(date.fromisoformat(f"{text}-1"), zone)
    return calendar.day(date.fromisoformat(text), zone)


def compared(current: Period, versus: str, now: datetime, zone: ZoneInfo) -> Period:
    """What a period is held against: the one before, the same days a week earlier, or one that is named."""
    if versus == "previous":
        return calendar.previous(current)
    if versus == "week-before":
        return calendar.days_before(current, 7)
    return span(versus, "--versus", now, zone)


def so_far(current: Period, versus: Period, end: datetime) -> tuple[Period, Period]:
    """Both periods cut to the part of the first that is over, where it still runs."""
    if end >= current.end:
        return current, versus
    elapsed = max(end, current.start) - current.start
    cut = min(versus.end, versus.start + elapsed)
    return Period(current.start, current.start + elapsed), Period(versus.start, cut)
