"""Find out that nothing has come in for too long."""

from __future__ import annotations

from analytics.books import Books
from analytics.budget import is_stale
from ledger import units
from ledger.figures import Finding, Scope, Severity


def find(books: Books) -> list[Finding]:
    """A ticket `collector_stale` when the last data is older than allowed, or there is none."""
    if not is_stale(books.last_data, books.now, books.stale_after):
        return []
    since = books.last_data or books.now
    return [
        Finding(
            rule="collector_stale",
            scope=Scope(),
            severity=Severity.TICKET,
            found_at=books.now,
            since=since,
            window_start=since,
            window_end=books.now,
            observed_usd=None,
            expected_usd=None,
            excess_usd=None,
            summary=_summary(books),
            why=("what looks like falling spend may be missing data",),
        )
    ]


def _summary(books: Books) -> str:
    if books.last_data is None:
        return "no data has come in yet"
    silence = units.duration(books.now - books.last_data)
    return f"no data for {silence} (allowed: {units.duration(books.stale_after)})"
