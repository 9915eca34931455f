"""Embeddings, legacy completions, Claude and Gemini, and what holds for every family."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.counting import FAMILIES, RULES_VERSION, count
from collector.counting.tools_text import namespace, render
from ledger.types import (
    SEGMENTS,
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


def says(role: str, text: str) -> Message:
    return Message(role, (Part(PartKind.TEXT, text),))


def test_every_embedding_input_is_counted_on_its_own_as_user_text() -> None:
    prompt = Prompt((says("input", "hello world"), says("input", "hello")))
    counted = count(Request(api=Api.OPENAI_EMBEDDINGS, model="text-embedding-3-small", prompt=prompt))
    assert (counted.method, counted.input_tokens) == (CountMethod.EXACT, 3)
    assert counted.segments.user + counted.segments.history == 3


def test_token_ids_count_as_given() -> None:
    prompt = Prompt((Message("input", (Part(PartKind.TOKENS, tokens=17),)),))
    assert (
        count(Request(api=Api.OPENAI_EMBEDDINGS, model="text-embedding-3-small", prompt=prompt)).input_tokens
        == 17
    )


def test_a_legacy_completion_is_its_bare_text() -> None:
    request = Request(
        api=Api.OPENAI_COMPLETIONS,
        model="gpt-3.5-turbo-instruct",
        prompt=Prompt((says("prompt", "hello world"),)),
        answer=Answer(texts=("hello", " world")),
    )
    counted = count(request)
    assert (counted.input_tokens, counted.output_tokens) == (2, 2)


def test_an_output_schema_costs_on_claude_and_nothing_on_gemini() -> None:
    shape = OutputSchema("x", {"type": "object"})
    prompt = Prompt((says("user", "hello world"),), output_schema=shape)
    claude = count(Request(api=Api.ANTHROPIC_MESSAGES, model="claude-sonnet-4-5", prompt=prompt))
    gemini = count(Request(api=Api.GEMINI_GENERATE, model="gemini-2.5-flash", prompt=prompt))
    # 1.43 tokens for each of {"type": "object"}, which is 6 of Claude's, and 98.
    assert claude.segments.schema == round(1.43 * 6) + 98
    assert gemini.segments.schema == 0


def test_gemini_is_an_estimate() -> None:
    prompt = Prompt((says("user", "hello world"),))
    assert count(Request(api=Api.GEMINI_GENERATE, model="gemini-2.5-flash", prompt=prompt)).method is (
        CountMethod.CALIBRATED
    )


def test_a_count_names_its_rules_and_vocabulary() -> None:
    counted = count(Request(api=Api.OPENAI_CHAT, model="gpt-4", prompt=Prompt((says("user", "x"),))))
    assert (counted.rules, counted.tokenizer) == (RULES_VERSION, "cl100k_base")


def test_a_schema_that_refers_to_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}
    rendered = render(Tool("walk", schema={**node, "$defs": {"node": node}}))
    assert not rendered.whole


def test_a_schema_that_doubles_at_every_level_ends() -> None:
    levels = {
        f"l{i}": {"type": "object", "properties": {side: {"$ref": f"#/$defs/l{i + 1}"} for side in "ab"}}
        for i in range(30)
    }
    schema = {"type": "object", "properties": {"root": {"$ref": "#/$defs/l0"}}, "$defs": levels}
    assert not render(Tool("bomb", schema=schema)).whole


@pytest.mark.parametrize("api", [Api.OPENAI_CHAT, Api.ANTHROPIC_MESSAGES, Api.GEMINI_GENERATE])
def test_a_schema_nested_past_pythons_stack_makes_the_count_partial(api: Api) -> None:
    schema: dict[str, object] = {}
    for _ in range(5_000):
        schema = {"type": "object", "properties": {"x": schema}}
    prompt = Prompt(tools=(Tool("deep", schema=schema),), output_schema=OutputSchema("deep", schema))
    assert count(Request(api=api, model="gpt-4o", prompt=prompt)).method is CountMethod.PARTIAL


def test_a_nested_object_and_an_enum_are_written_inline() -> None:
    schema = {
        "properties": {
            "unit": {"enum": ["c", "f"]},
            "place": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        }
    }
    expected = (
        'type report = (_: { unit?: "c" | "f",\nplace?: { city: string},\ntags?: string[]}) => any;\n\n'
        "} // namespace functions"
    )
    assert namespace([render(Tool("report", schema=schema))]).endswith(expected)


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["<context>a</context>b", "Context: x\n\nQuestion: y", "a" * 12_000]
)
PARTS = st.builds(
    Part,
    kind=st.sampled_from(PartKind),
    text=TEXTS,
    name=st.none() | st.just("f"),
    call_id=st.none() | st.just("c"),
    width=st.none() | st.integers(0, 5_000),
    height=st.none() | st.integers(0, 5_000),
    tokens=st.none() | st.integers(0, 50),
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(["system", "developer", "user", "assistant", "tool", "model", "input"]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    name=st.none() | st.just("kb"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "$ref", "enum", "default", "title", "required", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
SCHEMAS = st.dictionaries(
    st.sampled_from(["type", "properties", "$defs", "required", "title"]), JSON, max_size=4
)
PROMPTS = st.builds(
    Prompt,
    messages=st.lists(MESSAGES, max_size=5).map(tuple),
    tools=st.lists(st.builds(Tool, name=st.just("f"), description=TEXTS, schema=SCHEMAS), max_size=2).map(
        tuple
    ),
    tool_choice=st.sampled_from([None, "auto", "any", "function:f"]),
    output_schema=st.none() | st.builds(OutputSchema, name=st.just("s"), schema=SCHEMAS),
)
MODELS = ["gpt-4o", "gpt-5", "gpt-4", "o3", "claude-sonnet-4-5", "claude-sonnet-5", "gemini-2.5-pro", None]


@pytest.mark.parametrize("api", FAMILIES)
@settings(deadline=None, max_examples=60)
@given(prompt=PROMPTS, model=st.sampled_from(MODELS))
def test_segments_are_never_negative_and_sum_to_the_input(
    api: Api, prompt: Prompt, model: str | None
) -> None:
    counted = count(Request(api=api, model=model, prompt=prompt))
    sizes = [getattr(counted.segments, name) for name in SEGMENTS]
    assert min(sizes) >= 0
    assert sum(sizes) == counted.input_tokens
    assert sum(share for _, share in counted.tool_tokens) == (
        counted.segments.tools if counted.tool_tokens else 0
    )


@settings(deadline=None, max_examples=50)
@given(prompt=PROMPTS, api=st.sampled_from(list(FAMILIES)))
def test_the_same_call_counts_the_same_again(api: Api, prompt: Prompt) -> None:
    request = Request(api=api, model="gpt-4o", prompt=prompt)
    assert count(request) == count(request)
