"""The lines of configuration that would attribute most of what is unattributed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from collector import sources
from collector.attribution import said_of
from collector.attribution_rules import source_facts
from collector.calls import ReadCall, calls
from collector.candidates import DIMENSIONS, Candidate, Unattributed, candidates
from collector.sources import SourceError
from collector.work import Intake
from ledger.store import Ledger
from tollbook import parts
from tollbook.config import Configuration
from tollbook.tables import AttributionTable, RuleTable

Visit = Callable[[], AbstractContextManager[Ledger]]
_FILES = 8
_CALLS_A_FILE = 400
_BYTES_A_FILE = 48 * 1024 * 1024
_BACK = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A line for [attribution], and the share of a dimension's unattributed money that it would attribute."""

    dimension: str
    line: str
    share: Decimal
    fields: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in so many of the unattributed calls."""

    proposals: tuple[Proposal, ...]
    silent: tuple[str, ...]
    calls: int
    of: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """Some unattributed calls of a file, each of which stands for `weight` like it."""

    file: str
    form: str
    lines: dict[int, None]
    missing: dict[str, frozenset[str]]
    usd: dict[str, Decimal]
    weight: Decimal


def look(config: Configuration, visit: Visit, now: datetime) -> Looked | None:
    """Read some of the unattributed calls of the last month again; None where all are attributed.

    Values are counted and forgotten: none is kept or told. Only local files are read, and not much of each.
    """
    with visit() as ledger:
        asked, of = _asked(ledger, now)
    if not of:
        return None
    intake = parts.intake(config)
    found = [call for each in asked for call in _read(each, intake, now)]
    made = {name: candidates(name, found) for name in DIMENSIONS}
    missing = {name for call in found for name in call.missing}
    return Looked(
        proposals=tuple(_proposal(config, name, fields) for name, fields in made.items() if fields),
        silent=tuple(name for name, fields in made.items() if name in missing and not fields),
        calls=len(found),
        of=of,
    )


_MISSING = " OR ".join(f"{name} IS NULL" for name in DIMENSIONS)
_DEAREST = f"""
    SELECT source_file, source, count(*), sum(count(*)) OVER () FROM requests
    WHERE ts >= ? AND ts < ? AND ({_MISSING})
    GROUP BY ALL ORDER BY coalesce(sum(cost_usd), 0) DESC, count(*) DESC, source_file LIMIT {_FILES}"""
_SAMPLE = f"""
    SELECT request_id::VARCHAR, source_line, coalesce(cost_usd, 0), {", ".join(DIMENSIONS)} FROM requests
    WHERE ts >= ? AND ts < ? AND source_file = ? AND source = ? AND ({_MISSING})
    ORDER BY hash(request_id) LIMIT {_CALLS_A_FILE}"""


def _asked(ledger: Ledger, now: datetime) -> tuple[list[_Asked], int]:
    """Calls to look at, of the files with the most unattributed money; and how many there are in all."""
    since = [(now - _BACK).replace(tzinfo=None), now.replace(tzinfo=None)]
    files = ledger.rows(_DEAREST, since)
    asked = []
    for file, form, count, _ in files:
        rows = ledger.rows(_SAMPLE, [*since, file, form])
        asked.append(_of_file(str(file), str(form), rows, Decimal(str(count)) / max(len(rows), 1)))
    return asked, int(str(files[0][3])) if files else 0


def _of_file(file: str, form: str, rows: list[tuple[object, ...]], weight: Decimal) -> _Asked:
    missing = {
        str(identity): frozenset(
            name for name, value in zip(DIMENSIONS, dimensions, strict=True) if value is None
        )
        for identity, _, _, *dimensions in rows
    }
    usd = {str(row[0]): Decimal(str(row[2])) for row in rows}
    return _Asked(file, form, {int(str(row[1])): None for row in rows}, missing, usd, weight)


def _read(asked: _Asked, intake: Intake, now: datetime) -> Iterator[Unattributed]:
    """What these calls say; those that are not found any more say nothing."""
    if not Path(asked.file).is_file():
        return
    of_form = replace(intake, format=asked.form)
    try:
        for call in calls(asked.file, of_form, now, asked.lines.keys(), _BYTES_A_FILE):
            if call.request_id in asked.missing:
                yield _unattributed(call, asked)
    except (SourceError, *sources.DAMAGE):
        return


def _unattributed(call: ReadCall, asked: _Asked) -> Unattributed:
    said = {**call.request.around, **said_of(call.request), **source_facts(call.source_file)}
    return Unattributed(
        said, asked.missing[call.request_id], asked.weight, asked.usd[call.request_id] * asked.weight
    )


def _proposal(config: Configuration, dimension: str, fields: tuple[Candidate, ...]) -> Proposal:
    rules = _in_force(config.settings.attribution, dimension)
    line = ", ".join([*map(_toml, rules), *(_text(each.path) for each in fields)])
    return Proposal(
        dimension, f"{dimension} = [{line}]", sum((each.share for each in fields), Decimal(0)), fields
    )


def _in_force(table: AttributionTable, dimension: str) -> tuple[RuleTable, ...]:
    return {"tenant": table.tenant, "workflow": table.workflow, "environment": table.environment}[dimension]


def _toml(rule: RuleTable) -> str:
    """A rule as it stands in the file, a plain path as the text that it is."""
    given = rule.model_dump(by_alias=True, exclude_unset=True)
    if list(given) == ["from"]:
        return _text(str(given["from"]))
    return "{" + ", ".join(f"{key} = {_plain(value)}" for key, value in _known(given.items())) + "}"


def _known(pairs: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    return (pair for pair in pairs if pair[1] is not None)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else _text(str(value))


def _text(text: str) -> str:
    """A basic string of TOML, which writes its escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
