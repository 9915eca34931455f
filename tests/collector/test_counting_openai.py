"""How OpenAI chat and Responses calls are counted, against sums written out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from collector.counting import count
from collector.tokenizers import O200K, count_text
from ledger.types import (
    Answer,
    Api,
    Count,
    CountMethod,
    Message,
    OutputSchema,
    Part,
    PartKind,
    Prompt,
    Request,
    Segments,
    Tool,
)


def n(text: str) -> int:
    return count_text(O200K, text)


def says(role: str, text: str, name: str | None = None) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),), name)


def calls(*named: tuple[str, str]) -> Message:
    parts = (
        Part(PartKind.TOOL_CALL, arguments, name=name, call_id=f"c{index}")
        for index, (name, arguments) in enumerate(named)
    )
    return Message("assistant", tuple(parts))


def returns(text: str, call_id: str = "c0") -> Message:
    return Message("tool", (Part(PartKind.TOOL_RESULT, text, call_id=call_id),))


def chat(prompt: Prompt | None, model: str = "gpt-4o", api: Api = Api.OPENAI_CHAT, **more: object) -> Count:
    return count(replace(Request(api=api, model=model, prompt=prompt), **more))  # type: ignore[arg-type]


HELLO = (says("system", "Be brief."), says("user", "hello world"))
LOOK_UP = Tool(
    "look_up",
    "Find a customer.",
    {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "description": "Number"},
            "full": {"type": "boolean", "default": False},
        },
        "required": ["id"],
    },
)
LOOK_UP_TEXT = (
    "# Tools\n\n## functions\n\nnamespace functions {\n\n"
    "// Find a customer.\n"
    "type look_up = (_: { // Number\nid: number,\nfull?: boolean, // default: false}) => any;\n\n"
    "} // namespace functions"
)


def test_a_plain_chat_is_base_plus_role_and_text_of_each_message() -> None:
    # 3, then 3 + "system" 1 + "Be brief." 3, then 3 + "user" 1 + "hello world" 2.
    counted = chat(Prompt(HELLO))
    assert (counted.method, counted.input_tokens) == (CountMethod.EXACT, 3 + (3 + 1 + 3) + (3 + 1 + 2))
    assert counted.segments == Segments(system=3, user=2, framing=3 + 4 + 4)


def test_a_reasoning_model_has_a_smaller_base_and_charges_plain_assistant_turns() -> None:
    prompt = Prompt(
        (says("user", "hello world"), says("assistant", "hello world"), says("user", "hello world"))
    )
    assert chat(prompt).input_tokens == 3 + 3 * (3 + 1 + 2)
    assert chat(prompt, "gpt-5-mini").input_tokens == 2 + 3 * (3 + 1 + 2) + 2


def test_a_name_costs_one_token_more_on_the_older_vocabulary() -> None:
    prompt = Prompt((says("user", "hello world", name="bob"),))
    assert chat(prompt, "gpt-4o").input_tokens == 3 + 3 + 1 + 2 + n("bob")
    assert chat(prompt, "gpt-4").input_tokens == 3 + 3 + 1 + 2 + count_text("cl100k_base", "bob") + 1


def test_tools_stand_in_the_system_message_as_typescript() -> None:
    counted = chat(Prompt(HELLO, tools=(LOOK_UP,)))
    assert counted.input_tokens == 3 + (3 + 1 + n(f"Be brief.\n\n{LOOK_UP_TEXT}") - 1) + (3 + 1 + 2)
    assert counted.segments.system == 3


def test_tools_without_a_system_message_bring_their_own() -> None:
    counted = chat(Prompt((says("user", "hello world"),), tools=(LOOK_UP,)))
    assert counted.input_tokens == 3 + (3 + 1 + 2) + n(LOOK_UP_TEXT) + 3


def test_a_forced_function_costs_its_name_and_seven() -> None:
    free = chat(Prompt(HELLO, tools=(LOOK_UP,), tool_choice="required"))
    forced = chat(Prompt(HELLO, tools=(LOOK_UP,), tool_choice="function:look_up"))
    assert forced.input_tokens == (free.input_tokens or 0) + n("look_up") + 7


def test_tool_tokens_share_the_tools_segment() -> None:
    small = Tool("ping")
    counted = chat(Prompt(HELLO, tools=(LOOK_UP, small)))
    shares = dict(counted.tool_tokens)
    assert sum(shares.values()) == counted.segments.tools
    assert shares["look_up"] > shares["ping"] > 0


def test_one_call_and_its_result_are_counted_by_name_and_compact_arguments() -> None:
    turn = (says("user", "hello world"), calls(("look_up", '{"id": 7}')), returns("found"))
    expected_call = 3 + 1 + 3 + n("look_up") + n('{"id":7}') + 2
    expected_result = 3 + n("functions.look_up") + n("found")
    counted = chat(Prompt(turn))
    assert counted.input_tokens == 3 + (3 + 1 + 2) + expected_call + expected_result
    assert counted.segments.tool_results == n("found")


def test_parallel_calls_are_one_multi_tool_use_with_a_list_of_results() -> None:
    both = calls(("a", '{"x": 1}'), ("b", "{}"))
    counted = chat(Prompt((says("user", "hello world"), both, returns("one", "c0"), returns("it's", "c1"))))
    uses = (
        '{"tool_uses":[{"recipient_name":"functions.a","parameters":{"x":1}},'
        '{"recipient_name":"functions.b","parameters":{}}]}'
    )
    calling = 3 + 1 + n(" to=multi_tool_use.parallel") + n(uses)
    assert counted.input_tokens == 3 + (3 + 1 + 2) + calling + 10 + n("""['one', "it's"]""")


def test_an_output_schema_is_shown_without_what_only_validates_and_with_escapes() -> None:
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string", "description": "naïve", "maxLength": 9, "default": ""}},
        "required": ["title"],
        "additionalProperties": False,
    }
    shown = '{"type":"object","properties":{"title":{"type":"string","description":"na\\u00efve"}}}'
    text = f"# Response Formats\n\n## book\n\nbook{shown}"
    alone = chat(Prompt((says("user", "hello world"),), output_schema=OutputSchema("book", schema)))
    beside = chat(Prompt(HELLO, output_schema=OutputSchema("book", schema)))
    assert alone.segments.schema == n(text) + 6
    assert beside.segments.schema == n(f"Be brief.\n\n{text}") - n("Be brief.") + 2


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {"required": {"type": "string"}}, "required": ["required"]}
    counted = chat(Prompt((says("user", "hello world"),), output_schema=OutputSchema("x", schema)))
    text = '# Response Formats\n\n## x\n\nx{"type":"object","properties":{"required":{"type":"string"}}}'
    assert counted.segments.schema == n(text) + 6


@pytest.mark.parametrize(
    ("model", "detail", "size", "tokens"),
    [
        ("gpt-4o", None, (1024, 1024), 85 + 4 * 170),  # shrunk to 768 x 768: four tiles
        ("gpt-4o", None, (512, 512), 85 + 170),
        ("gpt-4o", "low", (4000, 4000), 85),
        ("gpt-4o-mini", None, (512, 512), 2833 + 5667),
        ("gpt-4.1-mini", None, (64, 64), 8),  # four patches: ceil(4 * 1.62) + 1
        ("gpt-4.1-mini", None, (640, 480), 488),  # 300 patches: 486.00000000000006 rounded up, + 1
        ("gpt-5", None, (512, 512), 70 + 140),
    ],
)
def test_an_image_costs_by_its_size(
    model: str, detail: str | None, size: tuple[int, int], tokens: int
) -> None:
    image = Part(PartKind.IMAGE, detail=detail, width=size[0], height=size[1])
    counted = chat(Prompt((Message("user", (image,)),)), model)
    assert counted.segments.media == tokens


HIDDEN_THINGS = {
    "an image of unknown size": Prompt((Message("user", (Part(PartKind.IMAGE),)),)),
    "a file": Prompt((Message("user", (Part(PartKind.FILE),)),)),
    "audio": Prompt((Message("user", (Part(PartKind.AUDIO),)),)),
    "a hosted tool": Prompt(HELLO, tools=(Tool("web_search", hosted=True),)),
    "server-side history": Prompt(HELLO, hidden=("previous_response_id",)),
    "a giant run of characters that Unicode has not assigned": Prompt((says("user", "\u0378" * 50_000),)),
}


@pytest.mark.parametrize("name", HIDDEN_THINGS)
def test_what_the_log_cannot_show_makes_the_count_partial(name: str) -> None:
    assert chat(HIDDEN_THINGS[name]).method is CountMethod.PARTIAL


def test_a_schema_form_that_no_bill_has_confirmed_makes_the_count_an_estimate() -> None:
    union = {"type": "object", "properties": {"id": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}
    assert chat(Prompt(HELLO, tools=(Tool("find", schema=union),))).method is CountMethod.CALIBRATED


def test_tools_on_responses_are_an_estimate() -> None:
    day = datetime(2026, 3, 4, tzinfo=UTC)
    assert chat(Prompt(HELLO), api=Api.OPENAI_RESPONSES, ts=day).method is CountMethod.EXACT
    assert chat(Prompt(HELLO, tools=(LOOK_UP,)), api=Api.OPENAI_RESPONSES).method is CountMethod.CALIBRATED


def test_a_compatible_model_of_another_maker_is_an_estimate() -> None:
    assert chat(Prompt(HELLO), "llama-3.3-70b").method is CountMethod.CALIBRATED


def test_without_a_prompt_there_is_no_input_count() -> None:
    counted = chat(None, answer=Answer(texts=("hello world",)))
    assert (counted.method, counted.input_tokens, counted.output_tokens) == (CountMethod.NONE, None, 2)


def test_without_an_answer_there_is_no_output_count() -> None:
    assert chat(Prompt(HELLO)).output_tokens is None


def test_an_api_without_a_family_is_not_counted() -> None:
    assert chat(Prompt(HELLO), api=Api.OTHER).method is CountMethod.NONE


def test_responses_carried_hidden_tokens_for_some_days_of_march_2025() -> None:
    def at(day: datetime) -> Segments:
        return chat(Prompt(HELLO), api=Api.OPENAI_RESPONSES, ts=day).segments

    assert at(datetime(2025, 3, 9, tzinfo=UTC)).unexplained == 0
    assert at(datetime(2025, 3, 20, tzinfo=UTC)).unexplained == 18
    assert at(datetime(2025, 4, 1, tzinfo=UTC)).unexplained == 0


def test_responses_items_of_calls_in_a_row_are_one_message() -> None:
    first, second = calls(("a", "{}")), calls(("b", "{}"))
    counted = chat(Prompt((says("user", "hello world"), first, second)), api=Api.OPENAI_RESPONSES)
    visible = 3 + n("a") + n("{}") + 3 + n("b") + n("{}")
    assert counted.input_tokens == 3 + (3 + 1 + 2) + (3 + 1) + visible + 3 + 1


def test_an_answers_text_is_counted_with_its_end() -> None:
    said = Answer(texts=("hello world",), finish_reason="stop")
    assert chat(Prompt(HELLO), answer=said).output_tokens == 2
    assert chat(Prompt(HELLO, tools=(LOOK_UP,)), answer=said).output_tokens == 3
    assert chat(Prompt(HELLO), api=Api.OPENAI_RESPONSES, answer=said).output_tokens == 3
    assert chat(Prompt(HELLO), "gpt-5", answer=said).output_tokens == 2 + 9


def test_an_answer_cut_at_the_limit_has_no_end() -> None:
    cut = Answer(texts=("hello world",), finish_reason="length")
    assert chat(Prompt(HELLO, tools=(LOOK_UP,)), answer=cut).output_tokens == 2


def test_an_answers_call_is_its_name_and_arguments_and_seven() -> None:
    called = Answer(tool_calls=(Part(PartKind.TOOL_CALL, '{"id": 7}', name="look_up"),))
    counted = chat(Prompt(HELLO, tools=(LOOK_UP,)), answer=called)
    assert (counted.answer_tokens, counted.tool_call_tokens) == (0, n("look_up") + n('{"id":7}') + 7)


def test_a_forced_function_is_billed_for_its_arguments_alone() -> None:
    called = Answer(tool_calls=(Part(PartKind.TOOL_CALL, "{}", name="look_up"),))
    prompt = Prompt(HELLO, tools=(LOOK_UP,), tool_choice="function:look_up")
    assert chat(prompt, answer=called).tool_call_tokens == n("{}")


def test_parallel_calls_of_an_answer_share_one_frame() -> None:
    called = Answer(tool_calls=tuple(Part(PartKind.TOOL_CALL, "{}", name=name) for name in ("a", "b")))
    counted = chat(Prompt(HELLO, tools=(LOOK_UP,)), answer=called)
    assert counted.tool_call_tokens == n("a") + n("b") + 2 * n("{}") + 16 + 2 * 7


def test_a_structured_answer_beside_tools_costs_four_more() -> None:
    said = Answer(texts=("hello world",))
    prompt = Prompt(HELLO, tools=(LOOK_UP,), output_schema=OutputSchema("x", {"type": "object"}))
    assert chat(prompt, answer=said).answer_tokens == 2 + 1 + 4
