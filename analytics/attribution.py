"""Who and what spent how much: every cut of the rollup ties to its total."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
from polars import selectors

from analytics.period import Period, between, midnight, naive
from ledger.frames import BREAKDOWN, BUCKETS, DAILY, SEGMENT_SPEND, USD, checked
from ledger.frames import UTC as STORED
from ledger.types import SEGMENTS, UsageSource

ZERO = Decimal(0)
OUTPUT_PARTS = ("answer", "tool_calls", "reasoning")
TOKENS = pl.sum_horizontal(pl.col(column).fill_null(0) for column in BUCKETS)


def within(rollup: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The rows whose bucket starts in the period."""
    start, end = naive(period.start), naive(period.end)
    return rollup.filter(pl.col("bucket").is_between(start, end, closed="left"))


def total_usd(rollup: pl.DataFrame, period: Period) -> Decimal:
    """The priced spend of a period; what is unpriced is not in it."""
    return usd_sum(within(rollup, period)["cost_usd"])


def usd_sum(costs: pl.Series) -> Decimal:
    """The exact sum of a money column, zero where it is empty."""
    return Decimal(costs.sum() or 0)


def known_cost(cost: str = "cost_usd") -> pl.Expr:
    """Summed cost, NULL where every request behind it is unpriced: unknown is not zero."""
    blind = (pl.col("unpriced_requests") >= pl.col("requests")) & (pl.col("requests") > 0)
    return pl.when(blind & (pl.col(cost) == 0)).then(None).otherwise(pl.col(cost))


def spend_by(
    rollup: pl.DataFrame,
    dimension: str,
    period: Period,
    versus: Period,
    trend_days: int,
    zone: ZoneInfo,
) -> pl.DataFrame:
    """Spend of each value of one dimension beside another period, as BREAKDOWN.

    A value seen in either period has a row; NULL is Unattributed and stands last among equals. Costs sum
    to `total_usd`. `trend` is one number a day up to the period's end; a day without any row at all in the
    books is None in every trend.
    """
    now = _by_value(within(rollup, period), dimension)
    before = _by_value(within(rollup, versus), dimension).select(
        "value", previous_cost_usd=known_cost(), previous_requests="requests"
    )
    joined = now.join(before, on="value", how="full", coalesce=True, nulls_equal=True)
    trends = _trends(rollup, dimension, period, trend_days, zone)
    amounts = joined.with_columns(
        pl.col("requests", "tokens", "unpriced_requests").fill_null(0),
        pl.col("estimated_cost_usd").fill_null(ZERO),
        # Absent from a period is a true zero; present without a price is unknown.
        cost_usd=pl.when(pl.col("requests").is_null()).then(pl.lit(ZERO, USD)).otherwise(known_cost()),
        previous_cost_usd=pl.when(pl.col("previous_requests").is_null())
        .then(pl.lit(ZERO, USD))
        .otherwise(pl.col("previous_cost_usd")),
    )
    whole = usd_sum(amounts["cost_usd"])
    table = (
        amounts.join(trends, on="value", how="left", nulls_equal=True)
        .with_columns(
            dimension=pl.lit(dimension),
            share=_share_of(whole),
            change_usd=pl.col("cost_usd") - pl.col("previous_cost_usd"),
        )
        .sort("cost_usd", "value", descending=[True, False], nulls_last=True)
    )
    return checked(table, BREAKDOWN, "breakdown")


def _share_of(whole: Decimal) -> pl.Expr:
    """Each cost as a share of the whole, NULL where there is no whole."""
    if not whole:
        return pl.lit(None, pl.Float64)
    return pl.col("cost_usd").cast(pl.Float64) / float(whole)


def _by_value(rows: pl.DataFrame, dimension: str) -> pl.DataFrame:
    estimated = pl.col("usage_source") == UsageSource.ESTIMATED
    return rows.group_by(pl.col(dimension).alias("value")).agg(
        pl.col("requests", "cost_usd", "unpriced_requests").sum(),
        tokens=TOKENS.sum(),
        estimated_cost_usd=pl.col("cost_usd").filter(estimated).sum(),
    )


def day_starts(first: date, last: date, zone: ZoneInfo) -> pl.DataFrame:
    """One row per calendar day with the UTC moment it begins, first to last inclusive."""
    count = (last - first).days + 1
    days = [first + timedelta(days=offset) for offset in range(count)]
    starts = [naive(midnight(on, zone)) for on in days]
    return pl.DataFrame([pl.Series("day", days, pl.Date), pl.Series("start", starts, STORED)])


