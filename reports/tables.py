"""Frames in the order and length pages print them: total, dearest rows, the rest in one, Unattributed."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ledger import frames

_SUMMED = (
    "previous_requests",
    "requests",
    "tokens",
    "cost_usd",
    "share",
    "previous_cost_usd",
    "change_usd",
    "unpriced_requests",
    "estimated_cost_usd",
)
# Every request has an outcome: a line for requests without one would only raise questions.
_ALWAYS_KNOWN = ("status",)


@dataclass(frozen=True, slots=True)
class Spread:
    """A breakdown ready to print: frames of one row each but `rows`.

    `others` is empty where all fit, `unattributed` where a dimension is known of every request.
    """

    dimension: str
    total: pl.DataFrame
    rows: pl.DataFrame
    others: pl.DataFrame
    others_count: int
    unattributed: pl.DataFrame


def spread(breakdown: pl.DataFrame, keep: int) -> Spread:
    """Lay out a BREAKDOWN with rows: the `keep` dearest, the rest in one, Unattributed on its own."""
    ranked = breakdown.sort("cost_usd", "value", descending=[True, False], nulls_last=True)
    named = ranked.filter(pl.col("value").is_not_null())
    left_off = named.slice(keep)
    nameless = ranked.filter(pl.col("value").is_null())
    return Spread(
        dimension=str(breakdown["dimension"][0]),
        total=footing(ranked),
        rows=named.head(keep),
        others=footing(left_off).head(min(1, left_off.height)),
        others_count=left_off.height,
        unattributed=nameless.head(1) if nameless.height or _always_known(breakdown) else _nothing(breakdown),
    )


def dearest_first(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows by cost, highest first, unknown last, equal ones in the order given."""
    return frame.sort("cost_usd", descending=True, nulls_last=True, maintain_order=True)


def over_first(envelopes: pl.DataFrame) -> pl.DataFrame:
    """ENVELOPES with those that were left first, dearest first; the others in the order given."""
    is_over = pl.col("state") == "over"
    return envelopes.sort(
        is_over, pl.when(is_over).then("variance_usd"), descending=True, nulls_last=True, maintain_order=True
    )


def footing(frame: pl.DataFrame) -> pl.DataFrame:
    """One row that adds up the columns that add up; a column without any known value stays unknown."""
    summed = [name for name in _SUMMED if name in frame.columns]
    return frame.select(
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name) for name in summed
    ).head(1)


def _always_known(breakdown: pl.DataFrame) -> bool:
    return breakdown["dimension"][0] in _ALWAYS_KNOWN


def _nothing(breakdown: pl.DataFrame) -> pl.DataFrame:
    """The Unattributed row of a breakdown where every request has a value: zero, not unknown."""
    zeros = pl.DataFrame({name: [0] for name in frames.BREAKDOWN if name in _SUMMED})
    named = zeros.with_columns(dimension=breakdown["dimension"].head(1), value=None, trend=None)
    return frames.checked(
        named.cast({n: frames.BREAKDOWN[n] for n in zeros.columns}), frames.BREAKDOWN, "zero"
    )
