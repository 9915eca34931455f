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
    found = []
    for change in changes(books.sizes, books.last(_HOURS)):
        if change.before and change.after and change.after.tokens >= _GROWN * change.before.tokens:
            found.append(_finding(books, change, change.before, change.after))
    return [finding for finding, usd_a_day in found if usd_a_day >= books.floor_usd]


def _finding(books: Books, change: Change, before: Group, after: Group) -> tuple[Finding, Decimal]:
    """The finding, and what the change adds to a day."""
    usd_a_day = (after.usd - before.usd) * change.a_day
    observed = (after.usd * after.requests).quantize(_SCALE)
    expected = (before.usd * after.requests).quantize(_SCALE)
    small, large = (units.tokens(round(group.tokens)) for group in (before, after))
    finding = Finding(
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
            f"{after.requests:,} requests so far, {change.a_day:,} a day at this pace",
            f"{_each(before)} → {_each(after)} a request",
        ),
    )
    return finding, usd_a_day


def _named(versions: Sequence[str]) -> str:
    if len(versions) == 1:
        return f"prompt version {versions[0][:8]} takes"
    return f"{len(versions)} new prompt versions ({versions[0][:8]} first) take"


def _each(group: Group) -> str:
    return f"${group.usd:.6f}"
