"""The five wire formats of the example month: request and response bodies as each API spells them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from examples.shapes import Ask, Call, Json, Reply, ToolCall, Turn, Wire

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SNAPSHOTS = {
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5": "gpt-5-2025-08-07",
}


@dataclass(frozen=True, slots=True)
class Billed:
    """What the provider bills; `read` and `written` are parts of `prompt`, read from and put in its cache."""

    prompt: int
    output: int
    thinking: int = 0
    read: int = 0
    written: int = 0


def token(rng: Random, length: int) -> str:
    return "".join(rng.choices(_ALNUM, k=length))


def answered_model(model: str) -> str:
    return SNAPSHOTS.get(model, model)


# Chat completions


def _chat_tool(tool: Json) -> Json:
    return {"type": "function", "function": tool}


def _chat_call(call: ToolCall) -> Json:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _chat_turn(turn: Turn) -> Json:
    if turn.call:
        return {"role": "assistant", "content": turn.text or None, "tool_calls": [_chat_call(turn.call)]}
    if turn.answers:
        return {"role": "tool", "tool_call_id": turn.answers.call_id, "content": turn.text}
    return {"role": turn.role, "content": turn.text}


def chat_messages(ask: Ask) -> list[Json]:
    system: list[Json] = [{"role": "system", "content": ask.system}] if ask.system else []
    return [*system, *map(_chat_turn, ask.turns)]


def _chat_options(call: Call) -> Json:
    ask, options = call.ask, Json()
    if ask.tools:
        options["tools"] = [_chat_tool(tool) for tool in ask.tools]
    if ask.schema:
        options["response_format"] = {"type": "json_schema", "json_schema": {**ask.schema, "strict": True}}
    if ask.max_output:
        options["max_completion_tokens"] = ask.max_output
    if ask.temperature is not None and not call.cell.model.startswith("gpt-5"):
        options["temperature"] = ask.temperature
    if call.streamed:
        options["stream"] = True
        options |= {"stream_options": {"include_usage": True}} if call.usage_logged else {}
    return options


def chat_request(call: Call) -> Json:
    return {"model": call.cell.model, "messages": chat_messages(call.ask), **_chat_options(call)}


def _chat_finish(reply: Reply) -> str:
    return "tool_calls" if reply.call else "stop"


def chat_usage(billed: Billed) -> Json:
    return {
        "prompt_tokens": billed.prompt,
        "completion_tokens": billed.output,
        "total_tokens": billed.prompt + billed.output,
        "prompt_tokens_details": {"cached_tokens": billed.read},
        "completion_tokens_details": {"reasoning_tokens": billed.thinking},
    }


def chat_response(call: Call, billed: Billed | None, rng: Random) -> Json:
    reply = call.reply
    message: Json = {"role": "assistant", "content": reply.text or None}
    if reply.call:
        message["tool_calls"] = [_chat_call(reply.call)]
    body: Json = {
        "id": f"chatcmpl-{token(rng, 29)}",
        "object": "chat.completion",
        "created": int(call.ts.timestamp()),
        "model": answered_model(call.cell.model),
        "choices": [{"index": 0, "message": message, "finish_reason": _chat_finish(reply)}],
    }
    return body | ({"usage": chat_usage(billed)} if billed else {})


def _pieces(text: str, parts: int = 3) -> list[str]:
    step = max(1, -(-len(text) // parts))
    return [text[i : i + step] for i in range(0, len(text), step)]


def _chat_delta(call: Call) -> list[Json]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _pieces(call.reply.text)]
    if call.reply.call:
        deltas.append({"tool_calls": [{"index": 0, **_chat_call(call.reply.call)}]})
    return deltas


def chat_stream(call: Call, billed: Billed | None, rng: Random) -> list[Json]:
    head: Json = {
        "id": f"chatcmpl-{token(rng, 29)}",
        "object": "chat.completion.chunk",
        "created": int(call.ts.timestamp()),
        "model": answered_model(call.cell.model),
    }
    chunks: list[Json] = [head | {"choices": [{"index": 0, "delta": delta}]} for delta in _chat_delta(call)]
    if call.fate == "cancelled":
        return chunks
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": _chat_finish(call.reply)}]})
    return chunks + ([head | {"choices": [], "usage": chat_usage(billed)}] if billed else [])


# Responses


def responses_request(call: Call) -> Json:
    ask = call.ask
    turns = [{"role": turn.role, "content": turn.text} for turn in ask.turns]
    body: Json = {"model": call.cell.model, "instructions": ask.system, "input": turns}
    body |= {"max_output_tokens": ask.max_output} if ask.max_output else {}
    return body | ({"stream": True} if call.streamed else {})


def responses_response(call: Call, billed: Billed | None, rng: Random) -> Json:
    content = [{"type": "output_text", "text": call.reply.text, "annotations": []}]
    message = {"type": "message", "id": f"msg_{rng.getrandbits(200):050x}", "role": "assistant"}
    body: Json = {
        "id": f"resp_{rng.getrandbits(200):050x}",
        "object": "response",
        "created_at": int(call.ts.timestamp()),
        "status": "completed",
        "model": answered_model(call.cell.model),
        "output": [{**message, "status": "completed", "content": content}],
    }
    return body | ({"usage": _responses_usage(billed)} if billed else {})


def _responses_usage(billed: Billed) -> Json:
    return {
        "input_tokens": billed.prompt,
        "input_tokens_details": {"cached_tokens": billed.read},
        "output_tokens": billed.output,
        "output_tokens_details": {"reasoning_tokens": billed.thinking},
        "total_tokens": billed.prompt + billed.output,
    }


def responses_stream(call: Call, billed: Billed | None, rng: Random) -> list[Json]:
    whole = responses_response(call, billed, rng)
    opened = {**whole, "status": "in_progress", "output": []}
    opened.pop("usage", None)
    events: list[Json] = [{"type": "response.created", "response": opened}]
    events += [
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": piece}
        for piece in _pieces(call.reply.text)
    ]
    if call.fate == "cancelled":
        return events
    return [*events, {"type": "response.completed", "response": whole}]


# Messages


def _blocks(turn: Turn) -> list[Json]:
    if turn.answers:
        return [{"type": "tool_result", "tool_use_id": turn.answers.call_id, "content": turn.text}]
    said: list[Json] = [{"type": "text", "text": turn.text}] if turn.text else []
    if not turn.call:
        return said
    call = turn.call
    return [*said, {"type": "tool_use", "id": call.call_id, "name": call.name, "input": call.arguments}]


def messages_request(call: Call) -> Json:
    ask = call.ask
    turns = [{"role": "user" if t.role == "tool" else t.role, "content": _blocks(t)} for t in ask.turns]
    system: Json = {"type": "text", "text": ask.system}
    if call.reads_cache or call.writes_cache:
        system["cache_control"] = {"type": "ephemeral"}
    body: Json = {"model": call.cell.model, "max_tokens": ask.max_output or 1024, "system": [system]}
    body["messages"] = turns
    if ask.tools:
        body["tools"] = [
            {"name": t["name"], "description": t["description"], "input_schema": t["parameters"]}
            for t in ask.tools
        ]
    if ask.temperature is not None:
        body["temperature"] = ask.temperature
    return body | ({"stream": True} if call.streamed else {})


def messages_usage(billed: Billed) -> Json:
    return {
        "input_tokens": billed.prompt - billed.read - billed.written,
        "cache_creation_input_tokens": billed.written,
        "cache_read_input_tokens": billed.read,
        "cache_creation": {"ephemeral_5m_input_tokens": billed.written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": billed.output,
        "service_tier": "standard",
    }


def _messages_head(call: Call, rng: Random) -> Json:
    ids: Json = {"id": f"msg_01{token(rng, 22)}", "type": "message", "role": "assistant"}
    return ids | {"model": call.cell.model}


def messages_response(call: Call, billed: Billed | None, rng: Random) -> Json:
    reply = call.reply
    content = _blocks(Turn("assistant", reply.text, reply.call))
    stop = {"stop_reason": "tool_use" if reply.call else "end_turn", "stop_sequence": None}
    body = _messages_head(call, rng) | {"content": content} | stop
    return body | ({"usage": messages_usage(billed)} if billed else {})


def messages_stream(call: Call, billed: Billed | None, rng: Random) -> list[Json]:
    head = _messages_head(call, rng) | {"content": [], "stop_reason": None}
    head |= {"usage": messages_usage(billed) | {"output_tokens": 2}} if billed else {}
    events: list[Json] = [
        {"type": "message_start", "message": head},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    for piece in _pieces(call.reply.text):
        delta = {"type": "text_delta", "text": piece}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    if call.fate == "cancelled":
        return events
    closing: Json = {"usage": {"output_tokens": billed.output}} if billed else {}
    return [
        *events,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}} | closing,
        {"type": "message_stop"},
    ]


# Gemini


def gemini_request(call: Call) -> Json:
    ask = call.ask
    roles = {"user": "user", "assistant": "model"}
    body: Json = {
        "systemInstruction": {"parts": [{"text": ask.system}]},
        "contents": [{"role": roles[t.role], "parts": [{"text": t.text}]} for t in ask.turns],
    }
    limits = {"maxOutputTokens": ask.max_output, "temperature": ask.temperature}
    return body | {"generationConfig": {name: value for name, value in limits.items() if value is not None}}


def gemini_response(call: Call, billed: Billed | None, rng: Random) -> Json:
    content = {"role": "model", "parts": [{"text": call.reply.text}]}
    body: Json = {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "modelVersion": call.cell.model,
        "responseId": token(rng, 22),
    }
    return body | ({"usageMetadata": _gemini_usage(billed)} if billed else {})


def _gemini_usage(billed: Billed) -> Json:
    return {
        "promptTokenCount": billed.prompt,
        "candidatesTokenCount": billed.output - billed.thinking,
        "thoughtsTokenCount": billed.thinking,
        "totalTokenCount": billed.prompt + billed.output,
    }


def gemini_stream(call: Call, billed: Billed | None, rng: Random) -> list[Json]:
    head: Json = {"modelVersion": call.cell.model, "responseId": token(rng, 22)}
    chunks: list[Json] = [
        head | {"candidates": [{"content": {"role": "model", "parts": [{"text": piece}]}, "index": 0}]}
        for piece in _pieces(call.reply.text)
    ]
    return chunks + ([head | {"usageMetadata": _gemini_usage(billed)}] if billed else [])


# Embeddings


def embeddings_request(call: Call) -> Json:
    return {"model": call.cell.model, "input": [turn.text for turn in call.ask.turns], "dimensions": 4}


def embeddings_response(call: Call, billed: Billed | None, rng: Random) -> Json:
    vectors = [
        {"object": "embedding", "index": i, "embedding": [round(rng.uniform(-1, 1), 6) for _ in range(4)]}
        for i in range(len(call.ask.turns))
    ]
    usage: Json = {"usage": {"prompt_tokens": billed.prompt, "total_tokens": billed.prompt}} if billed else {}
    return {"object": "list", "data": vectors, "model": call.cell.model} | usage


@dataclass(frozen=True, slots=True)
class Api:
    url: str
    request: Callable[[Call], Json]
    response: Callable[[Call, Billed | None, Random], Json]
    stream: Callable[[Call, Billed | None, Random], list[Json]] | None


_GEMINI_URL = "https://generativelanguage.googleapis.com/v1beta/models/{model}:{method}"

APIS = {
    Wire.CHAT: Api("https://api.openai.com/v1/chat/completions", chat_request, chat_response, chat_stream),
    Wire.RESPONSES: Api(
        "https://api.openai.com/v1/responses", responses_request, responses_response, responses_stream
    ),
    Wire.MESSAGES: Api(
        "https://api.anthropic.com/v1/messages", messages_request, messages_response, messages_stream
    ),
    Wire.GEMINI: Api(_GEMINI_URL, gemini_request, gemini_response, gemini_stream),
    Wire.EMBEDDINGS: Api(
        "https://api.openai.com/v1/embeddings", embeddings_request, embeddings_response, None
    ),
}
