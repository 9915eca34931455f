"""Where spend will stand at the end of a period, with how far that can be wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from analytics.period import Period, aware, midnight, naive
from analytics.projection import CANDIDATES, WEEK, Floats, Method, project

HISTORY_DAYS = 28
_DAY_HOURS = 24
_HISTORY_HOURS = HISTORY_DAYS * _DAY_HOURS
# A first row before nine still makes its day a whole one: the tenant was asleep, not absent.
_ASLEEP_UNTIL = time(9)
# A band wider than tenfold either way tells nothing: the series follows no pattern.
_WIDEST = math.log(10)
# What is guessed is told to a millionth of a dollar; what is booked keeps its own digits.
_SCALE = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class Forecast:
    """The expected total of a period and the band that holds nine outcomes of ten.

    None where nothing is known; the band alone is None where too few days are known, or where sums told
    before were off by more than tenfold. `error` is what the method erred on this series before:
    Σ |actual - told| ÷ Σ actual of the spend still to come; None where it could not be tried.
    """

    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    method: Method
    error: float | None = None


NOTHING = Forecast(None, None, None, Method.NONE)


@dataclass(frozen=True, slots=True)
class _Past:
    """One value's past: its place in the frame's order, first row, spend of the period, whole days known."""

    place: int
    value: str | None
    began: datetime
    spent: Decimal
    known_days: int


def to_period_end(
    rollup: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo, amount: str = "cost_usd"
) -> Forecast:
    """Forecast the period's total from the rows up to now, all of them together; see `by_value`."""
    seen = rollup.filter(pl.col("bucket") < naive(now))
    sums = seen.group_by("bucket").agg(pl.col(amount).sum().alias("amount"), value=pl.lit(None, pl.String))
    return by_value(sums, period, now, zone).get(None, NOTHING)


def by_value(sums: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo) -> dict[str | None, Forecast]:
    """The forecast of each value, from a frame of value, bucket and amount that holds nothing after now.

    The last 28 days up to now, cut every 24 hours of local time back from it, go on by the method of
    `projection` that did best on them; the hours of a part of a day by what those hours took on the same
    weekday. Buckets should be hours or less, or days where `now` is a midnight. With less than a day in the
    books the period goes on at its rate so far. The band is spent + rest ÷ and × e^reach, the reach being
    what nine of ten sums told before lay off by.
    """
    if sums.is_empty() or now <= period.start:
        return {}
    pasts = _pasts(sums, period, now, zone)
    if now >= period.end:
        over = Method.STRAIGHT_LINE
        return {past.value: Forecast(past.spent, past.spent, past.spent, over) for past in pasts}
    hours = _hours(sums, [past.value for past in pasts], now, zone)
    found: dict[str | None, Forecast] = {}
    for known, group in groupby(sorted(pasts, key=_known), key=_known):
        members = list(group)
        if known < 1:
            found |= {past.value: _at_the_rate_so_far(past, period, now) for past in members}
        else:
            own = hours[[past.place for past in members], -known * _DAY_HOURS :]
            found |= _told(members, own, _wall_hours(now, period.end, zone))
    return found


