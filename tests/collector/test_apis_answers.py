"""Responses become answers, whether they came whole or in chunks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.apis import APIS, error
from ledger.types import Answer, Api, Part, PartKind


def streamed(api: Api, *chunks: dict) -> Answer:
    reader = APIS[api]
    return reader.answer(reader.assemble(chunks))


def delta(index=0, finish=None, **message) -> dict:
    return {"id": "chatcmpl-1", "choices": [{"index": index, "delta": message, "finish_reason": finish}]}


def test_chat_choices_are_one_text_each():
    body = {
        "choices": [
            {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"},
            {"index": 1, "message": {"content": None, "refusal": "no"}, "finish_reason": "stop"},
        ]
    }
    assert APIS[Api.OPENAI_CHAT].answer(body) == Answer(texts=("a", "no"), finish_reason="stop")


def test_chat_deltas_join_by_choice():
    found = streamed(
        Api.OPENAI_CHAT,
        delta(0, content="He"),
        delta(1, content="Yo"),
        delta(0, content="llo"),
        delta(0, "stop"),
        delta(1, "length"),
    )
    assert found == Answer(texts=("Hello", "Yo"), finish_reason="stop")


def test_chat_tool_call_fragments_join_by_index():
    def fragment(index, call_id=None, **function):
        return delta(tool_calls=[{"index": index, "id": call_id, "function": function}])

    found = streamed(
        Api.OPENAI_CHAT,
        fragment(0, "c0", name="f", arguments='{"a"'),
        fragment(1, "c1", name="g", arguments="{}"),
        fragment(0, arguments=":1}"),
        delta(0, "tool_calls"),
    )
    assert found.tool_calls == (
        Part(PartKind.TOOL_CALL, '{"a":1}', name="f", call_id="c0"),
        Part(PartKind.TOOL_CALL, "{}", name="g", call_id="c1"),
    )


def test_tool_calls_without_an_index_start_at_their_id():
    found = streamed(
        Api.OPENAI_CHAT,
        delta(tool_calls=[{"id": "c0", "function": {"name": "f", "arguments": "{}"}}]),
        delta(tool_calls=[{"id": "c1", "function": {"name": "g", "arguments": "{}"}}]),
    )
    assert [call.name for call in found.tool_calls] == ["f", "g"]


def test_chat_reasoning_is_kept_apart_from_the_text():
    found = streamed(Api.OPENAI_CHAT, delta(reasoning_content="hm"), delta(content="yes"))
    assert (found.texts, found.reasoning) == (("yes",), "hm")


def test_the_last_usage_of_a_stream_stands():
    whole = APIS[Api.OPENAI_CHAT].assemble(
        [
            delta(content="a") | {"usage": None},
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
        ]
    )
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 1}


def test_an_error_inside_a_stream_is_found():
    whole = APIS[Api.OPENAI_CHAT].assemble(
        [delta(content="a"), {"error": {"code": "server_error", "message": "x"}}]
    )
    found = error(whole)
    assert found is not None
    assert found.kind == "server_error"


def test_completion_texts_join_by_choice():
    found = streamed(
        Api.OPENAI_COMPLETIONS,
        {"choices": [{"index": 0, "text": " on"}]},
        {"choices": [{"index": 0, "text": "ce", "finish_reason": "stop"}]},
    )
    assert found == Answer(texts=(" once",), finish_reason="stop")


RESPONSE = {
    "id": "resp_1",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "think"}]},
        {"type": "web_search_call", "status": "completed"},
        {"type": "message", "content": [{"type": "output_text", "text": "done"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ],
}


def test_responses_output_items_are_sorted_out():
    assert APIS[Api.OPENAI_RESPONSES].answer(RESPONSE) == Answer(
        texts=("done",),
        tool_calls=(Part(PartKind.TOOL_CALL, "{}", name="f", call_id="c"),),
        reasoning="think",
        finish_reason="completed",
        hidden=("web_search_call",),
    )


def test_the_final_responses_event_holds_everything():
    events = [
        {"type": "response.created", "response": {"id": "resp_1", "output": []}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "do"},
        {"type": "response.completed", "response": RESPONSE},
    ]
    assert APIS[Api.OPENAI_RESPONSES].assemble(events) == RESPONSE


def test_a_cut_responses_stream_is_rebuilt_from_its_deltas():
    found = streamed(
        Api.OPENAI_RESPONSES,
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "ha"},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "lf"},
    )
    assert found == Answer(texts=("half",), finish_reason="in_progress")


def test_an_incomplete_response_says_why():
    body = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert APIS[Api.OPENAI_RESPONSES].answer(body).finish_reason == "max_output_tokens"


ANTHROPIC_STREAM = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 5, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "mm"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ok"}},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"a":'},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use"},
        "usage": {"output_tokens": 30, "input_tokens": None},
    },
]


def test_anthropic_blocks_are_put_together():
    assert streamed(Api.ANTHROPIC_MESSAGES, *ANTHROPIC_STREAM) == Answer(
        texts=("ok",),
        tool_calls=(Part(PartKind.TOOL_CALL, '{"a":1}', name="f", call_id="t"),),
        reasoning="mm",
        finish_reason="tool_use",
    )


def test_anthropic_usage_of_a_stream_is_the_latest_that_is_known():
    whole = APIS[Api.ANTHROPIC_MESSAGES].assemble(ANTHROPIC_STREAM)
    assert whole["usage"] == {"input_tokens": 5, "output_tokens": 30}


def test_the_output_of_a_cut_anthropic_stream_is_unknown():
    whole = APIS[Api.ANTHROPIC_MESSAGES].assemble(ANTHROPIC_STREAM[:-1])
    assert whole["usage"] == {"input_tokens": 5}


def test_gemini_chunks_join_their_parts():
    found = streamed(
        Api.GEMINI_GENERATE,
        {"candidates": [{"content": {"parts": [{"text": "plan", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "Fo"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "ur"}]}, "finishReason": "STOP"}]},
    )
    assert found == Answer(texts=("Four",), reasoning="plan", finish_reason="STOP")


def test_a_blocked_gemini_prompt_says_why():
    assert (
        APIS[Api.GEMINI_GENERATE].answer({"promptFeedback": {"blockReason": "SAFETY"}}).finish_reason
        == "SAFETY"
    )


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            {"error": {"type": "invalid_request_error", "code": "invalid_api_key", "message": "m"}},
            "invalid_api_key",
            "m",
        ),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "overloaded_error", "m"),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "m"}}, "RESOURCE_EXHAUSTED", "m"),
        ({"error": {"code": "404", "message": "m"}}, "error", "m"),
        ({"error": "model not found"}, "error", "model not found"),
        ({"message": "expired"}, "error", "expired"),
    ],
)
def test_errors_of_every_api_have_a_kind(body, kind, message):
    found = error(body)
    assert found is not None
    assert (found.kind, found.message) == (kind, message)


@pytest.mark.parametrize("empty", [None, {}, "", False])
def test_an_empty_error_is_no_error(empty):
    assert error({"id": "x", "error": empty, "output": []}) is None


def test_a_whole_anthropic_message_in_a_list_is_read():
    message = {"type": "message", "content": [{"type": "text", "text": "hi"}], "usage": {"input_tokens": 2}}
    assert streamed(Api.ANTHROPIC_MESSAGES, message).texts == ("hi",)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ("default", "standard"),
        ("auto", "standard"),
        ("flex", "flex"),
        ("priority", "priority"),
        ("batch", "batch"),
        ("x", None),
    ],
)
def test_service_tiers_are_named_alike(said, tier):
    assert APIS[Api.OPENAI_CHAT].response_facts({"service_tier": said}).service_tier == tier


def test_creation_time_is_utc():
    facts = APIS[Api.OPENAI_CHAT].response_facts({"created": 1767225600})
    assert facts.created == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("created", [0, 1234567890, -1, 10**18, "soon", True, float("nan")])
def test_an_implausible_creation_time_is_unknown(created):
    assert APIS[Api.OPENAI_CHAT].response_facts({"created": created}).created is None
