"""LangChain's callback events, as a handler writes them: a record a start, an end or an error of a run."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from collector import apis
from collector.apis import openai_chat, openai_shapes, token_buckets
from collector.apis.anthropic_messages import usage as anthropic_usage
from collector.apis.json_shapes import EMPTY, Json, mapping, number, text
from collector.formats import attributes, conversations, fields, langchain_messages, times
from collector.formats.format import Facts, NotACallError
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Answer, Api, Prompt, Request, Span, Status

KEYS = ("event", "run_id")
FACTS = Facts(
    cache="inside the input for every provider, in usage_metadata and in OpenAI's token_usage",
    identity="run_id joins start and end; the provider's id of the answer where the end has it",
    times="in run_id, where it is a UUID of version 7 (langchain-core 1.0 on); else timestamp, time or ts",
    unknown=(
        "the usage of streams without stream_usage: it is counted",
        "how long a call took, where the handler writes no time",
        "tenant and workflow of a call whose start was not logged",
    ),
    versions=("langchain-core 0.1 to 1.7",),
)
_STARTS = frozenset({"on_chat_model_start", "on_llm_start"})
_ENDS = frozenset({"on_llm_end", "on_chat_model_end"})
_ERRORS = frozenset({"on_llm_error", "on_chat_model_error"})
_STEPS = frozenset({"on_chain_start", "on_tool_start", "on_retriever_start", "on_agent_start"})
_NAMED = ("name", "run_name", "run_type")
_TIMES = ("timestamp", "time", "ts", "start_time")
_ENDED = ("end_time", *_TIMES)
_ERROR_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{2,60}(?=\()")
_OFFERED = ("tools", "functions", "response_format", "tool_choice")
_NEXT_CENTURY = datetime(2100, 1, 1, tzinfo=UTC)


class Event(msgspec.Struct):
    """The fields of an event that are booked."""

    event: str
    run_id: str
    parent_run_id: str | None = None
    metadata: dict[str, object] | None = None
    invocation_params: dict[str, object] | None = None
    response: dict[str, object] | None = None


UNDERSTANDS = Understood(
    frozenset((*_NAMED, *_ENDED, *Event.__struct_encode_fields__))
    | words(
        """
    action batch_size chunk data documents error error_type finish input input_str inputs kwargs
    message_id messages options output outputs prompts query serialized tags token
    """
    )
)


def matches(record: Json) -> bool:
    """Tell an event by its name and its run."""
    return text(record.get("event")).startswith("on_") and isinstance(record.get("run_id"), str)


def read(record: Json) -> Request | Span:
    """Read a call's start as a part of it, its end or error as the call, other starts as steps above calls.

    Raises ValueError naming the field that cannot be booked, NotACallError for all other events.
    """
    event = typed(record, Event)
    if event.event in _STARTS:
        return _start(record, event)
    if event.event in _ENDS:
        return _end(record, event)
    if event.event in _ERRORS:
        return _error(record, event)
    if event.event in _STEPS:
        return _step(record, event)
    raise NotACallError("an event that neither begins nor ends a call")


def _run(event: Event) -> str:
    return fields.name(event.run_id, "run_id") or ""


def _parent(event: Event) -> str | None:
    """The run above; handlers that write str() of it write None as a word."""
    return None if event.parent_run_id in ("", "None") else fields.name(event.parent_run_id, "parent_run_id")


def began(run_id: str) -> datetime | None:
    """When a run began, where its id says so: the first 48 bits of a UUID of version 7."""
    try:
        known = uuid.UUID(run_id)
    except ValueError:
        return None
    if known.version != 7:
        return None
    found = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=known.int >> 80)
    return found if found < _NEXT_CENTURY else None


def _attributes(record: Json, event: Event) -> dict[str, str]:
    return attributes.join(
        attributes.as_attributes(attributes.tags(record.get("tags"))),
        attributes.under("metadata", event.metadata or EMPTY),
        attributes.flatten({key: record[key] for key in _NAMED if key in record}),
    )


def _end_user(event: Event) -> str | None:
    return fields.first_text(event.metadata or EMPTY, "user_id", "end_user")


def _step(record: Json, event: Event) -> Span:
    return Span(
        span=_run(event),
        parent=_parent(event),
        ts=began(event.run_id) or times.first_moment_or_none(record, *_TIMES),
        attributes=_attributes(record, event),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        end_user=_end_user(event),
    )


def _start(record: Json, event: Event) -> Request:
    metadata, asked = event.metadata or EMPTY, event.invocation_params or EMPTY
    model = fields.first_text(asked, "model", "model_name") or fields.first_text(metadata, "ls_model_name")
    provider = fields.first_text(metadata, "ls_provider")
    api = conversations.counting_api(provider, model)
    return Request(
        api=api,
        model=fields.name(model, "model"),
        provider=_provider(provider, api, model),
        ts=began(event.run_id) or times.first_moment_or_none(record, *_TIMES),
        attributes=_attributes(record, event),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        end_user=_end_user(event),
        prompt=_prompt(api, record, asked),
        max_output_tokens=apis.output_limit(
            *(asked.get(key) for key in ("max_completion_tokens", "max_output_tokens", "max_tokens"))
        ),
        temperature=number(asked.get("temperature", metadata.get("ls_temperature"))),
        span=_run(event),
        parent_span=_parent(event),
        part=True,
    )


def _prompt(api: Api, record: Json, asked: Json) -> Prompt | None:
    if prompts := record.get("prompts"):
        return conversations.prompt(api, prompts[0] if isinstance(prompts, list) else prompts)
    logged = langchain_messages.messages(record.get("messages"))
    offered = {key: asked[key] for key in _OFFERED if key in asked}
    return openai_chat.prompt({**offered, "messages": logged}) if logged else None


def _provider(named: str | None, api: Api, model: str | None) -> str | None:
    return apis.named(named) if named and fields.is_name(named) else apis.provider(None, api, model)


def _end(record: Json, event: Event) -> Request:
    response = event.response or EMPTY
    said = langchain_messages.answered(response.get("generations"))
    told, whole = mapping(said.get("response_metadata")), mapping(response.get("llm_output"))
    provider = fields.first_text(told, "model_provider")
    model = fields.first_text(told, "model_name", "model") or fields.first_text(whole, "model_name", "model")
    api = conversations.counting_api(provider, model)
    usage = _usage(api, said, told, whole)
    start = began(event.run_id)
    ended = times.first_moment_or_none(record, *_ENDED)
    return Request(
        api=api,
        model=fields.name(model, "model"),
        provider=_provider(provider, api, model) if provider or model else None,
        response_id=_response_id(said, told, whole),
        call_id=_run(event),
        ts=start or ended,
        latency_ms=times.between(start, ended),
        service_tier=apis.tier(told.get("service_tier") or whole.get("service_tier")),
        streamed=_is_streamed(response, said),
        attributes=_attributes(record, event),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        answer=_answer(response),
        span=_run(event),
        parent_span=_parent(event),
    )


def _usage(api: Api, said: Json, told: Json, whole: Json) -> token_buckets.Reported | None:
    """LangChain's own count of the provider's usage, else that usage as the provider spells it."""
    if mapping(found := said.get("usage_metadata")).get("input_tokens") is not None:
        return langchain_messages.usage(mapping(found))
    logged = (told.get("token_usage"), told.get("usage"), whole.get("token_usage"), whole.get("usage"))
    body = {"usage": next((each for each in logged if each), None)}
    return anthropic_usage(body) if api is Api.ANTHROPIC_MESSAGES else openai_shapes.usage(body)


def _response_id(said: Json, told: Json, whole: Json) -> str | None:
    named = (fields.first_text(told, "id"), fields.first_text(whole, "id"), fields.first_text(said, "id"))
    return next((each for each in named if each and fields.is_name(each)), None)


def _is_streamed(response: Json, said: Json) -> bool:
    kinds = [text(each.get("type")) for each in langchain_messages.generations(response.get("generations"))]
    return any(kind.endswith("Chunk") for kind in (*kinds, text(said.get("type"))))


def _answer(response: Json) -> Answer | None:
    said = langchain_messages.answers(response.get("generations"))
    return conversations.answer(said) if said else None


def _error(record: Json, event: Event) -> Request:
    named = _ERROR_CLASS.match(text(record.get("error")))
    kind = named[0] if named else fields.first_text(record, "error_type")
    start = began(event.run_id)
    ended = times.first_moment_or_none(record, *_ENDED)
    return Request(
        api=Api.OPENAI_CHAT,
        model=None,
        call_id=_run(event),
        ts=start or ended,
        latency_ms=times.between(start, ended),
        status=Status.ERROR,
        error_type=apis.error_type(kind),
        attributes=_attributes(record, event),
        span=_run(event),
        parent_span=_parent(event),
    )
