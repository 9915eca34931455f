"""Quote a price for each call of a batch: one row a price key and input size, joined to the calls."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ledger.prices import (
    Contract,
    Meter,
    Price,
    PriceKey,
    Rate,
    Unpriced,
    contract_price,
    key_of,
    list_price,
    steps_of,
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


# What calls booked before were charged by: a row a call and input size.
HELD = pl.Schema(
    {
        "request_id": pl.String(),
        **dict.fromkeys(_KEY, pl.String()),
        "day": pl.Date(),
        "price_id": pl.String(),
        "above": pl.Int64(),
        **{f"held_{meter}": pl.Int64() for meter in _METERS},
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
    list_steps = steps_of(listed.rates) if isinstance(listed, Price) else []
    steps = steps_of(charged.rates)
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


def held_terms(booked: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """HELD from rows of `requests` and of `prices`: what each booked call was charged by, by input size."""
    steps: dict[str, list[dict[str, object]]] = {}
    for price_id, rates in prices.group_by("price_id"):
        terms = tuple(Rate(Meter(m), above, usd) for m, above, usd in rates.select(_RATE).iter_rows())
        steps[str(price_id[0])] = [
            {
                "price_id": price_id[0],
                "above": above or -1,
                **{f"held_{m}": rate for m, rate in by_meter.items()},
            }
            for above, by_meter in steps_of(terms)
        ]
    schema = {name: dtype for name, dtype in HELD.items() if name not in ("request_id", "day", *_KEY)}
    flat = pl.DataFrame([row for rows in steps.values() for row in rows], schema=schema)
    return booked.join(flat, on="price_id", how="inner").select(HELD.names())


_RATE = ("meter", "above_input_tokens", "usd_per_million")


def hold(quoted: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Put the terms a call was booked at in the place of today's.

    They hold while the call's day, provider, model, tenant and tier are the ones it was booked with: a
    record that tells another tenant or model makes it another price.
    """
    before = (
        quoted.select("row", "request_id", *_KEY, "total_input", day=pl.col("ts").dt.date())
        .join(held, on=["request_id", "day", *_KEY], how="inner", nulls_equal=True)
        .filter(pl.col("total_input").fill_null(0) > pl.col("above"))
        .sort("row", "above")
        .unique("row", keep="last", maintain_order=True)
        .select("row", pl.col("price_id").alias("held_id"), *(f"held_{meter}" for meter in _METERS))
    )
    is_held = pl.col("held_id").is_not_null()
    return quoted.join(before, on="row", how="left").with_columns(
        pl.when(is_held).then("held_id").otherwise("price_id").alias("price_id"),
        pl.when(is_held).then(None).otherwise("quote_reason").alias("quote_reason"),
        *(pl.when(is_held).then(f"held_{m}").otherwise(f"rate_{m}").alias(f"rate_{m}") for m in _METERS),
    )
