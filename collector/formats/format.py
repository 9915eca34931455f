"""What a log format is: how to know one of its records, and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from collector.apis.json_shapes import Json
from ledger.types import Request


class NotACallError(ValueError):
    """The record is sound and of this format, but no LLM call: it is set aside, and counted as that."""


@dataclass(frozen=True, slots=True)
class Format:
    """One log format.

    `matches` says whether a record is one of this format's, by its keys alone. `read` raises ValueError
    with the field and the value where a record cannot be booked, NotACallError where nothing is to be.
    Where one record holds several calls (an export request, a page of a list), `items` gives what `read`
    takes, one a call.
    """

    name: str
    doc: str
    matches: Callable[[Json], bool]
    read: Callable[[Json], Request]
    items: Callable[[Json], Iterator[Json]] | None = None
