"""What a histogram of sizes tells: values to within the width of a bin, 2 %, sums exactly.

A bin is a row of SIZE_BINS; all of its calls are taken to be as large as their mean.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl

from analytics.attribution import usd_sum
from ledger.frames import USD


def of_side(bins: pl.DataFrame, side: str) -> pl.DataFrame:
    """The bins of one side with the `mean` size of their calls: tokens, or dollars for cost."""
    mean = pl.coalesce("tokens", pl.col("usd").cast(pl.Float64)).cast(pl.Float64) / pl.col("requests")
    return bins.filter(pl.col("side") == side, pl.col("requests") > 0).with_columns(mean.alias("mean"))


def requests(bins: pl.DataFrame) -> int:
    """How many calls the bins hold."""
    return int(bins["requests"].sum())


def tokens(bins: pl.DataFrame) -> int:
    """All tokens of the calls."""
    return int(bins["tokens"].sum())


def quantile(sided: pl.DataFrame, share: float) -> float | None:
    """The size below which that share of calls lies, between two calls in proportion; None without any."""
    ordered = sided.sort("mean").select("mean", "requests")
    count = requests(ordered)
    if not count:
        return None
    place = (count - 1) * share
    through = ordered["requests"].cum_sum().to_numpy()
    means = ordered["mean"].to_numpy()
    low, high = (
        means[np.searchsorted(through, spot, side="right")] for spot in (int(place), -int(-place // 1))
    )
    return float(low + (high - low) * (place - int(place)))


def above(sided: pl.DataFrame, most: float) -> pl.DataFrame:
    """The bins of the calls above a limit."""
    return sided.filter(pl.col("mean") > most)


def beyond_usd(over: pl.DataFrame, most: int) -> Decimal:
    """The money of the part of each call that lies above a limit of tokens."""
    part = (1 - pl.lit(most, pl.Float64) / pl.col("mean")).cast(USD)
    return usd_sum(over.select((pl.col("usd") * part).alias("usd"))["usd"])
