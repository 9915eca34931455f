"""Read our counts beside the bills by UTC day: how many are equal, how far off the others are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import polars as pl

from ledger import derived
from ledger.frames import COUNT_DAYS, checked
from ledger.store import Ledger
from ledger.types import Category, CountMethod


def read(ledger: Ledger, start: datetime, end: datetime) -> pl.DataFrame:
    """COUNT_DAYS of the UTC days that begin in [start, end); of the day of `end` only what came before it."""
    first, last = _first_midnight(start), _midnight(_naive(end))
    running = derived.query("count_days", "(SELECT * FROM requests WHERE ts >= ? AND ts < ?)")
    frame = ledger.frame(
        f"SELECT {', '.join(COUNT_DAYS)} FROM (FROM count_days WHERE day >= ? AND day < ? "
        f"UNION ALL BY NAME {running}) ORDER BY ALL",
        [first.date(), last.date(), max(first, last), _naive(end)],
    )
    return checked(frame, COUNT_DAYS, "count days")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many calls could be compared, and what their counts and bills say; shares of none are None."""

    compared: int
    equal: int
    reported_tokens: int
    counted_tokens: int

    @property
    def exact_share(self) -> float | None:
        """The share that is equal to the last token."""
        return self.equal / self.compared if self.compared else None

    @property
    def drift_share(self) -> float | None:
        """(counted - reported) / reported of all their tokens."""
        off = self.counted_tokens - self.reported_tokens
        return off / self.reported_tokens if self.reported_tokens else None


def agreement(ledger: Ledger, start: datetime, end: datetime) -> Agreement:
    """How the counts that should be the bill agree with it: of text alone, by exact rules."""
    sure = read(ledger, start, end).filter(
        pl.col("category") == Category.TEXT, pl.col("method") == CountMethod.EXACT
    )
    sums = sure.select(pl.col("compared", "equal", "reported_tokens", "counted_tokens").sum()).row(0)
    return Agreement(*map(int, sums))


def _first_midnight(start: datetime) -> datetime:
    at = _naive(start)
    return at if at == _midnight(at) else _midnight(at + timedelta(days=1))


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time.min)


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)
