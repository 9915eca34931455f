"""OpenInference spans as Phoenix exports them: one span a record."""

from __future__ import annotations

from collections.abc import Iterator

from collector.apis.json_shapes import Json, mapping, text
from collector.formats import fields, genai, times
from collector.formats.format import Facts, NotACallError
from collector.formats.understood import Understood, words
from ledger.types import Request, Span

KEYS = ("context", "attributes", "start_time")
FACTS = Facts(
    cache="inside the input, unless it is larger or the total counts it on top",
    identity="trace_id and span_id",
    times="start_time, end_time",
    unknown=(
        "content that the instrumentation was not told to record",
        "an emitter that leaves the cache out of the input where neither sizes nor a total show it",
        "the provider's id of the answer",
    ),
    versions=("flattened", "nested"),
)


def _names(record: Json) -> Iterator[str]:
    """Of the attributes those that hold tokens: what is new among them may be billed."""
    told = mapping(record.get("attributes"))
    yield from record
    yield from (name for name in told if name.startswith("llm.token_count."))


UNDERSTANDS = Understood(
    words(
        """
    annotations attributes context conversation cumulative_error_count
    cumulative_llm_token_count_completion cumulative_llm_token_count_prompt document_evaluations
    end_time events id kind links llm.token_count.completion llm.token_count.completion_details
    llm.token_count.completion_details.audio llm.token_count.completion_details.reasoning
    llm.token_count.prompt llm.token_count.prompt_details llm.token_count.prompt_details.audio
    llm.token_count.prompt_details.cache_input llm.token_count.prompt_details.cache_read
    llm.token_count.prompt_details.cache_write llm.token_count.total llm_token_count_completion
    llm_token_count_prompt llm_token_count_total name parent_id resource scope span_evaluations
    span_kind start_time status status_code status_message
    """
    ),
    _names,
)


def matches(record: Json) -> bool:
    """Tell an exported span by its context and the kind among its attributes."""
    told = mapping(record.get("attributes"))
    return all(key in record for key in KEYS) and (
        "openinference.span.kind" in told or "llm.model_name" in told
    )


def read(record: Json) -> Request | Span:
    """Read one LLM span, or a step above one: what a chain, an agent or a tool counts is its children's."""
    told = mapping(record.get("attributes"))
    context = mapping(record.get("context"))
    trace, span = text(context.get("trace_id")), fields.text_field(context, "span_id")
    parent = text(record.get("parent_id"))
    found = genai.Span(
        attributes=told,
        span_id=f"{trace}:{span}" if trace and span else span,
        parent=f"{trace}:{parent}" if trace and parent else parent or None,
        start=times.moment(record.get("start_time"), "start_time"),
        end=times.first_moment_or_none(record, "end_time"),
        failed=text(record.get("status_code")).upper() == "ERROR",
    )
    if genai.operation(told) is not None:
        return genai.request_of(found)
    if found.span_id is None:
        raise NotACallError(f"a span of kind {_kind(told)} without an id")
    return genai.step_of(found)


def _kind(told: Json) -> str:
    said = told.get("openinference.span.kind")
    return said.lower() if isinstance(said, str) and said.isalpha() and len(said) < 20 else "unknown"
