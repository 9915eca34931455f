"""Find budgets that are spent or burning too fast."""

from __future__ import annotations

from analytics import budget
from analytics.books import Books
from ledger.figures import Finding


def find(books: Books) -> list[Finding]:
    """What the budget counters call for at the books' moment."""
    states = budget.states(books.rollup, books.budgets, books.now, books.zone, books.last_data)
    return budget.findings(states, books.now, books.rollup, books.zone)
