"""What a log format is: how to know one of its records, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from collector.apis.json_shapes import Json
from ledger.types import Request


@dataclass(frozen=True, slots=True)
class Format:
    """One log format.

    `matches` says whether a record is one of this format's, by its keys alone. `read` raises ValueError
    with the field and the value where a record cannot be booked.
    """

    name: str
    doc: str
    matches: Callable[[Json], bool]
    read: Callable[[Json], Request]
