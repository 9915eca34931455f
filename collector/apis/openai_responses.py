"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Sequence

from collector.apis import openai_shapes, reader, token_buckets
from collector.apis.json_shapes import Json, all_of, mapping, mappings, position, text, text_or_none
from collector.apis.tool_names import answered
from collector.pieces import remembered
from ledger.types import Answer, Message, Part, PartKind, Prompt

_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
_FINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.done"})
_HIDDEN = ("previous_response_id", "conversation", "prompt")

request_facts = openai_shapes.request_facts


def prompt(body: Json) -> Prompt:
    """Read instructions, input items, tools and output schema; server-side history is named in `hidden`."""
    return Prompt(
        messages=_instructions(body.get("instructions")) + _input(body.get("input")),
        tools=openai_shapes.tools(body),
        tool_choice=openai_shapes.tool_choice(body.get("tool_choice")),
        output_schema=openai_shapes.output_schema(mapping(mapping(body.get("text")).get("format"))),
        hidden=(*(key for key in _HIDDEN if body.get(key)), *openai_shapes.added(body)),
        stored=body.get("store") is not False,
    )


def _instructions(given: object) -> tuple[Message, ...]:
    """Read the system text; the answer of a stored prompt gives its items in a list."""
    if isinstance(given, str):
        return (_item({"role": "system", "content": given}),) if given else ()
    return tuple(map(_any_item, all_of(given)))


def _any_item(item: object) -> Message:
    """Read an item; what is none stays as a part that nobody can read."""
    return _item(item) if isinstance(item, dict) else Message("", (Part(PartKind.OPAQUE),))


def _input(given: object) -> tuple[Message, ...]:
    if isinstance(given, str):
        return (_item({"role": "user", "content": given}),)
    return answered(tuple(map(_any_item, all_of(given))))


@remembered
def _item(item: Json) -> Message:
    kind = text(item.get("type"))
    if kind in _CALLS:
        return Message("assistant", (_call(item, kind),))
    if kind in _OUTPUTS:
        call_id = text_or_none(item.get("call_id"))
        return Message("tool", openai_shapes.tool_result(item.get("output"), None, call_id))
    if kind == "reasoning":
        return Message("assistant", (Part(PartKind.REASONING, _summary(item)),))
    if kind in ("", "message"):
        parts = openai_shapes.content_parts(item.get("content"))
        return Message(text(item.get("role")), parts, text_or_none(item.get("name")))
    return Message("assistant", (Part(PartKind.OPAQUE, name=kind),))


def _call(item: Json, kind: str) -> Part:
    return Part(
        PartKind.TOOL_CALL,
        openai_shapes.arguments(item.get(_CALLS[kind])),
        name=text_or_none(item.get("name")),
        call_id=text_or_none(item.get("call_id")),
        detail=None if kind == "function_call" else "custom",
        held=bool(text_or_none(item.get("id"))),
    )


def _summary(item: Json) -> str:
    shown = (*mappings(item.get("summary")), *mappings(item.get("content")))
    return "".join(text(part.get("text")) for part in shown)


def answer(response: Json) -> Answer:
    """Read the texts, tool calls and reasoning of the output; items of hosted tools go to `hidden`."""
    items = list(mappings(response.get("output")))
    kinds = [text(item.get("type")) for item in items]
    texts = tuple(_output_text(item) for item, kind in zip(items, kinds, strict=True) if kind == "message")
    return Answer(
        texts=texts,
        tool_calls=tuple(_call(i, kind) for i, kind in zip(items, kinds, strict=True) if kind in _CALLS),
        reasoning="".join(_summary(i) for i, kind in zip(items, kinds, strict=True) if kind == "reasoning"),
        finish_reason=_finish_reason(response),
        hidden=tuple(sorted({k for k in kinds if k not in _CALLS and k not in ("message", "reasoning")})),
    )


def _output_text(item: Json) -> str:
    return openai_shapes.joined_text(openai_shapes.content_parts(item.get("content")))


def _finish_reason(response: Json) -> str | None:
    cut = text_or_none(mapping(response.get("incomplete_details")).get("reason"))
    return cut or text_or_none(response.get("status"))


def usage(response: Json) -> token_buckets.Reported | None:
    """Read the usage; its input includes the cached tokens."""
    found = response.get("usage")
    if not isinstance(found, dict):
        return None
    inside = token_buckets.parts(found, "input_tokens_details")
    outside = token_buckets.parts(found, "output_tokens_details")
    return token_buckets.inclusive(
        found,
        input_tokens=token_buckets.tokens(found, "input_tokens"),
        output_tokens=token_buckets.tokens(found, "output_tokens"),
        cache_read=token_buckets.tokens(inside, "cached_tokens"),
        cache_write=token_buckets.tokens(inside, "cache_write_tokens"),
        reasoning=token_buckets.tokens(outside, "reasoning_tokens"),
        audio_input=token_buckets.tokens(inside, "audio_tokens"),
        audio_output=token_buckets.tokens(outside, "audio_tokens"),
    )


def response_facts(body: Json) -> reader.ResponseFacts:
    """Read id, model, creation time, tier and how the response ended."""
    return reader.ResponseFacts(
        response_id=text_or_none(body.get("id")),
        model=text_or_none(body.get("model")),
        created=reader.epoch(body.get("created_at") or body.get("created")),
        service_tier=reader.tier(body.get("service_tier")),
        finish_reason=_finish_reason(body),
    )


def assemble(events: Sequence[object]) -> Json:
    """Return the final event's whole response; a cut stream is rebuilt from what came before."""
    base: Json = {}
    for event in mappings(events):
        snapshot = event.get("response")
        if isinstance(snapshot, dict):
            if text(event.get("type")) in _FINAL:
                return snapshot if snapshot.get("output") else _rebuilt(snapshot, events)
            base = snapshot
        elif event.get("object") == "response":
            base = event
    return _rebuilt(base, events)


def _rebuilt(base: Json, events: Sequence[object]) -> Json:
    items: dict[int, Json] = {}
    deltas: dict[int, list[str]] = {}
    whole = dict(base)
    for event in mappings(events):
        kind, index = text(event.get("type")), position(event.get("output_index"))
        if kind == "response.output_item.done":
            items[index] = mapping(event.get("item"))
        elif kind == "response.output_text.delta":
            deltas.setdefault(index, []).append(text(event.get("delta")))
        elif kind == "error":
            whole["error"] = mapping(event.get("error")) or event
    for index, pieces in deltas.items():
        items.setdefault(index, {"type": "message", "content": "".join(pieces)})
    return whole | {"output": [items[index] for index in sorted(items)]} if items else whole
