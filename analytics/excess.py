"""How far the spend of many series lies above their own usual, scaled to their own worst.

Series are hours of dollars in floating point, ranked and compared only; amounts that are shown come from
the books.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.period import naive

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
USUAL_DAYS = 28
FEWEST_DAYS = 7
_FEWEST_DAYS_FOR_WORST = 3
_WORST_HOURS = 7 * 24
# How much of a day's spend an excess may be before it counts, by the window's length in hours.
_SLACK = {1: 0.08, 6: 0.15, 24: 0.30}
_LEAST_SLACK_USD = 1e-9


@dataclass(frozen=True, slots=True)
class Hourly:
    """Dollars by the hour: a row a series, a column an hour, the last hour ending at `end`.

    `running` has one column more: the sum of the hours before. `first` is the hour a series began.
    """

    keys: pl.DataFrame
    end: datetime
    running: Floats
    first: Ints

    @property
    def hours(self) -> int:
        """How many hours the rows hold."""
        return int(self.running.shape[1]) - 1

    def spend(self, ends: Ints, window: int) -> Floats:
        """Spend of every series in the windows that end after these hours."""
        spent: Floats = self.running[:, ends] - self.running[:, ends - window]
        return spent

    def only(self, places: Ints) -> Hourly:
        """These series alone."""
        return Hourly(self.keys[places.tolist()], self.end, self.running[places], self.first[places])


def spending(
    rollup: pl.DataFrame, by: Sequence[str], end: datetime, windows: Sequence[int], least_usd: float
) -> pl.DataFrame:
    """The rows of those who spent enough in the longest window that they could be that much above usual."""
    start = naive(end) - timedelta(hours=max(windows, default=1))
    recent = rollup.filter(pl.col("bucket").is_between(start, naive(end), "left"))
    spent = recent.group_by(by).agg(pl.col("cost_usd").sum().cast(pl.Float64))
    enough = spent.filter(pl.col("cost_usd") >= least_usd)
    return rollup.join(enough, on=list(by), how="semi", nulls_equal=True)


def hourly(rollup: pl.DataFrame, by: Sequence[str], end: datetime, windows: Sequence[int]) -> Hourly:
    """The hours of each combination of the dimensions, as far back as the scores need."""
    hours = _WORST_HOURS + USUAL_DAYS * 24 + max(windows, default=1)
    start = naive(end) - timedelta(hours=hours)
    seen = rollup.filter(pl.col("bucket") < naive(end))
    keys = (
        seen.group_by(by).agg(began=pl.col("bucket").min()).sort(by, nulls_last=True).with_row_index("series")
    )
    hour = ((pl.col("bucket") - start).dt.total_minutes() // 60).alias("hour")
    sums = (
        seen.filter(pl.col("bucket") >= start)
        .group_by(*by, hour)
        .agg(pl.col("cost_usd").sum().cast(pl.Float64))
        .join(keys, on=list(by), nulls_equal=True)
    )
    usd = np.zeros((keys.height, hours))
    usd[sums["series"].to_numpy(), sums["hour"].to_numpy()] = sums["cost_usd"].to_numpy()
    running = np.concatenate([np.zeros((keys.height, 1)), np.cumsum(usd, axis=1)], axis=1)
    first = keys.select(((pl.col("began") - start).dt.total_minutes() // 60).clip(0))["began"].to_numpy()
    return Hourly(keys.select(by), end, running, first.astype(np.int64))


def usual(series: Hourly, ends: Ints, window: int, fewest: int) -> Floats:
    """The median of the same window on the 28 days before, NaN below that many days of history."""
    days = np.arange(1, USUAL_DAYS + 1) * 24
    earlier = ends[:, None] - days[None, :]
    spent = series.running[:, earlier] - series.running[:, earlier - window]
    known = earlier[None, :, :] - window >= series.first[:, None, None]
    return _median(np.where(known, spent, np.nan), fewest)


def _median(values: Floats, fewest: int) -> Floats:
    """The median along the last axis of what is not NaN, NaN where that is less than `fewest`."""
    ordered = np.sort(values, axis=-1)
    count = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    middle = [np.clip(place, 0, values.shape[-1] - 1) for place in ((count - 1) // 2, count // 2)]
    low, high = (np.take_along_axis(ordered, place, axis=-1) for place in middle)
    return np.where(count >= fewest, (low + high) / 2, np.nan)[..., 0]


def daily_spend(series: Hourly) -> Floats:
    """The mean spend of a day over the 28 days before the last one, or since the series began."""
    last = series.hours - 24
    first = np.clip(series.first, last - USUAL_DAYS * 24, last - 1)
    spent = series.running[:, last] - np.take_along_axis(series.running, first[:, None], axis=1)[:, 0]
    mean: Floats = spent / (last - first) * 24
    return mean


def worst(series: Hourly, window: int) -> Floats:
    """The largest excess of the series' own last 7 days, in windows that end before the last one begins."""
    ends = np.arange(series.hours - _WORST_HOURS, series.hours - window + 1)
    if not ends.size:
        return np.zeros(len(series.first))
    excess = series.spend(ends, window) - usual(series, ends, window, _FEWEST_DAYS_FOR_WORST)
    peak: Floats = np.nan_to_num(excess, nan=0.0).max(axis=1).clip(0.0)
    return peak


