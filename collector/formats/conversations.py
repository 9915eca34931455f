"""Prompt and answer of a call that a tool logged in whatever shape its SDK gave it."""

from __future__ import annotations

from collections.abc import Sequence

from collector.apis import anthropic_messages, gemini_generate, openai_chat, openai_responses
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, sequence, text
from collector.apis.openai_completions import input_messages
from collector.formats.genai_content import json_of
from ledger.types import Answer, Api, Message, Part, PartKind, Prompt

# Blocks that only Anthropic's own messages are made of.
_BLOCKS = frozenset({"tool_use", "tool_result", "thinking"})
_BODIES = {
    "choices": openai_chat.answer,
    "candidates": gemini_generate.answer,
    "output": openai_responses.answer,
}


def counting_api(provider: str | None, model: str | None, operation: str = "chat") -> Api:
    """The wire API whose framing a call was billed by, as far as provider and model tell."""
    lowered = (model or "").lower()
    if operation == "embedding":
        return Api.OPENAI_EMBEDDINGS
    if provider == "anthropic" or "claude" in lowered:
        return Api.ANTHROPIC_MESSAGES
    return Api.GEMINI_GENERATE if provider == "google" or "gemini" in lowered else Api.OPENAI_CHAT


def prompt(api: Api, logged: object) -> Prompt | None:
    """Read what was sent: a body, its messages, a text, or JSON text of these; None where it is none."""
    said = json_of(logged)
    if not said:
        return None
    if api is Api.OPENAI_EMBEDDINGS:
        return Prompt(messages=input_messages(_embedded(said), "input"))
    if isinstance(said, str):
        return Prompt(messages=(Message("user", (Part(PartKind.TEXT, said),)),))
    return _of_body({"messages": said} if isinstance(said, list) else mapping(said))


def _embedded(said: object) -> object:
    return mapping(said).get("input") if isinstance(said, dict) else said


def _of_body(body: Json) -> Prompt | None:
    listed = list(mappings(body.get("messages")))
    if any("parts" in message for message in listed) or "contents" in body:
        return gemini_generate.prompt({"contents": listed, **body})
    if not any("role" in message for message in listed):
        return openai_responses.prompt(body) if "input" in body else None
    return anthropic_messages.prompt(body) if _is_anthropic(body, listed) else openai_chat.prompt(body)


def _is_anthropic(body: Json, listed: Sequence[Json]) -> bool:
    blocks = (block.get("type") for message in listed for block in mappings(message.get("content")))
    schemas = any("input_schema" in tool for tool in mappings(body.get("tools")))
    return "system" in body or schemas or any(kind in _BLOCKS for kind in blocks)


def answer(logged: object) -> Answer | None:
    """Read what came back: a body, a message or several, or a text; None where it is none of them."""
    said = json_of(logged)
    whole = next((key for key in _BODIES if isinstance(mapping(said).get(key), list)), None)
    if whole is not None:
        return _BODIES[whole](mapping(said))
    found = list(map(_spoken, said if isinstance(said, list) else [said] if said else []))
    if not found or not all(found):
        return None
    if any(text(block.get("type")) in _BLOCKS for each in found for block in mappings(each.get("content"))):
        return anthropic_messages.answer(found[0])
    reason = next((text(each.get("finish_reason")) for each in found if each.get("finish_reason")), None)
    return openai_chat.answer({"choices": [{"message": each, "finish_reason": reason} for each in found]})


def _spoken(said: object) -> Json:
    """One message of the answer; empty where nothing in it is known as what was said."""
    if isinstance(said, str):
        return {"role": "assistant", "content": said}
    found = mapping(said)
    if isinstance(found.get("message"), dict):
        return mapping(found["message"])
    if "content" in found or sequence(found.get("tool_calls")):
        return found
    return {"role": "assistant", "content": found["text"]} if isinstance(found.get("text"), str) else EMPTY
