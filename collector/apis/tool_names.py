"""Name each tool's result after the call it answers: most APIs give the result only the call's id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ledger.types import Message, Part, PartKind


def answered(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same messages, each nameless tool result with the name of the earlier call that it answers."""
    if PartKind.TOOL_RESULT not in {part.kind for message in messages for part in message.parts}:
        return messages
    called: dict[str, str] = {}
    named = []
    for message in messages:
        called.update(_called(message))
        named.append(_named(message, called))
    return tuple(named)


def _called(message: Message) -> dict[str, str]:
    calls = (part for part in message.parts if part.kind is PartKind.TOOL_CALL)
    return {part.call_id: part.name for part in calls if part.call_id and part.name}


def _named(message: Message, called: Mapping[str, str]) -> Message:
    names = tuple(_name(part, called) for part in message.parts)
    if not any(names):
        return message
    known = message.memo.get(names)
    if not isinstance(known, Message):
        pairs = zip(message.parts, names, strict=True)
        parts = tuple(replace(part, name=name) if name else part for part, name in pairs)
        known = message.memo[names] = replace(message, parts=parts)
    return known


def _name(part: Part, called: Mapping[str, str]) -> str | None:
    if part.kind is not PartKind.TOOL_RESULT or part.name:
        return None
    return called.get(part.call_id or "")
