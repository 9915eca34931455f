"""One LLM call out of span attributes, by the names of OpenTelemetry, OpenLLMetry and OpenInference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from collector import apis
from collector.apis import openai_chat, token_buckets
from collector.apis.json_shapes import Json, mapping, number, text
from collector.formats import attributes as paths
from collector.formats import fields, genai_content, times
from ledger import types
from ledger.types import Answer, Api, Prompt, Request, Status

Attributes = Mapping[str, object]

# Oldest names last. `llm.*` are OpenLLMetry's first names and OpenInference's.
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
_AUDIO_INPUT = ("llm.token_count.prompt_details.audio",)
_AUDIO_OUTPUT = ("llm.token_count.completion_details.audio",)
_TOTAL = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total")
_USAGE = (
    *_INPUT,
    *_OUTPUT,
    *_CACHE_READ,
    *_CACHE_WRITE,
    *_REASONING,
    *_AUDIO_INPUT,
    *_AUDIO_OUTPUT,
    *_TOTAL,
)
_ASKED_MODEL = ("gen_ai.request.model", "llm.request.model_name", "llm.request.model")
_ANSWERED_MODEL = ("gen_ai.response.model", "llm.response.model_name", "llm.response.model", "llm.model_name")
_PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_STREAMED = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming")
_END_USER = ("user.id", "enduser.id", "gen_ai.request.user", "llm.user")

_OPERATIONS = {
    "chat": "chat",
    "generate_content": "chat",
    "text_completion": "completion",
    "completion": "completion",
    "embeddings": "embedding",
    "embedding": "embedding",
    "llm": "chat",
}
_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "az.ai.inference": "azure",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "ibm.watsonx.ai": "ibm",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span, or an event that stands for one: its attributes and those of the program that it is of.

    `span_id` and `parent` name it and the step above it among all spans of the log.
    """

    attributes: Attributes
    resource: Attributes = field(default_factory=dict)
    span_id: str | None = None
    parent: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    failed: bool = False


def operation(attributes: Attributes) -> str | None:
    """The kind of LLM call a span stands for; None for agents, tools, chains and all that is no call."""
    named = attributes.get("gen_ai.operation.name") or attributes.get("llm.request.type")
    kind = attributes.get("openinference.span.kind")
    if isinstance(named, str):
        return _OPERATIONS.get(named.lower())
    if isinstance(kind, str):
        return _OPERATIONS.get(kind.lower())
    is_call = any(key in attributes for key in (*_ASKED_MODEL, *_INPUT))
    return "chat" if is_call and "traceloop.span.kind" not in attributes else None


def request_of(span: Span) -> Request:
    """Read one call; raises ValueError naming the attribute and value that cannot be booked."""
    said = span.attributes
    provider = _provider(said)
    model = _text(said, *_ANSWERED_MODEL) or _text(said, *_ASKED_MODEL)
    kind = operation(said) or "other"
    api = _api(said, provider, model, kind)
    usage = _usage(said)
    return Request(
        api=api,
        model=fields.name(model, "model"),
        provider=provider or apis.provider(None, api, model),
        operation=kind,
        response_id=fields.name(_text(said, "gen_ai.response.id"), "gen_ai.response.id"),
        call_id=span.span_id,
        ts=span.start,
        latency_ms=times.between(span.start, span.end),
        ttft_ms=times.milliseconds(said.get("gen_ai.response.time_to_first_chunk"), 1000),
        service_tier=_service_tier(said),
        status=Status.ERROR if span.failed or "error.type" in said else Status.OK,
        http_status=fields.http_status(said, "http.response.status_code", "http.status_code"),
        error_type=apis.error_type(said.get("error.type")),
        streamed=any(said.get(key) is True for key in _STREAMED),
        attributes=_attributes(said),
        tags=_tags(said),
        end_user=_text(said, *_END_USER),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=fields.usd_or_none(said.get("llm.cost.total")),
        prompt=_prompt(said),
        answer=_answer(said),
        max_output_tokens=apis.output_limit(_parameter(said, "max_tokens")),
        temperature=number(_parameter(said, "temperature")),
        span=span.span_id,
        parent_span=span.parent,
        around=_around(span.resource),
    )


def step_of(span: Span) -> types.Span:
    """Read a step above calls: what it says of who they were made for. Raises ValueError without its name."""
    if span.span_id is None:
        raise ValueError("the span has no trace id and span id")
    said = span.attributes
    return types.Span(
        span=span.span_id,
        parent=span.parent,
        ts=span.start,
        attributes=_attributes(said),
        tags=_tags(said),
        end_user=_text(said, *_END_USER),
    )


