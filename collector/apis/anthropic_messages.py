"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.apis import reader, token_buckets
from collector.apis.json_shapes import (
    Json,
    compact,
    mapping,
    mappings,
    number,
    position,
    text,
    text_or_none,
)
from collector.apis.media import image
from collector.apis.tool_names import answered
from collector.pieces import remembered
from ledger.types import Answer, Message, OutputSchema, Part, PartKind, Prompt, Tool, Usage

_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "input_json_delta": ("partial_json", "input_json"),
}


def prompt(body: Json) -> Prompt:
    """Read system text, messages, tools and output schema."""
    first = _system(body["system"]) if body.get("system") else ()
    return Prompt(
        messages=first + answered(tuple(map(_message, mappings(body.get("messages"))))),
        tools=_tools(body["tools"]) if body.get("tools") else (),
        tool_choice=_tool_choice(mapping(body.get("tool_choice"))),
        output_schema=_output_schema(body),
        hidden=tuple(key for key in ("mcp_servers", "container") if body.get(key)),
        thinking=_thinking(mapping(body.get("thinking"))),
    )


def _thinking(asked: Json) -> str | None:
    kind = text_or_none(asked.get("type"))
    return None if kind == "disabled" else kind


@remembered
def _system(given: object) -> tuple[Message, ...]:
    parts = _parts(given)
    return (Message("system", parts),) if parts else ()


@remembered
def _message(message: Json) -> Message:
    return Message(text(message.get("role")) or "user", _parts(message.get("content")))


def _parts(content: object) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Part(PartKind.TEXT, content),) if content else ()
    return tuple(part for block in mappings(content) for part in _block(block))


def _block(block: Json) -> Iterator[Part]:
    kind = text(block.get("type"))
    if kind == "text" or (not kind and "text" in block):
        yield Part(PartKind.TEXT, text(block.get("text")))
    elif kind == "tool_use":
        yield _call(block)
    elif kind == "tool_result":
        yield from _result(block)
    elif kind in ("thinking", "redacted_thinking"):
        yield Part(PartKind.REASONING, text(block.get("thinking")))
    else:
        yield from _media(block, kind)


def _media(block: Json, kind: str) -> Iterator[Part]:
    source = mapping(block.get("source"))
    if kind == "image":
        yield image(source.get("data"))
    elif kind == "document" and source.get("type") in ("text", "content"):
        yield from _retrieved(kind, source.get("data") or source.get("content"), block, "title", "context")
    elif kind == "search_result":
        yield from _retrieved(kind, block.get("content"), block, "source", "title")
    elif kind == "document":
        yield Part(PartKind.FILE, name=text_or_none(block.get("title")))
    else:
        yield Part(PartKind.OPAQUE, name=kind or None)


def _retrieved(kind: str, content: object, block: Json, *heads: str) -> Iterator[Part]:
    """Yield a document as one text under its kind's name, what heads it first; then what is not text."""
    parts = _parts(content)
    written = [text(block.get(head)) for head in heads]
    written += [part.text for part in parts if part.kind is PartKind.TEXT]
    yield Part(PartKind.TEXT, "\n".join(filter(None, written)), name=kind)
    if mapping(block.get("citations")).get("enabled"):
        # How a text is cut and numbered to be cited is nowhere to be seen.
        yield Part(PartKind.OPAQUE, name="citations")
    yield from (part for part in parts if part.kind is not PartKind.TEXT)


def _call(block: Json) -> Part:
    given = block.get("input")
    written = given if isinstance(given, str) else compact(given if given is not None else {})
    name, call_id = text_or_none(block.get("name")), text_or_none(block.get("id"))
    return Part(PartKind.TOOL_CALL, written, name=name, call_id=call_id)


def _result(block: Json) -> Iterator[Part]:
    parts = _parts(block.get("content"))
    written = "".join(part.text for part in parts if part.kind is PartKind.TEXT)
    yield Part(PartKind.TOOL_RESULT, written, call_id=text_or_none(block.get("tool_use_id")))
    yield from (part for part in parts if part.kind is not PartKind.TEXT)


@remembered
def _tools(given: object) -> tuple[Tool, ...]:
    return tuple(_tool(definition) for definition in mappings(given))


def _tool(definition: Json) -> Tool:
    """Read a tool; a dated type such as web_search_20250305 is defined by Anthropic, unseen here."""
    kind = text(definition.get("type")) or "custom"
    return Tool(
        name=text(definition.get("name")) or kind,
        description=text(definition.get("description")),
        schema=mapping(definition.get("input_schema")),
        hosted=kind != "custom",
    )


def _tool_choice(choice: Json) -> str | None:
    kind = text_or_none(choice.get("type"))
    return f"function:{text(choice.get('name'))}" if kind == "tool" else kind


def _output_schema(body: Json) -> OutputSchema | None:
    found = mapping(body.get("output_format")) or mapping(mapping(body.get("output_config")).get("format"))
    if found.get("type") != "json_schema":
        return None
    return OutputSchema(name=text(found.get("name")), schema=mapping(found.get("schema")))


