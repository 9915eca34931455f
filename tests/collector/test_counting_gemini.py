"""Gemini's prompts: an estimate from o200k tokens, digits and line ends, with framing from bills."""

from __future__ import annotations

from collector.apis import APIS
from collector.counting import count
from ledger.types import Api, CountMethod, Message, OutputSchema, Part, PartKind, Prompt, Request, Tool


def says(role: str, text: str) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),))


def asked(model: str, *messages: Message, tools: tuple[Tool, ...] = ()) -> Request:
    return Request(api=Api.GEMINI_GENERATE, model=model, prompt=Prompt(messages, tools=tools))


def test_a_message_costs_one_from_2_5_on_and_nothing_before() -> None:
    # "Say hello" is two tokens of o200k and of Gemini.
    assert count(asked("gemini-2.5-flash", says("user", "Say hello"))).input_tokens == 2 + 1
    assert count(asked("gemini-2.0-flash-001", says("user", "Say hello"))).input_tokens == 2


def test_every_digit_is_a_token() -> None:
    # o200k: 420|0| + 42, Gemini: one by one; so four digits in two pieces cost two more, two in one one more.
    words = count(asked("gemini-2.0-flash", says("user", "a + b"))).input_tokens or 0
    numbers = count(asked("gemini-2.0-flash", says("user", "4200 + 42"))).input_tokens or 0
    assert (words, numbers) == (3, 1 + 1 + 6)


def test_a_tool_costs_its_words_and_a_frame_for_itself_and_each_property() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string", "description": "Where."}}}
    tool = Tool("look", "Find.", schema)
    # look|Find|.|city|Where|. are six tokens.
    assert count(asked("gemini-2.5-flash", tools=(tool,))).segments.tools == 6 + 18 + 12
    assert count(asked("gemini-2.0-flash", tools=(tool,))).segments.tools == 6 + 3 + 2


def test_a_schema_in_either_spelling_is_read() -> None:
    declared = {"name": "look", "parameters_json_schema": {"type": "object", "properties": {}}}
    body = {"contents": [], "tools": [{"function_declarations": [declared]}]}
    assert APIS[Api.GEMINI_GENERATE].prompt(body).tools[0].schema == declared["parameters_json_schema"]


def test_an_output_schema_is_free() -> None:
    plain = Prompt((says("user", "Say hello"),))
    shaped = Prompt(plain.messages, output_schema=OutputSchema("x", {"type": "object"}))
    counts = [
        count(Request(api=Api.GEMINI_GENERATE, model="gemini-2.5-pro", prompt=prompt)).input_tokens
        for prompt in (plain, shaped)
    ]
    assert counts[0] == counts[1]


def test_an_image_costs_what_its_generation_takes() -> None:
    picture = Message("user", (Part(PartKind.IMAGE),))
    assert count(asked("gemini-2.5-flash", picture)).segments.media == 258
    assert count(asked("gemini-2.0-flash", picture)).segments.media == 1290


def test_no_gemini_count_is_called_exact_and_each_says_its_error() -> None:
    counted = count(asked("gemini-2.5-flash", says("user", "Say hello")))
    assert counted.method is CountMethod.CALIBRATED
    assert 0 < (counted.error or 0) < 0.05


def test_a_schema_nested_without_end_leaves_the_count_partial() -> None:
    schema: dict[str, object] = {"type": "object"}
    schema["properties"] = {"again": schema}
    assert count(asked("gemini-2.5-flash", tools=(Tool("deep", "", schema),))).method is CountMethod.PARTIAL
