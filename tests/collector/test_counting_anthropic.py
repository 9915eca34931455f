"""Claude's prompts: text in its own vocabulary, the framing around it from bills."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.apis import APIS
from collector.counting import count
from collector.counting.anthropic_messages import patches
from collector.counting.framed_evidence import generation
from collector.counting.framing import constants, rows
from collector.tokenizers import count_text
from ledger.types import (
    Answer,
    Api,
    CountMethod,
    Message,
    OutputSchema,
    Part,
    PartKind,
    Prompt,
    Request,
    Tool,
)

HAIKU = "claude-haiku-4-5-20251001"


def says(role: str, text: str) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),))


def asked(*messages: Message, model: str = HAIKU, **more: object) -> Request:
    prompt = replace(Prompt(messages), **more)
    return Request(api=Api.ANTHROPIC_MESSAGES, model=model, prompt=prompt)


def test_one_short_question_costs_its_words_and_seven() -> None:
    # "hello, world" is 3 tokens (hello | , | world).
    counted = count(asked(says("user", "hello, world")))
    assert (counted.method, counted.input_tokens, counted.error) == (CountMethod.EXACT, 10, 0.0)


def test_each_answered_turn_costs_six_more_and_a_prefilled_answer_nothing() -> None:
    question, reply = says("user", "hello, world"), says("assistant", "hello, world")
    assert count(asked(question, reply, question)).input_tokens == 7 + 6 + 3 * 3
    assert count(asked(question, reply)).input_tokens == 7 + 2 * 3


def test_the_newer_generation_frames_with_six() -> None:
    counted = count(asked(says("user", "hello, world"), model="claude-sonnet-5"))
    assert (counted.method, counted.input_tokens) == (CountMethod.CALIBRATED, 6 + 4)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        ("claude-sonnet-4-20250514", CountMethod.EXACT),
        ("claude-opus-4-5", CountMethod.EXACT),
        ("claude-3-5-haiku-20241022", CountMethod.CALIBRATED),
        ("claude-opus-4-7", CountMethod.CALIBRATED),
        ("claude-opus-4-8", CountMethod.CALIBRATED),
        ("claude-sonnet-6-20270101", CountMethod.CALIBRATED),
        ("claude-2.1", CountMethod.CALIBRATED),
    ],
)
def test_text_is_called_exact_only_for_generations_with_bills_of_several_repositories(
    model: str, method: CountMethod
) -> None:
    assert count(asked(says("user", "hello, world"), model=model)).method is method


def test_a_generation_that_nobody_has_recorded_has_no_known_error() -> None:
    assert count(asked(says("user", "hello, world"), model="claude-sonnet-6-20270101")).error is None
    assert count(asked(says("user", "hello, world"), model="claude-opus-4-1")).error == 0.0


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-3-5-haiku-20241022", "claude-3.5"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "claude-3.7"),
        ("claude-sonnet-4-20250514", "claude-4"),
        ("anthropic/claude-opus-4.8", "claude-4.8"),
        ("gemini-2.5-flash-preview-05-20", "gemini-2.5"),
        ("models/gemini-2.0-flash-001", "gemini-2"),
        ("House-Llama-9", "house-llama-9"),
    ],
)
def test_a_generation_is_a_family_and_its_version(model: str, expected: str) -> None:
    assert generation(model) == expected


def test_every_constant_has_a_row_for_any_model() -> None:
    for api in (Api.ANTHROPIC_MESSAGES, Api.GEMINI_GENERATE):
        named = {row.constant for row in rows() if row.api is api}
        assert constants(api, "one-of-tomorrow").keys() == named


def test_a_row_says_what_it_rests_on() -> None:
    wide = [row for row in rows() if row.model == "*"]
    assert all(row.recordings >= row.repositories > 0 for row in wide)


def test_thinking_costs_a_text_of_its_own() -> None:
    plain = count(asked(says("user", "hello, world")))
    thinking = count(asked(says("user", "hello, world"), thinking="enabled"))
    assert (thinking.input_tokens or 0) - (plain.input_tokens or 0) == 29
    assert thinking.method is CountMethod.CALIBRATED


def test_thinking_is_read_from_the_body() -> None:
    read = APIS[Api.ANTHROPIC_MESSAGES].prompt
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert read({**body, "thinking": {"type": "enabled", "budget_tokens": 1024}}).thinking == "enabled"
    assert read({**body, "thinking": {"type": "disabled"}}).thinking is None


def test_a_tool_is_shown_as_json_behind_a_text_that_depends_on_the_choice() -> None:
    tool = Tool("look_up", "Find.", {"type": "object"})
    shown = count_text(
        "claude-3", '{"description": "Find.", "name": "look_up", "parameters": {"type": "object"}}'
    )
    auto = count(asked(says("user", "hello, world"), tools=(tool,)))
    forced = count(asked(says("user", "hello, world"), tools=(tool,), tool_choice="any"))
    assert (auto.segments.tools, forced.segments.tools) == (502 + shown, 502 + 90 + shown)
    assert auto.tool_tokens == (("look_up", 502 + shown),)
    assert auto.method is CountMethod.CALIBRATED
    assert 0 < (auto.error or 0) < 0.01


def test_a_call_and_its_result_are_framed_together() -> None:
    tool = Tool("look_up", "Find.", {"type": "object"})
    called = Message("assistant", (Part(PartKind.TOOL_CALL, '{"q":"x"}', name="look_up", call_id="1"),))
    result = Message("user", (Part(PartKind.TOOL_RESULT, "hello, world", call_id="1"),))
    before = count(asked(says("user", "hello, world"), tools=(tool,)))
    after = count(asked(says("user", "hello, world"), called, result, tools=(tool,)))
    visible = count_text("claude-3", "look_up") + count_text("claude-3", '{"q": "x"}') + 3
    assert (after.input_tokens or 0) - (before.input_tokens or 0) == 6 + 2 + 49 + visible


def test_an_image_costs_its_patches_of_28_pixels() -> None:
    assert (patches(100, 100), patches(166, 282), patches(1, 1)) == (16, 66, 1)
    assert patches(20_000, 10_000) <= 1568
    picture = Message("user", (Part(PartKind.IMAGE, width=100, height=100),))
    assert count(asked(picture)).segments.media == 16 + 3


def test_an_image_of_unknown_size_leaves_the_count_partial() -> None:
    picture = Message("user", (Part(PartKind.IMAGE),))
    assert count(asked(picture)).method is CountMethod.PARTIAL


def test_an_output_schema_is_an_estimate() -> None:
    counted = count(asked(says("user", "hello, world"), output_schema=OutputSchema("x", {"type": "object"})))
    assert counted.method is CountMethod.CALIBRATED
    assert counted.segments.schema > 86


def test_an_answer_ends_with_three_tokens_unless_it_was_cut() -> None:
    whole = Answer(texts=("hello, world",), finish_reason="end_turn")
    cut = replace(whole, finish_reason="max_tokens")
    request = asked(says("user", "hello, world"))
    assert count(replace(request, answer=whole)).output_tokens == 3 + 3
    assert count(replace(request, answer=cut)).output_tokens == 3


def test_a_foreign_model_behind_the_api_is_an_estimate() -> None:
    counted = count(asked(says("user", "hello, world"), model="some-other-model"))
    assert counted.method is CountMethod.CALIBRATED
