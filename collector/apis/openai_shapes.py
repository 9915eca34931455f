"""The content parts, tools and usage that OpenAI's chat, responses and completions bodies share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.apis import reader, token_buckets
from collector.apis.json_shapes import Json, all_of, compact, mapping, mappings, number, text, text_or_none
from collector.apis.media import image
from collector.pieces import remembered
from ledger.types import OutputSchema, Part, PartKind, Tool

_TEXT_TYPES = frozenset({"text", "input_text", "output_text", "summary_text", "reasoning_text"})


def content_parts(content: object) -> tuple[Part, ...]:
    """Read a message's content: text, or a list of typed parts; what cannot be read stays as OPAQUE."""
    if isinstance(content, str):
        return (Part(PartKind.TEXT, content),)
    if isinstance(content, list):
        return tuple(content_part(item) for item in content)
    return () if content is None else (Part(PartKind.OPAQUE),)


def content_part(item: object) -> Part:
    """Read one content part."""
    if isinstance(item, str):
        return Part(PartKind.TEXT, item)
    part = mapping(item)
    kind = text(part.get("type"))
    if kind in _TEXT_TYPES or (not kind and "text" in part):
        return Part(PartKind.TEXT, text(part.get("text")))
    if kind == "refusal":
        return Part(PartKind.TEXT, text(part.get("refusal")), name="refusal")
    return _media_part(part, kind)


def _media_part(part: Json, kind: str) -> Part:
    if kind in ("image_url", "input_image", "image"):
        return _image_part(part)
    if kind in ("input_audio", "audio", "output_audio"):
        return Part(PartKind.AUDIO)
    if kind in ("file", "input_file"):
        return Part(PartKind.FILE, name=text_or_none(part.get("filename")))
    return Part(PartKind.OPAQUE, name=kind or None)


def _image_part(part: Json) -> Part:
    source = part.get("image_url")
    nested = mapping(source)
    detail = text_or_none(nested.get("detail")) or text_or_none(part.get("detail"))
    return image(nested.get("url") if "url" in nested else source, detail)


def joined_text(parts: Sequence[Part]) -> str:
    """Join the visible text of a message's parts."""
    return "".join(part.text for part in parts if part.kind is PartKind.TEXT)


def content_text(content: object) -> str:
    """Read the visible text of a message's content."""
    return content if isinstance(content, str) else joined_text(content_parts(content))


def tool_result(content: object, name: str | None, call_id: str | None) -> tuple[Part, ...]:
    """Read a tool's output as one TOOL_RESULT part with its text, then whatever is not text."""
    parts = () if isinstance(content, dict) else content_parts(content)
    written = compact(content) if isinstance(content, dict) else joined_text(parts)
    result = Part(PartKind.TOOL_RESULT, written, name=name, call_id=call_id)
    return (result, *(part for part in parts if part.kind is not PartKind.TEXT))


def arguments(value: object) -> str:
    """Return a call's arguments as JSON text; some servers log them already parsed."""
    return value if isinstance(value, str) else "" if value is None else compact(value)


def function_tool(function: Json) -> Tool:
    """Read a function definition."""
    return Tool(
        name=text(function.get("name")),
        description=text(function.get("description")),
        schema=mapping(function.get("parameters")),
    )


def tool(definition: Json) -> Tool:
    """Read one entry of `tools`, nested (chat) or flat (responses); what the provider runs is hosted."""
    kind = text(definition.get("type")) or "function"
    if kind not in ("function", "custom"):
        return Tool(name=text_or_none(definition.get("server_label")) or kind, hosted=True)
    nested = definition.get(kind)
    found = nested if isinstance(nested, dict) else definition
    return _custom_tool(found) if kind == "custom" else function_tool(found)


def _custom_tool(found: Json) -> Tool:
    """Read a tool that takes free text; chat nests its grammar, Responses does not."""
    form = mapping(found.get("format"))
    grammar = text(mapping(form.get("grammar")).get("definition")) or text(form.get("definition"))
    return Tool(
        name=text(found.get("name")), description=text(found.get("description")), custom=True, grammar=grammar
    )


def tools(body: Json) -> tuple[Tool, ...]:
    """Read `tools`, and the `functions` of older requests."""
    listed = _listed(body["tools"]) if body.get("tools") else ()
    return listed or (_functions(body["functions"]) if body.get("functions") else ())


