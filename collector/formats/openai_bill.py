"""OpenAI's usage and costs reports, of the admin API as pages or exported as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from collector.apis.json_shapes import Json
from collector.formats import billing
from collector.formats.billing import KEYS as KEYS
from collector.formats.format import Facts
from collector.formats.understood import Understood, result_names, words
from ledger.types import Bill

_COSTS = "openai.costs"
_USAGE = "organization.usage."
_DIMENSIONS = (
    "project_id",
    "line_item",
    "user_id",
    "api_key_id",
    "model",
    "batch",
    "service_tier",
    "size",
    "source",
    "organization_id",
)
_NAMED_SO = frozenset({*_DIMENSIONS, "object", "project_name", "organization_name", "api_key_name"})
_PERIOD = frozenset({"start_time", "end_time", "start_time_iso", "end_time_iso"})
# Meter, field and unit of what every usage report may hold; other numbers go by their own names.
_METERS = {
    "input": ("input_tokens", "tokens"),
    "cache_read": ("input_cached_tokens", "tokens"),
    "cache_write": ("input_cache_write_tokens", "tokens"),
    "output": ("output_tokens", "tokens"),
    "audio_input": ("input_audio_tokens", "tokens"),
    "audio_output": ("output_audio_tokens", "tokens"),
    "image_input": ("input_image_tokens", "tokens"),
    "image_output": ("output_image_tokens", "tokens"),
    "requests": ("num_model_requests", "requests"),
    "images": ("images", "images"),
    "characters": ("characters", "characters"),
    "seconds": ("seconds", "seconds"),
    "bytes": ("usage_bytes", "bytes"),
    "sessions": ("num_sessions", "sessions"),
}
_FIELDS = {meter: field for meter, (field, _) in _METERS.items()}
# Other cuts of the tokens above.
_CUTS = ("_text_tokens", "_cached_audio_tokens", "_cached_image_tokens", "input_uncached_tokens")
# What stands behind the comma of a line item such as "gpt-4o-mini-2024-07-18, cached input".
_SIDES = {"input": "input", "cached input": "cache_read", "output": "output"}

FACTS = Facts(
    cache="input_tokens includes cached and cache-written tokens; the meter input is what is left of it",
    identity="report, bucket, breakdown, model, meter and the keys of the result",
    times="start_time and end_time of the bucket",
    unknown=(
        "single calls",
        "the workflow",
        "what the report is broken down by where every result lacks it",
    ),
)

UNDERSTANDS = Understood(
    frozenset((*_NAMED_SO, *_PERIOD, *_FIELDS.values()))
    | words(
        """
    amount amount_currency amount_value context_level input_cached_audio_tokens
    input_cached_image_tokens input_cached_text_tokens input_text_tokens input_uncached_tokens
    num_requests output_text_tokens project quantity quantity_unit user_email
    """
    ),
    result_names,
)


def matches(record: Json) -> bool:
    """Tell a page or bucket by its results, a row of an export by its columns."""
    if {"start_time", "end_time"} <= record.keys() and ("results" in record or _is_row(record)):
        return True
    bucket = billing.first_object(record.get("data"))
    return {"start_time", "end_time", "results"} <= bucket.keys()


def _is_row(record: Json) -> bool:
    return "amount_value" in record or "num_model_requests" in record


def items(record: Json) -> Iterator[Json]:
    """Each meter of each result of a page, a bucket, or a row."""
    if "data" not in record and "results" not in record:
        yield from _lines(record, record, billing.grouped_by([record], _DIMENSIONS), _row_report(record))
        return
    buckets = billing.objects(record["data"], "data") if "data" in record else [record]
    report = _report(buckets)
    if report is None:
        return
    for period, result, grouped in billing.in_buckets(buckets, "start_time", "end_time", _DIMENSIONS):
        yield from _lines(period, result or {}, grouped, report)


def _report(buckets: list[Json]) -> str | None:
    """The report by what its results call themselves; None where there is no result at all."""
    kind = next((result.get("object") for each in buckets for result in _results(each)), None)
    if isinstance(kind, str) and kind.startswith(_USAGE):
        return f"openai.usage.{kind.removeprefix(_USAGE).removesuffix('.result')}"
    return None if kind is None else _COSTS


def _results(bucket: Json) -> list[Json]:
    return billing.objects(bucket.get("results"), "results")


def _row_report(row: Json) -> str:
    return _COSTS if "amount_value" in row else "openai.usage.completions"


def _lines(period: Json, result: Json, grouped: tuple[str, ...], report: str) -> Iterator[Json]:
    for meter in _meters(result, report) or [billing.NOTHING]:
        yield billing.line(report, period.get("start_time"), period.get("end_time"), meter, result, grouped)


def _meters(result: Json, report: str) -> list[str]:
    if report == _COSTS:
        has_amount = billing.said(_amount(result), "value") is not None
        return ["cost"] if has_amount else []
    own = [key for key, value in result.items() if _is_own_meter(key, value)]
    return billing.meters_of(result, _FIELDS) + own


def _is_own_meter(key: str, value: object) -> bool:
    if key in _NAMED_SO or key in _PERIOD or key in _FIELDS.values() or key.endswith(_CUTS):
        return False
    return isinstance(value, int) and not isinstance(value, bool)


def _amount(result: Json) -> Json:
    found = result.get("amount")
    if isinstance(found, dict):
        return found
    return {"value": result.get("amount_value"), "currency": result.get("amount_currency")}


def read(record: Json) -> Bill:
    """Read one meter of a result; raises ValueError naming field, value and what was expected."""
    result, meter, report = billing.result_of(record), str(record["meter"]), str(record["report"])
    item = billing.text(result, "line_item") if report == _COSTS else None
    model, side = _of_item(item) if item else (billing.text(result, "model"), None)
    cost = None
    if report == _COSTS and meter != billing.NOTHING:
        amount = _amount(result)
        cost = billing.usd(billing.said(amount, "value"), billing.said(amount, "currency"), "amount.value")
        quantity, unit, meter = _costed(result), billing.text(result, "quantity_unit"), side or meter
    else:
        quantity, unit = _quantity(result, meter), _METERS.get(meter, ("", None))[1]
    return Bill(
        provider="openai",
        report=report,
        period_start=billing.moment(record["start"], "start_time"),
        period_end=billing.moment(record["end"], "end_time"),
        meter=meter,
        model=model,
        quantity=quantity,
        unit=unit,
        cost_usd=cost,
        keys=billing.keys_of(result, (name for name in _DIMENSIONS if name != "model")),
        grouped_by=billing.grouping_of(record),
    )


def _costed(result: Json) -> Decimal | None:
    return billing.decimal(billing.said(result, "quantity"), "quantity")


def _of_item(item: str) -> tuple[str | None, str]:
    """The model and meter that a line item names; else it is a meter in the provider's own word."""
    model, comma, side = item.rpartition(", ")
    return (model, _SIDES[side]) if comma and side in _SIDES else (None, item)


def _quantity(result: Json, meter: str) -> Decimal | None:
    """The amount of a meter: the input without what was read from or written to a cache."""
    if meter == billing.NOTHING:
        return None
    if meter != "input":
        return billing.count(result, _FIELDS.get(meter, meter))
    cached = [billing.count(result, key) for key in ("input_cached_tokens", "input_cache_write_tokens")]
    left = billing.less(billing.count(result, "input_tokens"), cached, "cached tokens")
    uncached = billing.count(result, "input_uncached_tokens")
    if uncached is not None and uncached != left:
        raise ValueError(f"input_uncached_tokens is {uncached}, but input_tokens less the cached is {left}")
    return left
