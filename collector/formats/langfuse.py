"""Langfuse's observations, as its API (v2 and v1) and its blob storage export give them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec

from collector import apis
from collector.apis.json_shapes import Json, mapping, mappings, number, text
from collector.formats import attributes, conversations, fields, langfuse_usage, times
from collector.formats.format import Facts, NotACallError
from collector.formats.genai_content import json_of
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Request, Span, Status

KEYS = ("id",)
FACTS = Facts(
    cache="beside the input by Langfuse's convention; inside it where the total says so",
    identity="the observation's id",
    times="startTime, endTime, completionStartTime",
    unknown=(
        "whether Langfuse counted the tokens itself where the SDK sent none",
        "an input that an SDK sent with the cache in it and without a total",
        "the provider's id of the answer",
        "provider and service tier, unless the model's name tells",
    ),
    versions=("API v1", "API v2", "blob export, legacy", "blob export, enriched"),
)

_CALLS = {"GENERATION": "chat", "EMBEDDING": "embedding"}
_STEPS = frozenset({"SPAN", "AGENT", "CHAIN", "TOOL", "RETRIEVER", "EVALUATOR", "GUARDRAIL", "EVENT"})
_PAGE = frozenset({"cursor", "page", "totalItems"})
# What the export writes in snake_case and the API in camelCase.
_NAMES = {
    "trace_id": "traceId",
    "parent_observation_id": "parentObservationId",
    "project_id": "projectId",
    "start_time": "startTime",
    "end_time": "endTime",
    "completion_start_time": "completionStartTime",
    "time_to_first_token": "timeToFirstToken",
    "provided_model_name": "providedModelName",
    "model_parameters": "modelParameters",
    "usage_details": "usageDetails",
    "cost_details": "costDetails",
    "total_cost": "totalCost",
    "user_id": "userId",
    "session_id": "sessionId",
    "trace_name": "traceName",
    "prompt_name": "promptName",
    "prompt_version": "promptVersion",
    "observation_id": "observationId",
    "data_type": "dataType",
    "status_message": "statusMessage",
}
# What was said, and what the usage tells already, is no attribute.
_NO_ATTRIBUTES = frozenset(
    {"id", "input", "output", "statusMessage", "modelParameters", "usage", "usageDetails", "costDetails"}
    | {"observations", "scores", "toolCalls", "toolDefinitions", "tool_calls", "tool_definitions"}
)


class Observation(msgspec.Struct, rename="camel"):
    """The fields of an observation that are booked."""

    id: str
    type: str
    trace_id: str | None = None
    parent_observation_id: str | None = None
    provided_model_name: str | None = None
    model: str | None = None
    environment: str | None = None
    user_id: str | int | None = None
    usage_details: dict[str, object] | None = None
    usage: dict[str, object] | None = None
    start_time: object = None


UNDERSTANDS = Understood(
    frozenset((*_NAMES, *_NAMES.values(), *_NO_ATTRIBUTES, *Observation.__struct_encode_fields__))
    | words(
        """
    bookmarked calculatedInputCost calculatedOutputCost calculatedTotalCost calculated_input_cost
    calculated_output_cost calculated_total_cost completionStartTime completionTokens completion_tokens
    createdAt created_at endTime event_ts inputCost inputPrice inputUsage input_cost input_price
    input_usage internalModelId internal_model_id isRootObservation is_deleted is_root_observation
    latency level metadata modelId model_id name outputCost outputPrice outputUsage output_cost
    output_price output_usage projectId promptId promptTokens prompt_id prompt_tokens
    providedCostDetails providedUsageDetails provided_cost_details provided_usage_details public release
    sessionId tags toolCallNames tool_call_names totalPrice totalTokens totalUsage total_price
    total_tokens total_usage unit updatedAt updated_at usagePricingTierId usagePricingTierName
    usage_pricing_tier_id usage_pricing_tier_name version
    """
    )
)


def matches(record: Json) -> bool:
    """Tell an observation, trace or score, or a page of them, by Langfuse's own keys."""
    listed = record.get("data")
    if not isinstance(listed, list):
        return _is_own(_camel(record))
    first = next(mappings(listed), None)
    if first is None:
        return any(key in mapping(record.get("meta")) for key in _PAGE)
    return _is_own(_camel(first))


def _is_own(record: Json) -> bool:
    return _is_observation(record) or _is_trace(record) or _is_score(record)


def _is_observation(record: Json) -> bool:
    kind = text(record.get("type")).upper()
    return "traceId" in record and (kind in _CALLS or kind in _STEPS) and "startTime" in record


def _is_trace(record: Json) -> bool:
    named = "id" in record and "timestamp" in record and "sessionId" in record
    return named and "userId" in record and "type" not in record


