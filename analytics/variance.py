"""What requests used against what their envelope expects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import polars as pl

from analytics import histograms
from analytics.attribution import ZERO, usd_sum
from analytics.period import aware
from analytics.plan import Envelope
from ledger.frames import ENVELOPES, checked


class EnvelopeState(StrEnum):
    """Whether a workflow keeps to its envelope."""

    WITHIN = "within"
    OVER = "over"
    NO_DATA = "no data"


class Direction(StrEnum):
    """What of a request an envelope limits."""

    INPUT = "input"
    OUTPUT = "output"
    COST = "cost"


@dataclass(frozen=True, slots=True)
class _Limit:
    """One direction of one envelope: what is measured, the expected values, the money on that side."""

    envelope: Envelope
    direction: Direction
    p50: int | None
    p95: int | None


def envelopes(bins: pl.DataFrame, declared: Sequence[Envelope]) -> pl.DataFrame:
    """Observed against expected, one row per envelope and declared direction, as ENVELOPES.

    `bins` are SIZE_BINS: only answered requests of known size count, each for its most specific envelope. A
    request is outside above the p95 (cost: above the maximum), told to within 2 % of it. `variance_tokens` is
    the observed sum less n × the expected p50, NULL without a p50: the variance of the whole workflow.
    `variance_usd` is the money outside: of each request above its p95, the part of its money above it.
    Input and output are `over` when more requests are outside than the 5 % a p95 allows, by two standard
    deviations of such a count; cost when any is.
    """
    rows = [
        _row(_own(bins, envelope, declared), limit) for envelope in declared for limit in _limits(envelope)
    ]
    return checked(pl.DataFrame(rows, schema=ENVELOPES, orient="row"), ENVELOPES, "envelopes")


def coverage(rollup: pl.DataFrame, declared: Sequence[Envelope]) -> tuple[Decimal, Decimal]:
    """The money of requests that some envelope covers, and of those that none does."""
    covered = _covered(declared)
    return usd_sum(rollup.filter(covered)["cost_usd"]), usd_sum(rollup.filter(~covered)["cost_usd"])


def outside_usd(envelope_frame: pl.DataFrame) -> Decimal:
    """The money outside envelopes: per envelope the larger of its token sides' sum and its cost row's.

    The two measure the same requests, so they are not added.
    """
    is_cost = pl.col("direction") == Direction.COST
    each = envelope_frame.group_by("workflow", "tenant").agg(
        sides=pl.col("variance_usd").filter(~is_cost).sum(),
        whole=pl.col("variance_usd").filter(is_cost).sum(),
    )
    return usd_sum(each.select(pl.max_horizontal("sides", "whole").alias("outside"))["outside"])


def left_since(
    bins: pl.DataFrame, envelope: Envelope, declared: Sequence[Envelope], tolerated: float
) -> datetime | None:
    """The first hour from which on more than the tolerated share of requests was outside.

    Some requests are always outside a p95, so the first of all would be as old as the bins: it is the one
    before which those outside had fallen furthest behind the tolerated share. None where none is outside.
    """
    own = _own(bins, envelope, declared)
    sides = [_by_time(own, limit) for limit in _limits(envelope)]
    # The same requests stand on every side; at least as many are outside as on the side with most.
    by_time = pl.concat(sides).group_by("bucket").agg(pl.col("requests", "outside").max()).sort("bucket")
    ahead = (pl.col("outside").cum_sum() - tolerated * pl.col("requests").cum_sum()).shift(1, fill_value=0.0)
    first = by_time.with_columns(ahead=ahead).filter(pl.col("outside") > 0).sort("ahead", "bucket")["bucket"]
    return aware(first[0]) if first.len() else None


def _by_time(own: pl.DataFrame, limit: _Limit) -> pl.DataFrame:
    most = _most(limit)
    outside = pl.col("requests").filter(pl.col("mean") > most).sum() if most is not None else pl.lit(0)
    return (
        histograms.of_side(own, limit.direction)
        .group_by("bucket")
        .agg(pl.col("requests").sum(), outside.cast(pl.Int64).alias("outside"))
    )


def _most(limit: _Limit) -> float | None:
    if limit.direction is Direction.COST:
        return float(limit.envelope.max_cost_per_request_usd or ZERO)
    return limit.p95


def _covered(declared: Sequence[Envelope]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(value=False), *(_named(envelope) for envelope in declared))


def _named(envelope: Envelope) -> pl.Expr:
    """The requests an envelope speaks of; a NULL dimension never matches."""
    of_workflow = pl.col("workflow").eq_missing(pl.lit(envelope.workflow))
    if envelope.tenant is None:
        return of_workflow
    return of_workflow & pl.col("tenant").eq_missing(pl.lit(envelope.tenant))


def _own(bins: pl.DataFrame, envelope: Envelope, declared: Sequence[Envelope]) -> pl.DataFrame:
    """The requests this envelope decides on: those no narrower one claims."""
    narrower = [e for e in declared if e.workflow == envelope.workflow and e.tenant is not None]
    claimed = _covered([] if envelope.tenant is not None else narrower)
    return bins.filter(_named(envelope) & ~claimed)


def _limits(envelope: Envelope) -> list[_Limit]:
    limits = []
    if envelope.input_p50 is not None or envelope.input_p95 is not None:
        limits.append(_Limit(envelope, Direction.INPUT, envelope.input_p50, envelope.input_p95))
    if envelope.output_p50 is not None or envelope.output_p95 is not None:
        limits.append(_Limit(envelope, Direction.OUTPUT, envelope.output_p50, envelope.output_p95))
    if envelope.max_cost_per_request_usd is not None:
        limits.append(_Limit(envelope, Direction.COST, None, None))
    return limits


def _row(own: pl.DataFrame, limit: _Limit) -> dict[str, object]:
    envelope = limit.envelope
    head = {"workflow": envelope.workflow, "tenant": envelope.tenant, "direction": limit.direction.value}
    sided = histograms.of_side(own, limit.direction)
    if limit.direction is Direction.COST:
        return head | _cost_row(sided, envelope.max_cost_per_request_usd or ZERO)
    return head | _token_row(sided, limit)


def _cost_row(sided: pl.DataFrame, most: Decimal) -> dict[str, object]:
    over = histograms.above(sided, float(most))
    outside = histograms.requests(over)
    beyond = usd_sum(over["usd"]) - most * outside
    return _counts(histograms.requests(sided), outside, tolerated=0.0) | {"variance_usd": beyond}


def _token_row(sided: pl.DataFrame, limit: _Limit) -> dict[str, object]:
    count = histograms.requests(sided)
    over = sided.clear() if limit.p95 is None else histograms.above(sided, limit.p95)
    return _counts(count, histograms.requests(over), tolerated=0.05) | {
        "expected_p50": limit.p50,
        "expected_p95": limit.p95,
        "observed_p50": histograms.quantile(sided, 0.50),
        "observed_p95": histograms.quantile(sided, 0.95),
        "variance_tokens": None if limit.p50 is None else histograms.tokens(sided) - count * limit.p50,
        "variance_usd": ZERO if limit.p95 is None else histograms.beyond_usd(over, limit.p95),
    }


def _counts(requests: int, outside: int, *, tolerated: float) -> dict[str, object]:
    if not requests:
        state = EnvelopeState.NO_DATA
    else:
        # Two of 35 requests above a p95 are chance: a verdict needs more than the count's own noise.
        allowed = requests * tolerated + 2 * math.sqrt(requests * tolerated * (1 - tolerated))
        state = EnvelopeState.OVER if outside > allowed else EnvelopeState.WITHIN
    return {
        "requests": requests,
        "outside_requests": outside,
        "outside_share": outside / requests if requests else None,
        "state": state.value,
    }
