"""What is remembered of earlier records changes nothing but the time that reading takes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import pieces, tokenizers
from collector.attribution import DEFAULT_RULES
from collector.decoding import object_of
from collector.formats import FORMATS
from collector.identity import digest
from collector.pieces import remembered
from collector.rows import Reading, Row, row
from collector.segments import DEFAULT
from collector.sources import Record

NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
SAID = st.one_of(
    st.sampled_from(
        ["", "Fine.", "Where is it?\n", "<context>A page.</context> What now?", "二つ", "\u017f's"]
    ),
    st.text(max_size=12),
)
CALL_ID = st.sampled_from(["call_1", "call_2"])


def reading(form: str) -> Reading:
    return Reading(form, "log.jsonl", NOW, NOW, b"k" * 32, DEFAULT_RULES, DEFAULT)


def made(record: bytes, form: str) -> Row | str:
    """The row of one record, or why there is none."""
    given_record = Record(1, 0, record, len(record))
    try:
        request = FORMATS[form].read(object_of(given_record))
        return row(request, digest(record), 1, reading(form))
    except ValueError as error:
        return str(error)


def forget() -> None:
    pieces.forget()
    tokenizers.forget()


def cold(records: Iterable[bytes], form: str) -> list[Row | str]:
    found = []
    for record in records:
        forget()
        found.append(made(record, form))
    return found


def warm(records: Iterable[bytes], form: str) -> list[Row | str]:
    forget()
    return [made(record, form) for record in records]


def chat_call(call_id: str, name: str) -> dict[str, object]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": '{"a": 1}'}}


chat_messages = st.lists(
    st.one_of(
        st.builds(
            lambda role, said: {"role": role, "content": said}, st.sampled_from(["system", "user"]), SAID
        ),
        st.builds(
            lambda said: {"role": "user", "name": "retrieval", "content": [{"type": "text", "text": said}]},
            SAID,
        ),
        st.builds(
            lambda call_id, name: {"role": "assistant", "tool_calls": [chat_call(call_id, name)]},
            CALL_ID,
            st.sampled_from(["look_up", "write"]),
        ),
        st.builds(
            lambda call_id, said: {"role": "tool", "tool_call_id": call_id, "content": said}, CALL_ID, SAID
        ),
        st.builds(lambda said: {"content": said, "role": "assistant"}, SAID),
    ),
    max_size=5,
)


def block(kind: str, call_id: str, said: str) -> dict[str, object]:
    if kind == "tool_use":
        return {"type": kind, "id": call_id, "name": said or "look_up", "input": {"a": 1, "b": said}}
    if kind == "tool_result":
        return {"type": kind, "tool_use_id": call_id, "content": said}
    return {"type": "text", "text": said}


claude_messages = st.lists(
    st.builds(
        lambda role, blocks: {"role": role, "content": blocks},
        st.sampled_from(["user", "assistant"]),
        st.lists(
            st.builds(block, st.sampled_from(["text", "tool_use", "tool_result"]), CALL_ID, SAID), max_size=3
        ),
    ),
    max_size=4,
)


def pair(request: dict[str, object]) -> dict[str, object]:
    answer = {"id": "x", "choices": [{"message": {"role": "assistant", "content": "Fine."}}]}
    return {"request": request, "response": answer}


def litellm(request: dict[str, object]) -> dict[str, object]:
    return {
        "id": "x",
        "call_type": "acompletion",
        "startTime": 1_790_000_000.0,
        "prompt_tokens": 5,
        "completion_tokens": 1,
        "model": request["model"],
        "messages": request["messages"],
        "model_parameters": {"tools": request.get("tools")},
        "response": pair(request)["response"],
    }


def flat(request: dict[str, object]) -> dict[str, object]:
    return {"tollbook": 1, "ts": "2026-10-01T00:00:00Z", **pair(request)}


SHAPES: dict[str, Callable[[dict[str, object]], dict[str, object]]] = {
    "pair": pair,
    "litellm": litellm,
    "tollbook": flat,
}
requests = st.one_of(
    st.builds(
        lambda model, messages, tools: {"model": model, "messages": messages, "tools": tools},
        st.sampled_from(["gpt-4.1-mini", "gpt-4", "gpt-5-mini"]),
        chat_messages,
        st.sampled_from([None, [TOOL], [TOOL, {"type": "web_search"}]]),
    ),
    st.builds(
        lambda messages: {
            "model": "claude-sonnet-4-5",
            "max_tokens": 9,
            "system": "Be.",
            "messages": messages,
        },
        claude_messages,
    ),
)


@pytest.mark.parametrize("form", SHAPES)
@settings(max_examples=40)
@given(data=st.data())
def test_rows_are_those_of_a_reader_without_memory(form, data):
    bodies = data.draw(st.lists(requests, min_size=1, max_size=4))
    records = [json.dumps(SHAPES[form](body)).encode() for body in bodies]
    again = data.draw(st.permutations([*records, *records]))
    assert warm(again, form) == cold(again, form)


@pytest.mark.shared
def test_the_recorded_calls_are_read_the_same_from_memory(shared):
    given_keys = ("request", "response", "status", "url_path")
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz") as lines:
        calls = [json.loads(line) for line in lines]
    records = [json.dumps({key: call[key] for key in given_keys}).encode() for call in calls[::7]]
    once = warm(records, "pair")
    forget()
    assert [made(record, "pair") for record in [*records, *records]] == [*once, *once]
    assert cold(records[::5], "pair") == once[::5]


def test_an_equal_piece_gives_the_same_object_and_another_one_its_own():
    forget()
    read = remembered(lambda piece: [piece])
    assert read({"a": "é"}) is read(json.loads('{ "a" : "\\u00e9" }'))
    assert read({"a": 1}) is not read({"a": 1.0})
    assert read({"a": True}) is not read({"a": 1})


def test_a_piece_is_forgotten_when_two_generations_have_passed_without_it(monkeypatch):
    monkeypatch.setattr(pieces, "GENERATION_BYTES", 4_000)
    read = remembered(lambda piece: [piece])
    kept, lost = read("kept"), read("lost")
    for number in range(20):
        read(f"another {number}")
        assert read("kept") is kept
    assert read("lost") is not lost


def test_a_piece_that_cannot_be_packed_is_read_each_time():
    read = remembered(lambda piece: [piece])
    assert read(2**70) == [2**70]
    assert read(2**70) is not read(2**70)
