"""OpenInference spans as Phoenix exports them: one span a record."""

from __future__ import annotations

from collector.apis.json_shapes import Json, mapping, text
from collector.formats import fields, genai, times
from collector.formats.format import NotACallError
from ledger.types import Request

KEYS = ("context", "attributes", "start_time")


def matches(record: Json) -> bool:
    """Tell an exported span by its context and the kind among its attributes."""
    told = mapping(record.get("attributes"))
    return all(key in record for key in KEYS) and (
        "openinference.span.kind" in told or "llm.model_name" in told
    )


def read(record: Json) -> Request:
    """Read one LLM span; NotACallError for chains, agents and tools, whose counts are their children's."""
    told = mapping(record.get("attributes"))
    if genai.operation(told) is None:
        raise NotACallError(f"a span of kind {_kind(told)}")
    context = mapping(record.get("context"))
    trace, span = text(context.get("trace_id")), fields.text_field(context, "span_id")
    return genai.request_of(
        genai.Span(
            attributes=told,
            span_id=f"{trace}:{span}" if trace and span else span,
            start=times.moment(record.get("start_time"), "start_time"),
            end=times.first_moment_or_none(record, "end_time"),
            failed=text(record.get("status_code")).upper() == "ERROR",
        )
    )


def _kind(told: Json) -> str:
    said = told.get("openinference.span.kind")
    return said.lower() if isinstance(said, str) and said.isalpha() and len(said) < 20 else "unknown"
