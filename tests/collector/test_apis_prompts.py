"""Request bodies become prompts: messages, parts, tools, schemas, and what the log cannot show."""

from __future__ import annotations

import base64
import struct

import pytest

from collector.apis import APIS
from collector.apis.media import image_size
from ledger.types import Api, Message, OutputSchema, Part, PartKind, Prompt, Tool


def prompt(api: Api, **body) -> Prompt:
    return APIS[api].prompt(body)


def text(value: str) -> Part:
    return Part(PartKind.TEXT, value)


def test_chat_messages_keep_role_and_name():
    found = prompt(Api.OPENAI_CHAT, messages=[{"role": "user", "name": "ann", "content": "hi"}])
    assert found.messages == (Message("user", (text("hi"),), "ann"),)


def test_chat_parts_are_typed():
    content = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
        {"type": "hologram"},
    ]
    parts = prompt(Api.OPENAI_CHAT, messages=[{"role": "user", "content": content}]).messages[0].parts
    assert [part.kind for part in parts] == [
        PartKind.TEXT,
        PartKind.IMAGE,
        PartKind.AUDIO,
        PartKind.FILE,
        PartKind.OPAQUE,
    ]
    assert parts[1].detail == "low"
    assert parts[4].name == "hologram"


def test_a_tool_result_takes_the_name_of_its_call():
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "2"},
    ]
    found = prompt(Api.OPENAI_CHAT, messages=messages).messages
    assert found[0].parts == (Part(PartKind.TOOL_CALL, '{"a":1}', name="add", call_id="c1"),)
    assert found[1] == Message("tool", (Part(PartKind.TOOL_RESULT, "2", name="add", call_id="c1"),))


def test_chat_tools_and_choice_are_read():
    schema = {"type": "object", "properties": {"b": {}, "a": {}}}
    function = {"name": "add", "description": "Add", "parameters": schema}
    found = prompt(
        Api.OPENAI_CHAT,
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "add"}},
    )
    assert found.tools == (Tool("add", "Add", schema),)
    assert list(found.tools[0].schema["properties"]) == ["b", "a"]
    assert found.tool_choice == "function:add"


def test_older_functions_are_tools():
    found = prompt(Api.OPENAI_CHAT, functions=[{"name": "f"}], function_call="auto")
    assert (found.tools, found.tool_choice) == ((Tool("f"),), "auto")


def test_chat_output_schema_is_read():
    wanted = {"name": "point", "schema": {"type": "object"}, "description": "A point", "strict": True}
    found = prompt(Api.OPENAI_CHAT, response_format={"type": "json_schema", "json_schema": wanted})
    assert found.output_schema == OutputSchema("point", {"type": "object"}, "A point")


def test_plain_json_mode_is_no_schema():
    assert prompt(Api.OPENAI_CHAT, response_format={"type": "json_object"}).output_schema is None


def test_responses_instructions_are_the_first_system_message():
    found = prompt(Api.OPENAI_RESPONSES, instructions="Be exact", input="hi")
    assert found.messages == (Message("system", (text("Be exact"),)), Message("user", (text("hi"),)))


def test_responses_calls_and_outputs_are_joined_by_id():
    items = [
        {"type": "function_call", "call_id": "c9", "name": "now", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c9", "output": "12:00"},
    ]
    found = prompt(Api.OPENAI_RESPONSES, input=items).messages
    assert found[0].parts == (Part(PartKind.TOOL_CALL, "{}", name="now", call_id="c9"),)
    assert found[1].parts == (Part(PartKind.TOOL_RESULT, "12:00", name="now", call_id="c9"),)


def test_responses_name_what_only_the_server_knows():
    found = prompt(Api.OPENAI_RESPONSES, input="go on", previous_response_id="resp_1", prompt={"id": "p"})
    assert found.hidden == ("previous_response_id", "prompt")


def test_hosted_tools_are_marked():
    found = prompt(Api.OPENAI_RESPONSES, tools=[{"type": "web_search"}, {"type": "function", "name": "f"}])
    assert [(tool.name, tool.hosted) for tool in found.tools] == [("web_search", True), ("f", False)]


def test_anthropic_system_is_the_first_message():
    found = prompt(
        Api.ANTHROPIC_MESSAGES,
        system=[{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": "hi"}],
    )
    assert found.messages == (Message("system", (text("Be brief"),)), Message("user", (text("hi"),)))


def test_anthropic_tool_use_and_result_are_parts():
    messages = [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "add", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "2"}]},
    ]
    found = prompt(Api.ANTHROPIC_MESSAGES, messages=messages).messages
    assert found[0].parts == (Part(PartKind.TOOL_CALL, '{"a":1}', name="add", call_id="t"),)
    assert found[1].parts == (Part(PartKind.TOOL_RESULT, "2", name="add", call_id="t"),)


