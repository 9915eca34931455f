"""What a log format is: how to know one of its records, how to read it, and what it cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from collector.apis.json_shapes import Json
from collector.formats.understood import Understood
from ledger.types import Bill, Request, Span

# The calls in one record.
Items = Callable[[Json], Iterator[Json]]
# Takes the records of one file in their order, None after the last, and gives what `read` takes. What an item
# has under `records` is what tells the call itself: the call is known by that, else by the whole item.
Follow = Callable[[Json | None], Iterator[Json]]


class NotACallError(ValueError):
    """The record is sound and of this format, but no LLM call: it is set aside, and counted as that."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What holds for every record of a format, in words for people (docs/formats.md says the same).

    `cache` says whether the input count includes cached tokens, `identity` what two records of one call are
    told by, `times` the fields that time is read from, `unknown` what the format cannot tell. `versions` are
    those of the schema that the reader was written for, oldest first.
    """

    cache: str
    identity: str
    times: str
    unknown: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """One log format.

    `matches` says whether a record is one of this format's, by its keys alone. `read` raises ValueError
    with the field and the value where a record cannot be booked, NotACallError where nothing is to be.
    Where one record holds several calls (an export request, a page of a list), `items` gives what `read`
    takes, one a call. Where a call is told by several records of a file, or by what went before it,
    `follow` begins a reading of a file: such a file is read from the top each time. Where the names that
    records have for a call hold among some files only, `scope` names these by a file's path and the names of
    the files beside it (None where they cannot be listed). `understands` are the names and versions that the
    reader knows, None where records have what shape their writers please.
    """

    name: str
    doc: str
    matches: Callable[[Json], bool]
    read: Callable[[Json], Request | Span | Bill]
    items: Items | None = None
    follow: Callable[[], Follow] | None = None
    facts: Facts | None = None
    understands: Understood | None = None
    scope: Callable[[str, Sequence[str] | None], str] | None = None
