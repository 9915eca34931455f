"""The calls that a source tells, read and not counted, to see how they are attributed."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from collector import places, sources
from collector.batches import Unreadable, calls_in
from collector.columns import wanted_format
from collector.contents import read_contents
from collector.formats import FORMATS
from collector.identity import digest
from collector.rotated import rotated
from collector.rows import Reading, identity
from collector.sources import STDIN, Record, SourceError
from collector.work import PART_RECORDS, Intake, Job, reading_of
from ledger.posting import SourcePosition
from ledger.types import Request

_TOP = SourcePosition("", "", 0, 0, 0, b"")


@dataclass(frozen=True, slots=True)
class ReadCall:
    """A call as a record of a source tells it, with the id it has in the ledger."""

    source_file: str
    line: int
    form: str
    request_id: str
    request: Request


def calls(
    path: str,
    intake: Intake,
    now: datetime,
    lines: Set[int] | None = None,
    most_bytes: int | None = None,
    key: bytes = b"",
    unreadable: Unreadable | None = None,
    name: str | None = None,
    wanted: bytes | None = None,
) -> Iterator[ReadCall]:
    """Read the calls of a source, or of these lines of it, from the top. Raises SourceError or OSError.

    What cannot be read is counted and passed over; what lies beyond so many bytes is not looked at.
    `key` is the ledger's, which names the records that complete a call. `name` is the path that
    a file is known by, where it stands elsewhere by now; `wanted` is the digest of the only record asked for.
    """
    named = name or path
    with _at_hand(path) as local, sources.opened(local) as handle:
        size = 0 if path == STDIN else sources.size_of(handle)
        wanted_form = wanted_format(intake.format, intake.tables, named)
        contents = read_contents(local, handle, _TOP, wanted_form, size)
        reading = reading_of(named, contents.form, Job(intake, now, key), sources.written_at(local, handle))
        # A reader that remembers must see every record, whichever are asked for.
        of_lines = None if reading.follow is not None else lines
        found = _known_by(_up_to(contents.records, of_lines, most_bytes), wanted, reading)
        for some, last in _chunks(found):
            for line, known_by, request in calls_in(some, reading, unreadable or Unreadable(), last=last):
                if (lines is None or line in lines) and (wanted is None or known_by == wanted):
                    known_as, _ = identity(request, known_by, reading)
                    yield ReadCall(reading.source_file, line, contents.form, known_as, request)


def _known_by(records: Iterator[Record], wanted: bytes | None, reading: Reading) -> Iterator[Record]:
    """Only what may tell the wanted call: a record by itself is known by its bytes."""
    if wanted is None or reading.follow is not None or FORMATS[reading.source].items is not None:
        return records
    return (record for record in records if digest(record.data) == wanted)


def found_again(
    file: str, wanted: bytes, intake: Intake, now: datetime, key: bytes
) -> tuple[str, ReadCall] | None:
    """Where a record stands by now, in its file or in what that was rotated to, and the call it tells."""
    for path in (file, *rotated(file)):
        try:
            found = next(calls(path, intake, now, key=key, name=file, wanted=wanted), None)
        except (SourceError, *sources.DAMAGE):
            continue
        if found is not None:
            return path, found
    return None


def _at_hand(path: str) -> AbstractContextManager[str]:
    return nullcontext(path) if path == STDIN else places.at_hand(path, places.stamp_of(path))


def _up_to(records: Iterator[Record], lines: Set[int] | None, most_bytes: int | None) -> Iterator[Record]:
    last = max(lines, default=0) if lines is not None else None
    read = 0
    for record in records:
        read += record.length
        if (last is not None and record.line > last) or (most_bytes is not None and read > most_bytes):
            return
        if lines is None or record.line in lines:
            yield record


def _chunks(records: Iterator[Record]) -> Iterator[tuple[list[Record], bool]]:
    chunk: list[Record] = []
    for record in records:
        if len(chunk) >= PART_RECORDS:
            yield chunk, False
            chunk = []
        chunk.append(record)
    yield chunk, True
