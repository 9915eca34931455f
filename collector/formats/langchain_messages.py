"""LangChain's messages, brought to the shape of OpenAI's chat, and the usage that hangs on them."""

from __future__ import annotations

from collections.abc import Iterator

from collector.apis import token_buckets
from collector.apis.json_shapes import Json, mapping, mappings, sequence, text

Message = dict[str, object]

_ROLES = {
    "human": "user",
    "humanmessage": "user",
    "humanmessagechunk": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "systemmessage": "system",
    "systemmessagechunk": "system",
    "toolmessage": "tool",
    "toolmessagechunk": "tool",
    "functionmessage": "function",
}
# They stand in the content of some providers' messages, and again among the tool calls or the reasoning.
_ELSEWHERE = frozenset(
    {"tool_use", "tool_call", "function_call", "thinking", "reasoning", "redacted_thinking"}
)


def messages(logged: object) -> list[Message]:
    """The messages of one prompt; of a batch (a list of lists) those of its first prompt."""
    found = sequence(logged)
    inner = found[0] if found and isinstance(found[0], list) else found
    return [message(each) for each in mappings(inner)]


def message(logged: Json) -> Message:
    """One message: a serialised constructor, `{type, data}`, or its fields by themselves."""
    said = mapping(logged.get("kwargs")) or mapping(logged.get("data")) or logged
    content, thoughts = _content(said.get("content"))
    found: Message = {"role": _role(logged, said), "content": content}
    found |= {"tool_calls": calls} if (calls := list(_calls(said))) else {}
    found |= {"reasoning_content": thoughts} if thoughts else {}
    return found | {key: said[key] for key in ("tool_call_id", "name") if said.get(key)}


def _role(logged: Json, said: Json) -> str:
    kind = text(said.get("role")) or text(said.get("type"))
    path = sequence(logged.get("id"))
    if not kind or kind == "constructor":
        kind = text(path[-1]) if path else text(logged.get("type"))
    return _ROLES.get(kind.lower(), kind) or "user"


def _content(content: object) -> tuple[object, str]:
    """The content without what a message says again elsewhere, and the reasoning that stood in it."""
    if not isinstance(content, list):
        return content, ""
    kept = [part for part in content if mapping(part).get("type") not in _ELSEWHERE]
    thoughts = (text(part.get("thinking")) or text(part.get("reasoning")) for part in mappings(content))
    return kept, "".join(thoughts)


def _calls(said: Json) -> Iterator[Json]:
    """The tool calls, by LangChain's own list, else as the provider gave them."""
    listed = list(mappings(said.get("tool_calls")))
    for call in listed or mappings(mapping(said.get("additional_kwargs")).get("tool_calls")):
        if "function" in call:
            yield call
        else:
            yield {
                "id": call.get("id"),
                "function": {"name": call.get("name"), "arguments": call.get("args")},
            }


def generations(logged: object) -> list[Json]:
    """The generations of one prompt, one a choice; of a batch those of its first prompt."""
    found = sequence(logged)
    inner = found[0] if found and isinstance(found[0], list) else found
    return list(mappings(inner))


def answers(logged: object) -> list[Message]:
    """The answer's messages: of chats as messages, of completions as text."""
    return [_answer(generation) for generation in generations(logged)]


def _answer(generation: Json) -> Message:
    said = mapping(generation.get("message"))
    found = message(said) if said else {"content": generation.get("text")}
    reason = mapping(generation.get("generation_info")).get("finish_reason")
    return found | {"role": "assistant", "finish_reason": reason}


def usage_metadata(logged: object) -> Json:
    """LangChain's own usage object of an answer; empty where it has none."""
    for generation in generations(logged):
        said = mapping(generation.get("message"))
        inner = mapping(said.get("kwargs")) or said
        if found := mapping(inner.get("usage_metadata")):
            return found
    return {}


def usage(found: Json) -> token_buckets.Reported | None:
    """Read `usage_metadata`: LangChain counts the cache into the input for every provider."""
    inside = token_buckets.parts(found, "input_token_details")
    outside = token_buckets.parts(found, "output_token_details")
    tokens = token_buckets.tokens
    one_hour = tokens(inside, "ephemeral_1h_input_tokens")
    return token_buckets.inclusive(
        found,
        input_tokens=tokens(found, "input_tokens"),
        output_tokens=tokens(found, "output_tokens"),
        cache_read=tokens(inside, "cache_read"),
        cache_write=_written(inside, one_hour),
        cache_write_1h=one_hour,
        reasoning=tokens(outside, "reasoning"),
        audio_input=tokens(inside, "audio"),
        audio_output=tokens(outside, "audio"),
    )


def _written(inside: Json, one_hour: int | None) -> int | None:
    """All that was written to the cache; where it is split by lifetime, the sum may be left at 0."""
    split = token_buckets.total(token_buckets.tokens(inside, "ephemeral_5m_input_tokens"), one_hour)
    whole = token_buckets.tokens(inside, "cache_creation")
    return max(whole or 0, split or 0) if split is not None or whole is not None else None