def answer(response: Json) -> Answer:
    """Read the answer's text blocks as one text, its tool calls and its thinking."""
    parts = _parts(response.get("content"))
    said = "".join(part.text for part in parts if part.kind is PartKind.TEXT)
    has_text = any(part.kind is PartKind.TEXT for part in parts)
    opaque = {part.name or "unknown" for part in parts if part.kind is PartKind.OPAQUE}
    return Answer(
        texts=(said,) if has_text else (),
        tool_calls=tuple(part for part in parts if part.kind is PartKind.TOOL_CALL),
        reasoning="".join(part.text for part in parts if part.kind is PartKind.REASONING),
        finish_reason=text_or_none(response.get("stop_reason")),
        hidden=tuple(sorted(opaque)),
    )


def usage(response: Json) -> token_buckets.Reported | None:
    """Read the usage; its input excludes everything read from or written to the cache."""
    found = response.get("usage")
    if not isinstance(found, dict):
        return None
    input_tokens = token_buckets.tokens(found, "input_tokens")
    if input_tokens is None:
        return None
    output = token_buckets.tokens(found, "output_tokens")
    thinking = token_buckets.tokens(token_buckets.parts(found, "output_tokens_details"), "thinking_tokens")
    five_minutes, one_hour = _cache_writes(found)
    buckets = Usage(
        input_tokens=input_tokens,
        cache_read_tokens=token_buckets.tokens(found, "cache_read_input_tokens"),
        cache_write_tokens=five_minutes,
        cache_write_1h_tokens=one_hour,
        output_tokens=output,
        reasoning_tokens=token_buckets.within(thinking, output, "thinking tokens in an output"),
    )
    return token_buckets.reported(found, buckets)


def _cache_writes(found: Json) -> tuple[int | None, int | None]:
    """Split cache writes by lifetime.

    With server tools one call has several turns: `cache_creation_input_tokens` adds up all of them while
    the `cache_creation` breakdown covers the first. What the breakdown leaves out has the default lifetime.
    """
    written = token_buckets.tokens(found, "cache_creation_input_tokens")
    split = token_buckets.parts(found, "cache_creation")
    five_minutes = token_buckets.tokens(split, "ephemeral_5m_input_tokens")
    one_hour = token_buckets.tokens(split, "ephemeral_1h_input_tokens")
    if written is None:
        return five_minutes, one_hour
    rest = written - (one_hour or 0)
    if rest < (five_minutes or 0):
        raise ValueError(
            f"usage.cache_creation_input_tokens {written} is less than its parts"
            f" {five_minutes or 0} (5 minutes) and {one_hour or 0} (1 hour)"
        )
    return rest, one_hour


def request_facts(body: Json) -> reader.RequestFacts:
    """Read what a request says besides its content."""
    return reader.RequestFacts(
        model=text_or_none(body.get("model")),
        end_user=reader.end_user(body),
        max_output_tokens=reader.output_limit(body.get("max_tokens")),
        temperature=number(body.get("temperature")),
        streamed=reader.streamed(body),
        service_tier=reader.tier(body.get("service_tier")),
    )


def response_facts(body: Json) -> reader.ResponseFacts:
    """Read id, model, tier and stop reason; these bodies carry no time."""
    return reader.ResponseFacts(
        response_id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        service_tier=reader.tier(mapping(body.get("usage")).get("service_tier")),
        finish_reason=text_or_none(body.get("stop_reason")),
    )


def assemble(events: Sequence[object]) -> Json:
    """Join stream events; usage is cumulative, so later values stand and missing ones keep the earlier."""
    whole: dict[str, object] = {}
    usage_so_far: dict[str, object] = {}
    blocks: dict[int, dict[str, object]] = {}
    for event in mappings(events):
        kind = event.get("type")
        if kind in ("message_start", "message"):
            whole.update(event if kind == "message" else mapping(event.get("message")))
            usage_so_far.update(_opening_usage(kind, whole.get("usage")))
        elif kind == "message_delta":
            whole.update(_known(event.get("delta")))
            usage_so_far.update(_known(event.get("usage")))
        elif kind == "error":
            whole["error"] = event.get("error") or event
        else:
            _take_block(blocks, event)
    if usage_so_far:
        whole["usage"] = usage_so_far
    return whole | {"content": [_finished(blocks[i]) for i in sorted(blocks)]} if blocks else whole


def _known(values: object) -> Json:
    return {key: value for key, value in mapping(values).items() if value is not None}


def _opening_usage(kind: object, usage: object) -> Json:
    """Return the usage a stream opens with, without its output count: a placeholder until the end."""
    known = _known(usage)
    if kind == "message":
        return known
    return {key: value for key, value in known.items() if key != "output_tokens"}


def _take_block(blocks: dict[int, dict[str, object]], event: Json) -> None:
    block = blocks.setdefault(position(event.get("index")), {}) if "index" in event else {}
    if event.get("type") == "content_block_start":
        block.update(mapping(event.get("content_block")))
    delta = mapping(event.get("delta"))
    source, target = _DELTAS.get(text(delta.get("type")), ("", ""))
    if source:
        block.setdefault("type", target)
        block[target] = text(block.get(target)) + text(delta.get(source))


def _finished(block: dict[str, object]) -> dict[str, object]:
    """Put the streamed JSON text of a tool call in the place of its empty input."""
    written = block.pop("input_json", "")
    return block | {"input": written} if written else block
