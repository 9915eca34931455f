"""Find new prompt versions that made requests dearer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

from analytics.books import Books, sizes_within
from analytics.explain import prompt_changes
from analytics.period import Period
from ledger import units
from ledger.figures import Finding, Scope, Severity
from ledger.types import Status

_HOURS = 24
_DAYS_BEFORE = timedelta(days=7)
_GROWN = 1.25
_SCALE = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class _Group:
    """Requests of one side of a change: how many, tokens and dollars of each."""

    requests: int
    tokens: float
    usd: Decimal


@dataclass(frozen=True, slots=True)
class _Change:
    """A prompt version beside the ones before it; `a_day` are the workflow's requests of the last day."""

    workflow: str
    version: str
    seen: datetime
    before: _Group
    after: _Group
    a_day: int

    @property
    def usd_a_day(self) -> Decimal:
        return (self.after.usd - self.before.usd) * self.a_day


def find(books: Books) -> list[Finding]:
    """Prompt versions of the last day with 25 % more input a request, dear enough to tell; one a workflow."""
    sizes = books.sizes.filter(pl.col("status") == Status.OK)
    fresh = prompt_changes(sizes, books.last(_HOURS))
    changes = [change for item in fresh if (change := _measured(sizes, books, *item)) is not None]
    dear = [change for change in changes if _is_dear(change, books.floor_usd)]
    dearest = {change.workflow: change for change in sorted(dear, key=lambda change: change.usd_a_day)}
    return [_finding(books, dearest[workflow]) for workflow in sorted(dearest)]


def _is_dear(change: _Change, floor_usd: Decimal) -> bool:
    return change.after.tokens >= _GROWN * change.before.tokens and change.usd_a_day >= floor_usd


def _measured(
    sizes: pl.DataFrame, books: Books, workflow: str, version: str, seen: datetime
) -> _Change | None:
    """The change in numbers, None where a side has no priced request of known size."""
    own = sizes.filter(pl.col("workflow") == workflow)
    before = _group(sizes_within(own, Period(seen - _DAYS_BEFORE, seen)))
    since = sizes_within(own, Period(seen, books.end))
    after = _group(since.filter(pl.col("prompt_version") == version))
    if before is None or after is None:
        return None
    a_day = sizes_within(own, books.last(_HOURS)).height
    return _Change(workflow, version, seen, before, after, a_day)


def _group(rows: pl.DataFrame) -> _Group | None:
    known = rows.drop_nulls(["input_tokens", "cost_usd"])
    if known.is_empty():
        return None
    usd = Decimal(known["cost_usd"].sum()) / known.height
    return _Group(known.height, int(known["input_tokens"].sum()) / known.height, usd)


def _finding(books: Books, change: _Change) -> Finding:
    observed = (change.after.usd * change.after.requests).quantize(_SCALE)
    expected = (change.before.usd * change.after.requests).quantize(_SCALE)
    before, after = (units.tokens(round(group.tokens)) for group in (change.before, change.after))
    return Finding(
        rule="prompt_change",
        scope=Scope(workflow=change.workflow),
        severity=Severity.INFO,
        found_at=books.now,
        since=change.seen,
        window_start=change.seen,
        window_end=books.end,
        observed_usd=observed,
        expected_usd=expected,
        excess_usd=observed - expected,
        summary=(
            f"prompt version {change.version[:8]} takes {after} input tokens a request, {before} before:"
            f" {units.money(change.usd_a_day, signed=True)} a day"
        ),
        why=(
            f"{change.after.requests:,} requests with it so far, {change.a_day:,} requests a day",
            f"{_each(change.before)} → {_each(change.after)} a request",
        ),
    )


def _each(group: _Group) -> str:
    return f"${group.usd:.6f}"
