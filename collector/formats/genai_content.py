"""What was said, out of span attributes: four dialects of messages, brought to the shape of OpenAI's chat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from collector.apis.json_shapes import EMPTY, Json, compact, mapping, mappings, text
from collector.decoding import decoded

Message = dict[str, object]
Attributes = Mapping[str, object]


def asked(attributes: Attributes) -> list[Message]:
    """The messages of the prompt, in the first dialect that holds any."""
    return next((found for read in _ASKED if (found := list(read(attributes)))), [])


def answered(attributes: Attributes) -> list[Message]:
    """The messages of the answer, one a choice."""
    return next((found for read in _ANSWERED if (found := list(read(attributes)))), [])


def tools(attributes: Attributes) -> list[Json]:
    """The tools that were offered."""
    listed = json_of(attributes.get("gen_ai.tool.definitions")) or json_of(attributes.get("llm.tools"))
    found = [_tool(tool) for tool in mappings(listed)]
    older = [_tool(tool) for tool in mappings(nested(attributes, "llm.request.functions"))]
    named = [
        _tool(mapping(json_of(entry.get("tool.json_schema"))) or mapping(json_of(_schema(entry))))
        for entry in mappings(nested(attributes, "llm.tools"))
    ]
    return found if found and found[0] else older or named


def _schema(entry: Json) -> object:
    return mapping(entry.get("tool")).get("json_schema")


def _tool(tool: Json) -> Json:
    inner = mapping(tool.get("function")) or tool
    parameters = json_of(inner.get("parameters") or inner.get("input_schema"))
    described = {"name": inner.get("name"), "description": inner.get("description"), "parameters": parameters}
    return {"type": "function", "function": described} if inner.get("name") else EMPTY


def json_of(value: object) -> object:
    """A value that some emitters write as JSON text; text that is none stays as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return decoded(value.encode("utf-8", "replace"))
    except ValueError:
        return value


def nested(attributes: Attributes, prefix: str) -> list[object]:
    """Build the list behind flattened keys: `PREFIX.0.role` becomes the key `role` of the first entry."""
    entries: dict[int, dict[str, object]] = {}
    start = prefix + "."
    for key, value in attributes.items():
        if key.startswith(start):
            number, _, rest = key[len(start) :].partition(".")
            if number.isdecimal() and rest and len(number) < 6:
                _put(entries.setdefault(int(number), {}), rest, value)
    return [entries[index] for index in sorted(entries)]


# Names with a dot in them that are one key in every dialect.
_ONE_KEY = ("message.", "message_content.", "tool_call.", "tool.", "image.")


def _put(entry: dict[str, object], path: str, value: object) -> None:
    """Put a value at a dotted path; a number in the path opens a list, kept as an object by number."""
    head, _, rest = path.partition(".")
    if rest and any(path.startswith(known) for known in _ONE_KEY):
        second, _, more = rest.partition(".")
        head, rest = f"{head}.{second}", more
    if not rest:
        entry[head] = value
        return
    inner = entry.setdefault(head, {})
    if isinstance(inner, dict):
        _put(inner, rest, value)


def _items(value: object) -> list[object]:
    """The entries of a list that was written as one, as JSON text, or flattened by number."""
    found = json_of(value)
    if isinstance(found, dict):
        return [found[key] for key in sorted(found, key=_number)]
    return list(found) if isinstance(found, list) else []


def _number(key: str) -> tuple[int, str]:
    return (int(key) if key.isdecimal() and len(key) < 6 else 99_999, key)


# --- the semantic conventions: gen_ai.input.messages with typed parts


def _conventional(attributes: Attributes) -> Iterator[Message]:
    system = [part for part in _items(attributes.get("gen_ai.system_instructions")) if isinstance(part, dict)]
    if system:
        yield {"role": "system", "content": [_part(part) for part in system]}
    yield from _parts_messages(attributes.get("gen_ai.input.messages"))


def _conventional_answers(attributes: Attributes) -> Iterator[Message]:
    yield from _parts_messages(attributes.get("gen_ai.output.messages"))


def _parts_messages(value: object) -> Iterator[Message]:
    for message in mappings(_items(value)):
        parts = [part for part in _items(message.get("parts")) if isinstance(part, dict)]
        results = [part for part in parts if part.get("type") == "tool_call_response"]
        for part in results:
            yield {"role": "tool", "tool_call_id": part.get("id"), "content": _result(part)}
        others = [part for part in parts if part.get("type") != "tool_call_response"]
        if others or not results:
            yield _spoken(message, others)


