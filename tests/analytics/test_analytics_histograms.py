"""Histograms of sizes: quantiles and shares within the width of a bin, sums exactly."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import histograms
from ledger.frames import SIZE_BINS

START = datetime(2026, 10, 1)
values = st.lists(st.integers(1, 2_000_000), min_size=1, max_size=60)


def binned(sizes: list[int]) -> pl.DataFrame:
    """Sizes in bins 2 % wide, by another way than the ledger's: powers of 1.02 counted by loop."""
    edges = [1.0]
    while edges[-1] < 3_000_000:
        edges.append(edges[-1] * 1.02)
    frame = pl.DataFrame({"size": sizes, "bin": np.searchsorted(edges, sizes, side="right")})
    grouped = frame.group_by("bin").agg(requests=pl.len().cast(pl.Int64), tokens=pl.col("size").sum())
    return grouped.select(
        pl.lit(START).alias("bucket"),
        pl.lit("acme").alias("tenant"),
        pl.lit("chat").alias("workflow"),
        pl.lit("input").alias("side"),
        "requests",
        "tokens",
        pl.col("tokens").cast(pl.Decimal(38, 12)).alias("usd"),
    ).select(pl.col(name).cast(dtype) for name, dtype in SIZE_BINS.items())


@given(sizes=values, share=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_a_quantile_is_within_two_per_cent_of_the_sizes_own(sizes: list[int], share: float):
    told = histograms.quantile(histograms.of_side(binned(sizes), "input"), share)
    assert told == pytest.approx(float(np.quantile(sizes, share)), rel=0.02)


@given(sizes=values, most=st.integers(1, 2_000_000))
def test_the_count_above_a_limit_is_off_by_sizes_near_it_only(sizes: list[int], most: int):
    over = histograms.requests(histograms.above(histograms.of_side(binned(sizes), "input"), most))
    surely = sum(size > most * 1.0201 for size in sizes)
    perhaps = sum(size > most / 1.0201 for size in sizes)
    assert surely <= over <= perhaps


@given(sizes=values)
def test_sums_are_exact(sizes: list[int]):
    sided = histograms.of_side(binned(sizes), "input")
    assert (histograms.requests(sided), histograms.tokens(sided)) == (len(sizes), sum(sizes))


def test_without_calls_there_is_no_quantile():
    assert histograms.quantile(histograms.of_side(binned([5]), "output"), 0.5) is None


def test_the_money_beyond_a_limit_is_the_part_above_it():
    # 400 tokens for $400, 300 of them beyond; the bin of 50 is not over.
    sided = histograms.of_side(binned([400, 50]), "input")
    assert histograms.beyond_usd(histograms.above(sided, 100), 100) == Decimal(300)
