"""What a prompt asks for, as far as it decides how well it can be counted."""

from __future__ import annotations

from typing import Final

from ledger.types import Category, PartKind, Prompt

_HIDDEN: Final = frozenset({PartKind.AUDIO, PartKind.FILE, PartKind.REASONING, PartKind.OPAQUE})
_CALLS: Final = frozenset({PartKind.TOOL_CALL, PartKind.TOOL_RESULT})


def _by_tools(prompt: Prompt, calls: bool) -> Category:
    if prompt.output_schema is not None:
        return Category.JSON_SCHEMA_TOOLS if prompt.tools or calls else Category.JSON_SCHEMA
    if calls:
        return Category.TOOL_CALLS
    return Category.TOOLS if prompt.tools else Category.TEXT


def category(prompt: Prompt) -> Category:
    """Name a prompt's category: the first that fits of hosted, images, output schema, calls, tools, text."""
    kinds = {part.kind for message in prompt.messages for part in message.parts}
    if prompt.hidden or kinds & _HIDDEN or any(tool.hosted for tool in prompt.tools):
        return Category.HOSTED
    if PartKind.IMAGE in kinds:
        return Category.IMAGES
    return _by_tools(prompt, bool(kinds & _CALLS)) if prompt.messages or prompt.tools else Category.OTHER
