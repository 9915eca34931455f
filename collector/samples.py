"""Choose calls to keep a sample of, where the user asked for it, and black out what is in their texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl

from collector.redaction import redacted
from ledger.samples import SAMPLES
from ledger.types import Message, PartKind, Request

# Redacting costs more than reading; what comes later in a text would be cut anyway.
_LOOKED_AT = 32
_SHOWN = frozenset({PartKind.TEXT, PartKind.TOOL_RESULT, PartKind.TOOL_CALL})


@dataclass(frozen=True, slots=True)
class SampleRules:
    """How many calls of a workflow and UTC day to keep, of how many characters each side, since when."""

    keep: int
    most_characters: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Chosen:
    """A call that may be kept: those with the lowest ids are, whatever order they come in."""

    request_id: str
    ts: datetime
    tenant: str | None
    workflow: str | None
    end_user: str | None
    model: str | None
    request: Request


@dataclass(frozen=True, slots=True)
class Choice:
    """The calls chosen so far, by workflow and day."""

    rules: SampleRules
    chosen: dict[tuple[str | None, date], dict[str, Chosen]] = field(default_factory=dict)

    def offer(self, call: Chosen) -> None:
        """Choose a call if it is among the lowest ids of its workflow and day."""
        if call.ts < self.rules.since.astimezone(UTC).replace(tzinfo=None) or call.request.prompt is None:
            return
        held = self.chosen.setdefault((call.workflow, call.ts.date()), {})
        held[call.request_id] = call
        if len(held) > self.rules.keep:
            del held[max(held)]

    def frame(self, kept_at: datetime) -> pl.DataFrame:
        """The chosen calls as SAMPLES."""
        calls = [call for held in self.chosen.values() for call in held.values()]
        at = kept_at.astimezone(UTC).replace(tzinfo=None)
        rows = [_row(call, at, self.rules.most_characters) for call in calls]
        return pl.DataFrame(rows, schema=SAMPLES, orient="row")


def _row(call: Chosen, at: datetime, most: int) -> tuple[object, ...]:
    prompt, in_prompt = _redacted(_prompt(call.request), most)
    answer, in_answer = _redacted(_answer(call.request), most)
    said = (call.tenant, call.workflow, call.end_user, call.model)
    return (call.request_id, call.ts, at, *said, prompt, answer, in_prompt + in_answer)


def _redacted(text: str, most: int) -> tuple[str, int]:
    shown, count = redacted(text[: most * _LOOKED_AT])
    return shown if len(shown) <= most else f"{shown[: most - 1]}…", count


def _prompt(request: Request) -> str:
    messages = () if request.prompt is None else request.prompt.messages
    return "\n".join(_line(message) for message in messages)


def _line(message: Message) -> str:
    return f"{message.role}: " + " ".join(
        part.text
        if part.kind in (PartKind.TEXT, PartKind.TOOL_RESULT, PartKind.TOOL_CALL)
        else f"({part.kind})"
        for part in message.parts
    )


def _answer(request: Request) -> str:
    if request.answer is None:
        return ""
    calls: Sequence[str] = [f"{part.name}({part.text})" for part in request.answer.tool_calls]
    return "\n".join([*request.answer.texts, *calls])
