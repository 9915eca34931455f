"""Look for what is wrong in the books, one detector a file."""

from __future__ import annotations

from collections.abc import Callable

from analytics.books import Books
from analytics.detectors import (
    budget,
    count_drift,
    dollar_excess,
    envelope,
    prompt_change,
    prompt_review,
    stale,
    unpriced,
)
from ledger.figures import Finding

DETECTORS: dict[str, Callable[[Books], list[Finding]]] = {
    "stale": stale.find,
    "budget": budget.find,
    "dollar_excess": dollar_excess.find,
    "envelope": envelope.find,
    "prompt_change": prompt_change.find,
    "prompt_review": prompt_review.find,
    "unpriced": unpriced.find,
    "count_drift": count_drift.find,
}
