"""Tollbook's own flat record: what another program writes when it wants its calls in the books."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import Json, bool_or_none, compact, number, shown, text
from collector.formats import attributes, bodies, fields, times
from collector.formats.bodies import Call
from collector.formats.format import Facts
from ledger.types import Api, Request, Status, Usage

VERSION = 1
KEYS = ("tollbook",)
FACTS = Facts(
    cache="beside the input: the buckets are disjoint",
    identity="response_id, else call_id and attempt",
    times="ts",
    unknown=("what the program that writes the records leaves out",),
    versions=("1",),
)

BUCKETS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
)
KNOWN = frozenset(
    {
        "tollbook",
        "call_id",
        "response_id",
        "ts",
        "tenant",
        "workflow",
        "environment",
        "end_user",
        "tags",
        "provider",
        "model",
        "operation",
        "service_tier",
        "status",
        "http_status",
        "error_type",
        "latency_ms",
        "ttft_ms",
        "streamed",
        "attempt",
        "cache_hit",
        "api",
        *BUCKETS,
        "reported_cost_usd",
        "max_output_tokens",
        "temperature",
        "request",
        "response",
    }
)


_OPERATION = re.compile(r"[a-z][a-z0-9_.\-]{0,39}")

Choice = TypeVar("Choice", bound=StrEnum)


class ServiceTier(StrEnum):
    """The tiers that have prices of their own."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"


def matches(record: Json) -> bool:
    """Tell a record by its version key."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one record; raises ValueError naming key, value and what was expected."""
    _check_version(record)
    request = bodies.request_body(record.get("request"))
    response = bodies.response_body(record.get("response"))
    call = bodies.read_call(_api(record, request, response), request, response)
    usage = _usage(record, call)
    model = fields.text_field(record, "model") or fields.name(
        call.answered.model or call.asked.model, "model"
    )
    tags = _tags(record)
    return Request(
        api=call.api,
        model=model,
        provider=_provider(record, call.api, model),
        operation=_operation(record, call.api),
        response_id=fields.text_field(record, "response_id") or call.answered.response_id,
        call_id=fields.text_field(record, "call_id"),
        cache_hit=bool(fields.bool_field(record, "cache_hit")),
        ts=times.moment(record.get("ts"), "ts") or call.answered.created,
        latency_ms=times.milliseconds(record.get("latency_ms")),
        ttft_ms=times.milliseconds(record.get("ttft_ms")),
        service_tier=_one_of(record, "service_tier", ServiceTier) or call.answered.service_tier,
        status=_status(record, call),
        http_status=fields.http_status(record, "http_status"),
        error_type=apis.error_type(record.get("error_type")) or (call.error.kind if call.error else None),
        streamed=_streamed(record, call),
        attempt=fields.whole_or_none(record.get("attempt"), least=0, most=10_000),
        attributes=_attributes(record, tags),
        tags=attributes.stored(tags),
        end_user=fields.text_field(record, "end_user") or call.asked.end_user,
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=fields.usd_or_none(record.get("reported_cost_usd")),
        prompt=call.prompt,
        answer=call.answer,
        max_output_tokens=_limit(record, call),
        temperature=_temperature(record, call),
    )


def _check_version(record: Json) -> None:
    if record.get("tollbook") != VERSION or record.get("tollbook") is True:
        raise ValueError(f"tollbook is {shown(record.get('tollbook'))}, expected version {VERSION}")


def _one_of(record: Json, key: str, choices: type[Choice]) -> Choice | None:
    said = fields.text_field(record, key)
    if said is None:
        return None
    try:
        return choices(said)
    except ValueError:
        raise ValueError(f"{key} is {shown(said)}, expected one of {', '.join(choices)}") from None


def _api(record: Json, request: Json, response: bodies.Body) -> Api:
    return _one_of(record, "api", Api) or apis.detect(None, request, response)


def _provider(record: Json, api: Api, model: str | None) -> str | None:
    said = text(record.get("provider"))
    return apis.named(said) if fields.is_name(said) else apis.provider(None, api, model)


def _operation(record: Json, api: Api) -> str:
    """A record without bodies and without an operation is a chat, as nearly all calls are."""
    said = text(record.get("operation"))
    if _OPERATION.fullmatch(said):
        return said
    return "chat" if api is Api.OTHER else apis.operation(api, None)


def _status(record: Json, call: Call) -> Status:
    """Take the status as said; else the HTTP status and the body decide."""
    said = record.get("status")
    if fields.says_error(said) or fields.says_cancelled(said):
        return Status.ERROR if fields.says_error(said) else Status.CANCELLED
    if said == Status.OK:
        return Status.OK
    failed = (fields.http_status(record, "http_status") or 0) >= 400
    return Status.ERROR if failed or call.error else Status.OK


def _streamed(record: Json, call: Call) -> bool | None:
    said = bool_or_none(record.get("streamed"))
    return call.streamed or None if said is None else said


def _limit(record: Json, call: Call) -> int | None:
    said = apis.output_limit(record.get("max_output_tokens"))
    return call.asked.max_output_tokens if said is None else said


def _temperature(record: Json, call: Call) -> float | None:
    said = number(record.get("temperature"))
    return call.asked.temperature if said is None else said


def _usage(record: Json, call: Call) -> token_buckets.Reported | None:
    """Read the disjoint buckets; without any of them the response body's usage stands."""
    found = {key: record[key] for key in BUCKETS if record.get(key) is not None}
    if not found:
        return (call.usage, call.usage_json or "{}") if call.usage else None
    counts = {key: token_buckets.tokens(found, key) for key in BUCKETS}
    usage = Usage(**counts)
    token_buckets.within(usage.reasoning_tokens, usage.output_tokens, "reasoning_tokens in output_tokens")
    token_buckets.within(usage.audio_output_tokens, usage.output_tokens, "audio tokens in output_tokens")
    every_input = token_buckets.total(*(counts[key] for key in BUCKETS[:4]))
    token_buckets.within(usage.audio_input_tokens, every_input, "audio tokens in an input")
    return usage, compact(found)


def _tags(record: Json) -> dict[str, str]:
    return attributes.tags(record.get("tags"))


def _attributes(record: Json, tags: Mapping[str, str]) -> dict[str, str]:
    """Collect the dimensions, checked, and every key that the format does not know."""
    dimensions = {
        key: value
        for key in ("tenant", "workflow", "environment")
        if (value := fields.text_field(record, key))
    }
    unknown = {key: value for key, value in record.items() if key not in KNOWN}
    return attributes.join(dimensions, attributes.as_attributes(tags), attributes.flatten(unknown))
