"""Find workflows whose requests left their envelope."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from analytics import variance
from analytics.attribution import usd_sum, within
from analytics.books import Books
from analytics.plan import Envelope
from analytics.variance import Direction
from ledger import units
from ledger.figures import ControlKind, Finding, Scope, Severity

_HOURS = 24
_OUTSIDE_SHARE = 0.20
# What brings a request back inside, by the side that it left.
_CONTROLS = {
    Direction.INPUT: ControlKind.COMPRESS_CONTEXT,
    Direction.OUTPUT: ControlKind.CAP_OUTPUT,
    Direction.COST: ControlKind.CHEAPER_TIER,
}


def find(books: Books) -> list[Finding]:
    """A ticket `envelope` for each envelope that more than 20 % of the last day's requests left, at a cost.

    The side that costs most is in the summary, the others that were left in `why`; the excess is the
    envelope's money outside.
    """
    bins = within(books.sizes, books.last(_HOURS))
    found = (_of_envelope(books, bins, envelope) for envelope in books.envelopes)
    return [finding for finding in found if finding]


def _of_envelope(books: Books, bins: pl.DataFrame, envelope: Envelope) -> Finding | None:
    sides = variance.envelopes(bins, books.envelopes).filter(
        pl.col("workflow") == envelope.workflow,
        pl.col("tenant").eq_missing(pl.lit(envelope.tenant, pl.String)),
    )
    left = sides.filter(pl.col("outside_share") > _OUTSIDE_SHARE, pl.col("variance_usd") >= books.floor_usd)
    if left.is_empty():
        return None
    return _finding(books, bins, envelope, variance.outside_usd(sides), left)


def _finding(
    books: Books, bins: pl.DataFrame, envelope: Envelope, outside: Decimal, left: pl.DataFrame
) -> Finding:
    span = books.last(_HOURS)
    spent = _spent(bins, envelope)
    worst, *others = left.sort("variance_usd", descending=True, maintain_order=True).iter_rows(named=True)
    limits = "it" if outside == worst["variance_usd"] else "all its limits"
    return Finding(
        rule="envelope",
        scope=Scope(tenant=envelope.tenant, workflow=envelope.workflow),
        severity=Severity.TICKET,
        found_at=books.now,
        since=variance.left_since(bins, envelope, books.envelopes, _OUTSIDE_SHARE) or span.start,
        window_start=span.start,
        window_end=span.end,
        observed_usd=spent,
        expected_usd=spent - outside,
        excess_usd=outside,
        summary=(
            f"{units.share(worst['outside_share'])} of requests outside the {worst['direction']} envelope"
            f" in the last {_HOURS} hours, {units.money(outside)} beyond {limits}"
        ),
        control=_CONTROLS[Direction(worst["direction"])],
        why=(_why(worst), *(f"{side['direction']} too: {_why(side)}" for side in others)),
    )


def _spent(bins: pl.DataFrame, envelope: Envelope) -> Decimal:
    own = bins.filter(pl.col("side") == Direction.COST, pl.col("workflow") == envelope.workflow)
    return usd_sum((own if envelope.tenant is None else own.filter(tenant=envelope.tenant))["usd"])


def _why(side: Mapping[str, Any]) -> str:
    counts = f"{side['outside_requests']:,} of {side['requests']:,} requests"
    if side["direction"] == Direction.COST:
        return f"{counts} cost more than their maximum"
    observed, expected = (units.tokens_short(side[f"{name}_p95"]) for name in ("observed", "expected"))
    return f"{counts}; 95 % of them stay below {observed} tokens, expected {expected}"
