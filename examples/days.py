"""A day's calls: how many, at which hour, in which environment, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random

from examples.cast import CELLS, HOURS, LAST_DAY, RUNAWAY_TENANT, RUNAWAY_WORKFLOW, WEEKDAYS
from examples.scenes import SCENES, Beat, Stage, runaway
from examples.shapes import Call, Cell, Fate, Reply, Route, Wire

ENVIRONMENTS = (("prod", 0.86), ("staging", 0.09), ("dev", 0.05))
FATES = (
    (Fate.RATE_LIMITED, 0.012),
    (Fate.SERVER_ERROR, 0.005),
    (Fate.BAD_REQUEST, 0.004),
    (Fate.TIMEOUT, 0.003),
    (Fate.CANCELLED, 0.012),
)
UNATTRIBUTED = 0.016
# Streams that end without their usage: a mobile client that never asks for it, recorders that cut it off.
SILENT = {
    ("lumen-travel", "support-bot"): 0.3,
    ("acme-robotics", "code-assistant"): 0.85,
    ("pinecrest-clinic", "meeting-notes"): 0.3,
    ("sakura-retail", "product-copy"): 0.2,
}
STREAMED = {"support-bot", "code-assistant", "meeting-notes"}
RUNAWAY_CALLS = 90
RUNAWAY_FROM_HOUR = 14
RUNAWAY_HOURS = 6


def calls_of(day: date, seed: int, scale: float) -> list[Call]:
    """Give one day's calls in order of time."""
    calls = [call for cell in CELLS for call in _calls_of_cell(cell, day, seed, scale)]
    if day == LAST_DAY:
        calls += _runaway_calls(day, seed, scale)
    return sorted(calls, key=lambda call: (call.ts, call.cell.tenant, call.cell.workflow, call.attempt))


def _calls_of_cell(cell: Cell, day: date, seed: int, scale: float) -> Iterator[Call]:
    rng = Random(f"{seed} {day} {cell.tenant} {cell.workflow} {cell.model}")
    volume = cell.per_day * scale * WEEKDAYS[cell.rhythm][day.weekday()] * rng.uniform(0.96, 1.04)
    wanted = int(volume) + (rng.random() < volume % 1)
    yield from islice(_endless(rng, cell, day), wanted)


def _endless(rng: Random, cell: Cell, day: date) -> Iterator[Call]:
    while True:
        ts = _start(rng, cell, day)
        env = rng.choices([name for name, _ in ENVIRONMENTS], [share for _, share in ENVIRONMENTS])[0]
        attributed = cell.route is Route.LITELLM or rng.random() >= UNATTRIBUTED
        for beat in SCENES[cell.workflow](Stage(rng, cell, ts)):
            yield from _happen(rng, _call(rng, cell, ts, env, beat, attributed))
            ts += timedelta(seconds=rng.uniform(15, 70))


def _start(rng: Random, cell: Cell, day: date) -> datetime:
    hour = rng.choices(range(24), HOURS[cell.rhythm])[0]
    # A conversation runs for some minutes: it starts early enough to end on its own day.
    second = rng.uniform(0, 3599 if hour < 23 else 3000)
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) + timedelta(seconds=second)


def _call(rng: Random, cell: Cell, ts: datetime, env: str, beat: Beat, attributed: bool) -> Call:
    streamed = _streams(cell) and rng.random() < 0.7
    silent = streamed and rng.random() < SILENT.get((cell.tenant, cell.workflow), 0.0)
    reads, writes = _cache(rng, cell, beat)
    return Call(
        cell,
        ts,
        env,
        beat.ask,
        beat.reply,
        streamed=streamed,
        usage_logged=not silent,
        reads_cache=reads,
        writes_cache=writes,
        attributed=attributed,
    )


def _cache(rng: Random, cell: Cell, beat: Beat) -> tuple[float, float]:
    """Give the shares of the prompt that are read from and written to the provider's cache."""
    if cell.workflow not in {"code-assistant", "research-agent"}:
        return (beat.cached if rng.random() < 0.85 else 0.0), 0.0
    return (beat.cached, 0.12) if beat.cached else (0.0, 0.75)


def _streams(cell: Cell) -> bool:
    return cell.route is Route.GATEWAY and (cell.workflow in STREAMED or cell.wire is Wire.GEMINI)


def _happen(rng: Random, call: Call) -> Iterator[Call]:
    """Give the call, after a failed first attempt where the day had one."""
    fate = rng.choices([Fate.OK, *(fate for fate, _ in FATES)], [0.964, *(share for _, share in FATES)])[0]
    if fate is Fate.OK:
        yield call
        return
    if fate is Fate.CANCELLED and not _streams(call.cell):
        fate = Fate.RATE_LIMITED
    cut = Reply(call.reply.text[: len(call.reply.text) // 3]) if fate is Fate.CANCELLED else Reply()
    streamed = fate is Fate.CANCELLED
    yield replace(call, fate=fate, reply=cut, streamed=streamed, usage_logged=False)
    if fate in {Fate.RATE_LIMITED, Fate.SERVER_ERROR}:
        yield replace(call, ts=call.ts + timedelta(seconds=rng.uniform(1, 5)), attempt=2)


def _runaway_calls(day: date, seed: int, scale: float) -> Iterator[Call]:
    cell = next(c for c in CELLS if (c.tenant, c.workflow) == (RUNAWAY_TENANT, RUNAWAY_WORKFLOW))
    rng = Random(f"{seed} runaway")
    wanted = max(12, round(RUNAWAY_CALLS * scale))
    start = datetime(day.year, day.month, day.day, RUNAWAY_FROM_HOUR, 4, tzinfo=UTC)
    step = timedelta(hours=RUNAWAY_HOURS) / wanted
    for i, beat in enumerate(islice(runaway(Stage(rng, cell, start)), wanted)):
        ts = start + step * i + timedelta(seconds=rng.uniform(0, 9))
        yield Call(cell, ts, "prod", beat.ask, beat.reply)
