"""Find budgets that are spent or burning too fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from analytics import budget, period
from analytics.books import Books
from analytics.plan import Budget
from ledger.figures import Finding

_PERIODS_BACK = 7


def find(books: Books) -> list[Finding]:
    """What the budget counters call for at the books' moment, and limits passed in periods that have ended.

    A period that ended since the check before is looked at once more, as it stood at its end.
    """
    ended = (finding for kind, end in _ended(books) for finding in _at_end(books, kind, end))
    return [*_at(books, books.budgets, books.now), *ended]


def _at(books: Books, budgets: tuple[Budget, ...], now: datetime) -> list[Finding]:
    states = budget.states(books.rollup, budgets, now, books.zone, books.last_data, books.stale_after)
    return budget.findings(states, now, books.rollup, books.zone)


def _ended(books: Books) -> Iterator[tuple[str, datetime]]:
    """The ends of periods since the check before, of each kind of period that has a budget."""
    if books.last_check is None:
        return
    today = books.now.astimezone(books.zone).date()
    for kind in sorted({each.period for each in books.budgets}):
        span = period.of(kind, today, books.zone)
        for _ in range(_PERIODS_BACK):
            if span.start <= books.last_check:
                break
            yield kind, span.start
            span = period.previous(span)


def _at_end(books: Books, kind: str, end: datetime) -> Iterator[Finding]:
    of_kind = tuple(each for each in books.budgets if each.period == kind)
    for finding in _at(books, of_kind, end - timedelta(microseconds=1)):
        # What burns no longer is no news; a limit that was passed is.
        if not finding.rule.startswith("budget_burn"):
            yield replace(finding, found_at=books.now, window_end=end)
