"""Decide what a file holds: where to read on, in which format, one record a line or of another kind."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from collector import containers, pages, sources
from collector.columns import TABLE
from collector.containers import Opened
from collector.decoding import object_of
from collector.formats import FORMATS, sniff
from collector.rotation import plain_rest
from collector.sources import STDIN, Record, SourceError
from ledger.posting import SourcePosition

AUTO = "auto"
# Named where no record is to be read as anything.
_ANY = ""
_SNIFFED_OBJECTS = 20
_SNIFFED_RECORDS = 2_000
_SNIFFED_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Contents:
    """The format and records of a file; `spread` where its records have no place to read on from.

    `first` are the first of its objects.
    """

    form: str
    records: Iterator[Record]
    spread: bool
    first: Sequence[Mapping[str, object]] = ()


_FRESH = SourcePosition("", "", 0, 0, 0, b"")


def where_to_start(
    path: str, file: IO[bytes], known: SourcePosition | None, wanted: str
) -> SourcePosition | None:
    """Where to read on: past what is known where the file only grew, else from the top; None if unchanged.

    A file that is now to be read as another format is read from the top.
    """
    if path == STDIN or known is None or not fits(known, wanted):
        return _FRESH
    if sources.is_compressed(path) and not sources.is_compressed(known.path):
        return _after_packing(path, file, known)
    size = sources.size_of(file)
    if size < known.position or sources.fingerprint(file, known.position) != known.digest:
        return _FRESH
    if size == known.position or (size == known.size and _says_all(path)):
        return None
    return _FRESH if is_read_whole(path, known.format) else known


def _after_packing(path: str, file: IO[bytes], known: SourcePosition) -> SourcePosition | None:
    """Where to read on in a file that was compressed after it was read."""
    goes_on = plain_rest(path, file, known)
    if goes_on is None or (goes_on and is_read_whole(known.path, known.format)):
        return _FRESH
    return known if goes_on else None


def _says_all(path: str) -> bool:
    """Whether a file of the same size has nothing new: a row of a table may be whole by now."""
    return not sources.is_compressed(path) and containers.of(path) is None


def fits(known: SourcePosition, wanted: str) -> bool:
    """Whether what was read of a file was read as the format that is wanted now."""
    return not known.format or wanted in (AUTO, known.format)


def is_read_whole(path: str, form: str) -> bool:
    """Whether a file is read from the top each time: nothing in it can be told from the middle on."""
    kind = containers.of(path)
    if sources.is_compressed(path) or (kind is not None and not kind.grows):
        return True
    return form in FORMATS and FORMATS[form].follow is not None


def is_lines(path: str, file: IO[bytes]) -> bool:
    """Whether a file is made of lines, which can be read from any line on."""
    return containers.of(path, file) is None


def read_contents(
    path: str, file: IO[bytes], start: SourcePosition, wanted: str, size: int, *, settled: bool = True
) -> Contents:
    """Look at the first records. Raises SourceError where their format cannot be told.

    `size` is where a plain file ends: what is written to it meanwhile is left for the next time.
    """
    kind = _piped(file, wanted) if path == STDIN else containers.of(path, file)
    if kind is not None:
        return _contained(kind, Opened(path, file, start, size, settled), wanted)
    whole = path == STDIN or sources.is_compressed(path)
    stream = sources.plain_text(path, file, start.position)
    if sources.is_compressed(path):
        sources.skip(stream, 0, start.position)
    end = None if whole else size
    lines = sources.records(stream, start.lines + 1, start.position, whole=whole, end=end)
    head, objects = _head(lines)
    spread = _spread(path, head, start)
    records = itertools.chain(head, lines) if spread is None else iter(spread)
    if spread is not None:
        head, objects = _head(iter(spread))
    if _are_pages(objects, wanted):
        return _of_pages(path, records, wanted, start)
    return Contents(_format(path, head, objects, wanted, start), records, spread is not None, objects)


def _are_pages(objects: Sequence[Mapping[str, object]], wanted: str) -> bool:
    """Whether the objects are lists of an API's records, and not themselves records of a format."""
    if not objects or any(pages.list_in(each) is None for each in objects):
        return False
    if wanted in FORMATS:
        return not any(FORMATS[wanted].matches(each) for each in objects)
    return sniff(objects[:_SNIFFED_OBJECTS]) is None


def _of_pages(path: str, lists: Iterator[Record], wanted: str, start: SourcePosition) -> Contents:
    records = pages.records_in(lists)
    head, objects = _head(records)
    form = _format(path, head, objects, wanted, start)
    return Contents(form, itertools.chain(head, records), True, objects)


def _piped(file: IO[bytes], wanted: str) -> containers.Container | None:
    """Standard input that is read as a table is CSV, unless it begins as JSON."""
    if wanted != TABLE or not isinstance(file, io.BufferedReader):
        return None
    begins_as_json = file.peek(1)[:1] in (b"{", b"[")
    return None if begins_as_json else containers.CONTAINERS["delimited"]


def first_objects(path: str) -> list[Mapping[str, object]]:
    """The first objects of a file, of whatever format. Raises SourceError where it cannot be read."""
    with sources.opened(path) as file:
        contents = read_contents(path, file, _FRESH, _ANY, sources.size_of(file))
        return list(contents.first[:_SNIFFED_OBJECTS])


def _contained(kind: containers.Container, opened: Opened, wanted: str) -> Contents:
    records = kind.records(opened)
    head, objects = _head(records)
    form = _format(opened.path, head, objects, wanted, opened.start)
    return Contents(form, itertools.chain(head, records), not kind.grows, objects)


def _head(records: Iterator[Record]) -> tuple[list[Record], list[Mapping[str, object]]]:
    """The first records, and the objects among them: enough to tell the format behind any broken lines."""
    head: list[Record] = []
    objects: list[Mapping[str, object]] = []
    weight = 0
    for record in records:
        head.append(record)
        weight += len(record.data)
        found = _object(record)
        if found is not None:
            objects.append(found)
        if len(objects) >= _SNIFFED_OBJECTS or len(head) >= _SNIFFED_RECORDS or weight > _SNIFFED_BYTES:
            break
    return head, objects


def _object(record: Record) -> Mapping[str, object] | None:
    try:
        return object_of(record)
    except ValueError:
        return None


def _spread(path: str, head: Sequence[Record], start: SourcePosition) -> list[Record] | None:
    """The records of a file that is one piece of JSON over any lines; None where each line is a record."""
    if path == STDIN or start.position or not head or not head[0].data.startswith((b"{", b"[")):
        return None
    return sources.spread(path) if _object(head[0]) is None else None


def _format(
    path: str,
    head: Sequence[Record],
    objects: Sequence[Mapping[str, object]],
    wanted: str,
    start: SourcePosition,
) -> str:
    if wanted != AUTO:
        return wanted
    form = start.format or sniff(objects[:_SNIFFED_OBJECTS])
    if form is None and any(record.problem is None for record in head):
        raise SourceError(
            f"cannot tell the format of {path} from its first {len(head)} records: name one with --format "
            f"({', '.join(FORMATS)}), or map its columns if it is a table of your own (`tollbook columns`)"
        )
    return form or ""
