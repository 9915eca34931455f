"""LangChain's callback events: what each says alone, and the rows that they make together."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS, NotACallError, sniff
from collector.formats.langchain_events import began
from ledger.types import Api, Request, Span, Status, Usage

EIGHT = datetime(2026, 9, 1, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def records(samples) -> list[dict]:
    lines = (samples / "formats" / "langchain.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def read(records):
    return lambda number: FORMATS["langchain"].read(records[number - 1])


def test_a_chain_is_a_step_and_the_word_none_is_no_parent(read):
    top, middle = read(1), read(2)
    assert isinstance(top, Span)
    assert (top.parent, top.ts) == (None, EIGHT)
    assert (top.attributes["metadata.tenant"], top.tags) == ("northwind", {"beta": "true"})
    assert middle.parent == top.span


def test_the_start_is_a_part_with_prompt_and_metadata(read, records):
    start = read(3)
    assert (start.part, start.span, start.parent_span) == (True, records[2]["run_id"], read(2).span)
    assert (start.usage, start.answer, start.end_user) == (None, None, "person-4")
    assert (start.max_output_tokens, start.temperature, start.model) == (64, 0.2, "gpt-4.1-mini")
    assert [message.role for message in start.prompt.messages] == ["system", "user"]
    assert [tool.name for tool in start.prompt.tools] == ["hours"]
    assert (start.attributes["metadata.environment"], start.attributes["tags.team"]) == ("production", "blue")
    assert start.ts == datetime(2026, 9, 1, 8, 0, 0, 200_000, tzinfo=UTC)


def test_the_end_is_the_call_with_usage_and_answer(read):
    end = read(4)
    assert (end.part, end.api, end.provider) == (False, Api.OPENAI_CHAT, "openai")
    assert (end.model, end.service_tier) == ("gpt-4.1-mini-2025-04-14", "standard")
    assert end.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40, reasoning_tokens=0)
    assert (end.response_id, end.answer.texts) == ("chatcmpl-Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8", ("At nine.",))
    assert end.span == read(3).span


def test_a_stream_without_usage_has_none_and_a_time_of_its_end(read):
    end = read(6)
    assert (end.usage, end.streamed, end.latency_ms) == (None, True, 2500)


def test_claudes_usage_leaves_the_cache_out_of_the_input(read):
    end = read(8)
    assert end.usage == Usage(input_tokens=30, cache_read_tokens=500, cache_write_tokens=20, output_tokens=6)
    assert (end.api, end.ts) == (Api.ANTHROPIC_MESSAGES, datetime(2026, 9, 1, 9, tzinfo=UTC))


def test_an_error_is_a_failed_call(read):
    failed = read(9)
    assert (failed.status, failed.error_type, failed.usage) == (Status.ERROR, "RateLimitError", None)


def test_the_usage_of_older_versions_stands_in_llm_output(read):
    end = read(10)
    assert (end.model, end.usage) == ("gpt-3.5-turbo-instruct", Usage(input_tokens=70, output_tokens=12))


@pytest.mark.parametrize("number", [5, 11])
def test_other_events_are_set_aside(read, number):
    with pytest.raises(NotACallError):
        read(number)


def test_only_ids_of_version_7_tell_a_time():
    assert began("3d0b7a52-91c4-4b0f-9a70-00000000c0de") is None
    assert began("no id") is None


def test_events_are_recognised(records):
    assert sniff(records[:2]) == "langchain"


def test_a_wrong_type_is_refused_by_name():
    with pytest.raises(ValueError, match="run_id is a whole number, expected text"):
        FORMATS["langchain"].read({"event": "on_llm_end", "run_id": 7})


@pytest.mark.parametrize("turned", [False, True])
def test_start_and_end_are_one_row_in_either_order(books, samples, turned):
    lines = (samples / "formats" / "langchain.jsonl").read_bytes().splitlines(keepends=True)
    summary = books.ingest(books.file("events.jsonl", b"".join(lines[::-1] if turned else lines)))
    # Five calls ended or failed; two of them had logged their start; two chains and two other events.
    assert (summary.total("added"), summary.total("updated"), summary.total("set_aside")) == (5, 2, 4)
    columns = "tenant, workflow, environment, usage_source, input_tokens, output_tokens, status"
    found = set(books.rows(f"SELECT {columns} FROM requests"))
    above = ("northwind", "faq")
    assert {
        # Its own tag names a team, which goes before the chain's tenant.
        ("blue", "faq", "production", "reported", 476, 40, "ok"),
        (*above, None, "reported", 30, 6, "ok"),
        (*above, None, "none", None, None, "error"),
        (None, None, None, "reported", 70, 12, "ok"),
    } < found
    (stream,) = [row for row in found if row[0] == "contoso"]
    assert stream[3] in ("counted", "estimated")
    assert books.rows("SELECT tags::VARCHAR FROM requests WHERE environment = 'production'") == [
        ("{beta=true, team=blue}",)
    ]
    assert isinstance(FORMATS["langchain"].read(json.loads(lines[2])), Request)
