"""Anthropic's usage and cost reports of the admin API, whose amounts are text in cents."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from collector.apis.json_shapes import Json
from collector.formats import billing
from collector.formats.billing import KEYS as KEYS
from collector.formats.format import Facts
from collector.formats.understood import Understood, result_names
from ledger.types import Bill

_COST, _USAGE = "anthropic.cost", "anthropic.usage.messages"
_DIMENSIONS = (
    "workspace_id",
    "api_key_id",
    "account_id",
    "service_account_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
    "cost_type",
    "token_type",
    "description",
)
# Meter: the object and field it is in, its unit.
_METERS = {
    "input": ("", "uncached_input_tokens", "tokens"),
    "cache_read": ("", "cache_read_input_tokens", "tokens"),
    "cache_write": ("cache_creation", "ephemeral_5m_input_tokens", "tokens"),
    "cache_write_1h": ("cache_creation", "ephemeral_1h_input_tokens", "tokens"),
    "output": ("", "output_tokens", "tokens"),
    "web_search": ("server_tool_use", "web_search_requests", "requests"),
}
_TOKEN_TYPES = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}
_CENTS = Decimal(100)

FACTS = Facts(
    cache="uncached_input_tokens excludes the cache",
    identity="report, bucket, breakdown, model, meter and the keys of the result",
    times="starting_at and ending_at of the bucket",
    unknown=(
        "single calls",
        "whether a workspace of null is the default one or was not asked for",
    ),
)

UNDERSTANDS = Understood(
    frozenset(
        (*_DIMENSIONS, "amount", "currency", *(holder or field for holder, field, _ in _METERS.values()))
    ),
    result_names,
)


def matches(record: Json) -> bool:
    """Tell a page, or one bucket of it, by its times and results."""
    names = {"starting_at", "ending_at", "results"}
    return names <= record.keys() or names <= billing.first_object(record.get("data")).keys()


def items(record: Json) -> Iterator[Json]:
    """Each meter of each result of a page or a bucket."""
    buckets = billing.objects(record["data"], "data") if "data" in record else [record]
    report = _report(buckets)
    if report is None:
        return
    for period, result, grouped in billing.in_buckets(buckets, "starting_at", "ending_at", _DIMENSIONS):
        for meter in _meters(result or {}, report) or [billing.NOTHING]:
            yield billing.line(
                report, period["starting_at"], period["ending_at"], meter, result or {}, grouped
            )


def _report(buckets: list[Json]) -> str | None:
    """Which report it is by its first result; None where there is none at all."""
    results = (result for each in buckets for result in billing.objects(each.get("results"), "results"))
    first = next(results, None)
    if first is None:
        return None
    return _COST if "amount" in first else _USAGE


def _meters(result: Json, report: str) -> list[str]:
    if report == _COST:
        return ["cost"] if billing.said(result, "amount") is not None else []
    return [meter for meter in _METERS if _value(result, meter) is not None]


def _value(result: Json, meter: str) -> object:
    inside, field, _ = _METERS[meter]
    holder = result.get(inside) if inside else result
    return holder.get(field) if isinstance(holder, dict) else None


def read(record: Json) -> Bill:
    """Read one meter of a result; raises ValueError naming field, value and what was expected."""
    result, meter, report = billing.result_of(record), str(record["meter"]), str(record["report"])
    quantity, unit, cost = None, None, None
    if meter == "cost":
        cents = billing.usd(billing.said(result, "amount"), billing.said(result, "currency"), "amount")
        cost, meter = None if cents is None else cents / _CENTS, _costed(result)
    elif meter != billing.NOTHING:
        _, field, unit = _METERS[meter]
        quantity = billing.count({field: _value(result, meter)}, field)
    return Bill(
        provider="anthropic",
        report=report,
        period_start=billing.moment(record["start"], "starting_at"),
        period_end=billing.moment(record["end"], "ending_at"),
        meter=meter,
        model=billing.text(result, "model"),
        quantity=quantity,
        unit=unit,
        cost_usd=cost,
        keys=billing.keys_of(result, (name for name in _DIMENSIONS if name != "model")),
        grouped_by=billing.grouping_of(record),
    )


def _costed(result: Json) -> str:
    """What a cost is for: a kind of token, else the provider's own word (web_search, code_execution)."""
    kind = billing.text(result, "token_type")
    if kind is not None:
        return _TOKEN_TYPES.get(kind, kind)
    return billing.text(result, "cost_type") or "cost"