def with_day(rows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Rows with the calendar `day` their bucket lies in.

    The boundaries are those of `period`, so a day here holds the very rows that `within` gives for it.
    """
    return rows.sort("bucket").join_asof(days, left_on="bucket", right_on="start", strategy="backward")


def _trends(
    rollup: pl.DataFrame, dimension: str, period: Period, trend_days: int, zone: ZoneInfo
) -> pl.DataFrame:
    last = (period.end - timedelta(microseconds=1)).astimezone(zone).date()
    first = last - timedelta(days=max(trend_days, 1) - 1)
    days = day_starts(first, last, zone)
    rows = within(rollup, between(first, last + timedelta(days=1), zone))
    sums = rows.group_by("bucket", pl.col(dimension).alias("value")).agg(pl.col("cost_usd").sum())
    daily = with_day(sums, days).group_by("value", "day").agg(pl.col("cost_usd").sum().cast(pl.Float64))
    booked = days.with_columns(booked=pl.col("day").is_in(daily["day"].unique().implode()))
    grid = daily.select("value").unique().join(booked, how="cross")
    filled = grid.join(daily, on=["value", "day"], how="left", nulls_equal=True).with_columns(
        pl.when("booked").then(pl.col("cost_usd").fill_null(0.0))
    )
    return filled.sort("day").group_by("value", maintain_order=True).agg(trend=pl.col("cost_usd"))


def daily(
    rollup: pl.DataFrame, first: date, last: date, zone: ZoneInfo, now: datetime, plan_usd: Decimal | None
) -> pl.DataFrame:
    """Every calendar day from first to last, as DAILY; a day without any row has requests 0, cost NULL."""
    days = day_starts(first, last, zone)
    rows = within(rollup, between(first, last + timedelta(days=1), zone))
    per_bucket = rows.group_by("bucket").agg(
        pl.col("requests", "cost_usd", "unpriced_requests").sum(), tokens=TOKENS.sum()
    )
    per_day = (
        with_day(per_bucket, days)
        .group_by("day")
        .agg(pl.col("requests", "tokens", "cost_usd", "unpriced_requests").sum())
        .with_columns(cost_usd=known_cost())
    )
    ends = pl.Series("ends", [naive(midnight(on + timedelta(days=1), zone)) for on in days["day"]], STORED)
    table = (
        days.with_columns(ends=ends)
        .join(per_day, on="day", how="left")
        .with_columns(
            pl.col("requests", "tokens").fill_null(0),
            plan_usd=pl.lit(plan_usd, USD),
            weekend=pl.col("day").dt.weekday() >= 6,
            complete=pl.col("ends") <= naive(now),
        )
        .sort("day")
    )
    return checked(table, DAILY, "daily")


def segment_spend(rollup: pl.DataFrame, period: Period, versus: Period) -> pl.DataFrame:
    """Spend by part of the prompt and of the answer, as SEGMENT_SPEND, dearest first; sums to `total_usd`.

    Output money whose split is unknown is the answer's, any other remainder is `unexplained`. Tokens of
    tool calls are counted within the answer's (the rollup does not part them), so they are NULL.
    """
    now = _segment_sums(within(rollup, period))
    before = _segment_sums(within(rollup, versus)).select("segment", previous_cost_usd="cost_usd")
    whole = usd_sum(now["cost_usd"])
    order = [*SEGMENTS, *OUTPUT_PARTS]
    table = (
        now.join(before, on="segment", how="left")
        .with_columns(
            share=_share_of(whole),
            change_usd=pl.col("cost_usd") - pl.col("previous_cost_usd"),
            place=pl.col("segment").replace_strict(order, range(len(order)), return_dtype=pl.Int64),
        )
        .sort("cost_usd", "place", descending=[True, False])
    )
    return checked(table, SEGMENT_SPEND, "segment_spend")


def _segment_sums(rows: pl.DataFrame) -> pl.DataFrame:
    """Tokens and money of each segment over the rows, remainders placed."""
    sums = rows.select(selectors.numeric().sum()).row(0, named=True)
    costs = {name: _usd(sums[f"cost_{name}_usd"]) for name in (*SEGMENTS, *OUTPUT_PARTS)}
    rest = _usd(sums["cost_usd"]) - sum(costs.values(), ZERO)
    unsplit = _usd(sums["output_cost_usd"]) - sum((costs[name] for name in OUTPUT_PARTS), ZERO)
    answer = max(ZERO, min(unsplit, rest))
    costs["answer"] += answer
    costs["unexplained"] += rest - answer
    reasoning = int(sums["reasoning_tokens"] or 0)
    counts: dict[str, int | None] = {name: int(sums[f"seg_{name}"] or 0) for name in SEGMENTS}
    counts |= {
        "answer": int(sums["output_tokens"] or 0) - reasoning,
        "tool_calls": None if costs["tool_calls"] else 0,
        "reasoning": reasoning,
    }
    return pl.DataFrame(
        {
            "segment": list(costs),
            "tokens": [counts[name] for name in costs],
            "cost_usd": list(costs.values()),
        },
        schema={"segment": pl.String, "tokens": pl.Int64, "cost_usd": USD},
    )


def _usd(total: object) -> Decimal:
    return total if isinstance(total, Decimal) else ZERO
