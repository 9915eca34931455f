"""How well our counts agree with the bills: by group, over time, and of the calls that should be equal."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import polars as pl

from ledger.frames import COUNT_SUMMARY, ERROR_GROWTH, SMALLEST_ERROR
from ledger.types import Category, CountMethod

SEPARATOR: Final = ", "
_PPM = 1_000_000
_SUMS = ("compared", "equal", "within_2", "reported_tokens", "counted_tokens", "error_ppm")


class By(StrEnum):
    """What counts can be grouped by."""

    MODEL = "model"
    API = "api"
    CATEGORY = "category"
    METHOD = "method"


class Step(StrEnum):
    """How finely a time is cut."""

    DAY = "day"
    WEEK = "week"


def summary(days: pl.DataFrame, *by: By) -> pl.DataFrame:
    """COUNT_SUMMARY of COUNT_DAYS by dimensions, the group with most calls first.

    Several are joined by SEPARATOR; of a single one NULL is unknown.
    """
    columns = [pl.col(one.value) for one in by]
    known = columns if len(by) == 1 else [column.fill_null("unknown") for column in columns]
    return _summed(days.with_columns(group=pl.concat_str(known, separator=SEPARATOR))).sort(
        "compared", "group", descending=[True, False], nulls_last=True
    )


def total(days: pl.DataFrame) -> pl.DataFrame:
    """COUNT_SUMMARY of all of COUNT_DAYS in one row, none where nothing could be compared."""
    return _summed(days.with_columns(group=pl.lit("all", pl.String)))


def over_time(days: pl.DataFrame, step: Step) -> pl.DataFrame:
    """COUNT_SUMMARY by day, or by week named by its Monday, oldest first; a time without calls has no row."""
    start = pl.col("day") if step is Step.DAY else pl.col("day").dt.truncate("1w")
    return _summed(days.with_columns(group=start.dt.to_string("%Y-%m-%d"))).sort("group")


def sure(days: pl.DataFrame) -> pl.DataFrame:
    """The calls whose count is to be the bill to the last token: text only, by exact rules."""
    return days.filter(pl.col("category") == Category.TEXT, pl.col("method") == CountMethod.EXACT)


def step_of(first: date, last: date) -> Step:
    """Days for three weeks, weeks beyond."""
    return Step.DAY if last - first <= timedelta(days=21) else Step.WEEK


def _summed(grouped: pl.DataFrame) -> pl.DataFrame:
    sums = grouped.group_by("group").agg(pl.col(_SUMS).sum())
    found = sums.join(_medians(grouped), on="group", how="left", nulls_equal=True)
    compared, reported = pl.col("compared"), pl.col("reported_tokens")
    return found.select(
        "group",
        "compared",
        exact_share=pl.col("equal") / compared,
        within_2_share=pl.col("within_2") / compared,
        mean_error=pl.col("error_ppm") / compared / _PPM,
        median_error=pl.col("median_error"),
        drift=(pl.col("counted_tokens") - reported) / reported,
    ).select(pl.col(name).cast(kind) for name, kind in COUNT_SUMMARY.items())


def _medians(grouped: pl.DataFrame) -> pl.DataFrame:
    """The middle error of each group, whichever its sign: of two middle ones the smaller."""
    sizes = grouped.group_by("group", pl.col("bin").abs()).agg(pl.col("compared").sum())
    running = sizes.sort("group", "bin", nulls_last=True).with_columns(
        upto=pl.col("compared").cum_sum().over("group"), calls=pl.col("compared").sum().over("group")
    )
    middle = running.filter(pl.col("upto") * 2 >= pl.col("calls")).group_by("group").agg(pl.col("bin").min())
    return middle.select("group", median_error=_size_of(pl.col("bin")))


def _size_of(error_bin: pl.Expr) -> pl.Expr:
    """The error that a bin stands for: the middle of its bounds, so that none is further than 5 % away."""
    upper = SMALLEST_ERROR * pl.lit(ERROR_GROWTH).pow(error_bin.cast(pl.Float64))
    return pl.when(error_bin == 0).then(0.0).otherwise(upper * (1 + 1 / ERROR_GROWTH) / 2)
