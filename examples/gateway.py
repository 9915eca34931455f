"""A call as the example gateway writes it: one line with the request and response bodies (format `pair`)."""

from __future__ import annotations

from datetime import datetime
from random import Random

from examples import wire
from examples.cast import HOUSE_MODEL
from examples.shapes import Call, Fate, Json, Wire
from examples.wire import Billed

STATUS = {
    Fate.OK: 200,
    Fate.CANCELLED: 200,
    Fate.RATE_LIMITED: 429,
    Fate.SERVER_ERROR: 500,
    Fate.BAD_REQUEST: 400,
    Fate.TIMEOUT: 504,
}
ERRORS = {
    Fate.RATE_LIMITED: ("rate_limit_error", "Too many requests in this minute."),
    Fate.SERVER_ERROR: ("server_error", "The server had an error while answering."),
    Fate.BAD_REQUEST: ("invalid_request_error", "A field of the request has a wrong value."),
    Fate.TIMEOUT: ("timeout", "No answer within the time allowed."),
}

# Gemini names its failures in its own words.
GEMINI_ERRORS = {
    Fate.RATE_LIMITED: "RESOURCE_EXHAUSTED",
    Fate.SERVER_ERROR: "INTERNAL",
    Fate.BAD_REQUEST: "INVALID_ARGUMENT",
}


def iso(ts: datetime) -> str:
    return ts.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timing(call: Call, billed: Billed | None, rng: Random) -> tuple[int, int]:
    """Give total and first-token time in milliseconds."""
    if call.fate is Fate.TIMEOUT:
        return 60_000, 0
    if billed is None and call.fate is not Fate.CANCELLED:
        return rng.randrange(40, 300), 0
    first = rng.randrange(280, 900)
    return first + (billed.output if billed else 80) * rng.randrange(6, 13), first


def record(call: Call, billed: Billed | None, rng: Random) -> Json:
    """Write one line; `billed` is None for a call that was never answered."""
    latency_ms, ttft_ms = timing(call, billed, rng)
    line: Json = {
        "id": f"gw-{rng.getrandbits(64):016x}",
        "ts": iso(call.ts),
        "url": _url(call),
        "status": STATUS[call.fate],
        "latency_ms": latency_ms,
        **({"ttft_ms": ttft_ms} if call.streamed and ttft_ms else {}),
        **({"attempt": call.attempt} if call.attempt > 1 else {}),
        **({"cancelled": True} if call.fate is Fate.CANCELLED else {}),
        "metadata": _metadata(call),
        "request": wire.APIS[call.cell.wire].request(call),
    }
    return line | {"response": _response(call, billed, rng)}


def _url(call: Call) -> str:
    if call.cell.model == HOUSE_MODEL:
        return "https://models.pinecrest.example/v1/chat/completions"
    method = "streamGenerateContent" if call.streamed else "generateContent"
    return wire.APIS[call.cell.wire].url.format(model=call.cell.model, method=method)


def _metadata(call: Call) -> Json:
    cell = call.cell
    who = {"tenant": cell.tenant, "workflow": cell.workflow} if call.attributed else {"client": "notebook"}
    return {**who, "env": call.env}


def _response(call: Call, billed: Billed | None, rng: Random) -> object:
    if call.fate is Fate.TIMEOUT:
        return None
    if call.fate in ERRORS:
        return _error(call)
    api = wire.APIS[call.cell.wire]
    logged = billed if call.usage_logged else None
    if call.streamed and api.stream:
        return api.stream(call, logged, rng)
    return api.response(call, logged, rng)


def _error(call: Call) -> Json:
    kind, message = ERRORS[call.fate]
    if call.cell.wire is Wire.MESSAGES:
        return {"type": "error", "error": {"type": kind, "message": message}}
    if call.cell.wire is Wire.GEMINI:
        return {"error": {"code": STATUS[call.fate], "message": message, "status": GEMINI_ERRORS[call.fate]}}
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
