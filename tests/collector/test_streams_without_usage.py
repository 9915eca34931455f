"""Streams without usage: the answer is put together from its pieces and both sides are counted."""

from __future__ import annotations

import gzip
import json

import pytest

INPUT = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")


def streamed(
    number: int, pieces: list[dict], model: str = "gpt-4.1-mini", **more: object
) -> dict[str, object]:
    """A chat stream whose log holds no usage."""
    chunk = {
        "id": f"chatcmpl-Streamed{number:012d}",
        "object": "chat.completion.chunk",
        "model": model,
        "created": 1_791_200_000,
    }
    request = {"model": model, "stream": True, "messages": [{"role": "user", "content": " the" * 20}]}
    chunks = [{**chunk, "choices": [{"index": 0, **piece}]} for piece in pieces]
    return {"request": request, "response": chunks, "status": 200, **more}


def said(*texts: str) -> list[dict]:
    deltas = [{"delta": {"content": text}} for text in texts]
    return [*deltas, {"delta": {}, "finish_reason": "stop"}]


BILLED = "input_tokens, output_tokens, reasoning_tokens, usage_source, status, cost_usd, unpriced_reason"


def booked(books, as_lines, record: dict[str, object]) -> tuple[object, ...]:
    books.ingest(books.file("a.jsonl", as_lines([record])))
    (row,) = books.rows(f"SELECT {BILLED} FROM requests")
    return row


def test_a_whole_stream_is_counted_on_both_sides_and_priced(books, as_lines):
    row = booked(books, as_lines, streamed(1, said(" the", " the", " the")))
    # 20 words and 7 of framing at $0.40 a million, 3 words at $1.60.
    assert row[:5] == (27, 3, None, "counted", "ok")
    assert f"{row[5]:f}" == "0.000015600000"


def test_a_tool_call_in_pieces_is_one_call(books, as_lines):
    def piece(**function: str) -> dict:
        call = {"index": 0, "function": function} | ({"id": "call_1"} if "name" in function else {})
        return {"delta": {"tool_calls": [call]}}

    pieces = [piece(name="find", arguments=""), piece(arguments='{"a":'), piece(arguments=" 1}")]
    booked(books, as_lines, streamed(2, [*pieces, {"delta": {}, "finish_reason": "tool_calls"}]))
    # "find" is a token, '{"a":1}' is 5, and a call's framing 7.
    assert books.rows("SELECT counted_tool_call_tokens, counted_answer_tokens FROM requests") == [(13, 0)]


def test_reasoning_that_the_log_shows_is_output_of_its_own_kind(books, as_lines):
    thought = [{"delta": {"reasoning_content": " the" * 40}}, *said(" the" * 3)]
    row = booked(books, as_lines, streamed(3, thought, model="thinker-1"))
    assert row[:4] == (27, 43, 40, "estimated")


def test_anthropics_thinking_is_counted_where_its_usage_is_lost(books, as_lines):
    events = [
        {
            "type": "message_start",
            "message": {"id": "msg_1", "type": "message", "model": "claude-sonnet-4-5"},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": " the" * 100},
        },
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Yes."}},
    ]
    request = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hm?"}],
    }
    row = booked(books, as_lines, {"request": request, "response": events, "status": 200})
    output, reasoning, source = row[1:4]
    assert source == "estimated"
    # A hundred words of this vocabulary are at least as many tokens of the model's.
    assert reasoning >= 100
    assert output > reasoning


def test_a_cancelled_stream_is_billed_for_what_it_said(books, as_lines):
    row = booked(books, as_lines, streamed(4, said(" the", " the")[:2], cancelled=True))
    assert row[:5] == (27, 2, None, "counted", "cancelled")
    assert row[5] > 0


def test_a_stream_that_an_error_broke_off_is_billed_for_what_it_said(books, as_lines):
    record = streamed(5, said(" the", " the")[:2])
    record["response"].append({"error": {"message": "overloaded", "type": "server_error"}})
    assert booked(books, as_lines, record)[:5] == (27, 2, None, "counted", "error")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_refused_call_costs_nothing_and_keeps_its_reason(books, as_lines, status):
    record = streamed(6, [])
    record |= {"response": {"error": {"message": "no", "type": "some_error"}}, "status": status}
    row = booked(books, as_lines, record)
    assert row == (None, None, None, "none", "error", 0, None)
    assert books.rows("SELECT http_status, error_type, counted_input_tokens FROM requests") == [
        (status, "some_error", 27)
    ]


