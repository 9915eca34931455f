"""What a change in spend is made of: parts of the prompt, and any combination of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import polars as pl

from analytics.explain import LABELS
from analytics.factors import CELL, IN_FORMULA, Factor, Floats, cells, closed, input_token_worth, split
from analytics.period import Period
from ledger import units
from ledger.frames import MOVERS, SEGMENT_FACTORS, checked
from ledger.types import SEGMENTS

CACHE_WRITES = "cache_writes"
_WRITES = ("cache_write_tokens", "cache_write_1h_tokens")
_READ = ("input_tokens", "cache_read_tokens")
_WORTH_NAMING = 0.15
_MOST_NAMED = 2


def by_segment(rollup: pl.DataFrame, current: Period, versus: Period, input_usd: Decimal) -> pl.DataFrame:
    """The factor of input tokens (`input_usd`, of FACTORS) by part of the prompt, as SEGMENT_FACTORS.

    In each cell the change of a part's tokens a request has the same part of the factor's money; what no part
    accounts for is `unexplained`. Sums to `input_usd` to the last digit.
    """
    table = cells(rollup, current, versus)
    worth = input_token_worth(table)
    grown = {f"seg_{name}": _grown(table, (f"seg_{name}",)) for name in SEGMENTS}
    writes = _grown(table, _WRITES)
    rest = _grown(table, _READ) + writes - sum(grown.values(), np.zeros(table.height))
    grown["seg_unexplained"] = grown["seg_unexplained"] + rest
    amounts = [float(worth @ change) for change in (*grown.values(), -writes)]
    names = [f"seg_{name}" for name in SEGMENTS]
    rows = {
        "segment": [*SEGMENTS, CACHE_WRITES],
        "previous_per_request": [_mean(table, "before_", (name,)) for name in names]
        + [_mean(table, "before_", _WRITES)],
        "per_request": [_mean(table, "", (name,)) for name in names] + [_mean(table, "", _WRITES)],
        "change_usd": closed(amounts, input_usd),
    }
    frame = pl.DataFrame(rows, schema=SEGMENT_FACTORS).sort(pl.col("change_usd").abs(), descending=True)
    return checked(frame, SEGMENT_FACTORS, "segment factors")


def _grown(table: pl.DataFrame, columns: Sequence[str]) -> Floats:
    """The change of a cell's tokens a request; none where one of the periods has no request to tell."""
    now, before = (_summed(table, side, columns) for side in ("", "before_"))
    requests, earlier = (table[f"{side}requests"].cast(pl.Float64).to_numpy() for side in ("", "before_"))
    both = (requests > 0) & (earlier > 0)
    return np.where(both, now / np.maximum(requests, 1) - before / np.maximum(earlier, 1), 0.0)


def _summed(table: pl.DataFrame, side: str, columns: Sequence[str]) -> Floats:
    whole = table.select(pl.sum_horizontal(side + column for column in columns).cast(pl.Float64))
    return whole.to_series().to_numpy()


def _mean(table: pl.DataFrame, side: str, columns: Sequence[str]) -> float | None:
    requests = int(table[f"{side}requests"].sum())
    return float(_summed(table, side, columns).sum()) / requests if requests else None


def movers(rollup: pl.DataFrame, current: Period, versus: Period, by: Sequence[str]) -> pl.DataFrame:
    """Every combination of the dimensions that has spend in either period, as MOVERS, largest change first.

    The factors are told apart in cells at least as fine as tenant × workflow × model, then added up.
    """
    cell = list(dict.fromkeys((*CELL, *by)))
    table = cells(rollup, current, versus, cell)
    effects = {f"effect_{factor}": amounts for factor, amounts in zip(IN_FORMULA, split(table), strict=True)}
    summed = (
        table.with_columns(**{name: pl.Series(amounts) for name, amounts in effects.items()})
        .group_by(by)
        .agg(
            pl.col("before_cost_usd", "cost_usd", "before_requests", "requests").sum(),
            pl.col(list(effects)).sum(),
        )
        .with_columns(change_usd=pl.col("cost_usd") - pl.col("before_cost_usd"))
        .sort(pl.col("change_usd").abs(), *by, descending=[True, *(False for _ in by)], nulls_last=True)
    )
    reasons = [_reason(row) for row in summed.iter_rows(named=True)]
    frame = summed.select(
        cell=pl.concat_list(by),
        previous_cost_usd="before_cost_usd",
        cost_usd="cost_usd",
        change_usd="change_usd",
        previous_requests="before_requests",
        requests="requests",
        reason=pl.Series(reasons, dtype=pl.String),
    )
    return checked(frame, MOVERS, "movers")


def _reason(row: dict[str, object]) -> str:
    """The one or two factors of most weight."""
    change = Decimal(str(row["change_usd"]))
    if row["before_requests"] == 0 or row["requests"] == 0:
        return "new: no spend before" if row["before_requests"] == 0 else "no requests any more"
    amounts: dict[Factor, float] = {factor: float(str(row[f"effect_{factor}"])) for factor in IN_FORMULA}
    amounts[Factor.OTHER] = float(change) - sum(amounts.values())
    # Of one cell more requests are more requests, be it by the volume of all or by its share of it.
    amounts[Factor.VOLUME] += amounts.pop(Factor.MIX)
    ranked = sorted(amounts.items(), key=lambda pair: -abs(pair[1]))[:_MOST_NAMED]
    weighty = [pair for pair in ranked if abs(pair[1]) > max(_WORTH_NAMING * abs(float(change)), 1e-9)]
    return (
        ", ".join(f"{LABELS[factor].lower()} {_signed(amount)}" for factor, amount in weighty) or "as before"
    )


def _signed(amount: float) -> str:
    return units.money(Decimal(amount).quantize(Decimal("1e-12")), signed=True)
