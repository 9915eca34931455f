"""OpenAI's framing constants by API, model, host and date: what no text shows, found on recorded calls.

They stand in openai_constants.csv beside their evidence; a new model generation is a few more rows there.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Final

from collector.tokenizers import bare_model
from ledger.types import Api, Request


@dataclass(frozen=True, slots=True)
class Constants:
    """Tokens around the visible parts of one call.

    Prompt: `base` a call; `message`, `name`, `plain_assistant` a message. The text of the tools adds
    `tools_beside_system` where it follows a system text, `tools_alone` where none is there, `tools_apart`
    where the API counts it apart from both; `named_choice` belongs to a function the caller demands. A
    message's first call adds `call`, others `further_call`, or the `…_unheld` pair where the provider does
    not hold the call as it was written; `joined_results` belongs to the results of a parallel call, which
    stand with \\u escapes where `escaped_results` is 1. An output schema adds `schema_…` by what stands
    before it, an earlier answer in its form `schema_assistant`. `hidden` and `hidden_tools` were put into
    every prompt of a model for a while.
    Answer: `text_end…` ends a text; one call adds `call_end`, several `calls_end` and `calls_each` apiece,
    one that the caller forced `forced_end`; `answer_more` is added to either by some hosts and at some times.
    """

    base: int = 0
    message: int = 0
    name: int = 0
    plain_assistant: int = 0
    tools_beside_system: int = 0
    tools_alone: int = 0
    tools_apart: int = 0
    named_choice: int = 0
    call: int = 0
    further_call: int = 0
    call_unheld: int = 0
    further_unheld: int = 0
    joined_results: int = 0
    escaped_results: int = 0
    schema_alone: int = 0
    schema_beside_system: int = 0
    schema_beside_tools: int = 0
    schema_assistant: int = 0
    hidden: int = 0
    hidden_tools: int = 0
    text_end: int = 0
    text_end_tools: int = 0
    text_end_schema: int = 0
    text_end_schema_tools: int = 0
    call_end: int = 0
    calls_end: int = 0
    calls_each: int = 0
    forced_end: int = 0
    answer_more: int = 0


NAMES: Final = tuple(field.name for field in fields(Constants))


@dataclass(frozen=True, slots=True)
class Row:
    """One value and what it rests on: recordings of how many repositories that it makes exact.

    `model` is a pattern on bare names; no `provider` is any, no `since` or `until` is without end.
    """

    api: Api
    model: str
    provider: str
    since: datetime | None
    until: datetime | None
    constant: str
    value: int
    recordings: int
    repositories: int


def _day(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _row(line: Mapping[str, str]) -> Row:
    if line["constant"] not in NAMES:
        raise ValueError(f"no constant {line['constant']!r} in Constants of collector/counting")
    return Row(
        api=Api(line["api"]),
        model=line["model"],
        provider=line["provider"],
        since=_day(line["since"]),
        until=_day(line["until"]),
        constant=line["constant"],
        value=int(line["value"]),
        recordings=int(line["recordings"]),
        repositories=int(line["repositories"]),
    )


def read(lines: Iterable[str]) -> tuple[Row, ...]:
    """Read a table; raises ValueError for a row that is none."""
    return tuple(_row(line) for line in csv.DictReader(lines))


ROWS: Final = read((files("collector.counting") / "openai_constants.csv").read_text("utf-8").splitlines())

_BEFORE_ALL: Final = datetime.min.replace(tzinfo=UTC)
_ERAS: Final = sorted({day for row in ROWS for day in (row.since, row.until) if day})


def _covers(row: Row, day: datetime | None) -> bool:
    if day is None:
        return row.since is None and row.until is None
    return (row.since is None or row.since <= day) and (row.until is None or day < row.until)


def rows_for(api: Api, model: str, provider: str | None, day: datetime | None) -> dict[str, Row]:
    """Choose of every constant the first row that fits a bare model name; without a day no dated one does."""
    fitting = (
        row
        for row in ROWS
        if row.api is api
        and row.provider in ("", provider)
        and _covers(row, day)
        and fnmatchcase(model, row.model)
    )
    chosen: dict[str, Row] = {}
    for row in fitting:
        chosen.setdefault(row.constant, row)
    return chosen


@lru_cache(maxsize=4096)
def _chosen(api: Api, model: str, provider: str | None, day: datetime | None) -> Constants:
    return Constants(
        **{name: row.value for name, row in rows_for(api, model, provider, day).items()},
    )


def era(ts: datetime | None) -> datetime | None:
    """The last day up to a moment on which any constant changed; None for an unknown moment."""
    if ts is None:
        return None
    index = bisect_right(_ERAS, ts)
    return _ERAS[index - 1] if index else _BEFORE_ALL


ANSWER: Final = frozenset(
    {"text_end", "text_end_tools", "text_end_schema", "text_end_schema_tools", "answer_more"}
    | {"call_end", "calls_end", "calls_each", "forced_end"}
)


@lru_cache(maxsize=4096)
def is_dated(api: Api, model: str) -> bool:
    """Whether what surrounds a prompt of a bare model name depends on the day of the call."""
    dated = (
        row for row in ROWS if row.api is api and (row.since or row.until) and row.constant not in ANSWER
    )
    return any(fnmatchcase(model, row.model) for row in dated)


def constants_for(request: Request) -> Constants:
    """Choose the constants of a call."""
    return _chosen(request.api, bare_model(request.model or ""), request.provider, era(request.ts))
