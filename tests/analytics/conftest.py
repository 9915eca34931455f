"""Builders of small frames: only what a test says, the rest as quiet as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ledger.frames import ROLLUP, SIZES

Row = Mapping[str, Any]
Builder = Callable[[Sequence[Row]], pl.DataFrame]

_DEFAULTS: dict[str, Any] = {
    "bucket": datetime(2026, 10, 1, 12, tzinfo=UTC),
    "tenant": "acme",
    "workflow": "chat",
    "environment": "prod",
    "provider": "openai",
    "model": "gpt-x",
    "model_tier": "standard",
    "service_tier": "standard",
    "operation": "chat",
    "status": "ok",
    "usage_source": "reported",
    "requests": 1,
}


def _typed(column: str, kind: pl.DataType | type[pl.DataType], given: Any) -> Any:
    if isinstance(kind, pl.Decimal):
        return Decimal(str(given))
    if isinstance(given, datetime):
        return given.astimezone(UTC).replace(tzinfo=None)
    return given


def _frame(rows: Sequence[Row], schema: pl.Schema, defaults: Row) -> pl.DataFrame:
    zeros = {column: 0 for column, kind in schema.items() if kind.is_numeric()}
    full = [{**zeros, **defaults, **row} for row in rows]
    unknown = {key for row in full for key in row} - set(schema)
    assert not unknown, f"no such column: {unknown}"
    columns = {
        column: [None if row[column] is None else _typed(column, kind, row[column]) for row in full]
        for column, kind in schema.items()
    }
    return pl.DataFrame(columns, schema=schema)


def _rollup_of(rows: Sequence[Row]) -> pl.DataFrame:
    """A ROLLUP frame; `cost_usd` alone goes to input money and the user segment."""
    full = []
    for row in rows:
        row = dict(row)
        meters = ("input_cost_usd", "cache_read_cost_usd", "output_cost_usd")
        if "cost_usd" in row and not any(meter in row for meter in meters):
            row["input_cost_usd"] = row["cost_usd"]
            row.setdefault("cost_user_usd", row["cost_usd"])
        full.append(row)
    return _frame(full, ROLLUP, _DEFAULTS)


def _sizes_of(rows: Sequence[Row]) -> pl.DataFrame:
    """A SIZES frame; `cost_usd` alone goes to the input side."""
    rows = [{"input_usd": row.get("cost_usd"), "output_usd": "0", **row} for row in rows]
    defaults = {key: _DEFAULTS[key] for key in ("tenant", "workflow", "environment", "model", "status")}
    return _frame(
        rows, SIZES, {"ts": datetime(2026, 10, 1, 12, tzinfo=UTC), "prompt_version": "v1", **defaults}
    )


@pytest.fixture(scope="session")
def rollup_frame() -> Builder:
    return _rollup_of


@pytest.fixture(scope="session")
def sizes_frame() -> Builder:
    return _sizes_of
