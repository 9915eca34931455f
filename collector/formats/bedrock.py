"""Amazon Bedrock's model invocation logs, as it writes them to S3 or CloudWatch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, sequence
from collector.decoding import decoded
from collector.formats import attributes, bedrock_bodies, bodies, fields, times
from collector.formats.bodies import Call
from collector.formats.format import Facts
from collector.formats.typed import typed
from collector.formats.understood import Understood, said, words
from ledger.types import Request, Status, Usage

KEYS = ("schemaType", "modelId", "operation")
FACTS = Facts(
    cache="beside the input: inputTokenCount and every body's usage exclude what was read or written",
    identity="requestId; Claude's own msg_bdrk_ id where the body has it",
    times="timestamp",
    unknown=(
        "texts over 100 KB, images and documents: Bedrock puts them into S3, they are not fetched",
        "the model behind an application's or provisioned profile, unless Claude's answer names it",
        "the HTTP status",
    ),
    versions=("1.0",),
)
_SCHEMA = "ModelInvocationLog"
_OPAQUE = frozenset({"application-inference-profile", "provisioned-model", "custom-model", "imported-model"})
_METRICS = "amazon-bedrock-invocationMetrics"
_COUNTS = ("inputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount", "outputTokenCount")


class Log(msgspec.Struct, rename="camel"):
    """What is booked of a record."""

    model_id: str
    operation: str
    request_id: str | None = None
    timestamp: str | int | float | None = None
    error_code: object = None
    input: dict[str, object] | None = None
    output: dict[str, object] | None = None


UNDERSTANDS = Understood(
    words(
        """
    accountId errorCode errorMessage identity inferenceRegion input modelId operation output region
    requestId requestMetadata schemaType schemaVersion status timestamp
    """
    ),
    version=said("schemaVersion"),
    latest="1.0",
)


def matches(record: Json) -> bool:
    """Tell a record by the kind that Bedrock writes into each."""
    return any(each.get("schemaType") == _SCHEMA for each in items(record))


def items(record: Json) -> Iterator[Json]:
    """The records in a bundle of CloudWatch's events; any other record is one."""
    bundle = record.get("logEvents", record.get("events"))
    if not isinstance(bundle, list) or "schemaType" in record:
        yield record
        return
    for event in mappings(bundle):
        yield _opened(event.get("message"))


def _opened(message: object) -> Json:
    """The record that an event carries as text, or what is no record of ours."""
    try:
        return mapping(decoded(message.encode("utf-8", "replace"))) if isinstance(message, str) else EMPTY
    except ValueError:
        return EMPTY


def read(record: Json) -> Request:
    """Read one invocation; raises ValueError naming the field and value that cannot be booked."""
    log = typed(record, Log)
    given, said = log.input or {}, log.output or {}
    model = _model(log.model_id)
    response = bodies.response_body(said.get("outputBodyJson"))
    call = bedrock_bodies.read(
        log.operation, model or "", bodies.request_body(given.get("inputBodyJson")), response
    )
    metrics = _metrics(response)
    usage = _usage(call, {**metrics, **_counts(given), **_counts(said)})
    tags = attributes.tags(record.get("requestMetadata"))
    tier = mapping(call.response.get("serviceTier")).get("type")
    return Request(
        api=call.api,
        model=fields.name(model or call.answered.model or log.model_id.split(":", 5)[-1], "modelId"),
        provider="aws",
        operation=apis.operation(call.api, None),
        response_id=fields.name(call.answered.response_id, "the response's id"),
        call_id=log.request_id or None,
        ts=times.moment(log.timestamp, "timestamp"),
        latency_ms=_latency(call, metrics),
        ttft_ms=times.milliseconds(metrics.get("firstByteLatency")),
        service_tier=apis.tier(tier) or call.asked.service_tier,
        status=Status.ERROR if log.error_code or call.error else Status.OK,
        error_type=apis.error_type(log.error_code) or (call.error.kind if call.error else None),
        streamed="Stream" in log.operation,
        attributes=attributes.join(attributes.as_attributes(tags), attributes.flatten(_around(record))),
        tags=attributes.stored(tags),
        end_user=call.asked.end_user,
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        prompt=call.prompt,
        answer=call.answer,
        max_output_tokens=call.asked.max_output_tokens,
        temperature=call.asked.temperature,
    )


def _around(record: Json) -> Json:
    return {key: value for key, value in record.items() if key not in ("input", "output")}


def _model(model_id: str) -> str | None:
    """The model that an id or ARN names; None where it names a profile that only its owner knows."""
    if not model_id.startswith("arn:"):
        return model_id or None
    kind, _, name = model_id.split(":", 5)[-1].partition("/")
    return None if kind in _OPAQUE else name or None


def _metrics(response: object) -> Json:
    """What Bedrock adds to the last event of a stream."""
    pieces = (mapping(piece.get(_METRICS)) for piece in mappings([response, *sequence(response)]))
    return next((found for found in pieces if found), {})


def _counts(side: Json) -> Json:
    return {key: side[key] for key in _COUNTS if side.get(key) is not None}


def _latency(call: Call, metrics: Json) -> int | None:
    said = mapping(call.response.get("metrics")).get("latencyMs")
    return times.milliseconds(metrics.get("invocationLatency") if said is None else said)


def _usage(call: Call, found: Json) -> token_buckets.Reported | None:
    """The model's own usage, filled up from Bedrock's counts of the invocation; these where it has none."""
    reported = bedrock_bodies.usage(call)
    counted = _counted({key: found[key] for key in _COUNTS if key in found})
    if reported is None or counted is None:
        return reported or counted
    own, spare = reported[0], counted[0]
    return replace(
        own,
        cache_read_tokens=_first(own.cache_read_tokens, spare.cache_read_tokens),
        cache_write_tokens=_first(own.cache_write_tokens, spare.cache_write_tokens),
        output_tokens=_first(own.output_tokens, spare.output_tokens),
    ), reported[1]


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one


def _counted(found: Json) -> token_buckets.Reported | None:
    buckets = Usage(*(token_buckets.tokens(found, key) for key in _COUNTS[:3]))
    if buckets.input_tokens is None:
        return None
    output = token_buckets.tokens(found, "outputTokenCount")
    return token_buckets.reported(found, replace(buckets, output_tokens=output))
