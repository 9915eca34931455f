"""What requests used against what their envelope expects."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import polars as pl

from analytics.attribution import ZERO, usd_sum
from analytics.period import aware
from analytics.plan import Envelope
from ledger.frames import ENVELOPES, USD, checked
from ledger.types import Status


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


def envelopes(sizes: pl.DataFrame, declared: Sequence[Envelope]) -> pl.DataFrame:
    """Observed against expected, one row per envelope and declared direction, as ENVELOPES.

    Only requests with status ok count, each for its most specific envelope. A request is outside above the
    p95 (cost: above the maximum); one of unknown size is left out. `variance_tokens` is the observed sum
    less n × the expected p50, NULL without a p50: the variance of the whole workflow. `variance_usd` is
    the money outside: of each request above its p95, the part of that side's money above the p95.
    Input and output are `over` when more requests are outside than the 5 % a p95 allows, by two standard
    deviations of such a count; cost when any is.
    """
    done = sizes.filter(pl.col("status") == Status.OK)
    rows = [
        _row(_own(done, envelope, declared), limit) for envelope in declared for limit in _limits(envelope)
    ]
    return checked(pl.DataFrame(rows, schema=ENVELOPES, orient="row"), ENVELOPES, "envelopes")


def coverage(sizes: pl.DataFrame, declared: Sequence[Envelope]) -> tuple[Decimal, Decimal]:
    """The money of requests that some envelope covers, and of those that none does."""
    covered = _covered(declared)
    return usd_sum(sizes.filter(covered)["cost_usd"]), usd_sum(sizes.filter(~covered)["cost_usd"])


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
    sizes: pl.DataFrame, envelope: Envelope, declared: Sequence[Envelope], tolerated: float
) -> datetime | None:
    """The first request outside the envelope from which on more than the tolerated share was.

    Some requests are always outside a p95, so the first of all would be as old as the sizes: it is the one
    before which those outside had fallen furthest behind the tolerated share. None where none is outside.
    """
    done = _own(sizes.filter(pl.col("status") == Status.OK), envelope, declared).sort("ts")
    outside = done.select("ts", outside=_outside(envelope))
    ahead = (pl.col("outside").cum_sum() - tolerated * pl.int_range(1, pl.len() + 1)).shift(1, fill_value=0.0)
    first = outside.with_columns(ahead=ahead).filter("outside").sort("ahead", "ts").head(1)["ts"]
    return aware(first.item()) if first.len() else None


def _outside(envelope: Envelope) -> pl.Expr:
    """Whether a request is outside on any side; unknown sizes and costs are not."""
    limits = {
        "input_tokens": envelope.input_p95,
        "output_tokens": envelope.output_p95,
        "cost_usd": envelope.max_cost_per_request_usd,
    }
    sides = (pl.col(column) > most for column, most in limits.items() if most is not None)
    return pl.any_horizontal(pl.lit(value=False), *(side.fill_null(value=False) for side in sides))


def _covered(declared: Sequence[Envelope]) -> pl.Expr:
    return pl.any_horizontal(pl.lit(value=False), *(_named(envelope) for envelope in declared))


def _named(envelope: Envelope) -> pl.Expr:
    """The requests an envelope speaks of; a NULL dimension never matches."""
    of_workflow = pl.col("workflow").eq_missing(pl.lit(envelope.workflow))
    if envelope.tenant is None:
        return of_workflow
    return of_workflow & pl.col("tenant").eq_missing(pl.lit(envelope.tenant))


def _own(sizes: pl.DataFrame, envelope: Envelope, declared: Sequence[Envelope]) -> pl.DataFrame:
    """The requests this envelope decides on: those no narrower one claims."""
    narrower = [e for e in declared if e.workflow == envelope.workflow and e.tenant is not None]
    claimed = _covered([] if envelope.tenant is not None else narrower)
    return sizes.filter(_named(envelope) & ~claimed)


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
    if limit.direction is Direction.COST:
        return head | _cost_row(own["cost_usd"].drop_nulls(), envelope.max_cost_per_request_usd or ZERO)
    return head | _token_row(own, limit)


def _cost_row(costs: pl.Series, most: Decimal) -> dict[str, object]:
    over = costs.filter(costs > most)
    beyond = usd_sum(over) - most * over.len()
    return _counts(costs.len(), over.len(), tolerated=0.0) | {"variance_usd": beyond}


def _token_row(own: pl.DataFrame, limit: _Limit) -> dict[str, object]:
    column = f"{limit.direction}_tokens"
    known = own.filter(pl.col(column).is_not_null())
    used = known[column]
    over = known.filter(pl.col(column) > limit.p95) if limit.p95 is not None else known.clear()
    beyond = (1 - pl.lit(limit.p95, pl.Float64) / pl.col(column)).cast(USD)
    outside = over.select((pl.col(f"{limit.direction}_usd") * beyond).alias("usd"))["usd"]
    return _counts(used.len(), over.height, tolerated=0.05) | {
        "expected_p50": limit.p50,
        "expected_p95": limit.p95,
        "observed_p50": used.quantile(0.50, "linear"),
        "observed_p95": used.quantile(0.95, "linear"),
        "variance_tokens": None if limit.p50 is None else int(used.sum()) - used.len() * limit.p50,
        "variance_usd": usd_sum(outside),
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
