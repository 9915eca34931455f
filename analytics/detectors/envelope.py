"""Find workflows whose requests left their envelope."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from analytics import variance
from analytics.attribution import usd_sum
from analytics.books import Books, sizes_within
from analytics.variance import Direction
from ledger import units
from ledger.figures import Finding, Scope, Severity

_HOURS = 24
_OUTSIDE_SHARE = 0.20


def find(books: Books) -> list[Finding]:
    """A ticket for each side of an envelope that more than 20 % of the last day's requests left, at a cost.

    The rule names the side: `envelope_input`, `envelope_output` or `envelope_cost`.
    """
    sizes = sizes_within(books.sizes, books.last(_HOURS))
    left = variance.envelopes(sizes, books.envelopes).filter(
        pl.col("outside_share") > _OUTSIDE_SHARE, pl.col("variance_usd") >= books.floor_usd
    )
    return [_finding(books, row, _spent(sizes, row)) for row in left.iter_rows(named=True)]


def _spent(sizes: pl.DataFrame, row: Mapping[str, Any]) -> Decimal:
    own = sizes.filter(pl.col("workflow") == row["workflow"])
    if row["tenant"] is not None:
        own = own.filter(pl.col("tenant") == row["tenant"])
    return usd_sum(own["cost_usd"])


def _finding(books: Books, row: Mapping[str, Any], spent: Decimal) -> Finding:
    span = books.last(_HOURS)
    outside: Decimal = row["variance_usd"]
    return Finding(
        rule=f"envelope_{row['direction']}",
        scope=Scope(tenant=row["tenant"], workflow=row["workflow"]),
        severity=Severity.TICKET,
        found_at=books.now,
        since=span.start,
        window_start=span.start,
        window_end=span.end,
        observed_usd=spent,
        expected_usd=spent - outside,
        excess_usd=outside,
        summary=(
            f"{units.share(row['outside_share'])} of requests outside the {row['direction']} envelope"
            f" in the last {_HOURS} hours, {units.money(outside)} beyond it"
        ),
        why=_why(row),
    )


def _why(row: Mapping[str, Any]) -> tuple[str, ...]:
    counts = f"{row['outside_requests']:,} of {row['requests']:,} requests"
    if row["direction"] == Direction.COST:
        return (f"{counts} cost more than their maximum",)
    observed, expected = (units.tokens_short(row[f"{side}_p95"]) for side in ("observed", "expected"))
    return (f"{counts}; 95 % of them stay below {observed} tokens, expected {expected}",)
