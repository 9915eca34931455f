"""Vercel AI Gateway's spend report, by day or hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from collector.apis.json_shapes import Json
from collector.formats import billing
from collector.formats.billing import KEYS as KEYS
from collector.formats.format import Facts
from collector.formats.understood import Understood, result_names
from ledger.types import Bill

REPORT = "vercel.report"
_DIMENSIONS = ("model", "provider", "user", "tag", "credential_type", "api_key", "project")
_METERS = {
    "cost": "total_cost",
    "input": "input_tokens",
    "cache_read": "cached_input_tokens",
    "cache_write": "cache_creation_input_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
    "requests": "request_count",
}

FACTS = Facts(
    cache="input_tokens includes cached and cache-written tokens; the meter input is what is left of it",
    identity="day or hour, breakdown and the keys of the row",
    times="hour, else day, in UTC",
    unknown=(
        "single calls",
        "rows over a whole range, without a day, are refused",
    ),
)

UNDERSTANDS = Understood(
    frozenset((*_DIMENSIONS, *_METERS.values(), "day", "hour", "market_cost")), result_names
)


def matches(record: Json) -> bool:
    """Tell a report, or one row of it."""
    return _is_row(record) or _is_row(billing.first_object(record.get("results")))


def _is_row(record: Json) -> bool:
    return "total_cost" in record and "market_cost" in record and bool({"day", "hour"} & record.keys())


def items(record: Json) -> Iterator[Json]:
    """Each meter of each row."""
    rows = billing.objects(record["results"], "results") if "results" in record else [record]
    grouped = billing.grouped_by(rows, _DIMENSIONS)
    for row in rows:
        for meter in billing.meters_of(row, _METERS):
            yield billing.line(REPORT, row.get("hour"), row.get("day"), meter, row, grouped)


def read(record: Json) -> Bill:
    """Read one meter of a row; raises ValueError naming field, value and what was expected."""
    row, meter = billing.result_of(record), str(record["meter"])
    start, end = _period(record)
    is_cost = meter == "cost"
    market = billing.decimal(billing.said(row, "market_cost"), "market_cost")
    return Bill(
        provider="vercel",
        report=REPORT,
        period_start=start,
        period_end=end,
        meter=meter,
        model=billing.text(row, "model"),
        quantity=None if is_cost else _quantity(row, meter),
        unit=None if is_cost else ("requests" if meter == "requests" else "tokens"),
        cost_usd=billing.decimal(billing.said(row, "total_cost"), "total_cost") if is_cost else None,
        list_cost_usd=market if is_cost else None,
        keys=billing.keys_of(row, (name for name in _DIMENSIONS if name != "model")),
        grouped_by=billing.grouping_of(record),
    )


def _period(record: Json) -> tuple[datetime, datetime]:
    if record["start"] is None:
        return billing.day(record["end"], "day")
    start = billing.moment(record["start"], "hour")
    return start, start + timedelta(hours=1)


def _quantity(row: Json, meter: str) -> Decimal | None:
    """The amount of a meter: the input without what was read from or written to a cache."""
    if meter != "input":
        return billing.count(row, _METERS[meter])
    cached = [billing.count(row, _METERS[name]) for name in ("cache_read", "cache_write")]
    return billing.less(billing.count(row, "input_tokens"), cached, "cached tokens")
