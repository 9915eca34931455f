"""Which category a prompt falls into."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.counting.category import category
from ledger.types import Category, Message, OutputSchema, Part, PartKind, Prompt, Tool

ASKS = Prompt((Message("user", (Part(PartKind.TEXT, "hello"),)),))
TOOLS = replace(ASKS, tools=(Tool("look_up"),))
CALLED = Message("assistant", (Part(PartKind.TOOL_CALL, "{}", name="look_up"),))
SCHEMA = OutputSchema("book", {"type": "object"})


def with_part(kind: PartKind, prompt: Prompt = ASKS) -> Prompt:
    return replace(prompt, messages=(*prompt.messages, Message("user", (Part(kind),))))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        (ASKS, Category.TEXT),
        (TOOLS, Category.TOOLS),
        (replace(TOOLS, messages=(*ASKS.messages, CALLED)), Category.TOOL_CALLS),
        (replace(ASKS, messages=(*ASKS.messages, CALLED)), Category.TOOL_CALLS),
        (replace(ASKS, output_schema=SCHEMA), Category.JSON_SCHEMA),
        (replace(TOOLS, output_schema=SCHEMA), Category.JSON_SCHEMA_TOOLS),
        (with_part(PartKind.IMAGE, TOOLS), Category.IMAGES),
        (with_part(PartKind.FILE), Category.HOSTED),
        (with_part(PartKind.REASONING), Category.HOSTED),
        (replace(ASKS, hidden=("previous_response_id",)), Category.HOSTED),
        (replace(ASKS, tools=(Tool("web_search", hosted=True),)), Category.HOSTED),
        (with_part(PartKind.TOKENS, Prompt()), Category.TEXT),
        (Prompt(), Category.OTHER),
    ],
)
def test_a_prompt_has_the_first_category_that_fits(prompt: Prompt, expected: Category) -> None:
    assert category(prompt) is expected