ASKED = [{"role": "user", "content": "hello, world"}]
CLAUDE = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": ASKED}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "hello, world"}]}]}
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "hello, world"}]}]}
OTHERS = [
    ("/v1/messages", CLAUDE, {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}),
    (
        "/v1beta/models/gemini-2.5-flash:generateContent",
        GEMINI,
        {"error": {"code": 503, "message": "no", "status": "UNAVAILABLE"}},
    ),
    ("/model/anthropic.claude-3-haiku-20240307-v1:0/converse", CONVERSE, {"message": "no"}),
]


@pytest.mark.parametrize(("path", "request_body", "answer"), OTHERS, ids=["claude", "gemini", "converse"])
def test_a_refused_call_of_another_family_costs_nothing_beside_its_count(
    books, as_lines, path, request_body, answer
):
    record = {"url_path": path, "request": request_body, "response": answer, "status": 503, "id": "1"}
    row = booked(books, as_lines, {**record, "ts": "2026-10-06T10:00:00Z"})
    assert (row[0], row[1], row[3], row[4], row[5]) == (None, None, "none", "error", 0)
    ((status, kept),) = books.rows("SELECT http_status, counted_input_tokens FROM requests")
    assert status == 503
    assert kept > 0


def test_a_cancelled_stream_of_claude_is_billed_for_what_it_said(books, as_lines):
    usage = {"input_tokens": 10, "output_tokens": 1}
    events = [
        {"type": "message_start", "message": {"id": "msg_1", "type": "message", "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello, world"}},
    ]
    record = {"url_path": "/v1/messages", "request": CLAUDE, "response": events, "cancelled": True}
    row = booked(books, as_lines, {**record, "ts": "2026-10-06T10:00:00Z"})
    # "hello, world" is three tokens of Claude's; the one of the opening event is no end count.
    assert row[0] == 10
    assert row[1] >= 3
    assert (row[3], row[4]) == ("estimated", "cancelled")


def test_a_later_record_with_usage_takes_the_place_of_the_count(books, as_lines):
    counted = streamed(7, [{"delta": {"reasoning_content": " the" * 40}}, *said("Yes.")], model="thinker-1")
    reported = streamed(7, said("Yes."), model="thinker-1")
    reported["response"][-1]["usage"] = {"prompt_tokens": 31, "completion_tokens": 50, "total_tokens": 81}
    books.ingest(books.file("a.jsonl", as_lines([counted])))
    books.ingest(books.file("b.jsonl", as_lines([reported])))
    assert books.rows("SELECT input_tokens, output_tokens, reasoning_tokens, usage_source FROM requests") == [
        (31, 50, None, "reported")
    ]


HIDDEN = ("usage", "x_groq", "usageMetadata", "amazon-bedrock-invocationMetrics")


def without_usage(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_usage(inner) for key, inner in value.items() if key not in HIDDEN}
    return [without_usage(item) for item in value] if isinstance(value, list) else value


@pytest.mark.shared
def test_recorded_streams_count_as_billed_where_the_row_says_counted(books, as_lines, shared):
    bills, records = {}, []
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz") as corpus:
        for row in map(json.loads, corpus):
            output = (row["billed"] or {}).get("output_tokens")
            # A response that bills nothing at all is a mock.
            if isinstance(row["response"], list) and output:
                record = {key: row[key] for key in ("request", "status", "url_path")}
                call_id = f"recorded-{row['id']:08d}"
                records.append({**record, "call_id": call_id, "response": without_usage(row["response"])})
                bills[len(records)] = (sum(row["billed"][name] or 0 for name in INPUT), output)
    books.ingest(books.file("streams.jsonl", as_lines(records)))
    counted = books.rows(
        "SELECT source_line, input_tokens, output_tokens FROM requests WHERE usage_source = 'counted'"
    )
    assert len(counted) >= 150
    assert sum(bills[line][0] == tokens for line, tokens, _ in counted) >= 0.98 * len(counted)
    assert sum(bills[line][1] == tokens for line, _, tokens in counted) >= 0.94 * len(counted)
