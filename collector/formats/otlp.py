"""OpenTelemetry traces and logs in OTLP's JSON, one export request a record, its LLM calls as items."""

from __future__ import annotations

from collections.abc import Iterator

from collector.apis.json_shapes import Json, mapping, mappings, sequence, text
from collector.formats import claude_code_events, genai, times
from collector.formats.format import Facts, NotACallError
from collector.formats.understood import Understood, said, words
from ledger.types import Request, Span

# Of the items, not of the export request.
KEYS = ("attributes", "resource")
FACTS = Facts(
    cache="inside the input, unless it is larger or the total counts it on top",
    identity="gen_ai.response.id where it has the provider's shape, else trace and span id",
    times="startTimeUnixNano, endTimeUnixNano; of events timeUnixNano",
    unknown=(
        "content that the instrumentation was not told to record",
        "an emitter that leaves the cache out of the input where neither sizes nor a total show it",
        "cost",
    ),
    versions=(
        "gen_ai of 1.27",
        "gen_ai of 1.28 to 1.41",
        "gen_ai of today",
        "OpenLLMetry",
        "OpenInference",
        "Claude Code's events",
    ),
)
_ENVELOPES = ("resourceSpans", "resourceLogs", "resourceMetrics")
_DETAILS = "gen_ai.client.inference.operation.details"
_ERROR = (2, "STATUS_CODE_ERROR")


def _usage_names(item: Json) -> Iterator[str]:
    """The names that hold tokens: what is new among them may be billed."""
    return (name for name in mapping(item.get("attributes")) if name.startswith("gen_ai.usage."))


UNDERSTANDS = Understood(
    words(
        """
    gen_ai.usage.cache_creation.input_tokens gen_ai.usage.cache_creation_input_tokens
    gen_ai.usage.cache_read.input_tokens gen_ai.usage.cache_read_input_tokens
    gen_ai.usage.cache_write.input_tokens gen_ai.usage.completion_tokens gen_ai.usage.cost
    gen_ai.usage.details gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.usage.prompt_tokens
    gen_ai.usage.reasoning.output_tokens gen_ai.usage.reasoning_tokens gen_ai.usage.total_tokens
    """
    ),
    _usage_names,
    said("schema"),
    "https://opentelemetry.io/schemas/1.41.0",
)


def matches(record: Json) -> bool:
    """Tell an export request by what it exports."""
    return any(isinstance(record.get(key), list) for key in _ENVELOPES)


def items(record: Json) -> Iterator[Json]:
    """The LLM calls of one export request and the steps above them, each with its resource.

    Spans of agents, workflows and tools may carry their children's totals, so they are no calls of their own;
    what they say of tenant and workflow serves the calls beneath. Metrics hold neither.
    """
    spans = [_span(span, resource) for span, resource in _spans(record)]
    for span in spans:
        if genai.operation(mapping(span["attributes"])) is not None:
            yield span
    yield from _events(record)
    # A call may have other calls beneath it, so it is a step too.
    for span in spans:
        yield {**span, "step": True}


def read(item: Json) -> Request | Span:
    """Read a call or a step that `items` found; raises ValueError naming what cannot be booked."""
    if item.get("claude_code") is not None:
        return claude_code_events.read(item)
    span = genai.Span(
        attributes=mapping(item.get("attributes")),
        resource=mapping(item.get("resource")),
        span_id=_named(item, "spanId"),
        parent=_named(item, "parentSpanId"),
        start=times.moment(_nanos(item.get("start")), "startTimeUnixNano"),
        end=times.moment(_nanos(item.get("end")), "endTimeUnixNano"),
        failed=item.get("failed") is True,
    )
    if item.get("step") is not True:
        return genai.request_of(span)
    if span.span_id is None:
        raise NotACallError("a span without ids")
    return genai.step_of(span)


def _named(item: Json, key: str) -> str | None:
    trace, span = text(item.get("traceId")), text(item.get(key))
    return f"{trace}:{span}" if trace and span else None


def _nanos(value: object) -> object:
    return None if value in (0, "0", "") else value


def _spans(record: Json) -> Iterator[tuple[Json, Json]]:
    for group in mappings(record.get("resourceSpans")):
        resource = plain(mapping(group.get("resource")).get("attributes"))
        for scope in mappings(group.get("scopeSpans")):
            schema = scope.get("schemaUrl") or group.get("schemaUrl")
            for span in mappings(scope.get("spans")):
                yield {**span, "schemaUrl": schema}, resource


def _span(span: Json, resource: Json) -> dict[str, object]:
    return {
        "schema": span.get("schemaUrl"),
        "traceId": text(span.get("traceId")),
        "spanId": text(span.get("spanId")),
        "parentSpanId": text(span.get("parentSpanId")),
        "start": span.get("startTimeUnixNano"),
        "end": span.get("endTimeUnixNano"),
        "failed": mapping(span.get("status")).get("code") in _ERROR,
        "attributes": {**_said_in_events(span), **plain(span.get("attributes"))},
        "resource": resource,
    }


def _said_in_events(span: Json) -> dict[str, object]:
    """Content that stands in the span's events, under the names that attributes have for it."""
    found: dict[str, object] = {}
    for event in mappings(span.get("events")):
        said = plain(event.get("attributes"))
        found.update({key: value for key, value in said.items() if key.startswith("gen_ai.")})
    return found


def _events(record: Json) -> Iterator[Json]:
    """The events that stand for a whole call; others belong to spans that stand for themselves."""
    for group in mappings(record.get("resourceLogs")):
        resource = plain(mapping(group.get("resource")).get("attributes"))
        for scope in mappings(group.get("scopeLogs")):
            for event in mappings(scope.get("logRecords")):
                said = plain(event.get("attributes"))
                own = claude_code_events.named(event, said)
                if own is not None or _DETAILS in (event.get("eventName"), said.get("event.name")):
                    yield {**_event(event, said, resource), "claude_code": own}


def _event(event: Json, said: Json, resource: Json) -> Json:
    return {
        "traceId": text(event.get("traceId")),
        "spanId": text(event.get("spanId")),
        # The call's own span says of it what it has from above.
        "parentSpanId": text(event.get("spanId")),
        "start": _nanos(event.get("timeUnixNano")) or _nanos(event.get("observedTimeUnixNano")),
        "attributes": {**plain(mapping(event.get("body")).get("kvlistValue")), **said},
        "resource": resource,
    }


def plain(listed: object) -> dict[str, object]:
    """OTLP's list of keys and typed values as an object."""
    entries = mapping(listed).get("values") if isinstance(listed, dict) else listed
    return {text(entry.get("key")): _value(entry.get("value")) for entry in mappings(entries)}


def _value(value: object) -> object:
    typed = mapping(value)
    if "arrayValue" in typed:
        return [_value(inner) for inner in sequence(mapping(typed["arrayValue"]).get("values"))]
    if "kvlistValue" in typed:
        return plain(typed["kvlistValue"])
    if "intValue" in typed:
        return _whole(typed["intValue"])
    return next((typed[key] for key in ("stringValue", "boolValue", "doubleValue") if key in typed), None)


def _whole(value: object) -> object:
    """64-bit integers are texts in OTLP's JSON."""
    signed = value.removeprefix("-") if isinstance(value, str) else ""
    return int(str(value)) if signed.isdecimal() and len(signed) < 20 else value
