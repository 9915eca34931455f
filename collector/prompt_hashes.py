"""Keyed hashes of prompts: of a whole one, and of what a deploy fixes in it."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from ledger.keys import keyed
from ledger.types import Message, Prompt, Tool

_SYSTEM_ROLES = ("system", "developer")
_VERSION_BYTES: Final = 6
_DIGEST: Final = "digest"


def prompt_hash(prompt: Prompt, key: bytes) -> str:
    """A hash of everything that was sent."""
    parts = [_message(message) for message in prompt.messages] + [_tool(tool) for tool in prompt.tools]
    rest = (len(prompt.messages), prompt.tool_choice, prompt.output_schema, prompt.hidden, prompt.thinking)
    return keyed(key, b"".join(parts) + _written(rest)).hex()


def prompt_version(prompt: Prompt, key: bytes) -> str | None:
    """A hash of system text, tools and output schema; None for a prompt without any."""
    system = [_message(message) for message in prompt.messages if message.role in _SYSTEM_ROLES]
    if not (system or prompt.tools or prompt.output_schema):
        return None
    parts = system + [_tool(tool) for tool in prompt.tools]
    rest = (len(system), prompt.output_schema)
    return keyed(key, b"".join(parts) + _written(rest), _VERSION_BYTES).hex()


def _message(message: Message) -> bytes:
    known = message.memo.get(_DIGEST)
    if not isinstance(known, bytes):
        known = message.memo[_DIGEST] = _digest((message.role, message.parts, message.name))
    return known


def _tool(tool: Tool) -> bytes:
    known = tool.memo.get(_DIGEST)
    if not isinstance(known, bytes):
        known = tool.memo[_DIGEST] = _digest(
            (tool.name, tool.description, tool.schema, tool.hosted, tool.custom, tool.grammar)
        )
    return known


def _digest(value: object) -> bytes:
    return sha256(_written(value)).digest()


def _written(value: object) -> bytes:
    """The same bytes for the same content."""
    try:
        return msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError):
        # Whole numbers past 64 bits and lone surrogates, which only the slower writer takes.
        return repr(value).encode("utf-8", "surrogatepass")
    except RecursionError:
        raise ValueError("the record is nested too deeply to be read") from None
