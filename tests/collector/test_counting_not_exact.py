"""Calls unlike those whose bills are known: none of them may be called exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from collector.apis import (
    anthropic_messages,
    bedrock_converse,
    openai_chat,
    openai_embeddings,
    openai_responses,
)
from collector.counting import count
from ledger.types import Api, Count, CountMethod, Prompt, Request

DAY = datetime(2026, 3, 4, tzinfo=UTC)
READ = {
    Api.OPENAI_CHAT: openai_chat.prompt,
    Api.OPENAI_RESPONSES: openai_responses.prompt,
    Api.OPENAI_EMBEDDINGS: openai_embeddings.prompt,
    Api.ANTHROPIC_MESSAGES: anthropic_messages.prompt,
    Api.BEDROCK_CONVERSE: bedrock_converse.prompt,
}
Body = Mapping[str, object]


def counted(body: Body, api: Api = Api.OPENAI_CHAT, provider: str = "openai", **more: object) -> Count:
    request = Request(api=api, model=str(body["model"]), provider=provider, ts=DAY, prompt=READ[api](body))
    return count(replace(request, **more))  # type: ignore[arg-type]


ASKS = {"role": "user", "content": "hello world"}


def chat(*messages: object, model: str = "gpt-4o-2024-08-06", **more: object) -> Body:
    return {"model": model, "messages": [ASKS, *messages], **more}


def tool(schema: Body, **more: object) -> Body:
    function = {"name": "find", "description": "Find it.", "parameters": schema, **more}
    return {"type": "function", "function": function}


def properties(schema: Body) -> Body:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


def answer_form(schema: Body, strict: bool = True) -> Body:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}


def in_form(form: Body) -> Body:
    return {**chat(response_format=form), "messages": [{"role": "system", "content": "Be brief."}, ASKS]}


TEXT = {"type": "string"}
FIND = tool(properties(TEXT))
CLOSED = {"additionalProperties": False}
CALL = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"x":"a"}'}}
CALLS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "found"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", "detail": "low"}}


@pytest.mark.parametrize(
    "body",
    [
        chat(),
        chat(model="gpt-4.1-mini-2025-04-14"),
        chat(model="openai/gpt-4o"),
        chat(tools=[FIND]),
        chat(CALLS, RESULT, tools=[FIND]),
        in_form(answer_form({**properties(TEXT), **CLOSED})),
    ],
)
def test_what_bills_have_shown_is_exact(body: Body) -> None:
    assert counted(body).method is CountMethod.EXACT


@pytest.mark.parametrize(
    "model",
    [
        "gpt-5-chat-latest",
        "gpt-5-codex",
        "gpt-5-pro",
        "gpt-5-search-api",
        "gpt-4o-search-preview",
        "gpt-4o-realtime-preview",
        "gpt-4o-mini-tts",
        "gpt-4o-transcribe",
        "gpt-4o-foo-by-acme",
        "gpt-4o:online",
        "gpt-4o-2031-01-01",
        "gpt-4-turbo-2024-04-09",
        "gpt-4-vision-preview",
        "gpt-4-32k",
        "gpt-4-0314",
        "chatgpt-4o-latest",
        "gpt-6",
    ],
)
def test_a_model_whose_bills_nobody_has_seen_is_not_exact(model: str) -> None:
    assert counted(chat(model=model)).method is not CountMethod.EXACT


def test_an_embedding_model_without_bills_is_not_exact() -> None:
    body = {"model": "text-embedding-3-huge", "input": "hello world"}
    assert counted(body, Api.OPENAI_EMBEDDINGS).method is not CountMethod.EXACT
    known = {**body, "model": "text-embedding-3-small"}
    assert counted(known, Api.OPENAI_EMBEDDINGS).method is CountMethod.EXACT
    assert counted({**known, "input": ""}, Api.OPENAI_EMBEDDINGS).method is not CountMethod.EXACT


def test_a_host_whose_bills_nobody_has_seen_is_not_exact() -> None:
    assert counted(chat(), provider="acme").method is not CountMethod.EXACT
    assert counted(chat(), provider="azure").method is CountMethod.EXACT


@pytest.mark.parametrize(
    "body",
    [
        chat({"role": "user", "content": "hello", "name": "ada"}),
        chat({"role": "assistant", "content": None, "refusal": "I will not."}, ASKS),
        chat({"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, ASKS),
        chat({"role": "critic", "content": "hello"}),
        chat({"role": "USER", "content": "hello"}),
        chat({"content": "hello"}),
        chat({"role": "function", "name": "find", "content": "found"}),
        chat(RESULT, tools=[FIND]),
        chat({**CALLS, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}, RESULT, tools=[FIND]),
        chat(
            {
                **CALLS,
                "tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "f", "input": "a"}}],
            },
            RESULT,
        ),
        chat(prediction={"type": "content", "content": "hello"}),
        chat(data_sources=[{"type": "azure_search"}]),
        chat(plugins=[{"id": "web"}]),
        chat({"role": "user", "content": {"text": "hello"}}),
        chat({"role": "user", "content": 7}),
        chat("hello"),
        chat(tools=["find"]),
        chat(
            {"role": "user", "content": [IMAGE]}, tools=[FIND], response_format=answer_form(properties(TEXT))
        ),
    ],
)
def test_what_no_bill_has_shown_is_not_exact(body: Body) -> None:
    assert counted(body).method is not CountMethod.EXACT


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "date"},
        {"type": "string", "pattern": "^a"},
        {"type": "string", "maxLength": 3},
        {"type": ["string", "null"]},
        {"anyOf": [TEXT, {"type": "null"}]},
        {"oneOf": [TEXT]},
        {"allOf": [TEXT]},
        {"not": TEXT},
        {"const": "a"},
        {"enum": [1, 2]},
        {"enum": ["é"]},
        {"type": "array", "items": {"type": "object", "properties": {"y": TEXT}}},
        {"type": "array", "items": TEXT, "uniqueItems": True},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "string", "description": "one\ntwo"},
        {"type": "string", "examples": ["a"]},
        {"type": "string", "default": 3},
        {"description": "anything"},
    ],
)
def test_a_schema_of_what_no_bill_has_shown_is_not_exact(schema: Body) -> None:
    assert counted(chat(tools=[tool(properties(schema))])).method is not CountMethod.EXACT
    asked = answer_form({**properties(schema), **CLOSED})
    assert counted(in_form(asked)).method is not CountMethod.EXACT


def test_an_output_schema_that_is_not_strict_is_not_exact() -> None:
    asked = answer_form({**properties(TEXT), **CLOSED}, strict=False)
    assert counted(in_form(asked)).method is not CountMethod.EXACT


def test_calls_are_no_surer_than_the_tools_beside_them() -> None:
    body = chat(CALLS, RESULT, tools=[tool(properties({"type": "boolean"}))])
    assert counted(body).method is not CountMethod.EXACT


def responses(**more: object) -> Body:
    return {"model": "gpt-4o-2024-08-06", "input": "hello world", **more}


def test_a_call_of_unknown_time_is_not_exact_where_its_day_matters() -> None:
    assert counted(responses(), Api.OPENAI_RESPONSES).method is CountMethod.EXACT
    assert counted(responses(), Api.OPENAI_RESPONSES, ts=None).method is not CountMethod.EXACT
    in_march = datetime(2025, 3, 12, tzinfo=UTC)
    assert counted(responses(), Api.OPENAI_RESPONSES, ts=in_march).method is not CountMethod.EXACT


def test_instructions_in_a_list_are_read() -> None:
    body = responses(instructions=[{"role": "developer", "content": "Be brief."}])
    prompt: Prompt = openai_responses.prompt(body)
    assert [message.role for message in prompt.messages] == ["developer", "user"]


def claude(*content: Body) -> Body:
    return {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": list(content)}]}


DOCUMENT = {
    "type": "document",
    "title": "Rules",
    "source": {"type": "text", "media_type": "text/plain", "data": "Be kind."},
}


def test_documents_in_a_prompt_of_claude_are_not_exact() -> None:
    assert counted(claude(DOCUMENT), Api.ANTHROPIC_MESSAGES).method is CountMethod.CALIBRATED
    cited = {**DOCUMENT, "citations": {"enabled": True}}
    assert counted(claude(cited), Api.ANTHROPIC_MESSAGES).method is CountMethod.PARTIAL


def test_guarded_text_of_converse_is_read() -> None:
    guarded = {"guardContent": {"text": {"text": "hello world", "qualifiers": ["query"]}}}
    prompt = bedrock_converse.prompt({"messages": [{"role": "user", "content": [guarded]}]})
    assert [part.text for part in prompt.messages[0].parts] == ["hello world"]
