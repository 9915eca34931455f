"""OpenAI chat completions, as spoken by OpenAI, Azure and every compatible server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.apis import openai_shapes, token_buckets
from collector.apis.json_shapes import Json, all_of, mapping, mappings, position, text, text_or_none
from collector.apis.tool_names import answered
from collector.pieces import remembered
from ledger.types import Answer, Message, Part, PartKind, Prompt, Tool

request_facts = openai_shapes.request_facts
response_facts = openai_shapes.response_facts


def prompt(body: Json) -> Prompt:
    """Read the messages, tools and output schema of a request."""
    return Prompt(
        messages=answered(tuple(map(_any_message, all_of(body.get("messages"))))),
        tools=openai_shapes.tools(body) + _search_tool(body),
        tool_choice=openai_shapes.tool_choice(body.get("tool_choice") or body.get("function_call")),
        output_schema=openai_shapes.output_schema(mapping(body.get("response_format"))),
        hidden=tuple(_hidden(body)),
    )


def _hidden(body: Json) -> Iterator[str]:
    if "variables" in body and "messages" not in body:
        yield "prompt"
    yield from openai_shapes.added(body)


def _any_message(message: object) -> Message:
    """Read a message; what is none stays as a part that nobody can read."""
    return _message(message) if isinstance(message, dict) else Message("", (Part(PartKind.OPAQUE),))


def _search_tool(body: Json) -> tuple[Tool, ...]:
    return (Tool("web_search", hosted=True),) if isinstance(body.get("web_search_options"), dict) else ()


@remembered
def _message(message: Json) -> Message:
    role = text(message.get("role"))
    name = text_or_none(message.get("name"))
    if role in ("tool", "function"):
        call_id = text_or_none(message.get("tool_call_id"))
        return Message(role, openai_shapes.tool_result(message.get("content"), name, call_id), name)
    parts = openai_shapes.content_parts(message.get("content"))
    return Message(role, parts + _spoken(message) + tuple(tool_calls(message)), name)


def _spoken(message: Json) -> tuple[Part, ...]:
    """Return the parts of an earlier answer that stand beside its content: refusal and audio."""
    refusal = text_or_none(message.get("refusal"))
    spoken = (Part(PartKind.TEXT, refusal, name="refusal"),) if refusal else ()
    return (*spoken, Part(PartKind.AUDIO)) if isinstance(message.get("audio"), dict) else spoken


def tool_calls(message: Json) -> Iterator[Part]:
    """Yield the tool calls of a message, the older single `function_call` included."""
    for call in mappings(message.get("tool_calls")):
        function = mapping(call.get("function"))
        yield _call(
            function or mapping(call.get("custom")),
            text_or_none(call.get("id")),
            None if function else "custom",
        )
    if isinstance(message.get("function_call"), dict):
        yield _call(mapping(message["function_call"]), None, None)


def _call(function: Json, call_id: str | None, detail: str | None) -> Part:
    written = function.get("arguments", function.get("input"))
    name = text_or_none(function.get("name"))
    return Part(
        PartKind.TOOL_CALL, openai_shapes.arguments(written), name=name, call_id=call_id, detail=detail
    )


def answer(response: Json) -> Answer:
    """Read one text per choice, the tool calls and reasoning."""
    choices = [mapping(choice) for choice in mappings(response.get("choices"))]
    messages = [mapping(choice.get("message")) for choice in choices]
    return Answer(
        texts=tuple(_answer_text(choice, m) for choice, m in zip(choices, messages, strict=True)),
        tool_calls=tuple(call for message in messages for call in tool_calls(message)),
        reasoning="".join(_reasoning(message) for message in messages),
        finish_reason=openai_shapes.finish_reason(response),
        hidden=("audio",) if any(isinstance(m.get("audio"), dict) for m in messages) else (),
    )


def _answer_text(choice: Json, message: Json) -> str:
    content = openai_shapes.content_text(message.get("content"))
    return content + text(message.get("refusal")) if message else text(choice.get("text"))


def _reasoning(message: Json) -> str:
    return text(message.get("reasoning_content")) or text(message.get("reasoning"))


def usage(response: Json) -> token_buckets.Reported | None:
    """Read the usage, also where Groq's streams keep it."""
    if not isinstance(response.get("usage"), dict):
        response = mapping(response.get("x_groq"))
    return openai_shapes.usage(response)


def assemble(chunks: Sequence[object]) -> Json:
    """Join stream chunks: deltas by choice, the last usage, the first id, model and error."""
    whole: dict[str, object] = {}
    choices: dict[int, dict[str, object]] = {}
    for chunk in mappings(chunks):
        _take_envelope(whole, chunk)
        for choice in mappings(chunk.get("choices")):
            _take_choice(choices.setdefault(position(choice.get("index")), {"message": {}}), choice)
    return whole | {"choices": [_finished(choices[index]) for index in sorted(choices)]}


def _take_envelope(whole: dict[str, object], chunk: Json) -> None:
    for key in ("id", "model", "created", "error"):
        if chunk.get(key) and not whole.get(key):
            whole[key] = chunk[key]
    for key in ("usage", "x_groq", "service_tier"):
        if chunk.get(key):
            whole[key] = chunk[key]


def _take_choice(choice: dict[str, object], chunk: Json) -> None:
    if chunk.get("finish_reason"):
        choice["finish_reason"] = chunk["finish_reason"]
    message = choice["message"]
    if isinstance(message, dict):
        _take_delta(message, mapping(chunk.get("delta")) or mapping(chunk.get("message")))


def _take_delta(message: dict[str, object], delta: Json) -> None:
    for key in ("content", "refusal", "reasoning_content", "reasoning"):
        addition = openai_shapes.content_text(delta[key]) if key in delta else ""
        if addition:
            message[key] = text(message.get(key)) + addition
    if isinstance(delta.get("audio"), dict):
        message["audio"] = delta["audio"]
    legacy = delta.get("function_call")
    fragments = ({"function": legacy},) if isinstance(legacy, dict) else mappings(delta.get("tool_calls"))
    for fragment in fragments:
        _take_fragment(message, fragment)


def _take_fragment(message: dict[str, object], fragment: Json) -> None:
    """Append one fragment of a tool call; a server without indexes starts a call by its id."""
    calls = message.setdefault("tool_calls_by_index", {})
    if not isinstance(calls, dict):
        return
    index = fragment.get("index")
    key = index if isinstance(index, int) else _open_call(calls, fragment)
    call = calls.setdefault(key, {"id": None, "function": {"name": "", "arguments": ""}})
    call["id"] = call["id"] or text_or_none(fragment.get("id"))
    function = mapping(fragment.get("function")) or mapping(fragment.get("custom"))
    call["function"]["name"] = call["function"]["name"] or text(function.get("name"))
    written = function.get("arguments", function.get("input"))
    call["function"]["arguments"] += openai_shapes.arguments(written)


def _open_call(calls: dict[int, object], fragment: Json) -> int:
    starts = bool(fragment.get("id")) or not calls
    return len(calls) if starts else max(calls)


def _finished(choice: dict[str, object]) -> dict[str, object]:
    message = dict(mapping(choice["message"]))
    calls = mapping(message.pop("tool_calls_by_index", None))
    if calls:
        message["tool_calls"] = list(calls.values())
    return choice | {"message": message}