@dataclass(frozen=True, slots=True)
class Excess:
    """One series above its usual in one window that ends at the series' end."""

    series: int
    window: int
    usual_usd: float
    excess_usd: float
    score: float


def above_usual(series: Hourly, windows: Sequence[int], gate: Floats) -> list[Excess]:
    """Each series' highest score over the windows, where it is at least 1 and the excess passes the gate.

    score = excess ÷ (own worst of 7 days + slack × daily spend). `gate` is the least excess that matters,
    per series in dollars. Series with less than 7 days of history are left out.
    """
    best: dict[int, Excess] = {}
    for window in windows:
        for found in _in_window(series, window, gate):
            if found.series not in best or best[found.series].score < found.score:
                best[found.series] = found
    return [best[place] for place in sorted(best)]


def _in_window(series: Hourly, window: int, gate: Floats) -> list[Excess]:
    end = np.array([series.hours])
    # An excess is at most the spend: what spent too little needs no median.
    spending = np.flatnonzero(series.spend(end, window)[:, 0] >= gate)
    rows = series.only(spending)
    expected = usual(rows, end, window, FEWEST_DAYS)[:, 0]
    excess = rows.spend(end, window)[:, 0] - expected
    material = np.flatnonzero(np.nan_to_num(excess, nan=-1.0) >= gate[spending])
    rows = rows.only(material)
    scale = worst(rows, window) + _slack(window) * daily_spend(rows)
    score = excess[material] / np.maximum(scale, _LEAST_SLACK_USD)
    return [
        Excess(
            series=int(spending[place]),
            window=window,
            usual_usd=float(expected[place]),
            excess_usd=float(excess[place]),
            score=float(score[row]),
        )
        for row, place in enumerate(material.tolist())
        if score[row] >= 1.0
    ]


def _slack(window: int) -> float:
    """The slack of the longest named window that is not longer."""
    return _SLACK[max((hours for hours in _SLACK if hours <= window), default=min(_SLACK))]


def began(series: Hourly, place: int) -> datetime | None:
    """The start of the first of the last 24 hours that has a quarter of the worst hour's excess."""
    row = series.only(np.array([place]))
    ends = np.arange(row.hours - 23, row.hours + 1)
    excess = np.nan_to_num(row.spend(ends, 1) - usual(row, ends, 1, 1), nan=0.0)[0]
    if excess.max() <= 0:
        return None
    hour = int(np.argmax(excess >= 0.25 * excess.max()))
    return series.end - timedelta(hours=24 - hour)
