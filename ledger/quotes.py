"""Quote a price for each call of a batch: one row a price key and input size, joined to the calls."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ledger.prices import (
    Contract,
    Meter,
    Price,
    PriceKey,
    Unpriced,
    contract_price,
    key_of,
    list_price,
    rate_steps,
)

_KEY = ("provider", "model", "tenant", "service_tier")
_METERS = tuple(Meter)
# No provider changes its price by the hour at anything but a quarter.
_FINEST = "15m"

QUOTES = pl.Schema(
    {
        **dict.fromkeys(_KEY, pl.String()),
        "at": pl.Datetime("us"),
        "whole_day": pl.Boolean(),
        "above": pl.Int64(),
        "price_id": pl.String(),
        "context_window": pl.Int64(),
        "quote_reason": pl.String(),
        **{f"rate_{meter}": pl.Int64() for meter in _METERS},
        **{f"list_{meter}": pl.Int64() for meter in _METERS},
    }
)


def quote(billed: pl.DataFrame, contracts: Sequence[Contract]) -> tuple[pl.DataFrame, list[Price]]:
    """One row per price key and input size step, with each meter's rate in picodollars per million."""
    calls = billed.select("provider", "model", "tenant", "service_tier", "ts").with_columns(
        pl.col("ts").dt.truncate(_FINEST)
    )
    rows: dict[PriceKey, list[dict[str, object]]] = {}
    used: dict[str, Price] = {}
    for provider, model, tenant, tier, quarter in calls.unique().iter_rows():
        key = key_of(provider, model, tenant, tier, quarter)
        if key not in rows:
            listed = list_price(key)
            contracted = contract_price(key, listed, contracts)
            rows[key] = _rows(key, listed, contracted)
            used |= {p.price_id: p for p in (listed, contracted) if isinstance(p, Price)}
    flat = [row for steps in rows.values() for row in steps]
    return pl.DataFrame(flat, schema=QUOTES), list(used.values())


def _rows(key: PriceKey, listed: Price | Unpriced, contracted: Price | None) -> list[dict[str, object]]:
    base: dict[str, object] = {
        "provider": key.provider,
        "model": key.model,
        "tenant": key.tenant,
        "service_tier": key.service_tier,
        "at": key.at.replace(tzinfo=None),
        "whole_day": key.whole_day,
    }
    charged = contracted if contracted else listed
    if isinstance(charged, Unpriced):
        return [{**base, "above": -1, "quote_reason": charged.reason}]
    list_steps = rate_steps(listed) if isinstance(listed, Price) else []
    steps = rate_steps(charged)
    rows = []
    for above in sorted({step for step, _ in steps} | {step for step, _ in list_steps}):
        row = {
            **base,
            "above": above or -1,
            "price_id": charged.price_id,
            "context_window": charged.context_window,
        }
        row |= {f"rate_{m}": rate for m, rate in _step_at(steps, above).items()}
        row |= {f"list_{m}": rate for m, rate in _step_at(list_steps, above).items()}
        rows.append(row)
    return rows


def _step_at(steps: list[tuple[int, dict[Meter, int | None]]], above: int) -> dict[Meter, int | None]:
    fitting = [rates for start, rates in steps if start <= above]
    return fitting[-1] if fitting else dict.fromkeys(Meter)


def join(calls: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    """Attach to each call the quote of its day (or quarter) with the highest step its `total_input` passes.

    Every call has exactly one: `quote` makes one for each price key, if only to say why there is no price.
    """
    timed = calls.with_columns(day=pl.col("ts").dt.truncate("1d"), quarter=pl.col("ts").dt.truncate(_FINEST))
    by_day, by_quarter = quotes.filter("whole_day"), quotes.filter(~pl.col("whole_day"))
    found = [
        timed.join(part, left_on=[*_KEY, at], right_on=[*_KEY, "at"], how="inner", nulls_equal=True)
        for at, part in (("day", by_day), ("quarter", by_quarter))
    ]
    passed = pl.col("total_input").fill_null(0) > pl.col("above")
    return (
        pl.concat(found)
        .filter(passed)
        .sort("row", "above")
        .unique("row", keep="last", maintain_order=True)
        .drop("day", "quarter", "above", "whole_day")
    )
