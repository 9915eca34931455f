"""Find spend that the books cannot price or attribute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from analytics.attribution import usd_sum, within
from analytics.books import Books
from analytics.period import aware
from ledger import units
from ledger.figures import Finding, Scope, Severity
from ledger.types import Status

_HOURS = 24
_INFO_ABOVE = 0.02
_TICKET_ABOVE = 0.05
_NAMED = 3


@dataclass(frozen=True, slots=True)
class _Gap:
    """Requests that lack something, out of all; `usd` is what is known of their cost."""

    rule: str
    lacking: int
    requests: int
    usd: Decimal | None
    since: datetime | None
    words: str
    why: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.lacking / self.requests if self.requests else 0.0


def find(books: Books) -> list[Finding]:
    """Unpriced and unattributed requests of the last day: told above 2 %, a ticket above 5 %.

    Failed calls bill nothing, so one without a price is no gap.
    """
    billed = within(books.rollup, books.last(_HOURS)).filter(pl.col("status") != Status.ERROR)
    gaps = (_unpriced(billed), _unattributed(billed))
    return [_finding(books, gap) for gap in gaps if gap.share > _INFO_ABOVE]


def _unpriced(billed: pl.DataFrame) -> _Gap:
    unpriced = billed.filter(pl.col("unpriced_requests") > 0)
    by_model = _largest(unpriced, "model", "unpriced_requests")
    tokens = int(billed["unpriced_tokens"].sum())
    return _Gap(
        rule="unpriced",
        lacking=int(billed["unpriced_requests"].sum()),
        requests=int(billed["requests"].sum()),
        usd=None,
        since=_first(unpriced),
        words="have no price",
        why=(f"{units.tokens(tokens)} tokens of unknown cost", *by_model),
    )


def _unattributed(billed: pl.DataFrame) -> _Gap:
    nobody = billed.filter(pl.col("tenant").is_null() | pl.col("workflow").is_null())
    spent = usd_sum(nobody["cost_usd"])
    return _Gap(
        rule="unattributed",
        lacking=int(nobody["requests"].sum()),
        requests=int(billed["requests"].sum()),
        usd=spent,
        since=_first(nobody),
        words="name no tenant or no workflow",
        why=(f"{units.money(spent)} nobody answers for", *_largest(nobody, "model", "requests")),
    )


def _first(rows: pl.DataFrame) -> datetime | None:
    first = rows["bucket"].min()
    return aware(first) if isinstance(first, datetime) else None


def _largest(rows: pl.DataFrame, dimension: str, count: str) -> list[str]:
    """The values with the most such requests, in words."""
    most = rows.group_by(dimension).agg(pl.col(count).sum()).sort(count, dimension, descending=[True, False])
    return [
        f"{value or 'unknown'}: {number:,} request{'' if number == 1 else 's'}"
        for value, number in most.head(_NAMED).iter_rows()
    ]


def _finding(books: Books, gap: _Gap) -> Finding:
    span = books.last(_HOURS)
    return Finding(
        rule=gap.rule,
        scope=Scope(),
        severity=Severity.TICKET if gap.share > _TICKET_ABOVE else Severity.INFO,
        found_at=books.now,
        since=gap.since or span.start,
        window_start=span.start,
        window_end=span.end,
        observed_usd=gap.usd,
        expected_usd=None,
        excess_usd=None,
        summary=(
            f"{gap.lacking:,} of {gap.requests:,} requests ({units.share(gap.share)})"
            f" of the last {_HOURS} hours {gap.words}"
        ),
        why=gap.why,
    )
