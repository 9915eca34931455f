"""Time the explanation of a change between two periods over many cells; its parts must sum exactly.

python -m benchmarks.explain --cells 10000
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from analytics import explain, movers
from analytics.attribution import total_usd, usd_sum
from analytics.factors import CELL, Factor
from analytics.period import Period
from benchmarks.figures import Figure, at_most, fail, report
from ledger.frames import ROLLUP, USD
from ledger.types import SEGMENTS

_START = datetime(2026, 10, 1, tzinfo=UTC)
_BEFORE = Period(_START, _START + timedelta(days=1))
_AFTER = Period(_BEFORE.end, _BEFORE.end + timedelta(days=1))
_AIM_S = 1.0


def rollup(cells: int) -> pl.DataFrame:
    """Two days of as many cells: tenant × workflow × model, with sizes and cache hits that differ."""
    place = pl.int_range(cells, eager=True)
    sides = []
    for side, span in enumerate((_BEFORE, _AFTER)):
        rows = pl.DataFrame(
            {
                "bucket": pl.Series([span.start.replace(tzinfo=None)] * cells, dtype=pl.Datetime("us")),
                "tenant": "tenant " + (place // 20).cast(pl.String),
                "workflow": "workflow " + (place // 2 % 10).cast(pl.String),
                "model": "model " + (place % 2).cast(pl.String),
                "requests": (place * 7919 + side * 31) % 211 + 1,
                "input_tokens": (place * 104_729 + side * 977) % 99_991,
                "cache_read_tokens": (place * 1_299_709 + side * 13) % 49_999,
                "output_tokens": (place * 15_485_863 + side * 499) % 9_973,
            }
        )
        sides.append(
            rows.with_columns(
                seg_user=pl.col("input_tokens"),
                seg_system=pl.col("cache_read_tokens"),
                input_cost_usd=(pl.col("input_tokens") * Decimal("0.000002")).cast(USD),
                cache_read_cost_usd=(pl.col("cache_read_tokens") * Decimal("0.0000005")).cast(USD),
                output_cost_usd=(pl.col("output_tokens") * Decimal("0.000008")).cast(USD),
            )
        )
    whole = pl.concat(sides).with_columns(
        cost_usd=pl.sum_horizontal("input_cost_usd", "cache_read_cost_usd", "output_cost_usd")
    )
    rest = [name for name in ROLLUP if name not in whole.columns]
    return whole.with_columns(
        pl.lit(0 if ROLLUP[name].is_numeric() else None).cast(ROLLUP[name]).alias(name) for name in rest
    ).select(ROLLUP.names())


def explained(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """All that `tollbook explain` works out: factors, the parts of the prompt, the ten that moved most."""
    factors = explain.factors(rows, _AFTER, _BEFORE)
    input_usd = explain.amount_of(factors, Factor.INPUT_TOKENS)
    segments = movers.by_segment(rows, _AFTER, _BEFORE, input_usd)
    return factors, segments, explain.contributors(rows, _AFTER, _BEFORE)


def verify(rows: pl.DataFrame, factors: pl.DataFrame, segments: pl.DataFrame) -> None:
    """Fail where any table does not sum to what it splits, to the last digit."""
    change = total_usd(rows, _AFTER) - total_usd(rows, _BEFORE)
    if usd_sum(factors["change_usd"]) != change:
        fail("the factors do not sum to the change")
    if usd_sum(segments["change_usd"]) != explain.amount_of(factors, Factor.INPUT_TOKENS):
        fail("the parts of the prompt do not sum to their factor")
    if usd_sum(movers.movers(rows, _AFTER, _BEFORE, CELL)["change_usd"]) != change:
        fail("the cells do not sum to the change")
    if segments.height != len(SEGMENTS) + 1:
        fail("a part of the prompt is missing")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="the best of so many is told")
    parser.add_argument("--quick", action="store_true", help="1,000 cells, one run")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    cells, runs = (1_000, 1) if wanted.quick else (wanted.cells, wanted.runs)
    rows = rollup(cells)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        factors, segments, _ranked = explained(rows)
        times.append(time.perf_counter() - started)
    verify(rows, factors, segments)
    aim, met = at_most(min(times), _AIM_S, "s")
    found = [Figure(f"explanation of {cells:,} cells", min(times), "s", aim=aim, met=met)]
    report("explain", found, as_json=wanted.json)


if __name__ == "__main__":
    main()
