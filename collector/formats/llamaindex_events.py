"""LlamaIndex's instrumentation events: a call's start, and its end with the provider's own response."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from collector import apis
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, text
from collector.formats import attributes, calls, conversations, fields, times
from collector.formats.format import Facts, NotACallError
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Answer, Api, Request

KEYS = ("span_id", "timestamp")
FACTS = Facts(
    cache="as in the provider's own usage in response.raw; LlamaIndex's own token counts leave it out",
    identity="span_id joins start and end; the provider's id of the answer where response.raw has it",
    times="timestamp, taken as UTC: LlamaIndex writes the machine's local time without an offset",
    unknown=(
        "tenant and workflow, unless instrument_tags set them as tags",
        "the usage of streams and of providers whose response.raw holds none: it is counted",
        "the parent of a call: it is in LlamaIndex's spans, not in its events",
        "usage and tokens of embeddings, which are counted",
    ),
    versions=("llama-index-core 0.10.41 to 0.14",),
)
_STARTS = frozenset({"LLMChatStartEvent", "LLMCompletionStartEvent", "EmbeddingStartEvent"})
_ENDS = frozenset({"LLMChatEndEvent", "LLMCompletionEndEvent", "EmbeddingEndEvent"})


class Event(msgspec.Struct):
    """The fields of an event that are booked."""

    span_id: str
    timestamp: object
    response: dict[str, object] | None = None
    model_dict: dict[str, object] | None = None


UNDERSTANDS = Understood(
    frozenset(Event.__struct_encode_fields__)
    | words(
        """
    _event additional_kwargs chunks class_name embeddings id_ messages prompt str_or_query_bundle tags
    """
    )
)


def matches(record: Json) -> bool:
    """Tell an event by its class and its span."""
    return _name(record).endswith("Event") and all(key in record for key in KEYS)


def _name(record: Json) -> str:
    return text(record.get("class_name")) or text(record.get("_event"))


def read(record: Json) -> Request:
    """Read a call's end as the call and its start as a part of it.

    Raises ValueError naming the field that cannot be booked, NotACallError for all other events.
    """
    event, name = typed(record, Event), _name(record)
    if name in _STARTS:
        return _start(record, event, name)
    if name in _ENDS:
        return _end(record, event, name)
    raise NotACallError("an event that neither begins nor ends a call")


def _start(record: Json, event: Event, name: str) -> Request:
    model = fields.first_text(event.model_dict or EMPTY, "model_name", "model")
    api = conversations.counting_api(None, model, _operation(name))
    bare = Request(
        api=api,
        model=fields.name(model, "model"),
        provider=apis.provider(None, api, model),
        operation=_operation(name),
        part=True,
    )
    return _told(bare, record, event)


def _end(record: Json, event: Event, name: str) -> Request:
    response = event.response or EMPTY
    raw = mapping(response.get("raw"))
    if name == "EmbeddingEndEvent":
        return _told(Request(api=Api.OPENAI_EMBEDDINGS, model=None, operation="embedding"), record, event)
    read_alone = calls.request_of(calls.read(EMPTY, raw))
    api = read_alone.api if read_alone.api is not Api.OTHER else Api.OPENAI_CHAT
    said = [_message(mapping(response.get("message")))] if "message" in response else response.get("text")
    found = replace(
        read_alone,
        api=api,
        operation=_operation(name),
        answer=_whole(raw, said) or read_alone.answer,
        streamed=text(raw.get("object")).endswith(".chunk"),
    )
    return _told(found, record, event)


def _whole(raw: Json, said: object) -> Answer | None:
    """A chunk of a stream has a piece of the answer; what LlamaIndex put together of all of them is whole."""
    return None if "content" in raw else conversations.answer(said)


def _told(bare: Request, record: Json, event: Event) -> Request:
    span = fields.name(event.span_id, "span_id")
    return replace(
        bare,
        call_id=None if bare.part else span,
        ts=times.moment(event.timestamp, "timestamp"),
        prompt=conversations.prompt(bare.api, _asked(record)),
        attributes=attributes.join(
            attributes.as_attributes(attributes.tags(record.get("tags"))),
            attributes.under("tags", record.get("tags")),
        ),
        tags=attributes.stored(attributes.tags(record.get("tags"))),
        span=span,
    )


def _asked(record: Json) -> object:
    """What was asked: messages, a prompt, or the texts to embed."""
    listed = record.get("messages")
    if isinstance(listed, list):
        return [_message(each) for each in mappings(listed)]
    return record.get("prompt") or record.get("chunks")


def _message(logged: Json) -> dict[str, object]:
    blocks = list(mappings(logged.get("blocks")))
    more = mapping(logged.get("additional_kwargs"))
    content = list(map(_block, blocks)) if blocks else logged.get("content") or ""
    calls_made = more.get("tool_calls") or list(_tool_calls(blocks))
    told = {key: more[key] for key in ("tool_call_id", "name") if key in more}
    return {
        "role": text(logged.get("role")) or "user",
        "content": [each for each in content if each] if isinstance(content, list) else content,
        **({"tool_calls": calls_made} if calls_made else {}),
        **told,
    }


def _block(block: Json) -> dict[str, object] | None:
    """A block as OpenAI writes it; what is none of the known kinds stays one that nobody can see."""
    kind = text(block.get("block_type"))
    if kind == "text":
        return {"type": "text", "text": block.get("text") or ""}
    if kind == "image":
        image = {"url": block.get("url") or "", "detail": block.get("detail")}
        return {"type": "image_url", "image_url": image}
    return None if kind in ("tool_call", "thinking") else {"type": kind or "unknown"}


def _tool_calls(blocks: list[Json]) -> Iterator[Json]:
    for block in blocks:
        if block.get("block_type") == "tool_call":
            function = {"name": block.get("tool_name"), "arguments": block.get("tool_kwargs") or {}}
            yield {"id": block.get("tool_call_id"), "type": "function", "function": function}


def _operation(name: str) -> str:
    return "embedding" if name.startswith("Embedding") else "chat"
