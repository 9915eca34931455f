"""Find new prompt versions that made requests dearer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from analytics.books import Books
from analytics.prompts import Change, Group, changes
from ledger import units
from ledger.figures import Finding, Scope, Severity

_HOURS = 24
_GROWN = 1.25
_SCALE = Decimal("1e-12")


def find(books: Books) -> list[Finding]:
    """Workflows whose new prompts of the last day have 25 % more input a request, dear enough to tell."""
    told = (_told(books, change) for change in changes(books.prompts, books.last(_HOURS)))
    return [finding for finding in told if finding]


def _told(books: Books, change: Change) -> Finding | None:
    before, after, usd_a_day = change.before, change.after, change.usd_a_day
    if before is None or after is None or usd_a_day is None:
        return None
    is_dear = after.tokens >= _GROWN * before.tokens and usd_a_day >= books.floor_usd
    return _finding(books, change, before, after, usd_a_day) if is_dear else None


def _finding(books: Books, change: Change, before: Group, after: Group, usd_a_day: Decimal) -> Finding:
    observed = (after.usd * after.requests).quantize(_SCALE)
    expected = (before.usd * after.requests).quantize(_SCALE)
    small, large = (units.tokens(round(group.tokens)) for group in (before, after))
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
            f"{_named(change.versions)} {large} input tokens a request, {small} before:"
            f" {units.money(usd_a_day, signed=True)} a day"
        ),
        why=(
            f"{after.requests:,} requests so far; {change.a_day:,} a day before the change",
            f"{_each(before)} → {_each(after)} a request",
        ),
    )


def _named(versions: Sequence[str]) -> str:
    if len(versions) == 1:
        return f"prompt version {versions[0][:8]} takes"
    return f"{len(versions)} new prompt versions ({versions[0][:8]} first) take"


def _each(group: Group) -> str:
    return f"${group.usd:.6f}"
