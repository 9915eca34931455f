"""Where spend will stand at the end of a period, with how far that can be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import polars as pl

from analytics.attribution import day_starts, with_day
from analytics.period import Period, aware, local_days, midnight, naive

HISTORY_DAYS = 28
_ENOUGH_DAYS = 14
_ENOUGH_FOR_A_BAND = 3
# Eight of ten outcomes lie within 1.28 standard deviations, if days err independently.
_BAND = Decimal("1.2816")
# A first row before nine still makes its day a whole one: the tenant was asleep, not absent.
_ASLEEP_UNTIL = time(9)
_SCALE = Decimal("1e-12")
_ZERO = Decimal(0)


class Method(StrEnum):
    """How the remaining days were guessed."""

    WEEKDAYS = "weekday means"
    STRAIGHT_LINE = "straight line"
    NONE = "no data"


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected total of a period and the band that holds eight outcomes of ten.

    None where nothing is known; the band alone is None where too few whole days are known.
    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    method: Method


@dataclass(frozen=True, slots=True)
class Past:
    """What is known before now: when the books began, spend in the period, spend of each day with rows."""

    began: datetime
    spent: Decimal
    days: Mapping[date, Decimal]


@dataclass(frozen=True, slots=True)
class _History:
    """Spend of the whole days before today, oldest first."""

    days: tuple[tuple[date, Decimal], ...]

    def mean(self, on: date) -> Decimal:
        """The mean of that weekday."""
        same = [usd for day, usd in self.days if day.weekday() == on.weekday()]
        return sum(same, _ZERO) / len(same)

    def spread(self, weekdays: bool) -> Decimal | None:
        """The standard deviation of a day around its weekday's mean, or around the mean of all."""
        if len(self.days) < _ENOUGH_FOR_A_BAND:
            return None
        flat = sum((usd for _, usd in self.days), _ZERO) / len(self.days)
        means = [self.mean(on) if weekdays else flat for on, _ in self.days]
        squares = sum(((usd - mean) ** 2 for (_, usd), mean in zip(self.days, means, strict=True)), _ZERO)
        spent_on_means = len({on.weekday() for on, _ in self.days}) if weekdays else 1
        return (squares / (len(self.days) - spent_on_means)).sqrt()


def to_period_end(
    rollup: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo, amount: str = "cost_usd"
) -> Forecast:
    """Forecast the period's total from the rows up to now.

    With 14 or more days in the books each remaining day is expected at its weekday's mean over the last 28
    days, today by the hours it has left; otherwise the period goes on at its rate so far. The band is
    ±1.28 × the standard deviation of single days × √(days left), never below what is already spent.
    """
    seen = rollup.filter(pl.col("bucket") < naive(now))
    sums = seen.group_by("bucket").agg(pl.col(amount).sum().alias("amount"), value=pl.lit(None, pl.String))
    return ahead(pasts(sums, period, now, zone).get(None), period, now, zone)


def pasts(sums: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo) -> dict[str | None, Past]:
    """The past of each value, from a frame of value, bucket and amount that holds nothing after now."""
    today = now.astimezone(zone).date()
    first = today - timedelta(days=HISTORY_DAYS)
    in_period = pl.col("bucket").is_between(naive(period.start), naive(period.end), "left")
    totals = sums.group_by("value").agg(
        began=pl.col("bucket").min(), spent=pl.col("amount").filter(in_period).sum()
    )
    whole = sums.filter(
        pl.col("bucket").is_between(naive(midnight(first, zone)), naive(midnight(today, zone)), "left")
    )
    days = day_starts(first, today - timedelta(days=1), zone)
    daily = with_day(whole, days).group_by("value", "day").agg(pl.col("amount").sum())
    by_value: dict[str | None, dict[date, Decimal]] = defaultdict(dict)
    for value, on, usd in daily.select("value", "day", "amount").iter_rows():
        by_value[value][on] = usd
    rows = totals.select("value", "began", "spent").iter_rows()
    return {value: Past(aware(began), spent, by_value.get(value, {})) for value, began, spent in rows}


def ahead(past: Past | None, period: Period, now: datetime, zone: ZoneInfo) -> Forecast:
    """The forecast of `to_period_end` from a past."""
    if past is None or now <= period.start:
        return Forecast(None, None, None, Method.NONE)
    if now >= period.end:
        return Forecast(past.spent, past.spent, past.spent, Method.STRAIGHT_LINE)
    history = _history(past, now, zone)
    weekdays = len(history.days) >= _ENOUGH_DAYS
    left = _days_left(period, now, zone)
    if weekdays:
        rest = sum((history.mean(on) * part for on, part in left), _ZERO)
    else:
        # The rate so far begins with the books where they are younger than the period.
        rest = past.spent * _hours(now, period.end) / _hours(max(period.start, past.began), now)
    days_left = sum((part for _, part in left), _ZERO)
    return _banded(past.spent, rest, history.spread(weekdays), days_left, weekdays)


def _banded(spent: Decimal, rest: Decimal, spread: Decimal | None, left: Decimal, weekdays: bool) -> Forecast:
    method = Method.WEEKDAYS if weekdays else Method.STRAIGHT_LINE
    value = (spent + rest).quantize(_SCALE)
    if spread is None:
        return Forecast(value, None, None, method)
    reach = _BAND * spread * left.sqrt()
    return Forecast(
        value, max(spent, value - reach).quantize(_SCALE), (value + reach).quantize(_SCALE), method
    )


def _history(past: Past, now: datetime, zone: ZoneInfo) -> _History:
    """The whole days before today, at most 28, from the first day that is whole in the books."""
    today = now.astimezone(zone).date()
    began = past.began.astimezone(zone)
    whole = began.date() if began.time() < _ASLEEP_UNTIL else began.date() + timedelta(days=1)
    first = max(whole, today - timedelta(days=HISTORY_DAYS))
    days = (first + timedelta(days=offset) for offset in range((today - first).days))
    return _History(tuple((on, past.days.get(on, _ZERO)) for on in days))


def _days_left(period: Period, now: datetime, zone: ZoneInfo) -> list[tuple[date, Decimal]]:
    """Each calendar day that is not over, with the part of it that lies between now and the period's end."""
    first, _ = local_days(Period(now, period.end), zone)
    last = (period.end - timedelta(microseconds=1)).astimezone(zone).date()
    left = []
    for offset in range((last - first).days + 1):
        on = first + timedelta(days=offset)
        start, end = midnight(on, zone), midnight(on + timedelta(days=1), zone)
        part = _hours(max(start, now), min(end, period.end)) / _hours(start, end)
        left.append((on, part))
    return left


def _hours(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start) // timedelta(microseconds=1)) / 3_600_000_000
