"""LangSmith's runs, as its API, SDK and bulk export give them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from collector import apis
from collector.apis import openai_chat, openai_shapes, token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, number, sequence, text
from collector.formats import attributes, conversations, fields, langchain_messages, times
from collector.formats.format import Facts
from collector.formats.genai_content import json_of
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Answer, Api, Prompt, Request, Span, Status

KEYS = ("id", "run_type")
FACTS = Facts(
    cache="inside the input for every provider",
    identity="the provider's id of the answer where the run has it, else the run's id",
    times="start_time, end_time, first_token_time; without an offset they are UTC",
    unknown=(
        "whether LangSmith counted the tokens itself where the run's outputs carry no usage",
        "an LLM run inside another LLM run (a wrapped client below LangChain) is a call of its own",
    ),
    versions=("Run of the API and SDK", "bulk export"),
)

_CALLS = {"llm": "chat", "embedding": "embedding"}
# An error begins with its class, as Python writes exceptions; what follows may quote what was said.
_ERROR_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{2,60}(?=\()")
_JSON = ("inputs", "outputs", "extra", "tags", "prompt_token_details", "completion_token_details")
_ATTRIBUTES = ("name", "session_id", "session_name", "project_name", "thread_id", "trace_id")


class Run(msgspec.Struct):
    """The fields of a run that are booked."""

    id: str
    run_type: str
    start_time: object = None
    parent_run_id: str | None = None
    extra: dict[str, object] | None = None
    prompt_token_details: dict[str, object] | None = None
    completion_token_details: dict[str, object] | None = None


UNDERSTANDS = Understood(
    frozenset((*_JSON, *_ATTRIBUTES, *Run.__struct_encode_fields__))
    | words(
        """
    app_path attachments child_run_ids child_runs completion_cost completion_cost_details
    completion_tokens created_at direct_child_run_ids dotted_order end_time error error_preview events
    execution_order feedback_stats first_token_time in_dataset inputs_or_signed_url inputs_preview
    inputs_s3_urls inserted_at is_root last_queued_at latency manifest manifest_id manifest_s3_id
    messages modified_at outputs_or_signed_url outputs_preview outputs_s3_urls parent_run_ids
    price_model_id project_id prompt_cost prompt_cost_details prompt_tokens queue_run_id
    reference_dataset_id reference_example_id s3_urls serialized share_token status tenant_id total_cost
    total_tokens trace_first_received_at trace_max_start_time trace_min_max_start_time
    trace_min_start_time trace_tier trace_upgrade ttl_seconds
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a run by LangSmith's own keys, or a page of the API's list of them."""
    first = next(mappings(record.get("runs")), record)
    named = isinstance(first.get("run_type"), str) and "id" in first and "start_time" in first
    return named and any(key in first for key in ("trace_id", "dotted_order", "session_id", "extra"))


def items(record: Json) -> Iterator[Json]:
    """The runs of a page, or a run by itself, each with the runs inside it."""
    listed = record.get("runs")
    waiting = list(mappings(listed)) if isinstance(listed, list) else [record]
    while waiting:
        run = waiting.pop(0)
        yield run
        waiting += mappings(run.get("child_runs"))


def read(item: Json) -> Request | Span:
    """Read an LLM or embedding run as a call, any other as a step above calls.

    Raises ValueError naming the field that cannot be booked.
    """
    record = {**item, **{key: json_of(item[key]) for key in _JSON if key in item}}
    run = typed(record, Run)
    return _call(record, run) if run.run_type in _CALLS else _step(record, run)


def _metadata(run: Run) -> Json:
    return mapping((run.extra or {}).get("metadata"))


def _attributes(record: Json, run: Run) -> dict[str, str]:
    tags = attributes.tags(record.get("tags"))
    named = {key: record[key] for key in _ATTRIBUTES if key in record}
    return attributes.join(
        attributes.as_attributes(tags),
        attributes.under("metadata", _metadata(run)),
        attributes.flatten(named),
    )


def _step(record: Json, run: Run) -> Span:
    return Span(
        span=fields.name(run.id, "id") or "",
        parent=fields.name(run.parent_run_id, "parent_run_id"),
        ts=times.moment(run.start_time, "start_time"),
        attributes=_attributes(record, run),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        end_user=_end_user(run),
    )


def _end_user(run: Run) -> str | None:
    return fields.first_text(_metadata(run), "user_id", "end_user")


def _call(record: Json, run: Run) -> Request:
    metadata, outputs = _metadata(run), mapping(record.get("outputs"))
    asked = mapping((run.extra or {}).get("invocation_params"))
    said = langchain_messages.answered(outputs.get("generations"))
    told = mapping(said.get("response_metadata"))
    model = _model(outputs, told, metadata, asked)
    provider = _provider(metadata, model)
    inputs = mapping(record.get("inputs"))
    api, operation = _kind(run, inputs, provider, model)
    found = mapping(said.get("usage_metadata")) or mapping(outputs.get("usage_metadata"))
    usage = _usage(record, run, found)
    start = times.moment(run.start_time, "start_time")
    first_token = times.first_moment_or_none(record, "first_token_time")
    return Request(
        api=api,
        model=model,
        provider=provider,
        operation=operation,
        response_id=_response_id(outputs, said, told),
        call_id=fields.name(run.id, "id"),
        ts=start,
        latency_ms=times.between(start, times.first_moment_or_none(record, "end_time")),
        ttft_ms=times.between(start, first_token),
        service_tier=langchain_messages.service_tier(found) or apis.tier(told.get("service_tier")),
        status=Status.ERROR if _failed(record) else Status.OK,
        error_type=_error_type(record),
        streamed=asked.get("stream") is True or first_token is not None,
        attributes=_attributes(record, run),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        end_user=_end_user(run),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=fields.usd_or_none(record.get("total_cost")),
        prompt=_prompt(api, inputs, asked),
        answer=None if api is Api.OPENAI_EMBEDDINGS else _answer(outputs),
        max_output_tokens=apis.output_limit(
            *(asked.get(key) for key in ("max_completion_tokens", "max_output_tokens", "max_tokens")),
            metadata.get("ls_max_tokens"),
        ),
        temperature=number(asked.get("temperature", metadata.get("ls_temperature"))),
        span=fields.name(run.id, "id"),
        parent_span=fields.name(run.parent_run_id, "parent_run_id"),
    )


def _kind(run: Run, inputs: Json, provider: str | None, model: str | None) -> tuple[Api, str]:
    """What the call was framed as: a completion has prompts in place of messages."""
    operation = _CALLS[run.run_type]
    api = conversations.counting_api(provider, model, operation)
    is_completion = api is Api.OPENAI_CHAT and bool(sequence(inputs.get("prompts")))
    return (Api.OPENAI_COMPLETIONS, "completion") if is_completion else (api, operation)


def _model(outputs: Json, told: Json, metadata: Json, asked: Json) -> str | None:
    """Name the model as answered, else as LangSmith knows it, else as asked."""
    named = (
        fields.first_text(told, "model_name", "model"),
        fields.first_text(outputs, "model"),
        fields.first_text(metadata, "ls_model_name"),
        fields.first_text(asked, "model", "model_name"),
    )
    return fields.name(next(filter(None, named), None), "model")


def _provider(metadata: Json, model: str | None) -> str | None:
    said = text(metadata.get("ls_provider"))
    by_model = apis.provider(None, conversations.counting_api(None, model), model)
    return apis.named(said) if fields.is_name(said) else by_model


def _response_id(outputs: Json, said: Json, told: Json) -> str | None:
    own = fields.first_text(told, "id") or fields.first_text(outputs, "id") or fields.first_text(said, "id")
    return own if own is not None and fields.is_name(own) else None


def _failed(record: Json) -> bool:
    return bool(record.get("error")) or fields.says_error(record.get("status"))


def _error_type(record: Json) -> str | None:
    found = _ERROR_CLASS.match(text(record.get("error")))
    return apis.error_type(found[0]) if found else None


def _usage(record: Json, run: Run, found: Json) -> token_buckets.Reported | None:
    """The usage among the outputs, else the counts of the run; zeros of both say that nothing is known."""
    if found.get("input_tokens") is not None:
        return langchain_messages.usage(found)
    if body := openai_shapes.usage(mapping(record.get("outputs"))):
        return body
    counts = {
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "total_tokens": record.get("total_tokens"),
        "input_token_details": run.prompt_token_details,
        "output_token_details": run.completion_token_details,
    }
    known = {key: value for key, value in counts.items() if value is not None}
    return (
        langchain_messages.usage(known) if known.get("input_tokens") or known.get("output_tokens") else None
    )


def _prompt(api: Api, inputs: Json, asked: Json) -> Prompt | None:
    if listed := sequence(inputs.get("prompts")):
        return conversations.prompt(api, listed[0])
    if api is Api.OPENAI_EMBEDDINGS:
        return conversations.prompt(api, dict(inputs))
    logged = sequence(inputs.get("messages"))
    if logged and (isinstance(logged[0], list) or "role" not in mapping(logged[0])):
        offered = {
            key: asked[key]
            for key in ("tools", "functions", "response_format", "tool_choice")
            if key in asked
        }
        return openai_chat.prompt({**offered, "messages": langchain_messages.messages(logged)})
    return conversations.prompt(api, dict(inputs))


def _answer(outputs: Json) -> Answer | None:
    said = langchain_messages.answers(outputs.get("generations"))
    return conversations.answer(said or dict(outputs) or EMPTY)
