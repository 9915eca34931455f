"""Rows of CSV and TSV files, under the names in their first row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import msgspec

from collector import sources
from collector.containers.container import Opened
from collector.sources import MAX_RECORD_BYTES, STDIN, Record, SourceError
from ledger.posting import DAMAGED, UNFINISHED

_DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# The module's own limit is 128 KiB a field; prompts are longer.
csv.field_size_limit(MAX_RECORD_BYTES)


def records(opened: Opened) -> Iterator[Record]:
    """The rows below the header, numbered as a spreadsheet does: the header is row 1."""
    lines = _Lines(sources.plain_text(opened.path, opened.handle), _end(opened))
    try:
        table = _table(opened.path, lines)
    except sources.DAMAGE:
        yield Record(1, 0, b"", 0, DAMAGED)
        return
    if table is None:
        return
    if opened.start.position > lines.position:
        _pass_over(lines, opened)
        table.number = opened.start.lines
    yield from _rows(table, lines, may_go_on=not (opened.settled or _is_whole(opened)))


def _pass_over(lines: _Lines, opened: Opened) -> None:
    """Go on to what was not read yet."""
    if sources.is_compressed(opened.path):
        lines.position = sources.skip(lines.stream, lines.position, opened.start.position)
    else:
        lines.position = opened.handle.seek(opened.start.position)


def _is_whole(opened: Opened) -> bool:
    return opened.path == STDIN or sources.is_compressed(opened.path)


def _end(opened: Opened) -> int | None:
    return None if _is_whole(opened) else opened.size


@dataclass(slots=True)
class _Lines:
    """The lines of a text as csv takes them; `position` is where the last one taken ends."""

    stream: IO[bytes]
    end: int | None
    position: int = 0
    ended: bool = True

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        most = MAX_RECORD_BYTES + 1
        data = self.stream.readline(most if self.end is None else min(most, self.end - self.position))
        if not data:
            raise StopIteration
        self.position += len(data)
        self.ended = data.endswith(b"\n")
        return data.decode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Table:
    """The columns of a file, and the number of the last row taken."""

    columns: Sequence[str]
    delimiter: str
    number: int = 1


def _table(path: str, lines: _Lines) -> _Table | None:
    """Read the header. None where there is no line at all yet."""
    first = next(lines, None)
    if first is None:
        return None
    if first.encode("utf-8", "surrogateescape").startswith(_UTF16):
        raise SourceError(f"{path} is UTF-16 text: save it as UTF-8")
    first = first.removeprefix("\ufeff")
    said = first.strip().lower()
    if said.startswith("sep=") and len(said) == 5 and said[4] in _DELIMITERS:
        delimiter, first = said[4], next(lines, "")
    else:
        delimiter = _delimiter(path, first)
    return _Table(_names(_header(path, first, lines, delimiter)), delimiter)


def _delimiter(path: str, line: str) -> str:
    """What parts the names of the header, outside quotes; tabs in a .tsv."""
    if ".tsv" in path.lower():
        return "\t"
    bare = "".join(line.split('"')[::2])
    return max(_DELIMITERS, key=bare.count)


def _header(path: str, first: str, lines: _Lines, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(_Joined(first, lines), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise SourceError(f"cannot read the header of {path}: {error}") from error


@dataclass(slots=True)
class _Joined:
    """One line, then those after it: a name in the header may hold a line's end."""

    first: str | None
    rest: _Lines

    def __iter__(self) -> _Joined:
        return self

    def __next__(self) -> str:
        if self.first is not None:
            line, self.first = self.first, None
            return line
        return next(self.rest)


def _names(header: Sequence[str]) -> list[str]:
    """Every column under a name of its own: nameless ones by their place, repeated ones numbered."""
    names: list[str] = []
    for place, said in enumerate(header, 1):
        name, again = said.strip() or f"column {place}", 1
        while name in names:
            again += 1
            name = f"{said.strip() or f'column {place}'} ({again})"
        names.append(name)
    return names


def _rows(table: _Table, lines: _Lines, *, may_go_on: bool) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=table.delimiter, strict=True)
    while True:
        start = lines.position
        try:
            row = next(reader)
            problem = None
        except StopIteration:
            return
        except csv.Error as error:
            row, problem = [], f"the row is no CSV: {error}"
        except sources.DAMAGE:
            yield Record(table.number + 1, start, b"", 0, DAMAGED)
            return
        table.number += 1
        length = lines.position - start
        if not lines.ended and may_go_on:
            yield Record(table.number, start, b"", length, UNFINISHED, unfinished=True)
        elif row or problem:
            yield _record(table, row, start, length, problem)


def _record(table: _Table, row: Sequence[str], start: int, length: int, problem: str | None) -> Record:
    if problem is None and len(row) != len(table.columns):
        problem = f"the row has {len(row)} columns, the header has {len(table.columns)}"
    if problem is None:
        try:
            data = msgspec.json.encode(dict(zip(table.columns, row, strict=True)))
            return Record(table.number, start, data, length)
        except UnicodeEncodeError:
            problem = "invalid UTF-8 in the row"
    return Record(table.number, start, b"", length, problem)
