"""What other makers' APIs bill around the visible text, by API, model and date; rows of framing.csv.

A new model generation is a few more rows there. `recordings` and `repositories` say what a value rests on:
benchmarks/counting/fit_others.py writes them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from importlib.resources import files

from ledger.types import Api


@dataclass(frozen=True, slots=True)
class Row:
    """One value of one constant, for the model names that match and the calls of some days."""

    api: Api
    model: str
    since: date | None
    until: date | None
    constant: str
    value: int
    recordings: int
    repositories: int

    def holds(self, api: Api, model: str, day: date | None) -> bool:
        """Whether the row is about such a call; one without a known day is taken to be of today."""
        if self.api is not api or not fnmatchcase(model, self.model):
            return False
        after = self.since is None or day is None or self.since <= day
        return after and (self.until is None or (day is not None and day < self.until))


@cache
def rows() -> tuple[Row, ...]:
    """Read the table; of two rows that hold, the first decides."""
    text = (files("collector") / "counting" / "framing.csv").read_text(encoding="utf-8")
    return tuple(map(_row, csv.DictReader(text.splitlines())))


def _row(fields: Mapping[str, str]) -> Row:
    since, until = (date.fromisoformat(fields[end]) if fields[end] else None for end in ("since", "until"))
    return Row(
        Api(fields["api"]),
        fields["model"],
        since,
        until,
        fields["constant"],
        int(fields["value"]),
        int(fields["recordings"]),
        int(fields["repositories"]),
    )


@lru_cache(maxsize=4096)
def rows_for(api: Api, model: str, day: date | None = None) -> Mapping[str, Row]:
    """The row that decides each constant of a model, its name in lower case."""
    found: dict[str, Row] = {}
    for row in rows():
        if row.holds(api, model, day):
            found.setdefault(row.constant, row)
    return found


@lru_cache(maxsize=4096)
def constants(api: Api, model: str, day: date | None = None) -> Mapping[str, int]:
    """Every constant of a model, its name in lower case."""
    return {name: row.value for name, row in rows_for(api, model, day).items()}
