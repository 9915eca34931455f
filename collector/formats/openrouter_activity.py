"""OpenRouter's activity: what each endpoint did on each whole UTC day."""

from __future__ import annotations

from collections.abc import Iterator

from collector.apis.json_shapes import Json
from collector.formats import billing
from collector.formats.billing import KEYS as KEYS
from collector.formats.format import Facts
from collector.formats.understood import Understood, result_names
from ledger.types import Bill

REPORT = "openrouter.activity"
_NAMES = {"date", "model_permaslug", "usage"}
_DIMENSIONS = ("endpoint_id", "provider_name", "workspace_id", "model")
# Meter: its field and unit. What a key of one's own paid elsewhere is an amount, but not on this bill.
_METERS = {
    "input": ("prompt_tokens", "tokens"),
    "output": ("completion_tokens", "tokens"),
    "reasoning": ("reasoning_tokens", "tokens"),
    "requests": ("requests", "requests"),
    "byok_inference": ("byok_usage_inference", "usd"),
    "cost": ("usage", None),
}

FACTS = Facts(
    cache="prompt_tokens includes cached tokens, which are not told apart",
    identity="date, endpoint, workspace and model",
    times="date, a UTC day",
    unknown=(
        "single calls",
        "cached tokens",
        "hours",
    ),
)

UNDERSTANDS = Understood(
    frozenset((*_DIMENSIONS, *_NAMES, *(field for field, _ in _METERS.values()))), result_names
)


def matches(record: Json) -> bool:
    """Tell a list of activity, or one entry of it."""
    return record.keys() >= _NAMES or billing.first_object(record.get("data")).keys() >= _NAMES


def items(record: Json) -> Iterator[Json]:
    """Each meter of each entry."""
    for entry in billing.objects(record["data"], "data") if "data" in record else [record]:
        for meter in billing.meters_of(entry, {name: field for name, (field, _) in _METERS.items()}):
            yield billing.line(REPORT, entry.get("date"), None, meter, entry)


def read(record: Json) -> Bill:
    """Read one meter of an entry; raises ValueError naming field, value and what was expected."""
    entry, meter = billing.result_of(record), str(record["meter"])
    start, end = billing.day(record["start"], "date")
    field, unit = _METERS[meter]
    is_cost = meter == "cost"
    return Bill(
        provider="openrouter",
        report=REPORT,
        period_start=start,
        period_end=end,
        meter=meter,
        model=billing.text(entry, "model_permaslug"),
        quantity=None if is_cost else billing.count(entry, field),
        unit=unit,
        cost_usd=billing.decimal(billing.said(entry, field), field) if is_cost else None,
        keys=billing.keys_of(entry, _DIMENSIONS),
    )
