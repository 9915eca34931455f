"""Claude Code's OpenTelemetry events of API requests: a dialect of OTLP's logs with bare names."""

from __future__ import annotations

from datetime import timedelta

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import Json, mapping, text
from collector.formats import attributes, fields, times
from collector.identity import is_request
from ledger.types import Api, Request, Status, Usage

_REQUEST, _ERROR = "api_request", "api_error"
_PREFIX = "claude_code."
_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")
_TOLD = (*_COUNTS, "cost_usd", "duration_ms", "prompt", "error")


def named(event: Json, said: Json) -> str | None:
    """Which of the two events of an API request it is, if any."""
    body = text(mapping(event.get("body")).get("stringValue"))
    name = text(event.get("eventName")) or body or text(said.get("event.name"))
    if name in (_REQUEST, _ERROR):
        return name if "session.id" in said else None
    return name.removeprefix(_PREFIX) if name in (_PREFIX + _REQUEST, _PREFIX + _ERROR) else None


def session(session_id: str | None) -> str | None:
    """What the calls of a session name it by, here and in its session file."""
    return f"{_PREFIX}{session_id}" if session_id else None


def read(item: Json) -> Request:
    """Read one event; its time is that of the answer. Raises ValueError naming what cannot be booked."""
    said, resource = mapping(item.get("attributes")), mapping(item.get("resource"))
    model = fields.name(fields.first_text(said, "model"), "model")
    ended = times.moment(item.get("start"), "timeUnixNano")
    took = times.milliseconds(fields.whole_or_none(_number(said.get("duration_ms")), least=0, most=2**31))
    failed = item.get("claude_code") == _ERROR
    usage = None if failed else _usage(said)
    request = None if failed else text(said.get("request_id"))
    told_by_its_session = is_request(request)
    return Request(
        api=Api.ANTHROPIC_MESSAGES,
        model=model,
        provider=apis.provider(None, Api.ANTHROPIC_MESSAGES, model),
        call_id=_call_id(said),
        ts=None if ended is None else ended - timedelta(milliseconds=took or 0),
        latency_ms=took,
        status=Status.ERROR if failed else Status.OK,
        http_status=fields.http_status({"status_code": _number(said.get("status_code"))}, "status_code"),
        attributes=attributes.flatten({key: said[key] for key in said if key not in _TOLD}),
        end_user=fields.first_text(said, "user.email", "user.account_uuid", "user.id"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=None if failed else fields.usd_or_none(said.get("cost_usd")),
        span=request if told_by_its_session else None,
        echo=told_by_its_session,
        parent_span=session(fields.first_text(said, "session.id")),
        around=attributes.join(attributes.flatten(resource), attributes.under("resource", resource)),
    )


def _call_id(said: Json) -> str | None:
    where, number = text(said.get("session.id")), said.get("event.sequence")
    return f"{_PREFIX}{where}:{number}" if where and number is not None else None


def _usage(said: Json) -> token_buckets.Reported | None:
    found = {key: _number(said[key]) for key in _COUNTS if key in said}
    counts = [token_buckets.tokens(found, key) for key in _COUNTS]
    if all(count is None for count in counts):
        return None
    asked, answered, read_again, written = counts
    buckets = Usage(
        input_tokens=asked,
        cache_read_tokens=read_again,
        cache_write_tokens=written,
        output_tokens=answered,
    )
    return token_buckets.reported(found, buckets)


def _number(value: object) -> object:
    """Exporters write numbers as texts too."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value
