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
_TIERS = ("flex", "priority")
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
    kept = [part for part in content if text(mapping(part).get("type")) not in _ELSEWHERE]
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


def answered(logged: object) -> Json:
    """The fields of the first answer's message; empty where it has none."""
    said = (mapping(generation.get("message")) for generation in generations(logged))
    return next((mapping(each.get("kwargs")) or each for each in said if each), {})


def usage(found: Json) -> token_buckets.Reported | None:
    """Read `usage_metadata`: LangChain counts the cache into the input for every provider."""
    inside = token_buckets.parts(found, "input_token_details")
    outside = token_buckets.parts(found, "output_token_details")
    one_hour = token_buckets.tokens(inside, "ephemeral_1h_input_tokens")
    return token_buckets.inclusive(
        found,
        input_tokens=token_buckets.tokens(found, "input_tokens"),
        output_tokens=token_buckets.tokens(found, "output_tokens"),
        cache_read=_detail(inside, "cache_read"),
        cache_write=_written(inside, one_hour),
        cache_write_1h=one_hour,
        reasoning=_detail(outside, "reasoning"),
        audio_input=token_buckets.tokens(inside, "audio"),
        audio_output=token_buckets.tokens(outside, "audio"),
    )


def service_tier(found: Json) -> str | None:
    """The tier that stands in the names of the details; None for the usual one, which none names."""
    inside = mapping(found.get("input_token_details"))
    return next((tier for tier in _TIERS if tier in inside or f"{tier}_cache_read" in inside), None)


def _detail(details: Json, name: str) -> int | None:
    """A kind of tokens; calls of a tier of their own have its name before the kind's."""
    return token_buckets.first_tokens(details, name, *(f"{tier}_{name}" for tier in _TIERS))


def _written(inside: Json, one_hour: int | None) -> int | None:
    """All that was written to the cache; where it is split by lifetime, the sum may be left at 0."""
    split = token_buckets.total(token_buckets.tokens(inside, "ephemeral_5m_input_tokens"), one_hour)
    whole = token_buckets.first_tokens(inside, "cache_creation", "cache_write")
    return max(whole or 0, split or 0) if split is not None or whole is not None else None
