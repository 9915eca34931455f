"""A call as a LiteLLM proxy logs it: one StandardLoggingPayload a line (format `litellm`)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from examples import wire
from examples.cast import PROXY_PRICES
from examples.gateway import ERRORS, STATUS, timing
from examples.shapes import Call, Fate, Json
from examples.wire import Billed

_PROVIDERS = {"gpt": "openai", "claude": "anthropic", "gemini": "gemini"}
_CACHE_RATIO = Decimal("0.1")
_WRITE_RATIO = {"anthropic": Decimal("1.25")}
REDACTED = "redacted-by-litellm"


def record(call: Call, billed: Billed | None, rng: Random) -> Json:
    """Write one payload; a failed call has no usage and costs nothing."""
    latency_ms, ttft_ms = timing(call, billed, rng)
    start = call.ts.timestamp()
    end = (call.ts + timedelta(milliseconds=latency_ms)).timestamp()
    first = start + ttft_ms / 1000 if call.streamed and ttft_ms else end
    hit = _is_hit(call, rng)
    head: Json = {
        "id": f"chatcmpl-{UUID(int=rng.getrandbits(128), version=4)}",
        "trace_id": f"{rng.getrandbits(64):016x}",
        "litellm_call_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "call_type": "acompletion",
        "cache_hit": hit,
        "stream": call.streamed,
        "status": "success" if billed else "failure",
        "custom_llm_provider": _provider(call),
        "startTime": round(start, 3),
        "endTime": round(end, 3),
        "completionStartTime": round(first, 3),
        "response_time": round(first - start, 3),
        "model": call.cell.model,
        "model_group": call.cell.model,
    }
    return (
        head | _money(call, billed, hit) | _who(call, billed) | _content(call, billed, str(head["id"]), rng)
    )


def _is_hit(call: Call, rng: Random) -> bool:
    return call.cell.workflow == "product-copy" and call.fate is Fate.OK and rng.random() < 0.02


def _provider(call: Call) -> str:
    return next(name for prefix, name in _PROVIDERS.items() if call.cell.model.startswith(prefix))


def _cost(call: Call, billed: Billed) -> Decimal:
    price_in, price_out = (Decimal(price) / 1_000_000 for price in PROXY_PRICES[call.cell.model])
    plain = billed.prompt - billed.read - billed.written
    written = billed.written * _WRITE_RATIO.get(_provider(call), Decimal(1))
    return (plain + written + billed.read * _CACHE_RATIO) * price_in + billed.output * price_out


def _money(call: Call, billed: Billed | None, hit: bool) -> Json:
    if billed is None:
        return {"response_cost": 0.0, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    # The payload's own numbers are JSON numbers; ours are never floats past the reader.
    cost = 0.0 if hit else float(round(_cost(call, billed), 10))
    return {
        "response_cost": cost,
        "prompt_tokens": billed.prompt,
        "completion_tokens": billed.output,
        "total_tokens": billed.prompt + billed.output,
    }


def _usage(billed: Billed) -> Json:
    usage = wire.chat_usage(billed)
    if billed.written or billed.read:
        usage |= {"cache_read_input_tokens": billed.read, "cache_creation_input_tokens": billed.written}
    return usage


def _who(call: Call, billed: Billed | None) -> Json:
    cell = call.cell
    metadata: Json = {
        "user_api_key_alias": f"{cell.tenant}-{call.env}",
        "user_api_key_team_id": f"team-{sum(cell.tenant.encode()) % 900 + 100}",
        "user_api_key_team_alias": cell.tenant,
        "requester_metadata": {"environment": call.env},
    }
    if billed:
        metadata["usage_object"] = _usage(billed)
    return {
        "metadata": metadata,
        "request_tags": [f"workflow:{cell.workflow}", f"env:{call.env}"],
        "end_user": "",
    }


def _content(call: Call, billed: Billed | None, response_id: str, rng: Random) -> Json:
    if call.cell.redacted and call.env == "prod":
        shown: Json = {"messages": REDACTED, "response": REDACTED if billed else None, "model_parameters": {}}
    else:
        response = wire.chat_response(call, billed, rng) | {"id": response_id} if billed else None
        options = {k: v for k, v in wire.chat_request(call).items() if k not in {"model", "messages"}}
        shown = {"messages": wire.chat_messages(call.ask), "response": response, "model_parameters": options}
    return shown | _failure(call)


def _failure(call: Call) -> Json:
    if call.fate not in ERRORS:
        return {"error_str": None}
    kind, message = ERRORS[call.fate]
    error = {"error_code": str(STATUS[call.fate]), "error_class": kind, "llm_provider": _provider(call)}
    return {"error_str": f"{kind}: {message}", "error_information": error}
