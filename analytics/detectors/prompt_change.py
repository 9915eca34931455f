"""Find new prompt versions that made requests dearer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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
    """The new prompt versions of a workflow, oldest first, beside what the same tenants sent before.

    `a_day` is how many requests with them a day has at the pace so far.
    """

    workflow: str
    versions: tuple[str, ...]
    seen: datetime
    before: _Group
    after: _Group
    a_day: int

    @property
    def usd_a_day(self) -> Decimal:
        return (self.after.usd - self.before.usd) * self.a_day


def find(books: Books) -> list[Finding]:
    """Workflows whose new prompts of the last day have 25 % more input a request, dear enough to tell."""
    sizes = books.sizes.filter(pl.col("status") == Status.OK)
    fresh: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for workflow, version, seen in prompt_changes(sizes, books.last(_HOURS)):
        fresh[workflow].append((version, seen))
    changes = (_measured(sizes, books, workflow, fresh[workflow]) for workflow in sorted(fresh))
    return [_finding(books, change) for change in changes if change and _is_dear(change, books.floor_usd)]


def _is_dear(change: _Change, floor_usd: Decimal) -> bool:
    return change.after.tokens >= _GROWN * change.before.tokens and change.usd_a_day >= floor_usd


def _measured(
    sizes: pl.DataFrame, books: Books, workflow: str, fresh: Sequence[tuple[str, datetime]]
) -> _Change | None:
    """The change in numbers, None where a side has no priced request of known size."""
    versions, seen = tuple(version for version, _ in fresh), fresh[0][1]
    own = sizes.filter(pl.col("workflow") == workflow)
    new = sizes_within(own, Period(seen, books.end)).filter(pl.col("prompt_version").is_in(versions))
    earlier = sizes_within(own, Period(seen - _DAYS_BEFORE, seen))
    before = _group(earlier.join(new, on="tenant", how="semi", nulls_equal=True))
    after = _group(new)
    if before is None or after is None:
        return None
    hours = max(1.0, (books.end - seen) / timedelta(hours=1))
    return _Change(workflow, versions, seen, before, after, round(new.height * 24 / hours))


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
            f"{_named(change.versions)} {after} input tokens a request, {before} before:"
            f" {units.money(change.usd_a_day, signed=True)} a day"
        ),
        why=(
            f"{change.after.requests:,} requests so far, {change.a_day:,} a day at this pace",
            f"{_each(change.before)} → {_each(change.after)} a request",
        ),
    )


def _named(versions: Sequence[str]) -> str:
    if len(versions) == 1:
        return f"prompt version {versions[0][:8]} takes"
    return f"{len(versions)} new prompt versions ({versions[0][:8]} first) take"


def _each(group: _Group) -> str:
    return f"${group.usd:.6f}"