def due_shares(sums: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo) -> dict[str | None, float]:
    """The part of a period's spend that each value would have seen by now, by its own hours of the week.

    An hour of the week weighs what it took in the last 28 days, and one mean hour: a value never seen spends
    evenly. 0 before the period, 1 after it.
    """
    values = sums["value"].unique().to_list()
    hours = _hours(sums, values, now, zone)
    weeks = hours.reshape(len(values), HISTORY_DAYS // WEEK, WEEK * _DAY_HOURS)
    week = weeks.sum(axis=1) + np.maximum(hours.mean(axis=1, keepdims=True), 1e-12)
    start = -_wall_hours(period.start, _anchor(now), zone)
    end = _wall_hours(_anchor(now), period.end, zone)
    first, last, here = (_through(week, at) for at in (start, end, min(max(start, 0.0), end)))
    shares = (here - first) / (last - first)
    return {value: float(share) for value, share in zip(values, shares, strict=True)}


def _through(week: Floats, hour: float) -> Floats:
    """The sum of a week that repeats from now on, up to an hour of it; negative ones lie before now."""
    whole, part = divmod(hour, week.shape[1])
    place = int(part)
    through: Floats = whole * week.sum(axis=1) + week[:, :place].sum(axis=1) + (part - place) * week[:, place]
    return through


def _known(past: _Past) -> int:
    return past.known_days


def _pasts(sums: pl.DataFrame, period: Period, now: datetime, zone: ZoneInfo) -> list[_Past]:
    in_period = pl.col("bucket").is_between(naive(period.start), naive(period.end), "left")
    totals = (
        sums.group_by("value")
        .agg(began=pl.col("bucket").min(), spent=pl.col("amount").filter(in_period).sum())
        .sort("value", nulls_last=True)
    )
    return [
        _Past(place, value, aware(began), spent, _days_known(aware(began), now, zone))
        for place, (value, began, spent) in enumerate(totals.iter_rows())
    ]


def _days_known(began: datetime, now: datetime, zone: ZoneInfo) -> int:
    """The whole 24 hours of local time between the first row and now, at most 28."""
    local = began.astimezone(zone)
    first = midnight(local.date(), zone) if local.time() < _ASLEEP_UNTIL else began
    return min(HISTORY_DAYS, int(_wall_hours(first, _anchor(now), zone) // _DAY_HOURS))


def _anchor(now: datetime) -> datetime:
    """Where the newest hour ends: the quarter of an hour that now lies in, or is a blink before."""
    near = now + timedelta(microseconds=1)
    return near - timedelta(minutes=near.minute % 15, seconds=near.second, microseconds=near.microsecond)


def _wall_hours(start: datetime, end: datetime, zone: ZoneInfo) -> float:
    """Hours between two moments by the clock on the wall, so that weekdays keep their places."""
    first, last = (moment.astimezone(zone).replace(tzinfo=None) for moment in (start, end))
    return (last - first) / timedelta(hours=1)


def _hours(sums: pl.DataFrame, values: Iterable[str | None], now: datetime, zone: ZoneInfo) -> Floats:
    """A row a value, a column an hour of local time, the last 28 days up to now."""
    end = _anchor(now).astimezone(zone).replace(tzinfo=None)
    local = pl.col("bucket").dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key)
    order = pl.DataFrame({"value": list(values)}, schema={"value": pl.String}).with_row_index("place")
    back = (end - local.dt.replace_time_zone(None) - pl.duration(microseconds=1)).dt.total_hours()
    placed = (
        sums.with_columns(column=_HISTORY_HOURS - 1 - back, amount=pl.col("amount").cast(pl.Float64))
        .filter(pl.col("column").is_between(0, _HISTORY_HOURS - 1))
        .join(order, on="value", nulls_equal=True)
    )
    matrix = np.zeros((order.height, _HISTORY_HOURS))
    np.add.at(matrix, (placed["place"].to_numpy(), placed["column"].to_numpy()), placed["amount"].to_numpy())
    return matrix


def _told(members: list[_Past], own: Floats, hours_left: float) -> dict[str | None, Forecast]:
    """The forecasts of series of which the same number of days is known."""
    hourly = own.reshape(len(own), -1, _DAY_HOURS)
    whole, part = divmod(hours_left, _DAY_HOURS)
    projected = project(hourly.sum(axis=2), int(whole) + 1)
    share = _share_of_day(hourly, int(whole), part)
    rest = projected.days[:, : int(whole)].sum(axis=1) + projected.days[:, int(whole)] * share
    methods = list(CANDIDATES)
    return {
        past.value: _banded(
            past.spent,
            float(rest[row]),
            float(projected.reach[row]),
            methods[projected.methods[row]],
            float(projected.error[row]),
        )
        for row, past in enumerate(members)
    }


def _share_of_day(hourly: Floats, ahead: int, part: float) -> Floats:
    """How much of the day so many days ahead falls in its first hours, as the same weekday's hours show.

    A mean day is counted in once, as one week alone says little.
    """
    known = hourly.shape[1]
    alike = (np.arange(known) - known) % WEEK == ahead % WEEK
    profile = hourly[:, alike].sum(axis=1) + hourly.mean(axis=1)
    through = np.concatenate([np.zeros((len(profile), 1)), profile.cumsum(axis=1)], axis=1)
    hour = int(part)
    first = through[:, hour] + (part - hour) * profile[:, hour]
    whole = through[:, -1]
    even = np.full(len(profile), part / _DAY_HOURS)
    share: Floats = np.divide(first, whole, out=even, where=whole > 0)
    return share


def _banded(spent: Decimal, rest: float, reach: float, method: Method, error: float) -> Forecast:
    value = spent + _rounded(rest)
    told = error if math.isfinite(error) else None
    if math.isnan(reach) or reach > _WIDEST:
        return Forecast(value, None, None, method, told)
    factor = math.exp(reach)
    return Forecast(value, spent + _rounded(rest / factor), spent + _rounded(rest * factor), method, told)


def _at_the_rate_so_far(past: _Past, period: Period, now: datetime) -> Forecast:
    """The rate so far begins with the books where they are younger than the period."""
    elapsed = (now - max(period.start, past.began)) / timedelta(hours=1)
    if elapsed <= 0:
        return Forecast(past.spent, None, None, Method.STRAIGHT_LINE)
    left = (period.end - now) / timedelta(hours=1)
    rest = _rounded(float(past.spent) * left / elapsed)
    return Forecast(past.spent + rest, None, None, Method.STRAIGHT_LINE)


def _rounded(amount: float) -> Decimal:
    return Decimal(amount).quantize(_SCALE)