def _is_score(record: Json) -> bool:
    return all(key in record for key in ("id", "traceId", "dataType", "value", "source"))


def _camel(record: Json) -> Json:
    return {_NAMES.get(key, key): value for key, value in record.items()}


def items(record: Json) -> Iterator[Json]:
    """The entries of a page, a record by itself, and the observations inside a trace."""
    listed = record.get("data")
    for entry in mappings(listed) if isinstance(listed, list) else (record,):
        named = _camel(entry)
        yield named
        yield from map(_camel, mappings(named.get("observations")))


def read(item: Json) -> Request | Span:
    """Read a generation or embedding as a call, anything else as a step above calls.

    Raises ValueError naming the field that cannot be booked, NotACallError for scores.
    """
    named = _camel(item)
    if _is_score(named):
        raise NotACallError("a score")
    if _is_trace(named):
        return _trace(named)
    found = typed(named, Observation)
    return _call(named, found) if found.type.upper() in _CALLS else _step(named, found)


def _place(trace: str | None, step: str | None) -> str | None:
    """What a step is named by among those of its trace; the trace itself where no step is named."""
    return fields.name(f"{trace or ''}:{step or ''}" if trace or step else None, "traceId and id")


def _trace(record: Json) -> Span:
    tags = attributes.tags(record.get("tags"))
    return Span(
        span=_place(fields.text_field(record, "id"), None) or "",
        ts=times.moment(record.get("timestamp"), "timestamp"),
        attributes=_attributes({**record, "traceName": record.get("name")}, tags),
        tags=attributes.stored(tags),
        end_user=fields.text_field(record, "userId"),
    )


def _step(record: Json, found: Observation) -> Span:
    tags = attributes.tags(record.get("tags"))
    return Span(
        span=_place(found.trace_id, found.id) or "",
        parent=_above(found),
        ts=times.moment(found.start_time, "startTime"),
        attributes=_attributes(record, tags),
        tags=attributes.stored(tags),
        end_user=fields.text_field(record, "userId"),
    )


def _above(found: Observation) -> str | None:
    return _place(found.trace_id, found.parent_observation_id) if found.trace_id else None


def _call(record: Json, found: Observation) -> Request:
    operation = _CALLS[found.type.upper()]
    model = fields.name(found.provided_model_name or found.model or None, "model")
    provider = apis.provider(None, conversations.counting_api(None, model), model)
    api = conversations.counting_api(provider, model, operation)
    parameters = mapping(json_of(record.get("modelParameters")))
    usage = langfuse_usage.usage(found.usage_details or {}, found.usage or {})
    tags = attributes.tags(record.get("tags"))
    start = times.moment(found.start_time, "startTime")
    output = None if operation == "embedding" else record.get("output")
    return Request(
        api=api,
        model=model,
        provider=provider,
        operation=operation,
        call_id=fields.name(found.id, "id"),
        ts=start,
        latency_ms=_latency(record, start),
        ttft_ms=_first_token(record, start),
        status=Status.ERROR if text(record.get("level")).upper() == "ERROR" else Status.OK,
        attributes=_attributes(record, tags),
        tags=attributes.stored(tags),
        end_user=fields.text_field(record, "userId"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=langfuse_usage.cost(record),
        prompt=conversations.prompt(api, record.get("input")),
        answer=conversations.answer(output),
        max_output_tokens=apis.output_limit(
            *(
                _number(parameters, key)
                for key in ("max_completion_tokens", "max_output_tokens", "max_tokens")
            )
        ),
        temperature=number(_number(parameters, "temperature")),
        span=_place(found.trace_id, found.id),
        parent_span=_above(found),
    )


def _number(parameters: Json, key: str) -> object:
    """Model parameters are kept as text by some SDKs."""
    value = parameters.get(key)
    try:
        return float(value) if isinstance(value, str) and len(value) < 20 else value
    except ValueError:
        return None


def _latency(record: Json, start: datetime | None) -> int | None:
    found = times.between(start, times.first_moment_or_none(record, "endTime"))
    return times.milliseconds(record.get("latency"), 1000) if found is None else found


def _first_token(record: Json, start: datetime | None) -> int | None:
    found = times.between(start, times.first_moment_or_none(record, "completionStartTime"))
    return times.milliseconds(record.get("timeToFirstToken"), 1000) if found is None else found


def _attributes(record: Json, tags: Mapping[str, str]) -> dict[str, str]:
    """What attribution may read; the environment "default" stands for none that was set."""
    unset = record.get("environment") in ("default", "")
    said = {
        key: json_of(value) if key == "metadata" else value
        for key, value in record.items()
        if key not in _NO_ATTRIBUTES and not (unset and key == "environment")
    }
    return attributes.join(attributes.as_attributes(tags), attributes.flatten(said))
