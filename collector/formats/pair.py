"""The pair format: a JSON object with the request and the response body of one call, as a gateway logs it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from collector import apis
from collector.apis.json_shapes import Json, mapping, text_or_none
from collector.formats import attributes, bodies, fields, times
from collector.formats.bodies import Call
from collector.formats.format import Facts
from ledger.types import Request, Status

_STARTS = ("ts", "timestamp", "started_at", "start_time", "startTime", "time", "created_at", "created")
_ENDS = ("ended_at", "end_time", "endTime", "finished_at", "completed_at", "end")
_LATENCIES_MS = ("latency_ms", "duration_ms", "elapsed_ms", "response_time_ms")
_FIRST_TOKEN_MS = ("ttft_ms", "time_to_first_token_ms", "first_token_ms")
_STATUSES = ("http_status", "status_code", "status", "response_status")
_IDS = ("call_id", "request_id", "id", "uuid")
_COSTS = ("reported_cost_usd", "cost_usd", "response_cost")
_ENVELOPE = ("body", "headers", "status", "status_code", "method", "url")


@dataclass(frozen=True, slots=True)
class _Timing:
    start: datetime | None
    latency_ms: int | None
    ttft_ms: int | None


KEYS = ("request", "response")
FACTS = Facts(
    cache="as the wire API has it: inside the input (OpenAI, Gemini) or beside it (Anthropic, Bedrock)",
    identity="the provider's id of the answer, else the record's own id and attempt",
    times="the record's start, else the response's creation",
    unknown=("what a gateway does not log beside the two bodies",),
)


def matches(record: Json) -> bool:
    """Tell whether a record holds both bodies."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one call; raises ValueError naming the field and value that cannot be booked."""
    outer = _unwrapped(record)
    request = bodies.request_body(outer.get("request"))
    response = bodies.response_body(outer.get("response"))
    url = fields.first_text(outer, "url", "url_path", "path", "uri", "endpoint")
    path = apis.split_url(url)[1] if url else None
    call = bodies.read_call(apis.detect(path, request, response), request, response)
    return _request(outer, request, call, url, path)


def _unwrapped(record: Json) -> Json:
    """Lift body, status, url and headers out of messages logged as HTTP envelopes."""
    request, response = record.get("request"), record.get("response")
    lifted: dict[str, object] = {}
    if _is_envelope(request):
        found = mapping(request)
        lifted |= {key: found[key] for key in ("url", "method", "headers") if key in found}
        lifted["request"] = found.get("body")
    if _is_envelope(response):
        found = mapping(response)
        lifted |= {key: found[key] for key in ("status", "status_code") if key in found}
        lifted["response"] = found.get("body")
    return {**lifted, **record, **{key: lifted[key] for key in ("request", "response") if key in lifted}}


def _is_envelope(value: object) -> bool:
    return isinstance(value, dict) and "body" in value and any(key in value for key in _ENVELOPE[1:])


def _request(record: Json, request: Json, call: Call, url: str | None, path: str | None) -> Request:
    model = _model(record, call, path)
    timing = _timing(record)
    status, http_status, error_type = _outcome(record, call)
    tags = attributes.tags(record.get("tags"))
    return Request(
        api=call.api,
        model=model,
        provider=_provider(record, call, url, model),
        operation=apis.operation(call.api, path),
        response_id=fields.name(call.answered.response_id, "the response's id"),
        call_id=_call_id(record),
        cache_hit=fields.is_set(record.get("cache_hit")),
        ts=timing.start or call.answered.created,
        latency_ms=timing.latency_ms,
        ttft_ms=timing.ttft_ms,
        service_tier=call.answered.service_tier
        or apis.tier(record.get("service_tier"))
        or call.asked.service_tier,
        status=status,
        http_status=http_status,
        error_type=error_type,
        streamed=_streamed(record, call),
        attempt=fields.whole_or_none(record.get("attempt"), least=0, most=10_000),
        attributes=_attributes(record, request, tags),
        tags=attributes.stored(tags),
        end_user=fields.first_text(record, "end_user", "user", "user_id") or call.asked.end_user,
        usage=call.usage,
        usage_json=call.usage_json,
        reported_cost_usd=_cost(record, call),
        prompt=call.prompt,
        answer=call.answer,
        max_output_tokens=call.asked.max_output_tokens,
        temperature=call.asked.temperature,
    )


def _model(record: Json, call: Call, path: str | None) -> str | None:
    """Name the model as answered, else as asked, else as the record or the path says."""
    asked = call.answered.model or call.asked.model
    return fields.name(asked or text_or_none(record.get("model")) or apis.path_model(path), "model")


def _provider(record: Json, call: Call, url: str | None, model: str | None) -> str | None:
    said = text_or_none(record.get("provider")) or ""
    return apis.named(said) if fields.is_name(said) else apis.provider(url, call.api, model)


def _call_id(record: Json) -> str | None:
    return next((found for key in _IDS if (found := fields.text_field(record, key))), None)


def _streamed(record: Json, call: Call) -> bool | None:
    said = record.get("stream", record.get("streamed"))
    return call.streamed or said is True


def _timing(record: Json) -> _Timing:
    start = times.first_moment(record, *_STARTS)
    end = times.first_moment_or_none(record, *_ENDS)
    latency = times.first_milliseconds(record, *_LATENCIES_MS)
    if latency is None:
        latency = times.milliseconds(record.get("duration"), per_unit=1000)
    return _Timing(
        start=start,
        latency_ms=times.between(start, end) if latency is None else latency,
        ttft_ms=times.first_milliseconds(record, *_FIRST_TOKEN_MS),
    )


def _outcome(record: Json, call: Call) -> tuple[Status, int | None, str | None]:
    """Decide how the call ended: by HTTP status, an error body, or what the record says."""
    http_status = fields.http_status(record, *_STATUSES)
    own_error = record.get("error")
    failed = http_status is not None and http_status >= 400
    if failed or call.error or own_error or fields.says_error(record.get("status")):
        kind = call.error.kind if call.error else _error_type(record, own_error)
        return Status.ERROR, http_status, kind
    gave_up = any(record.get(key) is True for key in ("cancelled", "canceled", "aborted"))
    if gave_up or fields.says_cancelled(record.get("status")) or fields.says_cancelled(_ended(call)):
        return Status.CANCELLED, http_status, None
    return Status.OK, http_status, None


def _ended(call: Call) -> str | None:
    return call.answered.finish_reason


def _error_type(record: Json, own_error: object) -> str | None:
    """Name the error as the record does; free text is not a type."""
    named = apis.error_type(record.get("error_type"))
    if named:
        return named
    found = apis.error({"error": own_error})
    return found.kind if found else None


def _cost(record: Json, call: Call) -> Decimal | None:
    """Read what the log says the call cost; OpenRouter puts dollars into the usage itself."""
    for key in _COSTS:
        if key in record and (found := fields.usd_or_none(record[key])) is not None:
            return found
    return fields.usd_or_none(mapping(call.response.get("usage")).get("cost"))


def _attributes(record: Json, request: Json, tags: dict[str, str]) -> dict[str, str]:
    return attributes.join(
        attributes.as_attributes(tags),
        attributes.flatten(record),
        attributes.headers(record.get("headers")),
        attributes.headers(record.get("request_headers")),
        attributes.under("request.metadata", request.get("metadata")),
        attributes.under("request.labels", request.get("labels")),
    )
