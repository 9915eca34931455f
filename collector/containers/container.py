"""What a file that is not lines of JSON gives: records as JSON bytes, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from collector.sources import Record
from ledger.posting import SourcePosition


@dataclass(frozen=True, slots=True)
class Opened:
    """A source being read from `start`; of a plain file nothing is read from byte `size` on.

    A file that is `settled` has not been written to for a while: its last record is whole.
    """

    path: str
    handle: IO[bytes]
    start: SourcePosition
    size: int
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """One kind of file that is not lines of JSON.

    `records` gives each record's number from 1 and its JSON bytes; it raises SourceError for a file that is
    not of its kind. Where a file `grows`, `offset` and `length` are of its plain text, and reading goes on
    from where it was left; else the file is read from the top each time, `offset` is what tells its records
    apart. `magic` is what such a file begins with, whatever its name.
    """

    name: str
    suffixes: tuple[str, ...]
    records: Callable[[Opened], Iterator[Record]]
    magic: bytes = b""
    grows: bool = False
