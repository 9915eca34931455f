"""What the counters of budgets hold: one pass over the rollup for all values of a dimension."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.attribution import TOKENS, ZERO
from analytics.forecast import NOTHING, Forecast, by_value, due_shares
from analytics.period import Period, aware, naive
from analytics.plan import BudgetUnit
from ledger.frames import USD

BURN_HOURS = (1, 6, 24, 72)
_HOUR_S = 3600
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Tally:
    """One value's amounts: in its period, in the last hours, and where they are expected to end.

    `buckets` counts the quarter hours of the period that have rows: 0 is silence, not zero. `due_share` is
    the part of the period's spend that the hours of the week would have seen by now.
    """

    buckets: int = 0
    spent: Decimal = ZERO
    unpriced: int = 0
    recent: Mapping[int, Decimal] = field(default_factory=dict)
    ahead: Forecast = NOTHING
    due_share: float | None = None


def quarter(moment: datetime) -> datetime:
    """The moment, back to the quarter of an hour: the rollup's grain."""
    return moment - timedelta(
        minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond
    )


def burn_starts(now: datetime) -> list[datetime]:
    """The first whole quarters of the last hours that `tallies` adds up at `now`."""
    starts = (now - timedelta(hours=hours) for hours in BURN_HOURS)
    return [start if start == quarter(start) else quarter(start) + _QUARTER for start in starts]


def amounts(rollup: pl.DataFrame, dimension: str | None, unit: str) -> pl.DataFrame:
    """Dollars or tokens of each value and bucket; every row under the value NULL without a dimension."""
    amount = TOKENS.sum().cast(USD) if unit == BudgetUnit.TOKENS else pl.col("cost_usd").sum()
    value = pl.col(dimension) if dimension else pl.lit(None, pl.String)
    return rollup.group_by("bucket", value.alias("value")).agg(
        amount=amount, unpriced=pl.col("unpriced_requests").sum()
    )


def tallies(sums: pl.DataFrame, span: Period, now: datetime, zone: ZoneInfo) -> dict[str | None, Tally]:
    """The tally of each value of `amounts` that hold nothing after now.

    The last hours are whole quarters: at most so many hours, up to 15 minutes less.
    """
    current = pl.col("bucket") >= naive(span.start)
    since = {f"{hours}h": naive(now - timedelta(hours=hours)) for hours in BURN_HOURS}
    totals = sums.group_by("value").agg(
        buckets=current.sum(),
        spent=pl.col("amount").filter(current).sum(),
        unpriced=pl.col("unpriced").filter(current).sum(),
        **{name: pl.col("amount").filter(pl.col("bucket") >= start).sum() for name, start in since.items()},
    )
    known = by_value(sums, span, now, zone)
    due = due_shares(sums, span, now, zone)
    return {
        row["value"]: Tally(
            buckets=row["buckets"],
            spent=row["spent"],
            unpriced=row["unpriced"],
            recent={hours: row[f"{hours}h"] for hours in BURN_HOURS},
            ahead=known.get(row["value"], NOTHING),
            due_share=due.get(row["value"]),
        )
        for row in totals.iter_rows(named=True)
    }


def crossed_at(sums: pl.DataFrame, start: datetime, limit: Decimal) -> datetime | None:
    """The start of the quarter hour in which the running sum since `start` reached the limit."""
    running = (
        sums.filter(pl.col("bucket") >= naive(start)).sort("bucket").with_columns(pl.col("amount").cum_sum())
    )
    reached = running.filter(pl.col("amount") >= limit)["bucket"].min()
    return aware(reached) if isinstance(reached, datetime) else None


def risen_at(sums: pl.DataFrame, start: datetime, per_hour: Decimal) -> datetime | None:
    """The start of the quarter hour from which on the running sum since `start` kept above the rate.

    It is the quarter before which the sum had fallen furthest behind the rate.
    """
    hours = (pl.col("bucket") - naive(start)).dt.total_seconds() / _HOUR_S
    spent_before = (pl.col("amount").cum_sum() - pl.col("amount")).cast(pl.Float64)
    behind = (
        sums.filter(pl.col("bucket") >= naive(start))
        .sort("bucket")
        .with_columns(ahead=spent_before - float(per_hour) * hours)
    )
    furthest = behind["ahead"].arg_min()
    return None if furthest is None else aware(behind["bucket"][furthest])
