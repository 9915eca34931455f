"""Vertex AI's request-response log, as it stands in its BigQuery table."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from collector.apis.json_shapes import Json, mapping, mappings, text
from collector.decoding import decoded
from collector.formats import attributes, calls, fields, times
from collector.formats.format import Facts
from collector.formats.understood import Understood, words
from ledger.types import Request

KEYS = ("logging_time", "full_request", "full_response")
_COLUMNS = ("full_request", "full_response", "metadata")
_RAW = frozenset({"rawPredict", "streamRawPredict"})
FACTS = Facts(
    cache="inside the input; thoughts stand beside the answer and are added to the output",
    identity="the answer's responseId, else request_id",
    times="the response's createTime, else logging_time less metadata.request_latency",
    unknown=("calls that a sampled log leaves out", "whether a body was cut", "the first token's time"),
    versions=("request-response log",),
)

UNDERSTANDS = Understood(
    words(
        """
    api_method deployed_model_id endpoint full_request full_response logging_time metadata model
    model_version otel_log request_id request_payload response_payload
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a row of the log by its columns."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one row; raises ValueError naming the field and value that cannot be booked."""
    record = {**record, **{key: _opened(record.get(key)) for key in _COLUMNS}}
    response = record.get("full_response")
    method = text(record.get("api_method")) or "generateContent"
    url = f"/{text(record.get('endpoint')).strip('/')}:{method}"
    # Partners' models are asked in their maker's own shape, which the bodies tell.
    call = calls.read(record.get("full_request"), response, None if method in _RAW else url)
    read_alone = calls.request_of(call, url)
    latency = times.milliseconds(mapping(record.get("metadata")).get("request_latency"))
    labels = attributes.tags(mapping(record.get("full_request")).get("labels"))
    return replace(
        read_alone,
        model=read_alone.model or fields.text_field(record, "model"),
        provider="google",
        call_id=fields.text_field(record, "request_id"),
        ts=_start(record, response, latency),
        latency_ms=latency,
        attributes=attributes.join(attributes.as_attributes(labels), attributes.flatten(_around(record))),
        tags=attributes.stored(labels),
    )


def _opened(column: object) -> object:
    """A column as JSON: exports write it as text; of one that was cut to fit nothing is known."""
    if not isinstance(column, str):
        return column
    try:
        return decoded(column.encode("utf-8", "replace"))
    except ValueError:
        return None


def _around(record: Json) -> Json:
    return {key: value for key, value in record.items() if key not in ("full_request", "full_response")}


def _start(record: Json, response: object, latency_ms: int | None) -> datetime | None:
    """When the call began: the response's creation, else the time it was logged less what it took."""
    pieces = [response, *mappings(response)]
    created = (times.moment(mapping(piece).get("createTime"), "createTime") for piece in pieces)
    found = next((at for at in created if at is not None), None)
    logged = times.moment(record.get("logging_time"), "logging_time")
    if found is not None or logged is None:
        return found
    return logged - timedelta(milliseconds=latency_ms or 0)