@remembered
def _listed(given: object) -> tuple[Tool, ...]:
    """Every tool; what is no definition is one that nobody can see."""
    return tuple(tool(one) if isinstance(one, dict) else Tool("unread", hosted=True) for one in all_of(given))


@remembered
def _functions(given: object) -> tuple[Tool, ...]:
    return tuple(function_tool(definition) for definition in mappings(given))


def tool_choice(choice: object) -> str | None:
    """Read a tool choice as auto, none, required, or function:NAME."""
    if isinstance(choice, str):
        return choice or None
    forced = mapping(choice)
    if not forced:
        return None
    kind = text(forced.get("type")) or "function"
    if kind == "allowed_tools":
        return text_or_none(mapping(forced.get("allowed_tools")).get("mode") or forced.get("mode")) or "auto"
    name = text(mapping(forced.get(kind)).get("name")) or text(forced.get("name"))
    return f"function:{name or kind}"


def output_schema(answer_format: Json) -> OutputSchema | None:
    """Read a json_schema response format, nested (chat) or flat (responses)."""
    if answer_format.get("type") != "json_schema":
        return None
    nested = answer_format.get("json_schema")
    found = nested if isinstance(nested, dict) else answer_format
    return OutputSchema(
        name=text(found.get("name")),
        schema=mapping(found.get("schema")),
        description=text(found.get("description")),
        strict=found.get("strict") is True,
    )


def usage(body: Json) -> token_buckets.Reported | None:
    """Read usage in the chat spelling (`prompt_tokens`); its input includes the cached tokens."""
    found = body.get("usage")
    if not isinstance(found, dict):
        return None
    inside = token_buckets.parts(found, "prompt_tokens_details")
    outside = token_buckets.parts(found, "completion_tokens_details")
    return token_buckets.inclusive(
        found,
        input_tokens=token_buckets.tokens(found, "prompt_tokens"),
        output_tokens=token_buckets.tokens(found, "completion_tokens"),
        cache_read=_cache_read(found, inside),
        cache_write=token_buckets.first_tokens(inside, "cache_write_tokens", "cache_creation_tokens"),
        reasoning=token_buckets.tokens(outside, "reasoning_tokens"),
        audio_input=token_buckets.tokens(inside, "audio_tokens"),
        audio_output=token_buckets.tokens(outside, "audio_tokens"),
    )


def _cache_read(found: Json, inside: Json) -> int | None:
    """Read cached tokens where OpenAI, DeepSeek or Moonshot put them.

    A top-level `cached_tokens` of 0 is a filler of servers without a cache (Together), not a statement.
    """
    detailed = token_buckets.tokens(inside, "cached_tokens")
    if detailed is not None:
        return detailed
    hits = token_buckets.tokens(found, "prompt_cache_hit_tokens")
    return hits if hits is not None else token_buckets.tokens(found, "cached_tokens") or None


# What a host or a feature puts into the prompt, or bills beside it, that the body does not show.
_ADDED = ("prediction", "data_sources", "plugins")


def added(body: Json) -> Iterator[str]:
    """Name what is added to a prompt unseen; OpenRouter searches for models named `…:online`."""
    yield from (key for key in _ADDED if body.get(key))
    if text(body.get("model")).endswith(":online"):
        yield "online"


def request_facts(body: Json) -> reader.RequestFacts:
    """Read what OpenAI request bodies say besides their content."""
    limits = (body.get(key) for key in ("max_completion_tokens", "max_output_tokens", "max_tokens"))
    return reader.RequestFacts(
        model=text_or_none(body.get("model")),
        end_user=reader.end_user(body),
        max_output_tokens=reader.output_limit(*limits),
        temperature=number(body.get("temperature")),
        streamed=reader.streamed(body),
        service_tier=reader.tier(body.get("service_tier")),
    )


def response_facts(body: Json) -> reader.ResponseFacts:
    """Read id, model, creation time, tier and the first finish reason of an OpenAI body."""
    return reader.ResponseFacts(
        response_id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        created=reader.epoch(body.get("created") or body.get("created_at")),
        service_tier=reader.tier(body.get("service_tier")),
        finish_reason=finish_reason(body),
    )


def finish_reason(body: Json) -> str | None:
    """Read why the first choice that says so came to its end."""
    reasons = (text_or_none(choice.get("finish_reason")) for choice in mappings(body.get("choices")))
    return next((reason for reason in reasons if reason), None)
