"""What the reader of a format knows of its records, so that what is new in them can be named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from collector.apis.json_shapes import Json, mapping, text_or_none


@dataclass(frozen=True, slots=True)
class Understood:
    """What the reader of a format knows: `fields` are names that `names` finds in what it reads.

    They are all names of the format's documentation, whether the reader needs them or not. `version` finds
    the version that a record says it is of; it is newer where its numbers are greater than those of
    `latest`, as far as these go.
    """

    fields: frozenset[str]
    names: Callable[[Json], Iterable[str]] = field(default=lambda record: record)
    version: Callable[[Json], str | None] = field(default=lambda _: None)
    latest: str = ""


def words(text: str) -> frozenset[str]:
    """The names in a text, with spaces or ends of lines between them."""
    return frozenset(text.split())


def inside(record: Json, key: str) -> Iterator[str]:
    """The names in an object of a record, each under that object's own."""
    return (f"{key}.{name}" for name in mapping(record.get(key)))


def result_names(line: Json) -> Iterable[str]:
    """The names in the result that a line of a bill is of."""
    return mapping(line.get("result"))


def said(key: str) -> Callable[[Json], str | None]:
    """Read a record's version where it stands under this key."""
    return lambda record: text_or_none(record.get(key))
