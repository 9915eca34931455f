"""Where all spend, or each value of a dimension, will stand at the end of a period."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics import forecast
from analytics.counters import amounts
from analytics.period import Period, naive
from analytics.plan import BudgetUnit
from ledger.frames import FORECASTS, checked


def outlook(
    rollup: pl.DataFrame, dimension: str | None, period: Period, now: datetime, zone: ZoneInfo
) -> pl.DataFrame:
    """The forecast of each value with spend in the period or in the 28 days before, as FORECASTS.

    The dearest stand first. The rollup holds hours, and reaches back 28 days and to the period's start.
    """
    sums = amounts(rollup.filter(pl.col("bucket") < naive(now)), dimension, BudgetUnit.USD)
    ahead = forecast.by_value(sums, period, now, zone)
    inside = pl.col("bucket").is_between(naive(period.start), naive(period.end), "left")
    spent = sums.group_by("value").agg(
        spent=pl.col("amount").filter(inside).sum(), unpriced=pl.col("unpriced").filter(inside).sum()
    )
    rows = [
        _row(dimension, value, so_far, unpriced, ahead.get(value, forecast.NOTHING))
        for value, so_far, unpriced in spent.iter_rows()
    ]
    table = pl.DataFrame(rows, FORECASTS, orient="row").sort(
        "forecast", "spent", "value", descending=[True, True, False], nulls_last=True
    )
    return checked(table, FORECASTS, "forecasts")


def _row(
    dimension: str | None, value: str | None, spent: Decimal, unpriced: int, ahead: forecast.Forecast
) -> tuple[object, ...]:
    told = (ahead.value, ahead.low, ahead.high, ahead.method.value, ahead.error)
    return (dimension, value, spent, *told, unpriced)
