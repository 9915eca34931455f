"""LangChain's messages in each of the shapes that they are written in."""

from __future__ import annotations

import pytest

from collector.formats import langchain_messages as lc
from ledger.types import Usage


def constructor(kind: str, **kwargs: object) -> dict[str, object]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", kind], "kwargs": kwargs}


@pytest.mark.parametrize(
    ("logged", "role"),
    [
        (constructor("HumanMessage", content="x", type="human"), "user"),
        (constructor("SystemMessage", content="x"), "system"),
        (constructor("AIMessageChunk", content="x"), "assistant"),
        ({"type": "ai", "data": {"content": "x"}}, "assistant"),
        ({"role": "developer", "content": "x"}, "developer"),
        ({"content": "x"}, "user"),
    ],
)
def test_every_shape_of_a_message_has_a_role_and_content(logged, role):
    assert lc.message(logged) == {"role": role, "content": "x"}


def test_of_a_batch_the_first_prompt_is_read():
    assert [each["content"] for each in lc.messages([[{"content": "a"}, {"content": "b"}], [{}]])] == [
        "a",
        "b",
    ]


def test_tool_calls_are_read_once():
    said = constructor(
        "AIMessage",
        content=[{"type": "text", "text": "One moment."}, {"type": "tool_use", "id": "t1", "name": "hours"}],
        tool_calls=[{"id": "t1", "name": "hours", "args": {"day": "mon"}}],
        additional_kwargs={"tool_calls": [{"id": "t1", "function": {"name": "hours"}}]},
    )
    found = lc.message(said)
    assert found["content"] == [{"type": "text", "text": "One moment."}]
    assert found["tool_calls"] == [{"id": "t1", "function": {"name": "hours", "arguments": {"day": "mon"}}}]


def test_reasoning_in_the_content_stands_beside_it():
    found = lc.message({"type": "ai", "content": [{"type": "thinking", "thinking": "Hm."}]})
    assert (found["content"], found["reasoning_content"]) == ([], "Hm.")


def test_the_cache_is_inside_the_input_and_its_writes_are_split():
    details = {
        "cache_read": 40,
        "cache_creation": 0,
        "ephemeral_5m_input_tokens": 7,
        "ephemeral_1h_input_tokens": 3,
    }
    logged = {"input_tokens": 100, "output_tokens": 9, "total_tokens": 109, "input_token_details": details}
    found = lc.usage({**logged, "output_token_details": {"reasoning": 4}})
    assert found is not None
    assert found[0] == Usage(
        input_tokens=50,
        cache_read_tokens=40,
        cache_write_tokens=7,
        cache_write_1h_tokens=3,
        output_tokens=9,
        reasoning_tokens=4,
    )
