"""Envelopes proposed from what requests of a workflow used, for a person to accept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from math import ceil, floor, log10
from statistics import median
from zoneinfo import ZoneInfo

import polars as pl

from analytics import histograms
from analytics.period import naive
from analytics.plan import Envelope

FEWEST_REQUESTS = 50
# A day with fewer requests has no p95 of its own.
_FEWEST_A_DAY = 20
_SIDES = ("input", "output", "cost")
# The dearest request of an ordinary day, and half as much again, is still ordinary.
_ROOM = Decimal("1.5")
_ODD = 1.5


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Hours that are no measure of what is usual: of a workflow, or of one tenant of it."""

    workflow: str
    tenant: str | None
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An envelope and its evidence: answered requests on so many days, requests left out, shares above it."""

    envelope: Envelope
    requests: int
    days: int
    left_out: int
    above_input: float
    above_output: float


def suggestions(
    bins: pl.DataFrame, disturbed: Sequence[Disturbance], zone: ZoneInfo
) -> tuple[list[Suggestion], list[tuple[str, int]]]:
    """An envelope for each workflow of `bins` (SIZE_BINS by the hour), and those with too few requests.

    The bins hold answered requests only: errors have no say. Hours of incidents are left out, then days whose
    own p50 or p95 lies half as much again above that of the median day; what is left has its p50 and p95
    taken. The limit on cost is half as much again as the median of each day's dearest request.
    """
    found, scarce = [], []
    for (name,), own in bins.drop_nulls("workflow").group_by("workflow", maintain_order=True):
        workflow = str(name)
        calm = own.filter(_calm([each for each in disturbed if each.workflow == workflow]))
        count = histograms.requests(histograms.of_side(calm, "input"))
        if count < FEWEST_REQUESTS:
            scarce.append((workflow, count))
            continue
        left_out = histograms.requests(histograms.of_side(own, "input")) - count
        found.append(_suggestion(workflow, calm, left_out, zone))
    return sorted(found, key=lambda each: each.envelope.workflow), sorted(scarce)


def _calm(disturbed: Sequence[Disturbance]) -> pl.Expr:
    """The hours that no incident lies in."""
    expressions = (
        (pl.col("bucket").dt.offset_by("1h") > naive(each.start))
        & (pl.col("bucket") < naive(each.end))
        & (pl.lit(value=True) if each.tenant is None else pl.col("tenant").eq_missing(pl.lit(each.tenant)))
        for each in disturbed
    )
    return ~pl.any_horizontal(pl.lit(value=False), *expressions)


def _suggestion(workflow: str, calm: pl.DataFrame, left_out: int, zone: ZoneInfo) -> Suggestion:
    local = pl.col("bucket").dt.replace_time_zone("UTC").dt.convert_time_zone(zone.key).dt.date()
    dated = calm.with_columns(day=local)
    usual = dated.filter(~pl.col("day").is_in(_odd_days(dated)))
    sides = {side: histograms.of_side(usual, side) for side in _SIDES}
    dearest = _dearest(sides["cost"])
    envelope = Envelope(
        workflow,
        input_p50=_tokens(histograms.quantile(sides["input"], 0.50)),
        input_p95=_tokens(histograms.quantile(sides["input"], 0.95)),
        output_p50=_tokens(histograms.quantile(sides["output"], 0.50)),
        output_p95=_tokens(histograms.quantile(sides["output"], 0.95)),
        max_cost_per_request_usd=None if dearest is None else _rounded_up(Decimal(repr(dearest)) * _ROOM),
    )
    count = histograms.requests(sides["input"])
    every = histograms.requests(histograms.of_side(calm, "input"))
    return Suggestion(
        envelope,
        count,
        sides["input"]["day"].n_unique(),
        left_out + every - count,
        _above(sides["input"], envelope.input_p95),
        _above(sides["output"], envelope.output_p95),
    )


def _odd_days(dated: pl.DataFrame) -> list[date]:
    """Days whose p50 or p95, of input or output, lies half as much again above the median of all days'."""
    odd: set[date] = set()
    for side in ("input", "output"):
        for share in (0.5, 0.95):
            sizes = {day: histograms.quantile(rows, share) or 0.0 for day, rows in _days(dated, side)}
            usual = median(sizes.values()) if sizes else 0.0
            odd |= {day for day, size in sizes.items() if size > _ODD * usual > 0}
    return sorted(odd)


def _days(dated: pl.DataFrame, side: str) -> Iterator[tuple[date, pl.DataFrame]]:
    """The days with enough requests."""
    for (day,), rows in histograms.of_side(dated, side).group_by("day", maintain_order=True):
        if isinstance(day, date) and histograms.requests(rows) >= _FEWEST_A_DAY:
            yield day, rows


def _dearest(costs: pl.DataFrame) -> float | None:
    """The median over the days of each day's dearest request."""
    each = costs.group_by("day").agg(pl.col("mean").max())["mean"].to_list()
    return median(each) if each else None


def _tokens(size: float | None) -> int | None:
    """A size to three digits, never below it: 1,118.4 is 1,120."""
    if size is None:
        return None
    step = int(10 ** max(0, floor(log10(max(size, 1))) - 2))
    return ceil(size / step) * step


def _rounded_up(usd: Decimal) -> Decimal:
    """Dollars to two digits, never below them."""
    if not usd:
        return usd
    return usd.quantize(Decimal(1).scaleb(usd.adjusted() - 1), ROUND_CEILING)


def _above(sided: pl.DataFrame, most: int | None) -> float:
    count = histograms.requests(sided)
    return histograms.requests(histograms.above(sided, most)) / count if count and most is not None else 0.0
