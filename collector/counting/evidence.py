"""How often the counts of recorded calls met their bills, and what that makes of a count's label."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from collector.counting.trust import Trust
from ledger.types import Api, Category

# A label that is to hold for calls nobody has looked at yet asks for this much.
LEAST_RECORDINGS: Final = 20
LEAST_REPOSITORIES: Final = 2
LEAST_SHARE: Final = 0.98


@dataclass(frozen=True, slots=True)
class Evidence:
    """How recorded calls of one API, model generation and category were met.

    `exact` is the share of the counts without any doubt of their own that equal the bill, `held_out` the same
    with constants fitted on other repositories alone. `error` is the relative error that four of five counts
    stay within, doubtful ones and all; the mean error where those four are met to the token.
    """

    api: Api
    generation: str
    category: Category
    recordings: int
    repositories: int
    exact: float
    held_out: float
    error: float


def _evidence(line: Mapping[str, str]) -> Evidence:
    return Evidence(
        api=Api(line["api"]),
        generation=line["generation"],
        category=Category(line["category"]),
        recordings=int(line["recordings"]),
        repositories=int(line["repositories"]),
        exact=float(line["exact"]),
        held_out=float(line["held_out"]),
        error=float(line["error"]),
    )


def read(lines: Iterable[str]) -> tuple[Evidence, ...]:
    """Read a table; raises ValueError for a row that is none."""
    return tuple(_evidence(line) for line in csv.DictReader(lines))


def shipped(table: str) -> tuple[Evidence, ...]:
    """Read a table of this package."""
    return read((files("collector.counting") / table).read_text("utf-8").splitlines())


def judge(found: Evidence) -> Trust:
    """Decide the label from the evidence."""
    enough = found.recordings >= LEAST_RECORDINGS and found.repositories >= LEAST_REPOSITORIES
    # Few recordings say nothing of the error either, nor do those that were all met.
    error = found.error if enough and found.error else None
    return Trust(enough and min(found.exact, found.held_out) >= LEAST_SHARE, error)
