"""Bedrock's Converse: its bodies become our records, and Claude's text is counted to the token."""

from __future__ import annotations

from collector.apis import APIS, detect
from collector.counting import count
from collector.formats import FORMATS
from ledger.types import Api, CountMethod, PartKind

CONVERSE = APIS[Api.BEDROCK_CONVERSE]
PATH = "/model/anthropic.claude-3-haiku-20240307-v1:0/converse"


def test_its_path_tells_it_and_invoke_stays_unread() -> None:
    assert detect(PATH, {}, {}) is Api.BEDROCK_CONVERSE
    assert detect(f"{PATH}-stream", {}, {}) is Api.BEDROCK_CONVERSE
    assert detect("/model/x/invoke", {}, {}) is Api.OTHER


def test_a_prompt_is_read_with_its_tools_calls_and_results() -> None:
    used = {"name": "look", "toolUseId": "1", "input": {"q": 1}}
    gave = {"toolUseId": "1", "content": [{"json": {"a": 2}}]}
    body = {
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
        "messages": [
            {"role": "user", "content": [{"text": "Where?"}]},
            {
                "role": "assistant",
                "content": [{"toolUse": used}],
            },
            {
                "role": "user",
                "content": [{"toolResult": gave}],
            },
        ],
        "toolConfig": {
            "tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}],
            "toolChoice": {"tool": {"name": "look"}},
        },
    }
    prompt = CONVERSE.prompt(body)
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user"]
    assert [part.text for part in prompt.messages[0].parts] == ["Be brief."]
    call, result = prompt.messages[2].parts[0], prompt.messages[3].parts[0]
    assert (call.kind, call.name, call.text) == (PartKind.TOOL_CALL, "look", '{"q":1}')
    assert (result.kind, result.name, result.text) == (PartKind.TOOL_RESULT, "look", '{"a":2}')
    assert (prompt.tools[0].name, prompt.tools[0].schema) == ("look", {"type": "object"})
    assert prompt.tool_choice == "function:look"


def test_an_output_schema_written_as_text_is_read() -> None:
    schema = {"name": "x", "schema": '{"type":"object"}'}
    body = {"outputConfig": {"textFormat": {"structure": {"jsonSchema": schema}}}}
    found = CONVERSE.prompt(body).output_schema
    assert found is not None
    assert (found.name, found.schema) == ("x", {"type": "object"})


def test_a_stream_is_joined_by_block() -> None:
    opened = {"toolUse": {"name": "look", "toolUseId": "1"}}
    events = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "hello, "}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "world"}}},
        {
            "contentBlockStart": {
                "contentBlockIndex": 1,
                "start": opened,
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"q":'}}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "1}"}}}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": {"inputTokens": 9, "outputTokens": 3}, "metrics": {"latencyMs": 5}}},
    ]
    whole = CONVERSE.assemble(events)
    answer = CONVERSE.answer(whole)
    assert (answer.texts, answer.finish_reason) == (("hello, world",), "tool_use")
    assert [(call.name, call.text) for call in answer.tool_calls] == [("look", '{"q":1}')]
    reported = CONVERSE.usage(whole)
    assert reported is not None


def test_claudes_text_is_counted_to_the_token() -> None:
    record = {
        "url_path": PATH,
        "request": {"messages": [{"role": "user", "content": [{"text": "hello, world"}]}]},
        "response": {
            "output": {"message": {"role": "assistant", "content": [{"text": "hello, world"}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 10, "outputTokens": 6},
            "metrics": {"latencyMs": 400},
        },
    }
    request = FORMATS["pair"].read(record)
    counted = count(request)
    assert (counted.method, counted.input_tokens, counted.output_tokens) == (CountMethod.CALIBRATED, 10, 6)


def _counted(model: str, **body):
    asked = {"messages": [{"role": "user", "content": [{"text": "hello, world"}]}], **body}
    return count(
        FORMATS["pair"].read({"url_path": f"/model/{model}/converse", "request": asked, "response": {}})
    )


def test_a_model_of_another_maker_is_counted_by_its_visible_text_and_its_error_is_unknown():
    # "hello, world" is 3 tokens of o200k_base, and a turn is taken to cost 6.
    counted = _counted("amazon.nova-lite-v1:0")
    assert (counted.method, counted.input_tokens, counted.error) == (CountMethod.CALIBRATED, 9, None)


def test_claude_behind_converse_is_framed_as_on_its_own_api():
    # 3 tokens of text and 7 for a question, as the recorded bills show.
    assert _counted("anthropic.claude-3-haiku-20240307-v1:0").input_tokens == 10
