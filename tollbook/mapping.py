"""The CSV files that attribution rules look values up in."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.attribution_rules import Table
from tollbook.tables import AttributionTable, RuleList, RuleTable, SourceAttributionTable

_MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lookup:
    """Two columns of a file, as a rule names them."""

    file: str
    key: str
    value: str
    lower: bool


class MappingError(Exception):
    """A mapping file that cannot be used; the text says what to do."""


def lookup_of(rule: RuleTable) -> Lookup | None:
    """What a rule looks up, None where it looks nothing up."""
    if rule.map is None or rule.key is None or rule.value is None:
        return None
    return Lookup(rule.map, rule.key, rule.value, rule.lower)


def lookups(tables: Iterable[AttributionTable | SourceAttributionTable]) -> dict[Lookup, None]:
    """Every lookup that rules name, each once, in their order."""
    found = (lookup_of(rule) for table in tables for rules in _lists(table) for rule in rules)
    return dict.fromkeys(each for each in found if each is not None)


def _lists(table: AttributionTable | SourceAttributionTable) -> Iterator[RuleList]:
    yield from (table.tenant, table.workflow, table.environment, table.end_user)
    if isinstance(table, AttributionTable):
        yield from table.tags.values()


def read(lookup: Lookup, file: Path) -> Table:
    """Read a mapping; an empty key or value is no entry. Raises MappingError."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise MappingError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise MappingError(f"{file} is not UTF-8 text: byte {error.start} is no part of it") from None
    if len(data) > _MOST_BYTES:
        raise MappingError(f"{file} has more than {_MOST_BYTES // 2**20} MiB: keep the two columns only")
    return Table(lookup.file, hashlib.sha256(data).hexdigest()[:16], _values(lookup, file, text))


def _values(lookup: Lookup, file: Path, text: str) -> Mapping[str, str]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    values: dict[str, str] = {}
    try:
        columns = [name.strip() for name in rows.fieldnames or ()]
        rows.fieldnames = columns
        _check_columns(lookup, file, columns)
        for row in rows:
            _enter(values, lookup, file, row, rows.line_num)
    except csv.Error as error:
        raise MappingError(f"{file} is not CSV after line {rows.line_num}: {error}") from None
    return values


def _check_columns(lookup: Lookup, file: Path, columns: list[str]) -> None:
    for name in (lookup.key, lookup.value):
        if name not in columns:
            there = ", ".join(columns) or "none"
            raise MappingError(f"{file} has no column {name!r}: its first line names {there}")
        if columns.count(name) > 1:
            raise MappingError(f"{file} has two columns {name!r}: give one of them another name")


def _enter(values: dict[str, str], lookup: Lookup, file: Path, row: Mapping[str, str], line: int) -> None:
    key, value = ((row.get(name) or "").strip() for name in (lookup.key, lookup.value))
    key = key.lower() if lookup.lower else key
    if not key or not value:
        return
    if values.setdefault(key, value) != value:
        raise MappingError(
            f"{file} line {line}: {lookup.key} {key!r} is {value!r} here and {values[key]!r} above: keep one"
        )
