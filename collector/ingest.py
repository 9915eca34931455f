"""Read log files into the ledger: files, batches, rows and rejects; many small files in one commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import IO

import polars as pl

from collector import sources
from collector.attribution import DEFAULT_RULES, Rules
from collector.contents import AUTO, read_contents, where_to_start
from collector.decoding import is_cut, object_of
from collector.formats import FORMATS
from collector.identity import digest
from collector.masking import excerpt
from collector.rows import Reading, Row, records_frame, row, versions_frame
from collector.segments import DEFAULT as DEFAULT_SEGMENTS
from collector.segments import SegmentRules
from collector.sources import STDIN, Record, SourceError
from ledger.posting import REJECTS, Batch, Outcome, SourcePosition, positions, post, post_all
from ledger.prices import Contract
from ledger.store import Ledger
from ledger.types import Reject

_BATCH_RECORDS = 5_000
_BATCH_BYTES = 32 * 1024 * 1024

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class Intake:
    """How logs are read: format, attribution, segments, contracts, and what stands in for a missing time.

    `quarantine` takes the text of records rejected from standard input, which cannot be read again.
    """

    format: str = AUTO
    rules: Rules = DEFAULT_RULES
    segment_rules: SegmentRules = DEFAULT_SEGMENTS
    contracts: Sequence[Contract] = ()
    assume_time: datetime | None = None
    quarantine: Path | None = None


@dataclass(frozen=True, slots=True)
class FileSummary:
    """What one source gave; `format` is empty where nothing was read."""

    path: str
    format: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    bytes: int = 0
    unchanged: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an ingest did; the totals are those of its files."""

    files: tuple[FileSummary, ...]
    seconds: float
    formats: Mapping[str, int] = field(default_factory=dict)

    def total(self, name: str) -> int:
        """The sum of an Outcome's field over all files."""
        return sum(getattr(file.outcome, name) for file in self.files)

    @property
    def problems(self) -> tuple[str, ...]:
        """What the user must look at, one sentence a file that could not be read."""
        return tuple(file.problem for file in self.files if file.problem)


