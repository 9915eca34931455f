"""How a series of days goes on: the methods a forecast chooses among, and how far each was off before.

A series is a row of daily sums, oldest first; a day is 24 hours counted back from now. Everything is done for
many series of one length at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

WEEK = 7
# With fewer days before it an origin tells nothing about a method.
FEWEST_BEFORE = 2
_HALF_LIFE_DAYS = 5.0
_LEVEL, _TREND, _DAMPING = 0.3, 0.1, 0.8
# Another method must have been this much better before: small differences over few origins are chance.
_CLEARLY_BETTER = 0.8
# Nine of ten outcomes: the quantile of the errors made before, widened as these are few and overlap. By how
# much was set on half of the series of benchmarks/forecast.py.
_COVERED = 0.9
_WIDENED_DAYS = 5
_FEWEST_TRIALS = 5
_LEAST = 1e-12
_NOISE = 1e-3


class Method(StrEnum):
    """How the days left were guessed."""

    SEASONAL = "hours of the week"
    WEEKDAYS = "weekday means"
    TREND = "damped trend"
    STRAIGHT_LINE = "straight line"
    NONE = "no data"


@dataclass(frozen=True, slots=True)
class Projection:
    """What each series (a row) is expected to be on each day ahead (a column).

    `methods` is an index into CANDIDATES. `error` is Σ |actual - told| ÷ Σ actual of that method at
    earlier origins; `reach` the natural logarithm of the factor within which nine of ten sums of all days
    ahead stay; both NaN where there were too few days to try.
    """

    days: Floats
    methods: Places
    error: Floats
    reach: Floats


def straight_line(past: Floats, ahead: int) -> Floats:
    """The mean of the days so far."""
    onward: Floats = np.repeat(past.mean(axis=1, keepdims=True), ahead, axis=1)
    return onward


def seasonal(past: Floats, ahead: int) -> Floats:
    """The weekday's share of a week × a mean of days without it that forgets half in five days."""
    shares = weekdays(past)
    known = past.shape[1]
    weights = 0.5 ** (np.arange(known)[::-1] / _HALF_LIFE_DAYS)
    level: Floats = (past * weights).sum(axis=1) / np.maximum(
        (_past(shares, known) * weights).sum(axis=1), _LEAST
    )
    onward: Floats = level[:, None] * _ahead(shares, ahead)
    return onward


def damped_trend(past: Floats, ahead: int) -> Floats:
    """Holt's damped trend of the days without their weekday (Gardner and McKenzie 1985), never below zero."""
    shares = weekdays(past)
    plain = past / np.maximum(_past(shares, past.shape[1]), _LEAST)
    level, trend = plain[:, 0], np.zeros(len(past))
    for day in plain.T[1:]:
        before = level
        level = _LEVEL * day + (1 - _LEVEL) * (before + _DAMPING * trend)
        trend = _TREND * (level - before) + (1 - _TREND) * _DAMPING * trend
    steps = np.cumsum(_DAMPING ** np.arange(1, ahead + 1))
    onward: Floats = np.maximum(level[:, None] + trend[:, None] * steps, 0.0)
    return onward * _ahead(shares, ahead)


def weekday_means(past: Floats, ahead: int) -> Floats:
    """The mean of each weekday's days; that of all days where a weekday is not known yet."""
    if past.shape[1] < WEEK:
        return straight_line(past, ahead)
    newest = past[:, past.shape[1] % WEEK :].reshape(len(past), -1, WEEK).mean(axis=1)
    onward: Floats = newest[:, np.arange(ahead) % WEEK]
    return onward


# The first is taken unless another did clearly better before.
CANDIDATES: Mapping[Method, Callable[[Floats, int], Floats]] = {
    Method.SEASONAL: seasonal,
    Method.WEEKDAYS: weekday_means,
    Method.TREND: damped_trend,
    Method.STRAIGHT_LINE: straight_line,
}
STRAIGHT = list(CANDIDATES).index(Method.STRAIGHT_LINE)