def _text(said: Attributes, *keys: str) -> str | None:
    return fields.first_text(said, *keys)


def _provider(said: Attributes) -> str | None:
    named = (_text(said, *_PROVIDER) or "").lower()
    return _PROVIDERS.get(named) or (apis.named(named) if fields.is_name(named) else None)


def _api(said: Attributes, provider: str | None, model: str | None, kind: str) -> Api:
    """The wire API whose framing the call was billed by, as far as a span tells."""
    lowered = (model or "").lower()
    if kind == "embedding":
        return Api.OPENAI_EMBEDDINGS
    if provider == "anthropic" or "claude" in lowered:
        return Api.ANTHROPIC_MESSAGES
    if provider == "google" or "gemini" in lowered:
        return Api.GEMINI_GENERATE
    if said.get("openai.api.type") == "responses":
        return Api.OPENAI_RESPONSES
    return Api.OPENAI_COMPLETIONS if kind == "completion" else Api.OPENAI_CHAT


def _service_tier(said: Attributes) -> str | None:
    return apis.tier(
        said.get("openai.response.service_tier")
        or said.get("gen_ai.openai.response.service_tier")
        or said.get("openai.request.service_tier")
    )


def _parameter(said: Attributes, name: str) -> object:
    given = mapping(genai_content.json_of(said.get("llm.invocation_parameters")))
    return said.get(f"gen_ai.request.{name}", given.get(name))


def _usage(said: Attributes) -> token_buckets.Reported | None:
    """Read the counts. The conventions put cached tokens inside the input, but many emitters leave them out:
    they do where the cache is larger than the input, or where the total counts it on top."""
    found = {key: _count(said[key]) for key in _USAGE if key in said}
    first = token_buckets.first_tokens
    input_tokens, output_tokens = first(found, *_INPUT), first(found, *_OUTPUT)
    read, write = first(found, *_CACHE_READ), first(found, *_CACHE_WRITE)
    reasoning, total = first(found, *_REASONING), first(found, *_TOTAL)
    if input_tokens is None:
        return None
    cached = (read or 0) + (write or 0)
    on_top = total == input_tokens + (output_tokens or 0) + cached
    if cached > input_tokens or (cached and on_top):
        input_tokens += cached
    return token_buckets.inclusive(
        {key: value for key, value in found.items() if key not in _TOTAL} if on_top else found,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read=read,
        cache_write=write,
        reasoning=reasoning,
        audio_input=first(found, *_AUDIO_INPUT),
        audio_output=first(found, *_AUDIO_OUTPUT),
    )


def _count(value: object) -> object:
    """Integers are texts in OTLP's JSON, and some emitters write them so themselves."""
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 19 else value


def _prompt(said: Attributes) -> Prompt | None:
    messages = genai_content.asked(said)
    body: Json = {"messages": messages, "tools": genai_content.tools(said)}
    return openai_chat.prompt(body) if messages else None


def _answer(said: Attributes) -> Answer | None:
    messages = genai_content.answered(said)
    if not messages:
        return None
    reason = next(
        (text(message.get("finish_reason")) for message in messages if message.get("finish_reason")), None
    )
    return openai_chat.answer(
        {"choices": [{"message": message, "finish_reason": reason} for message in messages]}
    )


def _attributes(said: Attributes) -> dict[str, str]:
    """What attribution may read of a span: its own names, then those of its metadata."""
    metadata = mapping(genai_content.json_of(said.get("metadata")))
    return paths.join(paths.flatten(_told(said)), paths.under("metadata", metadata))


def _around(resource: Attributes) -> dict[str, str]:
    return paths.join(paths.flatten(resource), paths.under("resource", resource)) if resource else {}


def _tags(said: Attributes) -> dict[str, str]:
    return paths.stored(paths.tags(genai_content.json_of(said.get("tag.tags"))))


# Prefixes of what was said, or of what the usage already tells.
_SAID = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.input",
    "gen_ai.output",
    "gen_ai.system_instructions",
    "gen_ai.tool",
    "gen_ai.usage",
    "llm.input_messages",
    "llm.output_messages",
    "llm.prompts",
    "llm.completions",
    "llm.token_count",
    "llm.tools",
    "llm.request.functions",
    "llm.invocation_parameters",
    "input.",
    "output.",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "retrieval.",
    "exception.",
)


def _told(attributes: Attributes) -> Json:
    return {key: value for key, value in attributes.items() if not key.startswith(_SAID)}
