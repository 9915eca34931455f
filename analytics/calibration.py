"""How estimates relate to bills, learned from pairs of both: robustly, and only where it helps."""

from __future__ import annotations

from collections.abc import Sequence
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
# A calibration is judged by the newest calls, and without so many of them not at all.
_LEAST_SUPPORT: Final = 10
_NEWEST: Final = 20
# Where the newest calls refute what all of the window say, so many of the newest may say something else.
_LATELY: Final = 2 * LEAST_PAIRS
# Sizes that reach so much further are worth a new version.
_FURTHER: Final = 1.1

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
    """The median of all slopes, which a fourth of wrong pairs cannot move; a plain factor for few sizes.

    No call has less than no text beside the visible one: where a line says so, the factor alone is taken.
    """
    x, y = counted[:_MOST_POINTS], reported[:_MOST_POINTS]
    if len(np.unique(x)) < _FEWEST_SIZES:
        return Line(float(np.median(y / x)), 0.0)
    first, second = np.triu_indices(len(x), k=1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    factor = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    intercept = float(np.rint(np.median(y - factor * x)))
    return Line(factor, intercept) if intercept >= 0 else Line(float(np.median(y / x)), 0.0)


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
    """CALIBRATIONS that differ from those in force; one no longer borne out becomes the plain count.

    Times are naive UTC. The same pairs give the same calibrations.
    """
    groups = {_key(key): group for key, group in pairs.group_by(*_KEY, maintain_order=True)}
    known = {one.key: one for one in in_force}
    rows = []
    for key in sorted(groups.keys() | known.keys()):
        seen = _evidence(groups.get(key, pairs.clear()))
        change = _change(seen, known.get(key))
        if change is not None:
            rows.append((version, *key, *change, len(seen.age), since, until, now))
    return pl.DataFrame(rows, schema=CALIBRATIONS, orient="row")


Key = tuple[str, str, str, str, str]
Columns = tuple[float, float, float | None, float | None, float | None]
_THE_PLAIN_COUNT: Final[Columns] = (PLAIN.factor, PLAIN.intercept, None, None, None)
_KEY: Final = ("model", "api", "category", "tokenizer", "rules")


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Pairs of one key; `age` 1 is the newest."""

    counted: Points
    reported: Points
    age: npt.NDArray[np.int64]

    def newest(self, calls: int) -> _Evidence:
        recent = self.age <= calls
        return _Evidence(self.counted[recent], self.reported[recent], self.age[recent])


@dataclass(frozen=True, slots=True)
class _Fit:
    """A line, the error to expect of it, and the counts it was learned from."""

    line: Line
    error: float
    least: float
    greatest: float

    def columns(self) -> Columns:
        """As CALIBRATIONS has them."""
        return self.line.factor, self.line.intercept, self.least, self.greatest, self.error


def _key(group: tuple[object, ...]) -> Key:
    model, api, category, tokenizer, rules = map(str, group)
    return model, api, category, tokenizer, rules


def _evidence(group: pl.DataFrame) -> _Evidence:
    counted, reported = (group[name].cast(pl.Float64).to_numpy() for name in ("counted", "reported"))
    return _Evidence(counted, reported, group["age"].to_numpy())


def _change(seen: _Evidence, before: Calibration | None) -> Columns | None:
    """What is to hold from now on; None where that is what holds already."""
    found = _fitted(seen)
    if found is not None:
        return found.columns() if before is None or _is_news(found, before, seen) else None
    return None if before is None or _holds(before, seen) else _THE_PLAIN_COUNT


def _holds(before: Calibration, seen: _Evidence) -> bool:
    """Whether the pairs, too few to learn from, bear out what was learned before."""
    enough = _LEAST_SUPPORT <= len(seen.age) < LEAST_PAIRS
    return enough and not _is_refuted(_line(before), before.error, seen)


def _line(known: Calibration) -> Line:
    return Line(known.factor, known.intercept)


def _fitted(seen: _Evidence) -> _Fit | None:
    """The line through all pairs, or else through those of late, where the newest bear it out."""
    for pairs in (seen, seen.newest(_LATELY)):
        found = learn(pairs.counted, pairs.reported)
        if found is not None and not _is_refuted(*found, seen):
            return _Fit(*found, float(pairs.counted.min()), float(pairs.counted.max()))
    return None


def _is_refuted(line: Line, promised: float, seen: _Evidence) -> bool:
    """Whether most of the newest calls are further off than four of five were to be."""
    newest = seen.newest(_NEWEST)
    return error(line, newest.counted, newest.reported) > max(promised, _GOOD_ENOUGH)


def _is_news(found: _Fit, before: Calibration, seen: _Evidence) -> bool:
    typical = np.array([np.median(seen.counted)])
    was = float(_line(before).at(typical)[0])
    moved = abs(float(found.line.at(typical)[0]) - was) > _NEWS * abs(was)
    further = found.least * _FURTHER < before.least or found.greatest > before.greatest * _FURTHER
    return moved or further or _is_refuted(_line(before), before.error, seen)
