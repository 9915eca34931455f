"""Rules of OpenAI's framing that were found late, each against a sum written out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from collector.apis import openai_responses, openai_shapes
from collector.counting import count
from collector.counting.tools_text import render
from collector.tokenizers import CL100K, O200K, count_text
from ledger.types import (
    Answer,
    Api,
    Category,
    Count,
    CountMethod,
    Message,
    OutputSchema,
    Part,
    PartKind,
    Prompt,
    Request,
    Tool,
)


def n(text: str, encoding: str = O200K) -> int:
    return count_text(encoding, text)


def says(role: str, text: str) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),))


def counted(prompt: Prompt, model: str = "gpt-4o-mini", api: Api = Api.OPENAI_CHAT, **more: object) -> Count:
    return count(replace(Request(api=api, model=model, prompt=prompt), **more))  # type: ignore[arg-type]


ASKS = says("user", "hello world")  # 3 + 1 + 2
LIGHT = Tool("light", "Switch it.", {"type": "object", "properties": {"on": {"type": "boolean"}}})
LIGHT_TEXT = (
    "# Tools\n\n## functions\n\nnamespace functions {\n\n// Switch it.\n"
    "type light = (_: { on?: boolean}) => any;\n\n} // namespace functions"
)


def tool_text(schema: dict[str, object]) -> str:
    return render(Tool("f", "Do.", {"type": "object", **schema})).text


def test_a_union_stands_on_lines_of_its_own_with_its_notes_behind() -> None:
    day = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "description": "When"}
    text = tool_text({"properties": {"day": day}, "required": ["day"]})
    expected = "// Do.\ntype f = (_: { // When\nday:\n | string, // format: date\n | null}) => any;\n\n"
    assert text == expected


def test_a_list_of_types_repeats_the_description_at_each() -> None:
    text = tool_text({"properties": {"day": {"type": ["string", "null"], "description": "When"}}})
    assert "// When\nday?:\n | string, // When\n | null, // When}" in text


def test_objects_in_a_list_stand_on_lines_of_their_own_after_their_title() -> None:
    item = {"title": "Dog", "type": "object", "properties": {"name": {"type": "string"}}}
    text = tool_text({"properties": {"dogs": {"type": "array", "items": item}}})
    assert "{ dogs?: // Dog\n\n{ name?: string\n}[]})" in text


def test_the_description_of_all_arguments_stands_before_them() -> None:
    text = tool_text({"description": "Arguments.", "properties": {"x": {"type": "integer"}}})
    assert "type f = (_: // Arguments.\n{ x?: number}) => any;" in text


def test_on_responses_tools_are_a_text_apart_from_the_system_text() -> None:
    # "Be brief" without a full stop: joined to it, the tools would cost one token more.
    prompt = Prompt((says("system", "Be brief"), ASKS), tools=(LIGHT,))
    responses = counted(prompt, api=Api.OPENAI_RESPONSES)
    assert responses.segments.tools == n(LIGHT_TEXT) - 3
    chat = counted(prompt)
    assert chat.segments.tools == n(f"Be brief\n\n{LIGHT_TEXT}") - n("Be brief") - 1
    assert chat.segments.tools == n(LIGHT_TEXT) + 1 - 1


def call(body: dict[str, object]) -> Prompt:
    item = {"type": "function_call", "call_id": "c", "name": "light", "arguments": '{"on": true}', **body}
    return openai_responses.prompt({"input": [{"role": "user", "content": "hello world"}, item]})


def test_on_responses_a_call_the_provider_holds_costs_three_more() -> None:
    held = counted(call({"id": "fc_1"}), api=Api.OPENAI_RESPONSES)
    assert held.input_tokens == 3 + (3 + 1 + 2) + (3 + 1) + 3 + n("light") + n('{"on":true}') + 3


def test_on_responses_a_call_from_elsewhere_counts_as_it_is_written() -> None:
    foreign = counted(call({}), api=Api.OPENAI_RESPONSES)
    assert foreign.input_tokens == 3 + (3 + 1 + 2) + (3 + 1) + 3 + n("light") + n('{"on": true}')


def test_a_call_that_was_not_to_be_stored_is_not_held() -> None:
    prompt = replace(call({"id": "fc_1"}), stored=False)
    assert counted(prompt, api=Api.OPENAI_RESPONSES) == counted(call({}), api=Api.OPENAI_RESPONSES)


def test_the_body_says_whether_the_provider_keeps_the_call() -> None:
    assert openai_responses.prompt({"input": "hello"}).stored
    assert not openai_responses.prompt({"input": "hello", "store": False}).stored


@pytest.mark.parametrize(
    ("model", "encoding", "written"),
    [
        ("gpt-4o-mini", O200K, '["caf\\u00e9", {"a": 1}, "2"]'),
        ("gpt-3.5-turbo", CL100K, '["caf\\u00e9", {"a": 1}, "2"]'),
        ("gpt-4o-2024-08-06", O200K, '["café", {"a": 1}, "2"]'),
    ],
)
def test_results_of_parallel_calls_are_one_json_list(model: str, encoding: str, written: str) -> None:
    calls = tuple(Part(PartKind.TOOL_CALL, "{}", name="light", call_id=name) for name in "abc")
    results = (("a", "café"), ("b", '{"a":1}'), ("c", "2"))
    asked = (ASKS, Message("assistant", calls))
    answered = tuple(
        Message("tool", (Part(PartKind.TOOL_RESULT, text, call_id=name),)) for name, text in results
    )
    without = counted(Prompt(asked), model).input_tokens or 0
    counted_all = counted(Prompt(asked + answered), model)
    assert counted_all.input_tokens == without + 10 + n(written, encoding)
    assert counted_all.method is not CountMethod.EXACT


def test_in_chat_an_earlier_answer_in_the_form_of_a_schema_costs_its_name_and_two() -> None:
    turns = (ASKS, says("assistant", "{}"), ASKS)
    schema = OutputSchema("lucky_number", {"type": "object"})
    once = counted(Prompt((ASKS,), output_schema=schema)).input_tokens or 0
    thrice = counted(Prompt(turns, output_schema=schema)).input_tokens or 0
    assert thrice == once + (3 + 1 + n("{}") + n("lucky_number") + 2) + (3 + 1 + 2)


def test_later_models_are_not_told_a_named_choice() -> None:
    prompt = Prompt((ASKS,), tools=(LIGHT,))
    named = replace(prompt, tool_choice="function:light")
    for api in (Api.OPENAI_CHAT, Api.OPENAI_RESPONSES):
        assert (
            counted(named, "gpt-5-mini", api).input_tokens == counted(prompt, "gpt-5-mini", api).input_tokens
        )
        assert counted(named, "gpt-4o", api).input_tokens == (
            (counted(prompt, "gpt-4o", api).input_tokens or 0) + n("light") + 7
        )


def test_the_first_gpt_35_turbo_framed_a_message_in_four() -> None:
    assert counted(Prompt((ASKS,)), "gpt-3.5-turbo-0301").input_tokens == 3 + 4 + 1 + 2
    assert counted(Prompt((ASKS,)), "gpt-35-turbo", provider="azure").input_tokens == 3 + 4 + 1 + 2


SAID = Answer(texts=("hello world",), finish_reason="stop")


def test_azure_adds_a_token_to_every_answer() -> None:
    assert counted(Prompt((ASKS,)), answer=SAID, provider="azure").output_tokens == 3
    assert counted(Prompt((ASKS,)), answer=SAID, provider="openai").output_tokens == 2


@pytest.mark.parametrize(
    ("day", "tokens"),
    [
        (datetime(2025, 1, 9, tzinfo=UTC), 2),
        (datetime(2025, 1, 10, tzinfo=UTC), 3),
        (datetime(2025, 3, 5, tzinfo=UTC), 3),
        (datetime(2025, 3, 6, tzinfo=UTC), 2),
        (datetime(2025, 5, 1, tzinfo=UTC), 3),
        (datetime(2025, 6, 1, tzinfo=UTC), 2),
        (None, 2),
    ],
)
def test_answers_carried_one_more_token_at_times_of_2025(day: datetime | None, tokens: int) -> None:
    assert counted(Prompt((ASKS,)), answer=SAID, ts=day).output_tokens == tokens


def test_two_choices_of_one_call_each_are_no_parallel_calls() -> None:
    calls = tuple(Part(PartKind.TOOL_CALL, "{}", name="light") for _ in range(2))
    apart = Answer(texts=("", ""), tool_calls=calls, finish_reason="tool_calls")
    assert counted(Prompt((ASKS,), tools=(LIGHT,)), answer=apart).tool_call_tokens == 2 * (
        n("light") + n("{}") + 7
    )


def test_a_count_is_exact_only_where_bills_have_shown_it() -> None:
    name = {"type": "object", "properties": {"name": {"type": "string"}}}
    text, tools = Prompt((ASKS,)), Prompt((ASKS,), tools=(replace(LIGHT, schema=name),))
    assert (counted(text).method, counted(text).error) == (CountMethod.EXACT, 0.0)
    assert counted(tools).method is CountMethod.EXACT
    assert counted(tools, api=Api.OPENAI_RESPONSES).method is CountMethod.CALIBRATED
    assert (counted(tools, api=Api.OPENAI_RESPONSES).error or 0) > 0


def test_a_model_that_comes_out_later_is_calibrated_until_its_bills_are_known() -> None:
    unknown = counted(Prompt((ASKS,)), "gpt-7-mini")
    assert (unknown.method, unknown.error, unknown.category) == (CountMethod.CALIBRATED, None, Category.TEXT)


def test_a_doubtful_form_makes_even_a_confirmed_category_an_estimate() -> None:
    oddly = replace(LIGHT, description="\nSwitch it.")
    assert counted(Prompt((ASKS,), tools=(oddly,))).method is CountMethod.CALIBRATED


@pytest.mark.parametrize("nested", [True, False])
def test_a_tool_of_free_text_is_counted_with_its_grammar_as_an_estimate(nested: bool) -> None:
    grammar = {"syntax": "lark", "definition": "start: NUMBER\n%import common.NUMBER"}
    form = {"type": "grammar", "grammar": grammar} if nested else {"type": "grammar", **grammar}
    body = {"name": "sum", "description": "Add.", "format": form}
    listed = {"type": "custom", "custom": body} if nested else {"type": "custom", **body}
    (tool,) = openai_shapes.tools({"tools": [listed]})
    text = "// Add.\n// start: NUMBER\n// %import common.NUMBER\ntype sum = (FREEFORM) => any;\n\n"
    assert render(tool).text == text
    assert counted(Prompt((ASKS,), tools=(tool,))).method is CountMethod.CALIBRATED
