"""Google's generateContent, on the Gemini API and on Vertex."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

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
from collector.pieces import remembered
from ledger.types import Answer, Message, OutputSchema, Part, PartKind, Prompt, Tool, Usage


def _either(body: Json, camel: str, snake: str) -> object:
    """Return a field in the wire's camelCase, else in the SDKs' snake_case."""
    found = body.get(camel)
    return body.get(snake) if found is None else found


def prompt(body: Json) -> Prompt:
    """Read system instruction, contents, tools and response schema; cached content is named in `hidden`."""
    return Prompt(
        messages=_system(_either(body, "systemInstruction", "system_instruction"))
        + _messages(body.get("contents")),
        tools=_every_tool(body["tools"]) if body.get("tools") else (),
        tool_choice=_tool_choice(mapping(_either(body, "toolConfig", "tool_config"))),
        output_schema=_output_schema(_generation(body)),
        hidden=("cached_content",) if _either(body, "cachedContent", "cached_content") else (),
    )


def _generation(body: Json) -> Json:
    return mapping(_either(body, "generationConfig", "generation_config"))


@remembered
def _system(given: object) -> tuple[Message, ...]:
    parts = _content_parts(given)
    return (Message("system", parts),) if parts else ()


def _messages(contents: object) -> tuple[Message, ...]:
    listed = contents if isinstance(contents, list) else [contents] if contents else []
    return tuple(map(_message, listed))


@remembered
def _message(content: object) -> Message:
    return Message(text(mapping(content).get("role")) or "user", _content_parts(content))


def _content_parts(content: object) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Part(PartKind.TEXT, content),) if content else ()
    parts = mapping(content).get("parts")
    if isinstance(parts, dict):
        return (_part(parts),)
    if isinstance(parts, list):
        return tuple(_part(mapping(p)) if not isinstance(p, str) else Part(PartKind.TEXT, p) for p in parts)
    return ()


def _part(part: Json) -> Part:
    if isinstance(part.get("text"), str):
        return Part(PartKind.REASONING if part.get("thought") is True else PartKind.TEXT, text(part["text"]))
    call = mapping(_either(part, "functionCall", "function_call"))
    if call:
        return _call(call)
    result = mapping(_either(part, "functionResponse", "function_response"))
    if result:
        return _result(result)
    return _media(part)


def _call(call: Json) -> Part:
    written = compact(mapping(call.get("args")))
    return Part(PartKind.TOOL_CALL, written, text_or_none(call.get("name")), text_or_none(call.get("id")))


def _result(result: Json) -> Part:
    written = compact(result.get("response", {}))
    return Part(
        PartKind.TOOL_RESULT, written, text_or_none(result.get("name")), text_or_none(result.get("id"))
    )


def _media(part: Json) -> Part:
    inline = mapping(_either(part, "inlineData", "inline_data"))
    source = inline or mapping(_either(part, "fileData", "file_data"))
    mime = text(_either(source, "mimeType", "mime_type"))
    if mime.startswith("image/"):
        return image(inline.get("data"))
    if mime.startswith("audio/"):
        return Part(PartKind.AUDIO)
    if source:
        return Part(PartKind.FILE)
    return Part(PartKind.OPAQUE, name=next((key for key in part if key != "thoughtSignature"), None))


@remembered
def _every_tool(given: object) -> tuple[Tool, ...]:
    return tuple(tool for entry in mappings(given) for tool in _tools(entry))


def _tools(entry: Json) -> Iterator[Tool]:
    declared = _either(entry, "functionDeclarations", "function_declarations")
    for function in mappings(declared):
        plain = mapping(function.get("parameters"))
        schema = plain or mapping(_either(function, "parametersJsonSchema", "parameters_json_schema"))
        yield Tool(text(function.get("name")), text(function.get("description")), schema)
    for key in entry:
        if key not in ("functionDeclarations", "function_declarations"):
            yield Tool(key, hosted=True)


def _tool_choice(config: Json) -> str | None:
    calling = mapping(_either(config, "functionCallingConfig", "function_calling_config"))
    allowed = _either(calling, "allowedFunctionNames", "allowed_function_names")
    if isinstance(allowed, list) and len(allowed) == 1:
        return f"function:{text(allowed[0])}"
    mode = text_or_none(calling.get("mode"))
    return mode.lower() if mode else None


def _output_schema(generation: Json) -> OutputSchema | None:
    plain = mapping(_either(generation, "responseSchema", "response_schema"))
    schema = plain or mapping(_either(generation, "responseJsonSchema", "response_json_schema"))
    return OutputSchema(name=text(schema.get("title")), schema=schema) if schema else None


def answer(response: Json) -> Answer:
    """Read one text per candidate, the function calls and the thoughts."""
    candidates = list(mappings(response.get("candidates")))
    spoken = [_content_parts(candidate.get("content")) for candidate in candidates]
    parts = [part for candidate in spoken for part in candidate]
    opaque = {part.name or "unknown" for part in parts if part.kind is PartKind.OPAQUE}
    return Answer(
        texts=tuple(_said(candidate, PartKind.TEXT) for candidate in spoken),
        tool_calls=tuple(part for part in parts if part.kind is PartKind.TOOL_CALL),
        reasoning=_said(parts, PartKind.REASONING),
        finish_reason=_finish_reason(response),
        hidden=tuple(sorted(opaque)),
    )


def _said(parts: Sequence[Part], kind: PartKind) -> str:
    return "".join(part.text for part in parts if part.kind is kind)


def _finish_reason(response: Json) -> str | None:
    candidates = mappings(response.get("candidates"))
    reasons = (text_or_none(_either(candidate, "finishReason", "finish_reason")) for candidate in candidates)
    blocked = mapping(_either(response, "promptFeedback", "prompt_feedback"))
    return next((reason for reason in reasons if reason), None) or text_or_none(blocked.get("blockReason"))


_COUNTS = {
    "prompt": ("promptTokenCount", "prompt_token_count"),
    "tool_use": ("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
    "cached": ("cachedContentTokenCount", "cached_content_token_count"),
    "answer": ("candidatesTokenCount", "candidates_token_count", "responseTokenCount"),
    "thoughts": ("thoughtsTokenCount", "thoughts_token_count"),
}


def usage(response: Json) -> token_buckets.Reported | None:
    """Read the usage: cached tokens are inside the prompt count, thoughts stand beside the candidates."""
    found = _either(response, "usageMetadata", "usage_metadata")
    if not isinstance(found, dict):
        return None
    counts = {name: token_buckets.first_tokens(found, *keys) for name, keys in _COUNTS.items()}
    prompted = counts["prompt"]
    if prompted is None:
        return None
    output = token_buckets.total(counts["answer"], counts["thoughts"])
    buckets = Usage(
        input_tokens=token_buckets.uncached(prompted, counts["cached"], None) + (counts["tool_use"] or 0),
        cache_read_tokens=counts["cached"],
        output_tokens=output,
        reasoning_tokens=counts["thoughts"],
        audio_input_tokens=_uncached_audio(found, counts["cached"]),
        audio_output_tokens=_audio(found, "candidatesTokensDetails", "candidates_tokens_details"),
    )
    return token_buckets.reported(found, buckets)


def _uncached_audio(found: Json, cached: int | None) -> int | None:
    """Return the audio among the uncached input; None where how much of it was cached is unknown."""
    heard = _audio(found, "promptTokensDetails", "prompt_tokens_details")
    of_cache = _audio(found, "cacheTokensDetails", "cache_tokens_details")
    if not heard or not cached:
        return heard
    if not _either(found, "cacheTokensDetails", "cache_tokens_details"):
        return None
    token_buckets.within(of_cache, heard, "cached audio tokens in an audio input")
    return heard - (of_cache or 0)


def _audio(found: Json, camel: str, snake: str) -> int | None:
    listed = mappings(_either(found, camel, snake))
    spoken = [item for item in listed if text(item.get("modality")).upper() == "AUDIO"]
    counts = (token_buckets.first_tokens(item, "tokenCount", "token_count") for item in spoken)
    return token_buckets.total(*counts)


def request_facts(body: Json) -> reader.RequestFacts:
    """Read what a request says besides its content; the model stands in the path, rarely in the body."""
    generation = _generation(body)
    return reader.RequestFacts(
        model=_bare(text_or_none(body.get("model"))),
        end_user=reader.end_user(mapping(body.get("labels"))),
        max_output_tokens=reader.output_limit(
            generation.get("maxOutputTokens"), generation.get("max_output_tokens")
        ),
        temperature=number(generation.get("temperature")),
        service_tier=reader.tier(_either(body, "serviceTier", "service_tier")),
    )


def _bare(model: str | None) -> str | None:
    return model.rpartition("/")[2] if model else None


def response_facts(body: Json) -> reader.ResponseFacts:
    """Read id, model version, creation time and tier."""
    found = mapping(_either(body, "usageMetadata", "usage_metadata"))
    return reader.ResponseFacts(
        response_id=text_or_none(_either(body, "responseId", "response_id")),
        model=_bare(text_or_none(_either(body, "modelVersion", "model_version"))),
        created=_created(_either(body, "createTime", "create_time")),
        service_tier=reader.tier(_either(found, "serviceTier", "service_tier")),
        finish_reason=_finish_reason(body),
    )


def _created(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text(value))
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return reader.epoch(aware.timestamp())


def assemble(chunks: Sequence[object]) -> Json:
    """Join stream chunks: parts by candidate, the last usage and model version."""
    whole: dict[str, object] = {}
    candidates: dict[int, dict[str, object]] = {}
    for chunk in mappings(chunks):
        whole.update(
            {key: value for key, value in chunk.items() if value is not None and key != "candidates"}
        )
        for candidate in mappings(chunk.get("candidates")):
            _take_candidate(candidates.setdefault(position(candidate.get("index")), {"parts": []}), candidate)
    whole["candidates"] = [
        {"content": {"parts": entry["parts"]}, "finishReason": entry.get("reason")}
        for _, entry in sorted(candidates.items())
    ]
    return whole


def _take_candidate(entry: dict[str, object], candidate: Json) -> None:
    parts = entry["parts"]
    added = mapping(candidate.get("content")).get("parts")
    if isinstance(parts, list) and isinstance(added, list):
        parts.extend(added)
    entry["reason"] = _either(candidate, "finishReason", "finish_reason") or entry.get("reason")
