"""Bedrock's Converse: one shape for the models of many makers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from collector.apis import other, reader
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
from ledger.types import Answer, Message, OutputSchema, Part, PartKind, Prompt, Tool

usage = other.usage

# The kinds of a block that say nothing to the model.
_SILENT = frozenset({"cachePoint"})


def prompt(body: Json) -> Prompt:
    """Read system text, messages, tools and output schema."""
    config = mapping(body.get("toolConfig"))
    return Prompt(
        messages=_system(body.get("system")) + answered(tuple(map(_message, mappings(body.get("messages"))))),
        tools=tuple(tool for entry in mappings(config.get("tools")) for tool in _tool(entry)),
        tool_choice=_tool_choice(mapping(config.get("toolChoice"))),
        output_schema=_output_schema(body),
        hidden=tuple(key for key in ("promptVariables", "guardrailConfig") if body.get(key)),
        thinking=_thinking(body),
    )


@remembered
def _system(given: object) -> tuple[Message, ...]:
    parts = _parts(given)
    return (Message("system", parts),) if parts else ()


@remembered
def _message(message: Json) -> Message:
    return Message(text(message.get("role")) or "user", _parts(message.get("content")))


def _parts(content: object) -> tuple[Part, ...]:
    return tuple(part for block in mappings(content) for part in _block(block))


def _block(block: Json) -> Iterator[Part]:
    if isinstance(block.get("text"), str):
        yield Part(PartKind.TEXT, text(block["text"]))
    elif "toolUse" in block:
        yield _call(mapping(block["toolUse"]))
    elif "toolResult" in block:
        yield from _result(mapping(block["toolResult"]))
    elif "image" in block:
        yield image(mapping(mapping(block["image"]).get("source")).get("bytes"))
    elif "citationsContent" in block:
        yield from _parts(mapping(block["citationsContent"]).get("content"))
    elif "guardContent" in block:
        yield from _guarded(mapping(block["guardContent"]))
    elif "reasoningContent" in block:
        yield Part(
            PartKind.REASONING,
            text(mapping(mapping(block["reasoningContent"]).get("reasoningText")).get("text")),
        )
    else:
        yield from _media(block)


def _guarded(content: Json) -> Iterator[Part]:
    """Yield what stands before a guardrail: text, or an image."""
    found = content.get("text")
    written = found if isinstance(found, str) else mapping(found).get("text")
    if isinstance(written, str):
        yield Part(PartKind.TEXT, written, name="guarded")
    else:
        yield from _block(content)


def _media(block: Json) -> Iterator[Part]:
    if "document" in block or "video" in block:
        yield Part(PartKind.FILE, name=text_or_none(mapping(block.get("document")).get("name")))
    elif kinds := [key for key in block if key not in _SILENT]:
        yield Part(PartKind.OPAQUE, name=kinds[0])


def _call(call: Json) -> Part:
    given = call.get("input")
    written = given if isinstance(given, str) else compact(given if given is not None else {})
    return Part(
        PartKind.TOOL_CALL, written, text_or_none(call.get("name")), text_or_none(call.get("toolUseId"))
    )


def _result(result: Json) -> Iterator[Part]:
    blocks = list(mappings(result.get("content")))
    written = "".join(compact(b["json"]) if "json" in b else text(b.get("text")) for b in blocks)
    yield Part(PartKind.TOOL_RESULT, written, call_id=text_or_none(result.get("toolUseId")))
    rest = [block for block in blocks if not block.keys() & {"json", "text"}]
    yield from _parts(rest)


def _tool(entry: Json) -> Iterator[Tool]:
    found = mapping(entry.get("toolSpec"))
    if found:
        schema = mapping(mapping(found.get("inputSchema")).get("json"))
        yield Tool(text(found.get("name")), text(found.get("description")), schema)
    else:
        yield from (Tool(key, hosted=True) for key in entry if key not in _SILENT)


def _tool_choice(choice: Json) -> str | None:
    if "tool" in choice:
        return f"function:{text(mapping(choice['tool']).get('name'))}"
    return next(iter(choice), None)


def _output_schema(body: Json) -> OutputSchema | None:
    shape = mapping(mapping(mapping(body.get("outputConfig")).get("textFormat")).get("structure"))
    found = mapping(shape.get("jsonSchema"))
    schema = found.get("schema")
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            schema = {}
    return OutputSchema(text(found.get("name")), mapping(schema)) if found else None


def _thinking(body: Json) -> str | None:
    asked = mapping(mapping(body.get("additionalModelRequestFields")).get("thinking"))
    kind = text_or_none(asked.get("type"))
    return None if kind == "disabled" else kind


def answer(response: Json) -> Answer:
    """Read the answer's text blocks as one text, its tool calls and its reasoning."""
    parts = _parts(mapping(mapping(response.get("output")).get("message")).get("content"))
    texts = [part.text for part in parts if part.kind is PartKind.TEXT]
    return Answer(
        texts=("".join(texts),) if texts else (),
        tool_calls=tuple(part for part in parts if part.kind is PartKind.TOOL_CALL),
        reasoning="".join(part.text for part in parts if part.kind is PartKind.REASONING),
        finish_reason=text_or_none(response.get("stopReason")),
    )


def request_facts(body: Json) -> reader.RequestFacts:
    """Read what a request says besides its content; the model stands in the path."""
    inference = mapping(body.get("inferenceConfig"))
    return reader.RequestFacts(
        model=text_or_none(body.get("modelId")),
        end_user=reader.end_user(mapping(body.get("requestMetadata"))),
        max_output_tokens=reader.output_limit(inference.get("maxTokens")),
        temperature=number(inference.get("temperature")),
        service_tier=reader.tier(mapping(body.get("serviceTier")).get("type")),
    )


def response_facts(body: Json) -> reader.ResponseFacts:
    """Read the stop reason; these bodies carry neither id, model nor time."""
    return reader.ResponseFacts(finish_reason=text_or_none(body.get("stopReason")))


_WHOLE = ("output", "usage", "metrics", "stopReason")


def assemble(events: Sequence[object]) -> Json:
    """Join stream events: blocks by index, then the stop reason and the metadata."""
    blocks: dict[int, dict[str, object]] = {}
    whole: dict[str, object] = {}
    for event in mappings(events):
        for kind in ("contentBlockStart", "contentBlockDelta"):
            if kind in event:
                _take(blocks, mapping(event[kind]))
        whole.update(mapping(event.get("messageStop")))
        whole.update(mapping(event.get("metadata")))
        whole.update(
            {key: event[key] for key in ("output", "usage", "metrics", "stopReason") if key in event}
        )
    if blocks:
        whole["output"] = {"message": {"content": [blocks[index] for index in sorted(blocks)]}}
    return whole


def _take(blocks: dict[int, dict[str, object]], event: Json) -> None:
    block = blocks.setdefault(position(event.get("contentBlockIndex")), {})
    piece = mapping(event.get("delta")) or mapping(event.get("start"))
    if isinstance(piece.get("text"), str):
        block["text"] = text(block.get("text")) + text(piece["text"])
    if "toolUse" in piece:
        before, added = mapping(block.get("toolUse")), mapping(piece["toolUse"])
        written = text(before.get("input")) + text(added.get("input"))
        block["toolUse"] = {**before, **added, "input": written}
