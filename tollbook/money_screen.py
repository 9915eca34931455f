"""What the commands about money print: forecasts and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analytics.period import Period, aware
from ledger import units
from reports import names
from tollbook.screen import table

_UNATTRIBUTED = "Unattributed"


def forecasts(
    whole: pl.DataFrame, parts: pl.DataFrame | None, span: Period, now: datetime, zone: ZoneInfo
) -> str:
    """One line for all spend, then one for each value."""
    head = f"{units.instant(span.start, zone)} to {units.instant(span.end, zone)}, as of"
    title = f"{head} {units.instant(now, zone)} ({zone.key})"
    if whole.is_empty():
        return f"{title}\nNo request in the books up to then: nothing can be forecast."
    rows = [_forecast("All spend", row) for row in whole.iter_rows(named=True)]
    if parts is not None:
        rows += [_forecast(row["value"] or _UNATTRIBUTED, row) for row in parts.iter_rows(named=True)]
    heads = ("", "spent", "forecast", "nine of ten within", "method", "past error")
    blind = whole["unpriced_requests"].sum()
    note = f"\n{blind:,} unpriced requests of the period are in none of it" if blind else ""
    return f"{title}\n{table(heads, rows, right=(1, 2, 3, 5))}{note}"


def _forecast(name: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    low, high = row["forecast_low"], row["forecast_high"]
    band = units.UNKNOWN if low is None else f"{units.money(low)} to {units.money(high)}"
    return (
        names.clean(name),
        units.money(row["spent"]),
        units.money(row["forecast"]),
        band,
        row["method"],
        units.share(row["past_error"]),
    )


def budgets(states: pl.DataFrame, last: datetime | None, now: datetime, zone: ZoneInfo) -> str:
    """A line a counter, and what must be known to read it."""
    title = f"Budgets as of {units.instant(now, zone)} ({zone.key}), last data {units.instant(last, zone)}"
    if states.is_empty():
        return f"{title}\nNo budget is declared: [[budget]] in the configuration declares one."
    heads = ("budget", "period", "spent", "planned", "soft", "hard", "used", "forecast", "burn 24 h", "state")
    rows = [_budget(row, zone) for row in states.iter_rows(named=True)]
    notes = [note for row in states.iter_rows(named=True) for note in _notes(row)]
    if states["stale"].any():
        notes.insert(0, "Data is old: what came in since is in no figure, a blank is unknown and not zero.")
    return "\n".join([title, table(heads, rows, right=(2, 3, 4, 5, 6, 7, 8)), *notes])


def _budget(row: Mapping[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    name = row["budget"] if row["value"] in (None, row["budget"]) else f"{row['budget']}: {row['value']}"
    amounts = (row[column] for column in ("spent", "planned", "soft", "hard"))
    return (
        names.clean(name),
        f"{row['period']} from {units.instant(aware(row['period_start']), zone)[:10]}",
        *(_written(amount, row["unit"]) for amount in amounts),
        units.share(row["used_share"]),
        _written(row["forecast"], row["unit"]),
        units.UNKNOWN if row["burn_24h"] is None else f"{row['burn_24h']:.1f}×",
        f"{row['state']}, data is old" if row["stale"] else row["state"],
    )


def _written(amount: Any, unit: str) -> str:
    if unit == "tokens":
        return units.tokens_short(None if amount is None else int(amount))
    return units.money(amount)


def _notes(row: Mapping[str, Any]) -> list[str]:
    name = names.clean(row["value"] or row["budget"])
    notes = []
    if row["increase"] is not None:
        notes.append(f"{name}: limits with a temporary increase of {_written(row['increase'], row['unit'])}")
    if row["unpriced_requests"]:
        notes.append(f"{name}: {row['unpriced_requests']:,} unpriced requests are in no figure")
    return notes
