"""Which records are the same call."""

from __future__ import annotations

import pytest

from collector.identity import request_id
from ledger.types import Api, Request

DIGEST = b"d" * 16


def kind(**known: object) -> str:
    return request_id(Request(api=Api.OPENAI_CHAT, model=None, **known), "pair", DIGEST)[1]


@pytest.mark.parametrize(
    "answer_id",
    [
        "chatcmpl-Synthetic0000000000001",
        "chatcmpl-01234567-89ab-cdef-0123-456789abcdef",
        "cmpl-Synthetic0000000000001",
        "resp_" + "0a" * 16,
        "msg_01SyntheticSynthetic001",
        "msg_bdrk_01SyntheticSynthetic",
        "gen-1790000000-Synthetic00000000001",
        "Ab3dEfGhIjKlMnOpQrStUv",
    ],
)
def test_an_id_of_a_providers_real_shape_is_the_calls(answer_id):
    assert kind(response_id=answer_id, call_id="gateway-call-1") == "response"


@pytest.mark.parametrize("answer_id", ["chatcmpl-123", "resp_1", "msg_1", "cmpl-x", "test", "", None])
def test_an_id_that_a_test_server_makes_up_is_not(answer_id):
    assert kind(response_id=answer_id, call_id="gateway-call-1") == "call"
    assert kind(response_id=answer_id) == "record"


@pytest.mark.parametrize(
    "call_id",
    [
        *("", "-", "null", "None", "0", "undefined", " undefined ", "n/a", "unknown", "nil", "gw-1"),
        *("17", "00000017", "4711042", "xxxxxxxx", "--------", "[object Object]", "not-set", "not available"),
        *("request_id", "x-request-id", "litellm_call_id"),
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-ffff-ffff-ffff-ffffffffffff",
    ],
)
def test_a_placeholder_or_a_counter_is_no_call_id(call_id):
    assert kind(call_id=call_id) == "record"
    assert kind(call_id=call_id, response_id="chatcmpl-Synthetic0000000000001", cache_hit=True) == "record"


@pytest.mark.parametrize(
    "call_id",
    [
        "job-2026-17",
        "12345678",
        "1790000000123",
        "0000000000000001a",
        "01234567-89ab-cdef-0123-456789abcdef",
        "request_id_9",
        "undefined-behaviour-7",
    ],
)
def test_an_id_with_something_in_it_is_the_calls(call_id):
    assert kind(call_id=call_id) == "call"


def test_calls_behind_a_placeholder_are_all_booked(books, chat_record, as_lines):
    records = [chat_record(number, id="undefined") for number in range(3)]
    for record in records:
        record["response"]["id"] = "chatcmpl-123"
    summary = books.ingest(books.file("a.jsonl", as_lines(records)))
    assert (summary.total("added"), books.rows("SELECT count(*) FROM requests")) == (3, [(3,)])


def test_each_attempt_under_one_call_id_is_billed(books, chat_record, as_lines):
    records = [chat_record(1, id="gateway-call-1", attempt=attempt) for attempt in (1, 2, 3)]
    unnumbered = chat_record(1, id="gateway-call-1")
    for record in (*records, unnumbered):
        record["response"]["id"] = None
    books.ingest(books.file("a.jsonl", as_lines([*records, unnumbered])))
    assert books.rows("SELECT attempt FROM requests ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_gateways_cached_answer_is_a_call_of_its_own():
    assert (
        kind(response_id="chatcmpl-Synthetic0000000000001", call_id="gateway-call-2", cache_hit=True)
        == "call"
    )


def test_the_same_call_id_in_two_kinds_of_log_is_two_calls():
    request = Request(api=Api.OPENAI_CHAT, model=None, call_id="nightly-job-1")
    assert request_id(request, "pair", DIGEST) != request_id(request, "litellm", DIGEST)


def test_a_cached_answer_costs_nothing_and_the_call_it_repeats_is_paid_once(books, chat_record, as_lines):
    paid, repeated = chat_record(1, id="gateway-call-1"), chat_record(1, id="gateway-call-2", cache_hit=True)
    books.ingest(books.file("a.jsonl", as_lines([paid, repeated])))
    # gpt-4.1-mini: 61 input at $0.40, 40 cached at $0.10, 7 output at $1.60 a million.
    assert books.rows("SELECT cache_hit, cost_usd::VARCHAR FROM requests ORDER BY 1") == [
        (False, "0.000039600000"),
        (True, "0.000000000000"),
    ]


def test_answers_of_a_test_server_are_calls_of_their_own(books, chat_record, as_lines):
    records = [chat_record(number) for number in range(3)]
    for record in records:
        record["response"]["id"] = "chatcmpl-123"
    books.ingest(books.file("a.jsonl", as_lines(records)))
    assert books.rows("SELECT count(*) FROM requests") == [(3,)]


def test_identical_records_without_an_id_are_one_and_are_counted(books, chat_record, as_lines):
    record = chat_record(1)
    del record["response"]["id"]
    summary = books.ingest(books.file("a.jsonl", as_lines([record] * 3)))
    assert (summary.total("added"), summary.total("merged_identical")) == (1, 2)
    assert books.rows("SELECT merged_identical FROM ingest_runs") == [(2,)]


def test_a_gateways_log_and_a_pair_of_bodies_meet_in_one_row(books, chat_record, as_lines):
    gateway = {
        "id": "gateway-call-1",
        "call_type": "acompletion",
        "startTime": 1_791_200_001.5,
        "endTime": 1_791_200_002.5,
        "model": "gpt-4.1-mini",
        "prompt_tokens": 101,
        "completion_tokens": 7,
        "total_tokens": 108,
        "status": "success",
        "metadata": {"user_api_key_team_alias": "acme"},
        "response": {"id": "chatcmpl-Synthetic000000000001"},
    }
    books.ingest(books.file("pair.jsonl", as_lines([chat_record(1)])))
    summary = books.ingest(books.file("gateway.jsonl", as_lines([gateway])))
    assert (dict(summary.formats), summary.total("updated")) == ({"litellm": 1}, 1)
    assert books.rows("SELECT tenant, latency_ms, count(*) FROM requests GROUP BY ALL") == [("acme", 1000, 1)]