def ingest(
    paths: Sequence[str],
    visit: Visit,
    intake: Intake,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Summary:
    """Read the sources into the ledger. One that cannot be read is told in the summary; the rest go in.

    `visit` opens the ledger for one commit at a time; `progress` is told of bytes read.
    """
    started = time.perf_counter()
    with visit() as ledger:
        desk = _Desk(intake, now, progress, ledger.key, positions(ledger))
    files = [FileSummary(path) for path in paths]
    for pieces in _commits(_pieces(paths, desk)):
        for piece, outcome in zip(pieces, _posted(pieces, visit, desk), strict=True):
            files[piece.number] = _together(files[piece.number], replace(piece.summary, outcome=outcome))
    formats: dict[str, int] = {}
    for file in files:
        if file.format:
            formats[file.format] = formats.get(file.format, 0) + file.outcome.read
    return Summary(tuple(files), time.perf_counter() - started, formats)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the reading of every file shares; `known` is how far files were read when the ingest began."""

    intake: Intake
    now: datetime
    progress: Callable[[int], None]
    key: bytes
    known: Mapping[str, SourcePosition]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the file with this number: what it adds to the file's summary and to the ledger.

    `refused` is the text of its rejects where it cannot be read again.
    """

    number: int
    summary: FileSummary
    batch: Batch | None = None
    refused: tuple[bytes, ...] = ()


def _commits(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces together to make commits of thousands of records, whatever the files' sizes."""
    together: list[_Piece] = []
    records = weight = 0
    for piece in pieces:
        together.append(piece)
        records += piece.batch.records.height if piece.batch else 0
        weight += piece.summary.bytes
        if records >= _BATCH_RECORDS or weight >= _BATCH_BYTES:
            yield together
            together, records, weight = [], 0, 0
    if together:
        yield together


def _posted(pieces: Sequence[_Piece], visit: Visit, desk: _Desk) -> list[Outcome]:
    """Commit the pieces' batches; one outcome a piece."""
    batches = [piece.batch for piece in pieces if piece.batch is not None]
    if not batches:
        return [Outcome() for _ in pieces]
    with visit() as ledger:
        outcomes = iter(post_all(ledger, batches, desk.intake.contracts, desk.now))
    for piece in pieces:
        _quarantine(piece.refused, desk.intake.quarantine)
    return [next(outcomes) if piece.batch is not None else Outcome() for piece in pieces]


def _together(one: FileSummary, other: FileSummary) -> FileSummary:
    return FileSummary(
        one.path,
        other.format or one.format,
        _sum(one.outcome, other.outcome),
        one.bytes + other.bytes,
        one.unchanged or other.unchanged,
        other.problem or one.problem,
    )


def _sum(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        one.read + other.read,
        one.added + other.added,
        one.updated + other.updated,
        one.duplicate + other.duplicate,
        one.rejected + other.rejected,
        one.merged_identical + other.merged_identical,
    )


def _pieces(paths: Sequence[str], desk: _Desk) -> Iterator[_Piece]:
    """The pieces of all files in order; a file that cannot be read gives one that says why."""
    for number, path in enumerate(paths):
        problem = None
        try:
            for summary, batch, refused in _file_pieces(path, desk):
                yield _Piece(number, summary, batch, refused)
        except SourceError as error:
            problem = str(error)
        except OSError as error:
            problem = f"cannot read {path}: {error.strerror or error}"
        if problem is not None:
            yield _Piece(number, FileSummary(path, problem=problem))


def batches(path: str, intake: Intake, now: datetime, key: bytes) -> Iterator[Batch]:
    """What a source gives, read from the top and booked by nobody. Raises SourceError or OSError."""
    desk = _Desk(intake, now, lambda _: None, key, {})
    for _, batch, _ in _file_pieces(path, desk):
        if batch is not None:
            yield batch


@dataclass(frozen=True, slots=True)
class _File:
    """A file being read: its size before the first byte was taken, as what is written meanwhile is for
    the next time. One that is `whole` is read in one go from the top, or again from the top."""

    handle: IO[bytes]
    path: str
    name: str
    form: str
    size: int
    whole: bool


def _file_pieces(path: str, desk: _Desk) -> Iterator[tuple[FileSummary, Batch | None, tuple[bytes, ...]]]:
    name = sources.name_of(path)
    with sources.opened(path) as handle:
        size = 0 if path == STDIN else sources.size_of(handle)
        start = where_to_start(path, handle, desk.known.get(name), desk.intake.format)
        if start is None:
            desk.progress(size)
            yield FileSummary(path, unchanged=True), None, ()
            return
        stream = sources.plain_text(path, handle, start.position)
        contents = read_contents(path, stream, start, desk.intake.format)
        reading = _reading(name, contents.form, path, desk.intake, desk.now, desk.key)
        whole = sources.is_compressed(path) or contents.spread
        file = _File(handle, path, name, contents.form, size, whole)
        yield from _read_file(file, contents.records, reading, start, desk)


def _reading(name: str, form: str, path: str, intake: Intake, now: datetime, key: bytes) -> Reading:
    fallback = intake.assume_time or sources.modified_at(path)
    return Reading(form, name, now, fallback, key, intake.rules, intake.segment_rules)


def _read_file(
    file: _File, records: Iterator[Record], reading: Reading, start: SourcePosition, desk: _Desk
) -> Iterator[tuple[FileSummary, Batch, tuple[bytes, ...]]]:
    place: SourcePosition | None = start
    for chunk, last in _chunks(records):
        rows, rejects = _read(chunk, reading)
        taken = [record for record in chunk if not is_cut(record)]
        size = sum(record.length for record in taken)
        if file.path != STDIN:
            place = _whole_place(file, last) if file.whole else _place(file, taken, place or start)
        batch = _batch(rows, rejects, reading, _kept_place(file, place), size)
        bad = {reject.line for reject in rejects} if file.path == STDIN else ()
        desk.progress(size)
        refused = tuple(record.data for record in chunk if record.line in bad)
        yield FileSummary(file.path, file.form, bytes=size), batch, refused


def _kept_place(file: _File, place: SourcePosition | None) -> SourcePosition | None:
    """The position, unless it says nothing of what the next reading will find at the path."""
    return place if file.path != STDIN and sources.is_still_at(file.path, file.handle) else None


def _place(file: _File, taken: Sequence[Record], place: SourcePosition) -> SourcePosition:
    """The position after these records. A line without its end yet will go on with the same number."""
    end = max((record.offset + record.length for record in taken), default=place.position)
    lines = max((record.line - record.unfinished for record in taken), default=place.lines)
    return SourcePosition(file.name, file.form, file.size, end, lines, sources.fingerprint(file.handle, end))


def _whole_place(file: _File, last: bool) -> SourcePosition | None:
    if not last:
        return None
    read = sources.fingerprint(file.handle, file.size)
    return SourcePosition(file.name, file.form, file.size, file.size, 0, read)


def _chunks(records: Iterator[Record]) -> Iterator[tuple[list[Record], bool]]:
    """Batches of bounded records and bytes, the last one marked; at least one, so that a position is kept."""
    chunk: list[Record] = []
    weight = 0
    for record in records:
        if chunk and (len(chunk) >= _BATCH_RECORDS or weight >= _BATCH_BYTES):
            yield chunk, False
            chunk, weight = [], 0
        chunk.append(record)
        weight += len(record.data)
    yield chunk, True


def _read(chunk: Sequence[Record], reading: Reading) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for record in chunk:
        try:
            rows.append(_row(record, reading))
        except ValueError as error:
            rejects.append(_reject(record, str(error), reading.source_file))
    return rows, rejects


def _row(record: Record, reading: Reading) -> Row:
    found = object_of(record)
    return row(FORMATS[reading.source].read(found), digest(record.data), record.line, reading)


def _reject(record: Record, reason: str, source_file: str) -> Reject:
    if record.problem is None:
        known_by, shape = digest(record.data), excerpt(record.data)
    else:
        known_by = record.known_by or digest(f"{source_file}:{record.offset}".encode())
        shape = f"… ({record.length:,} bytes)"
    return Reject(reason, record.line, record.offset, record.length, known_by, shape)


def _batch(
    rows: Sequence[Row],
    rejects: Sequence[Reject],
    reading: Reading,
    place: SourcePosition | None,
    size: int,
) -> Batch:
    return Batch(
        records=records_frame(rows),
        rejects=_rejects_frame(rejects, reading),
        prompt_versions=versions_frame(rows),
        source=place,
        source_file=reading.source_file,
        format=reading.source,
        bytes=size,
    )


def _rejects_frame(rejects: Sequence[Reject], reading: Reading) -> pl.DataFrame:
    at = reading.ingested_at.replace(tzinfo=None)
    return pl.DataFrame(
        [
            (
                r.digest,
                r.reason,
                reading.source,
                reading.source_file,
                r.line,
                r.offset,
                r.length,
                r.excerpt,
                at,
            )
            for r in rejects
        ],
        schema=REJECTS,
        orient="row",
    )


def _quarantine(refused: Sequence[bytes], file: Path | None) -> None:
    if file is not None and refused:
        with file.open("ab") as out:
            out.writelines(text + b"\n" for text in refused)


def read_again(
    ledger: Ledger, records: Sequence[Record], form: str, source_file: str, intake: Intake, now: datetime
) -> dict[bytes, str]:
    """Book records of one file that were rejected before; the reasons of those that are still no good."""
    reading = _reading(source_file, form, source_file, intake, now, ledger.key)
    rows, rejects = _read(records, reading)
    if rows:
        post(ledger, replace(_batch(rows, [], reading, None, 0), reads_on=False), intake.contracts, now)
    return {reject.digest: reject.reason for reject in rejects}
