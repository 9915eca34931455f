"""LlamaIndex's instrumentation events: what each says alone, and the rows that they make together."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS, NotACallError, sniff
from ledger.types import Api, PartKind, Usage


@pytest.fixture(scope="module")
def records(samples) -> list[dict]:
    lines = (samples / "formats" / "llamaindex.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def read(records):
    return lambda number: FORMATS["llamaindex"].read(records[number - 1])


def at(second: int) -> datetime:
    return datetime(2026, 9, 1, 8, 0, second, 250_000, tzinfo=UTC)


def test_the_start_is_a_part_of_the_call_that_its_end_is(read):
    start, end = read(1), read(2)
    assert (start.part, end.part) == (True, False)
    assert start.span == end.span == "OpenAI.chat-0001"
    assert (start.ts, end.ts, start.model) == (at(0), at(2), "gpt-4.1-mini")


def test_the_end_has_the_providers_own_usage_with_the_cache(read):
    end = read(2)
    assert end.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40, reasoning_tokens=8)
    assert (end.model, end.response_id) == ("gpt-4.1-mini-2025-04-14", "chatcmpl-Zy1Xw2Vu3Ts4Rq5Po6Nm7Lk8")
    assert [message.role for message in end.prompt.messages] == ["system", "user"]
    assert end.attributes == {"tags.tenant": "northwind", "tags.workflow": "faq"}


def test_a_stream_has_the_whole_answer_and_no_usage(read):
    end = read(4)
    assert (end.usage, end.streamed, end.answer.texts) == (None, True, ("Ten.",))


def test_a_completion_of_claude_is_read_by_its_own_usage(read):
    assert (read(5).api, read(5).prompt.messages[0].parts[0].text) == (Api.ANTHROPIC_MESSAGES, "Say hours.")
    end = read(6)
    assert end.usage == Usage(input_tokens=30, cache_read_tokens=500, cache_write_tokens=20, output_tokens=6)
    assert (end.api, end.answer.texts) == (Api.ANTHROPIC_MESSAGES, ("Hours.",))


def test_a_call_without_the_providers_response_is_read_by_its_texts(read):
    end = read(7)
    assert (end.model, end.usage, end.answer.texts) == (None, None, ("Hello.",))


def test_an_embedding_has_its_texts(read):
    start, end = read(8), read(9)
    assert (start.model, start.operation, end.operation) == (
        "text-embedding-3-small",
        "embedding",
        "embedding",
    )
    assert end.prompt.messages[0].parts[0].text == "When do you open?"


def test_tool_calls_and_results_are_read_from_blocks(read):
    messages = read(11).prompt.messages
    assert [message.role for message in messages] == ["user", "assistant", "tool"]
    call, result = messages[1].parts[0], messages[2].parts[0]
    assert (call.kind, call.name, call.call_id) == (PartKind.TOOL_CALL, "hours", "call_1")
    assert (result.kind, result.text, result.call_id) == (PartKind.TOOL_RESULT, "closed", "call_1")


@pytest.mark.parametrize("number", [3, 10])
def test_other_events_are_set_aside(read, number):
    with pytest.raises(NotACallError):
        read(number)


def test_events_are_recognised(records):
    assert sniff(records) == "llamaindex"


def test_a_wrong_type_is_refused_by_name(records):
    with pytest.raises(ValueError, match="response is a list, expected an object"):
        FORMATS["llamaindex"].read({**records[1], "response": []})


@pytest.mark.parametrize("turned", [False, True])
def test_start_and_end_are_one_row_in_either_order(books, samples, turned):
    lines = (samples / "formats" / "llamaindex.jsonl").read_bytes().splitlines(keepends=True)
    summary = books.ingest(books.file("events.jsonl", b"".join(lines[::-1] if turned else lines)))
    # Five calls, three of them with their start; a start without its end and two other events.
    assert (summary.total("added"), summary.total("updated"), summary.total("set_aside")) == (5, 3, 3)
    columns = "ts, latency_ms, tenant, model, operation, input_tokens, cache_read_tokens, output_tokens"
    found = books.rows(f"SELECT {columns} FROM requests WHERE usage_source = 'reported' ORDER BY ts")
    start, later = at(0).replace(tzinfo=None), at(6).replace(tzinfo=None)
    assert found == [
        (start, 2000, "northwind", "gpt-4.1-mini-2025-04-14", "chat", 476, 1024, 40),
        (later, 3000, None, "claude-sonnet-4-5-20250929", "chat", 30, 500, 6),
    ]
    assert books.rows("SELECT model FROM requests WHERE operation = 'embedding'") == [
        ("text-embedding-3-small",)
    ]
