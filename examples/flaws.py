"""Lines that no reader can book: each of them must end as a reject with its reason."""

from __future__ import annotations

import json

from examples.shapes import Json

# Where they go: the gateway file of the last day.
_WHO = {"tenant": "lumen-travel", "workflow": "ticket-triage", "env": "dev"}


def _call(call_id: str, usage: Json) -> Json:
    message = {"role": "assistant", "content": "none"}
    response = {
        "id": call_id,
        "object": "chat.completion",
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    request = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "Where is PO-0000?"}]}
    head: Json = {"id": call_id, "ts": "2026-10-30T11:11:11.000Z", "metadata": _WHO, "status": 200}
    head["url"] = "https://api.openai.com/v1/chat/completions"
    return head | {"request": request, "response": response}


def _encode(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode()


def broken_lines() -> list[bytes]:
    """Give the flawed lines; the last one is cut off in the middle, as by a crash."""
    whole = _encode(_call("gw-cut", {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}))
    negative: Json = {"prompt_tokens": -20, "completion_tokens": 2, "total_tokens": -18}
    overcached: Json = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}
    return [
        _encode([_call("gw-array", {}), _call("gw-array", {})]),
        b"-- gateway restarted, log rotated --",
        whole.replace(b"PO-0000", b"PO-\xff\xfe\x00"),
        _encode(_call("gw-negative", negative)),
        _encode(_call("gw-overcached", overcached | {"prompt_tokens_details": {"cached_tokens": 900}})),
        whole[: len(whole) * 2 // 3],
    ]
