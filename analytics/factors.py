"""The exact split of a change in spend into what drove it, cell by cell.

Spend of a cell (tenant × workflow × model) is V · s · (q · (p · (1 − h) + c · h) + o · r): V requests, s the
cell's share of them, q prompt tokens a request, h the share of them read from a cache, p and c the prices of
fresh and cached input, o output tokens a request, r the price of output. Each factor gets its Shapley
value: the mean of what moving it changes, over every order in which the seven could have moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from math import factorial

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.attribution import within
from analytics.period import Period
from ledger.frames import BUCKETS, USD
from ledger.types import SEGMENTS

Floats = npt.NDArray[np.float64]
CELL = ("tenant", "workflow", "model")
_SCALE = Decimal("1e-12")


class Factor(StrEnum):
    """What can move spend; the last is what the formula does not hold."""

    VOLUME = "volume"
    MIX = "mix"
    INPUT_TOKENS = "input_tokens"
    CACHE_HIT = "cache_hit"
    INPUT_PRICE = "input_price"
    OUTPUT_TOKENS = "output_tokens"
    OUTPUT_PRICE = "output_price"
    OTHER = "other"


IN_FORMULA = tuple(factor for factor in Factor if factor is not Factor.OTHER)
_METERS = {
    "input": ("input_tokens", "input_cost_usd"),
    "cached": ("cache_read_tokens", "cache_read_cost_usd"),
    "output": ("output_tokens", "output_cost_usd"),
}
_SUMMED = (
    "requests",
    *BUCKETS,
    *(f"seg_{name}" for name in SEGMENTS),
    "cost_usd",
    *(cost for _, cost in _METERS.values()),
)


def cells(rollup: pl.DataFrame, current: Period, versus: Period, cell: Sequence[str] = CELL) -> pl.DataFrame:
    """Sums of each cell in the current period beside the other's (`before_…`), zero where it was absent.

    A cell is one combination of the dimensions named.
    `explained_usd` is the money that the formula holds: that of input, cache reads and output which have
    tokens to stand on.
    """
    now, before = _sums(within(rollup, current), cell), _sums(within(rollup, versus), cell)
    earlier = before.rename({column: f"before_{column}" for column in before.columns if column not in cell})
    joined = now.join(earlier, on=list(cell), how="full", coalesce=True, nulls_equal=True)
    zeroed = joined.with_columns(
        pl.col(column).fill_null(Decimal(0) if joined.schema[column] == USD else 0)
        for column in joined.columns
        if column not in cell
    )
    return zeroed.sort(list(cell), nulls_last=True)


def _sums(rows: pl.DataFrame, cell: Sequence[str]) -> pl.DataFrame:
    grounded = [
        pl.when((pl.col(tokens) > 0) & (pl.col("requests") > 0)).then(pl.col(cost)).otherwise(Decimal(0))
        for tokens, cost in _METERS.values()
    ]
    sums = rows.group_by(list(cell)).agg(pl.col(_SUMMED).sum())
    return sums.with_columns(explained_usd=pl.sum_horizontal(grounded))


@dataclass(frozen=True, slots=True)
class _Drivers:
    """One period's numbers of the formula, an entry a cell; NaN where the period does not know it."""

    volume: Floats
    mix: Floats
    input_tokens: Floats
    cache_hit: Floats
    input_price: Floats
    cached_price: Floats
    output_tokens: Floats
    output_price: Floats


def split(table: pl.DataFrame) -> Floats:
    """The change of each cell by factor: rows in the order of IN_FORMULA, a column a cell."""
    now, before = _known(_drivers(table, ""), _drivers(table, "before_"))
    return _shapley((before, now))


def input_token_worth(table: pl.DataFrame) -> Floats:
    """Dollars that one more input token a request would have changed each cell by, an entry a cell.

    The formula is linear in input tokens, so their Shapley value is this times their change, and parts of the
    change have their parts of it.
    """
    now, before = _known(_drivers(table, ""), _drivers(table, "before_"))
    none = np.zeros(table.height)
    without = replace(before, input_tokens=none, output_tokens=none)
    with_one = replace(now, input_tokens=none + 1, output_tokens=none)
    worth: Floats = _shapley((without, with_one))[IN_FORMULA.index(Factor.INPUT_TOKENS)]
    return worth


def _shapley(sides: Sequence[_Drivers]) -> Floats:
    """Shapley's value of each factor (a row) in each cell, of the move from the first side to the second."""
    return _weights() @ np.stack([_worth(sides, mask) for mask in range(1 << len(IN_FORMULA))])


def _drivers(table: pl.DataFrame, side: str) -> _Drivers:
    def column(name: str) -> Floats:
        return table[side + name].cast(pl.Float64).to_numpy()

    requests = column("requests")
    fresh, cached, output = column("input_tokens"), column("cache_read_tokens"), column("output_tokens")
    volume = requests.sum()
    return _Drivers(
        volume=np.full(len(requests), volume),
        mix=_per(requests, np.full(len(requests), volume)),
        input_tokens=_per(fresh + cached, requests),
        cache_hit=_per(cached, fresh + cached),
        input_price=_per(column("input_cost_usd"), fresh),
        cached_price=_per(column("cache_read_cost_usd"), cached),
        output_tokens=_per(output, requests),
        output_price=_per(column("output_cost_usd"), output),
    )


def _per(part: Floats, whole: Floats) -> Floats:
    """part ÷ whole, NaN where there is no whole."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _known(now: _Drivers, before: _Drivers) -> tuple[_Drivers, _Drivers]:
    """Both sides with what one does not know taken from the other: it did not change, as far as is known.

    So a new cell differs from before in its share alone, and its money is volume and mix.
    """
    return _filled(now, before), _filled(before, now)


def _filled(side: _Drivers, other: _Drivers) -> _Drivers:
    def either(name: str) -> Floats:
        own: Floats = getattr(side, name)
        either_side: Floats = np.nan_to_num(np.where(np.isnan(own), getattr(other, name), own), nan=0.0)
        return either_side

    return _Drivers(*(either(name) for name in _Drivers.__slots__))


def _worth(sides: Sequence[_Drivers], mask: int) -> Floats:
    """Spend of each cell where the factors in the mask have moved and the others have not."""
    at = [sides[mask >> place & 1] for place in range(len(IN_FORMULA))]
    volume, mix, tokens, hit, price, output, output_price = at
    per_token = price.input_price * (1 - hit.cache_hit) + price.cached_price * hit.cache_hit
    per_request = tokens.input_tokens * per_token + output.output_tokens * output_price.output_price
    worth: Floats = volume.volume * mix.mix * per_request
    return worth


def _weights() -> Floats:
    """Shapley's weights: a row a factor, a column a set of moved factors."""
    count = len(IN_FORMULA)
    weights = np.zeros((count, 1 << count))
    for mask in range(1 << count):
        moved = mask.bit_count()
        for place in range(count):
            inside = mask >> place & 1
            others = moved - inside
            orders = factorial(others) * factorial(count - 1 - others)
            weights[place, mask] = (1 if inside else -1) * orders / factorial(count)
    return weights


def closed(amounts: Sequence[float], whole: Decimal) -> list[Decimal]:
    """The amounts in Decimal, the last picodollars given to the largest so that they sum to the whole."""
    exact = [Decimal(amount).quantize(_SCALE) for amount in amounts]
    largest = max(range(len(exact)), key=lambda place: abs(exact[place]))
    exact[largest] += whole - sum(exact, Decimal(0))
    return exact