def _spoken(message: Json, parts: list[dict[str, object]]) -> Message:
    calls = [_call(part) for part in parts if part.get("type") == "tool_call"]
    content = [_part(part) for part in parts if part.get("type") not in ("tool_call", "reasoning")]
    reasoning = "".join(text(part.get("content")) for part in parts if part.get("type") == "reasoning")
    said: Message = {"role": text(message.get("role")) or "user", "content": content}
    said |= {"tool_calls": calls} if calls else {}
    said |= {"reasoning_content": reasoning} if reasoning else {}
    return said | {"finish_reason": message.get("finish_reason")}


def _part(part: Json) -> Json:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": text(part.get("content"))}
    media = text(part.get("modality")) or text(kind)
    if media == "image":
        return {"type": "image_url", "image_url": {"url": part.get("uri") or part.get("content")}}
    return {"type": "input_audio"} if media == "audio" else {"type": text(kind) or "unknown"}


def _result(part: Json) -> str:
    found = part.get("response", part.get("result", part.get("content")))
    return found if isinstance(found, str) else "" if found is None else compact(found)


def _call(part: Json) -> Json:
    return {
        "id": part.get("id"),
        "function": {"name": part.get("name"), "arguments": part.get("arguments")},
    }


# --- OpenLLMetry: gen_ai.prompt.0.role, gen_ai.completion.0.content


def _indexed(attributes: Attributes) -> Iterator[Message]:
    yield from map(_indexed_message, mappings(nested(attributes, "gen_ai.prompt")))


def _indexed_answers(attributes: Attributes) -> Iterator[Message]:
    yield from map(_indexed_message, mappings(nested(attributes, "gen_ai.completion")))


def _indexed_message(message: Json) -> Message:
    calls = [
        {"id": call.get("id"), "function": {"name": call.get("name"), "arguments": call.get("arguments")}}
        for call in mappings(_items(message.get("tool_calls")))
    ]
    said: Message = {"role": text(message.get("role")) or "user", "content": json_of(message.get("content"))}
    said |= {"tool_calls": calls} if calls else {}
    return said | {key: message[key] for key in ("tool_call_id", "finish_reason") if key in message}


# --- OpenInference: llm.input_messages.0.message.role, or the same nested


def _inference(attributes: Attributes) -> Iterator[Message]:
    yield from _inference_messages(attributes, "llm.input_messages")


def _inference_answers(attributes: Attributes) -> Iterator[Message]:
    yield from _inference_messages(attributes, "llm.output_messages")


def _inference_messages(attributes: Attributes, key: str) -> Iterator[Message]:
    for message in mappings(_items(attributes.get(key)) or nested(attributes, key)):
        calls = [_inference_call(call) for call in mappings(_items(message.get("message.tool_calls")))]
        parts = [_inference_part(part) for part in mappings(_items(message.get("message.contents")))]
        said: Message = {"role": text(message.get("message.role")) or "user"}
        said |= {"content": parts or message.get("message.content")}
        said |= {"tool_calls": calls} if calls else {}
        yield said | {
            "tool_call_id": message.get("message.tool_call_id"),
            "name": message.get("message.name"),
        }


def _inference_call(call: Json) -> Json:
    function = mapping(call.get("tool_call.function"))
    name = function.get("name", call.get("tool_call.function.name"))
    arguments = function.get("arguments", call.get("tool_call.function.arguments"))
    return {"id": call.get("tool_call.id"), "function": {"name": name, "arguments": arguments}}


def _inference_part(part: Json) -> Json:
    if part.get("message_content.type") == "image":
        url = mapping(mapping(part.get("message_content.image")).get("image.url"))
        return {"type": "image_url", "image_url": url or {"url": None}}
    return {"type": "text", "text": text(part.get("message_content.text"))}


# --- the oldest: one text each


def _plain(attributes: Attributes) -> Iterator[Message]:
    yield from _one("user", attributes.get("gen_ai.prompt") or attributes.get("input.value"))


def _plain_answers(attributes: Attributes) -> Iterator[Message]:
    yield from _one("assistant", attributes.get("gen_ai.completion") or attributes.get("output.value"))


def _one(role: str, value: object) -> Iterator[Message]:
    found = json_of(value)
    if isinstance(found, str) and found:
        yield {"role": role, "content": found}
    yield from ({**message} for message in mappings(found if isinstance(found, list) else None))


_Read = Callable[[Attributes], Iterator[Message]]
_ASKED: tuple[_Read, ...] = (_conventional, _indexed, _inference, _plain)
_ANSWERED: tuple[_Read, ...] = (
    _conventional_answers,
    _indexed_answers,
    _inference_answers,
    _plain_answers,
)
