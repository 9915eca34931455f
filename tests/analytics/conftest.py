"""Builders of small frames: only what a test says, the rest as quiet as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from ledger.frames import PROMPT_USE, ROLLUP, SIZE_BINS

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


def _calls_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Calls in full; `cost_usd` alone goes to the input side."""
    start = datetime(2026, 10, 1, 12, tzinfo=UTC)
    usual = {"ts": start, "tenant": "acme", "workflow": "chat", "status": "ok", "prompt_version": "v1"}
    nothing = {"input_tokens": 0, "output_tokens": 0, "cost_usd": "0"}
    given = [{"input_usd": row.get("cost_usd", "0"), "output_usd": "0", **row} for row in rows]
    return [{**usual, **nothing, **row} for row in given]


def _sizes_of(rows: Sequence[Row]) -> pl.DataFrame:
    """A SIZE_BINS frame with a bin for each side of each call that is known."""
    bins = []
    for call in _calls_of(rows):
        told = {"bucket": call["ts"], "tenant": call["tenant"], "workflow": call["workflow"], "requests": 1}
        sides = {side: call[f"{side}_tokens"] for side in ("input", "output")}
        bins += [
            {**told, "side": side, "tokens": size, "usd": call[f"{side}_usd"] or 0}
            for side, size in sides.items()
            if size is not None
        ]
        if call["cost_usd"] is not None:
            bins.append({**told, "side": "cost", "tokens": None, "usd": call["cost_usd"]})
    return _frame(bins, SIZE_BINS, {})


def _prompts_of(rows: Sequence[Row]) -> pl.DataFrame:
    """A PROMPT_USE frame with a row a call."""
    names = ("ts", "tenant", "workflow", "status", "prompt_version")
    used = []
    for call in _calls_of(rows):
        is_known = call["input_tokens"] is not None and call["cost_usd"] is not None
        measured = {"measured_tokens": call["input_tokens"], "measured_usd": call["cost_usd"]}
        used.append(
            {
                **{name: call[name] for name in names},
                "requests": 1,
                **({**measured, "measured_requests": 1} if is_known else {}),
            }
        )
    return _frame(used, PROMPT_USE, {})


@pytest.fixture(scope="session")
def rollup_frame() -> Builder:
    return _rollup_of


@pytest.fixture(scope="session")
def sizes_frame() -> Builder:
    return _sizes_of


@pytest.fixture(scope="session")
def prompts_frame() -> Builder:
    return _prompts_of
