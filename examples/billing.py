"""What the provider bills for an invented call, by the same counting rules that tollbook checks it with."""

from __future__ import annotations

from random import Random

from collector.counting import count
from collector.formats import FORMATS
from examples import proxy, wire
from examples.shapes import Call, Route
from examples.wire import Billed
from ledger.types import CountMethod, Request

# Where no rule gives these providers' exact counts, theirs lie a few percent beside ours.
_INEXACT = ("claude", "gemini", "house")
_CACHE_STEP = 128
_CACHE_FLOOR = 1024


def bill(call: Call, rng: Random) -> Billed:
    """Count the call's prompt and answer and turn them into a bill."""
    if call.cell.redacted and call.env == "prod":
        return _unseen(rng)
    prompt, visible = _counted(call, rng)
    thinking = call.reply.thinking_tokens
    read, written = _cached(call, prompt)
    return Billed(prompt, visible + thinking, thinking, read, written)


def _counted(call: Call, rng: Random) -> tuple[int, int]:
    counted = count(_as_logged(call))
    beside = rng.uniform(0.97, 1.04) if call.cell.model.startswith(_INEXACT) else 1.0
    noise = 1.0 if counted.method is CountMethod.EXACT else beside
    return round((counted.input_tokens or 0) * noise), round((counted.output_tokens or 0) * noise)


def _as_logged(call: Call) -> Request:
    """Read the call as it will stand in its log, the usage aside."""
    if call.cell.route is Route.LITELLM:
        return FORMATS["litellm"].read(proxy.record(call, Billed(0, 0), Random(0)))
    api = wire.APIS[call.cell.wire]
    bodies = {"request": api.request(call), "response": api.response(call, None, Random(0))}
    return FORMATS["pair"].read(
        {
            "url": api.url.format(model=call.cell.model, method="generateContent"),
            "model": call.cell.model,
            **bodies,
        }
    )


def _unseen(rng: Random) -> Billed:
    """Give the bill of a call whose text the proxy withholds: a long contract, a long deliberation."""
    prompt = round(min(60_000, rng.lognormvariate(9.95, 0.28)))
    thinking = 64 * rng.randrange(16, 36)
    read = _CACHE_STEP * (prompt // 5 // _CACHE_STEP) if rng.random() < 0.6 else 0
    return Billed(prompt, thinking + rng.randrange(700, 1600), thinking, read)


def _cached(call: Call, prompt: int) -> tuple[int, int]:
    read, written = int(prompt * call.reads_cache), int(prompt * call.writes_cache)
    if call.cell.model.startswith("claude"):
        return (read, written) if prompt >= _CACHE_FLOOR else (0, 0)
    return (read // _CACHE_STEP * _CACHE_STEP if prompt >= _CACHE_FLOOR else 0), 0