def weekdays(past: Floats) -> Floats:
    """Each weekday's days over a mean day, seven columns, the last that of the newest day.

    Few weeks say little about weekdays: the shares are drawn towards one as if one more week had been even.
    """
    known = past.shape[1]
    places = (np.arange(known) - known) % WEEK
    mean = past.mean(axis=1)
    sums = np.stack([past[:, places == place].sum(axis=1) for place in range(WEEK)], axis=1)
    counts = np.bincount(places, minlength=WEEK)
    even = mean[:, None]
    shares: Floats = (sums + even) / np.maximum((counts + 1) * even, _LEAST)
    return np.where(even > 0, shares, 1.0)


def _past(shares: Floats, known: int) -> Floats:
    return shares[:, (np.arange(known) - known) % WEEK]


def _ahead(shares: Floats, ahead: int) -> Floats:
    return shares[:, np.arange(ahead) % WEEK]


def project(past: Floats, ahead: int) -> Projection:
    """Let each series go on by the method that did best on it before.

    Back-test: at the end of each day of the newer half of the past every method is asked how the days from
    there to now would go, in sums of one day, two days and so on.
    """
    count, known = past.shape
    each = np.stack([method(past, ahead) for method in CANDIDATES.values()])
    if known <= FEWEST_BEFORE:
        unknown = np.full(count, np.nan)
        straight = np.full(count, STRAIGHT)
        return Projection(each[STRAIGHT], straight, unknown, unknown)
    actual, told, horizons = _tried(past)
    sums = actual.sum(axis=1)
    off = np.abs(told - actual).sum(axis=2)
    mean_off = np.where(sums > 0, off / np.maximum(sums, _LEAST), np.where(off > _LEAST, np.inf, 0.0))
    chosen = _chosen(mean_off)
    rows = np.arange(count)
    reach = _reach(actual, told[chosen, rows], horizons, ahead)
    return Projection(each[chosen, rows], chosen, mean_off[chosen, rows], reach)


def _tried(past: Floats) -> tuple[Floats, Floats, Places]:
    """Actual sums (series × trial), those told (method × series × trial), and each trial's days."""
    known = past.shape[1]
    origins = range(max(FEWEST_BEFORE, known // 2), known)
    actual = [np.cumsum(past[:, origin:], axis=1) for origin in origins]
    told = [
        np.stack([method(past[:, :origin], known - origin).cumsum(axis=1) for method in CANDIDATES.values()])
        for origin in origins
    ]
    days = [np.arange(1, known - origin + 1) for origin in origins]
    return np.concatenate(actual, axis=1), np.concatenate(told, axis=2), np.concatenate(days)


def _chosen(mean_off: Floats) -> Places:
    """The best method of each series where it is clearly better than the first."""
    best = mean_off.argmin(axis=0)
    clearly = mean_off.min(axis=0) < np.minimum(_CLEARLY_BETTER * mean_off[0], mean_off[0] - _NOISE)
    return np.where(clearly, best, 0)


def _reach(actual: Floats, told: Floats, horizons: Places, ahead: int) -> Floats:
    """How far nine of ten sums lay off before, as |ln(actual ÷ told)|.

    Sums of as many days as are ahead, or more, tell it where there are five such, else the longest.
    """
    small = np.maximum(0.01 * told, _LEAST)
    apart = np.abs(np.log((actual + small) / (told + small)))
    least = min(ahead, int(np.sort(horizons)[-min(_FEWEST_TRIALS, len(horizons))]))
    alike = np.sort(apart[:, horizons >= least], axis=1)
    widened = 1 + _WIDENED_DAYS / (int(horizons.max()) + FEWEST_BEFORE)
    reach: Floats = widened * alike[:, math.ceil(_COVERED * alike.shape[1]) - 1]
    return reach
