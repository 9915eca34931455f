"""One rule of attribution: where it looks, and what it makes of what is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePosixPath

# Values repeat: the expression is asked about each of these once.
_REMEMBERED = 65_536
# What a file's name and folders are known by; a record cannot say otherwise of itself.
SOURCE = "source."
_MOST_FOLDERS = 8
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Table:
    """What a mapping file says: key -> value; `name` and `digest` are the file's."""

    name: str
    digest: str
    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self.digest!r})"


@dataclass(frozen=True, slots=True)
class Rule:
    """Look at `path`, and take what `pattern` captures of it, `table` has for it, or `constant`.

    With a path a constant stands only where the path holds something (that the pattern finds). `otherwise` is
    the value where something is there, but pattern or table do not know it. Without a path the constant
    always stands.
    """

    path: str | None = None
    pattern: str | None = None
    table: Table | None = None
    constant: str | None = None
    lower: bool = False
    otherwise: str | None = None

    @property
    def name(self) -> str:
        """The rule as a person would point at it."""
        if self.path is None:
            return f"the constant {self.constant!r}"
        more = f" match {self.pattern}" if self.pattern else ""
        return self.path + more + (f" map {self.table.name}" if self.table else "")


AnyRule = str | Rule


class Finding(StrEnum):
    """How it went with a rule."""

    ABSENT = "nothing there"
    NO_MATCH = "the expression does not match"
    NOT_IN_TABLE = "not in the table"
    VALUE = "gave the value"


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule that was asked: what stood at its path, how it went, and the value it gave."""

    rule: Rule
    finding: Finding
    found: str | None = None
    value: str | None = None


def as_rule(rule: AnyRule) -> Rule:
    """A plain path as the rule that it is."""
    return Rule(rule) if isinstance(rule, str) else rule


def path_of(rule: AnyRule) -> str | None:
    """Where a rule looks, None for a constant."""
    return rule if isinstance(rule, str) else rule.path


def tried(rule: Rule, said: Mapping[str, str]) -> Tried:
    """Ask a rule about what a call says of itself."""
    if rule.path is None:
        return Tried(rule, Finding.VALUE, None, rule.constant)
    found = said.get(rule.path, "").strip()
    if not found:
        return Tried(rule, Finding.ABSENT)
    given = found.lower() if rule.lower else found
    taken = given if rule.pattern is None else captured(rule.pattern, given)
    if not taken:
        return _other(rule, Finding.NO_MATCH, found)
    if rule.table is not None:
        value = rule.table.values.get(taken)
        return _other(rule, Finding.NOT_IN_TABLE, found) if value is None else _gave(rule, found, value)
    return _gave(rule, found, rule.constant or taken)


def _gave(rule: Rule, found: str, value: str) -> Tried:
    return Tried(rule, Finding.VALUE, found, value)


def _other(rule: Rule, finding: Finding, found: str) -> Tried:
    return Tried(rule, finding, found, rule.otherwise)


@lru_cache(maxsize=_REMEMBERED)
def captured(pattern: str, text: str) -> str | None:
    """What the expression captures of a text: the group `value`, else the first, else all that it matches.

    The engine takes time in proportion to the text, whatever the expression: none can stall an ingest.
    """
    import polars as pl

    found: str | None = pl.Series([text]).str.extract(pattern, group_of(pattern))[0]
    return found.strip() if found else None


@lru_cache(maxsize=256)
def group_of(pattern: str) -> int:
    """The number of the group that an expression captures by. Raises ValueError where it is none."""
    import polars as pl
    from polars.exceptions import ComputeError

    try:
        groups = pl.Series([""]).str.extract_groups(pattern).dtype
    except ComputeError as error:
        raise ValueError(" ".join(str(error).split())) from None
    names = [field.name for field in groups.fields] if isinstance(groups, pl.Struct) else []
    return names.index("value") + 1 if "value" in names else min(len(names), 1)


def source_facts(source_file: str) -> dict[str, str]:
    """What a file's path says: `source.path`, `.name`, `.folder` that it lies in, `.folder.2` above that."""
    if not source_file or source_file == STDIN:
        return {}
    path = PurePosixPath(source_file.replace("\\", "/"))
    return {f"{SOURCE}path": str(source_file), f"{SOURCE}name": path.name, **dict(_folders(path))}


def _folders(path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for number, folder in enumerate(path.parents[:_MOST_FOLDERS], 1):
        if folder.name:
            yield f"{SOURCE}folder" + (f".{number}" if number > 1 else ""), folder.name