def test_anthropic_dated_tools_are_hosted():
    tools = [
        {"type": "web_search_20250305", "name": "web_search"},
        {"name": "f", "input_schema": {"type": "object"}},
    ]
    found = prompt(Api.ANTHROPIC_MESSAGES, tools=tools, tool_choice={"type": "any"})
    assert [(tool.name, tool.hosted) for tool in found.tools] == [("web_search", True), ("f", False)]
    assert found.tool_choice == "any"


def test_gemini_reads_both_spellings():
    camel = prompt(
        Api.GEMINI_GENERATE,
        systemInstruction={"parts": [{"text": "s"}]},
        contents=[{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": 1}}}]}],
    )
    snake = prompt(
        Api.GEMINI_GENERATE,
        system_instruction={"parts": [{"text": "s"}]},
        contents=[{"role": "user", "parts": [{"function_response": {"name": "f", "response": {"r": 1}}}]}],
    )
    assert camel == snake
    assert camel.messages[1].parts == (Part(PartKind.TOOL_RESULT, '{"r":1}', name="f"),)


def test_gemini_declarations_and_hosted_tools_are_read():
    found = prompt(
        Api.GEMINI_GENERATE,
        tools=[{"functionDeclarations": [{"name": "f", "description": "d"}]}, {"googleSearch": {}}],
        toolConfig={"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        generationConfig={"responseSchema": {"type": "OBJECT"}},
        cachedContent="cachedContents/1",
    )
    assert [(tool.name, tool.hosted) for tool in found.tools] == [("f", False), ("googleSearch", True)]
    assert found.tool_choice == "function:f"
    assert found.output_schema == OutputSchema("", {"type": "OBJECT"})
    assert found.hidden == ("cached_content",)


@pytest.mark.parametrize("api", [Api.OPENAI_EMBEDDINGS, Api.OPENAI_COMPLETIONS])
@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("one", [text("one")]),
        (["one", "two"], [text("one"), text("two")]),
        ([5, 6, 7], [Part(PartKind.TOKENS, tokens=3)]),
        ([[5, 6], [7]], [Part(PartKind.TOKENS, tokens=2), Part(PartKind.TOKENS, tokens=1)]),
    ],
)
def test_inputs_may_be_texts_or_token_ids(api, given, parts):
    body = {"input": given} if api is Api.OPENAI_EMBEDDINGS else {"prompt": given}
    messages = APIS[api].prompt(body).messages
    assert [part for message in messages for part in message.parts] == parts


def encoded(head: bytes) -> str:
    return base64.b64encode(head).decode()


PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + struct.pack(">II", 640, 480) + bytes(9)
GIF = b"GIF89a" + struct.pack("<HH", 31, 17) + bytes(6)
JPEG = (
    b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 16) + bytes(14)
    + b"\xff\xc0" + struct.pack(">HBHH", 17, 8, 200, 300) + bytes(10)
)  # fmt: skip
WEBP_LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 550, 368)
WEBP_LOSSLESS = (
    b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(4) + b"\x2f" + (99 | 49 << 14).to_bytes(4, "little") + bytes(6)
)
WEBP_EXTENDED = b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\x8f\x01\x00" + b"\x2b\x01\x00"


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (PNG, (640, 480)),
        (GIF, (31, 17)),
        (JPEG, (300, 200)),
        (WEBP_LOSSY, (550, 368)),
        (WEBP_LOSSLESS, (100, 50)),
        (WEBP_EXTENDED, (400, 300)),
    ],
)
def test_image_size_comes_from_the_header(head, size):
    assert image_size(encoded(head)) == size
    assert image_size("data:image/any;base64," + encoded(head)) == size


def test_a_placeholder_carries_the_size():
    assert image_size({"__blob__": True, "width": 7, "height": 9}) == (7, 9)


@pytest.mark.parametrize(
    "source", ["https://example.org/x.png", "data:image/png;base64,####", "", None, encoded(PNG[:12])]
)
def test_an_unreadable_image_has_no_size(source):
    assert image_size(source) == (None, None)
