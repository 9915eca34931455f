"""How estimates relate to bills, learned from pairs of both: robustly, and only where it helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from ledger.frames import CALIBRATIONS
from ledger.types import Calibration

LEAST_PAIRS: Final = 40
# All pairs of so many points are 80,000 slopes; more points make the median no better.
_MOST_POINTS: Final = 400
_FEWEST_SIZES: Final = 5
# A fit has to take a tenth off the error of pairs it has not seen, and there has to be an error.
_BETTER: Final = 0.9
_GOOD_ENOUGH: Final = 0.005
_FACTORS: Final = (0.25, 4.0)
# A refit that moves a typical estimate by less than this is no news.
_NEWS: Final = 0.005
_QUANTILE: Final = 0.8

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Billed tokens as a line over counted ones."""

    factor: float
    intercept: float

    def at(self, counted: Points) -> Points:
        """The estimate of the bill."""
        return self.factor * counted + self.intercept


PLAIN: Final = Line(1.0, 0.0)


def theil_sen(counted: Points, reported: Points) -> Line:
    """The median of all slopes, which a fourth of wrong pairs cannot move; a plain factor for few sizes."""
    x, y = counted[:_MOST_POINTS], reported[:_MOST_POINTS]
    if len(np.unique(x)) < _FEWEST_SIZES:
        return Line(float(np.median(y / x)), 0.0)
    first, second = np.triu_indices(len(x), k=1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    factor = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return Line(factor, float(np.median(y - factor * x)))


def error(line: Line, counted: Points, reported: Points, quantile: float = 0.5) -> float:
    """A quantile of the relative errors of a line's estimates."""
    return float(np.quantile(np.abs(line.at(counted) - reported) / reported, quantile))


def learn(counted: Points, reported: Points) -> tuple[Line, float] | None:
    """The line and the error to expect of it; None where it does not help with pairs that it has not seen."""
    if len(counted) < LEAST_PAIRS:
        return None
    seen, unseen = (counted[::2], reported[::2]), (counted[1::2], reported[1::2])
    line = theil_sen(*seen)
    if not _FACTORS[0] <= line.factor <= _FACTORS[1]:
        return None
    before, after = error(PLAIN, *unseen), error(line, *unseen)
    if before <= _GOOD_ENOUGH or after > _BETTER * before:
        return None
    return line, error(line, *unseen, _QUANTILE)


def refit(
    pairs: pl.DataFrame,
    in_force: Sequence[Calibration],
    version: int,
    since: datetime,
    until: datetime,
    now: datetime,
) -> pl.DataFrame:
    """CALIBRATIONS that differ from those in force; one that no longer helps is replaced by the plain count.

    Times are naive UTC. The same pairs give the same calibrations.
    """
    known = {(one.model, one.api, one.category): one for one in in_force}
    rows = [
        (version, *key, line.factor, line.intercept, off, evidence, since, until, now)
        for key, line, off, evidence in _learned(pairs, known)
    ]
    return pl.DataFrame(rows, schema=CALIBRATIONS, orient="row")


Key = tuple[str, str, str]


def _learned(pairs: pl.DataFrame, known: dict[Key, Calibration]) -> Iterator[tuple[Key, Line, float, int]]:
    for (model, api, category), group in pairs.group_by("model", "api", "category", maintain_order=True):
        key = (str(model), str(api), str(category))
        counted, reported = (group[name].cast(pl.Float64).to_numpy() for name in ("counted", "reported"))
        found = learn(counted, reported)
        before = known.get(key)
        current = PLAIN if before is None else Line(before.factor, before.intercept)
        if found is None and before is not None and len(counted) >= LEAST_PAIRS:
            found = PLAIN, error(PLAIN, counted, reported, _QUANTILE)
        if found is not None and _is_news(found[0], current, counted):
            yield key, *found, len(counted)


def _is_news(line: Line, current: Line, counted: Points) -> bool:
    typical = np.array([np.median(counted)])
    was = float(current.at(typical)[0])
    return abs(float(line.at(typical)[0]) - was) > _NEWS * abs(was)
