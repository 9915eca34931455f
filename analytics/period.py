"""Calendar periods in the reporting time zone, as half-open spans of UTC."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

_ONE_DAY = timedelta(days=1)


class Unit(StrEnum):
    """The calendar units a budget or a report can run over."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open span [start, end), aware UTC.

    `zone` is the zone whose calendar drew it, None for a span of hours; it takes no part in equality.
    """

    start: datetime
    end: datetime
    zone: ZoneInfo | None = field(default=None, compare=False)

    @property
    def hours(self) -> float:
        """The real length: 23 or 25 for the days on which clocks change."""
        return (self.end - self.start) / timedelta(hours=1)


def midnight(on: date, zone: ZoneInfo) -> datetime:
    """The first moment of a calendar day, aware UTC, also where clocks skip or repeat midnight."""
    return datetime.combine(on, time(), tzinfo=zone).astimezone(UTC)


def between(first: date, after: date, zone: ZoneInfo) -> Period:
    """The days from `first` up to but without `after`."""
    return Period(midnight(first, zone), midnight(after, zone), zone)


def day(on: date, zone: ZoneInfo) -> Period:
    """One calendar day, 23 to 25 hours long."""
    return between(on, on + _ONE_DAY, zone)


def week(on: date, zone: ZoneInfo) -> Period:
    """The week that `on` lies in, from Monday."""
    monday = on - timedelta(days=on.weekday())
    return between(monday, monday + timedelta(days=7), zone)


def month(on: date, zone: ZoneInfo) -> Period:
    """The calendar month that `on` lies in."""
    return between(on.replace(day=1), shift_months(on, 1), zone)


def of(unit: str, on: date, zone: ZoneInfo) -> Period:
    """The day, week or month that `on` lies in."""
    return {Unit.DAY: day, Unit.WEEK: week, Unit.MONTH: month}[Unit(unit)](on, zone)


def shift_months(on: date, months: int) -> date:
    """The first day of the month that many months away."""
    count = on.year * 12 + on.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def previous(period: Period) -> Period:
    """The period before: the calendar month before whole months, as many days before whole days, else a span.

    A span without a zone, or not on midnights of it, moves by its own length.
    """
    if period.zone is None or not _whole_days(period, period.zone):
        return Period(period.start - (period.end - period.start), period.start, period.zone)
    first, after = local_days(period, period.zone)
    if first.day == 1 and after.day == 1:
        months = (after.year - first.year) * 12 + after.month - first.month
        return between(shift_months(first, -months), first, period.zone)
    return between(first - (after - first), first, period.zone)


def days_before(period: Period, days: int) -> Period:
    """The same clock times that many calendar days earlier (exact hours where there is no zone)."""
    if period.zone is None:
        return Period(period.start - days * _ONE_DAY, period.end - days * _ONE_DAY)
    start, end = (moment.astimezone(period.zone) - days * _ONE_DAY for moment in (period.start, period.end))
    return Period(start.astimezone(UTC), end.astimezone(UTC), period.zone)


def local_days(period: Period, zone: ZoneInfo) -> tuple[date, date]:
    """The calendar days of the two ends of the period in the zone."""
    return period.start.astimezone(zone).date(), period.end.astimezone(zone).date()


def _whole_days(period: Period, zone: ZoneInfo) -> bool:
    first, after = local_days(period, zone)
    return period == between(first, after, zone) and first < after


def naive(moment: datetime) -> datetime:
    """A moment as the ledger stores it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(stored: datetime) -> datetime:
    """A stored moment as an aware one."""
    return stored.replace(tzinfo=UTC)
