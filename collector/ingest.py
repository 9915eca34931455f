"""Read log files into the ledger: files, batches, rows and rejects, one commit a batch."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import msgspec
import polars as pl

from collector import sources
from collector.attribution import DEFAULT_RULES, Rules
from collector.formats import FORMATS, sniff
from collector.identity import digest
from collector.masking import excerpt
from collector.rows import Reading, Row, records_frame, row, versions_frame
from collector.segments import DEFAULT as DEFAULT_SEGMENTS
from collector.segments import SegmentRules
from collector.sources import STDIN, Record, SourceError
from ledger.posting import REJECTS, UNFINISHED, Batch, Outcome, SourcePosition, positions, post
from ledger.prices import Contract
from ledger.store import Ledger
from ledger.types import Reject

AUTO = "auto"
_SNIFFED_RECORDS = 20
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
        desk = _Desk(visit, intake, now, progress, ledger.key, positions(ledger))
    files = tuple(_ingest_one(path, desk) for path in paths)
    formats: dict[str, int] = {}
    for file in files:
        if file.format:
            formats[file.format] = formats.get(file.format, 0) + file.outcome.read
    return Summary(files, time.perf_counter() - started, formats)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What the reading of every file shares; `known` is how far files were read when the ingest began."""

    visit: Visit
    intake: Intake
    now: datetime
    progress: Callable[[int], None]
    key: bytes
    known: Mapping[str, SourcePosition]


def _ingest_one(path: str, desk: _Desk) -> FileSummary:
    try:
        return _ingest_file(path, desk)
    except SourceError as error:
        return FileSummary(path, problem=str(error))
    except OSError as error:
        return FileSummary(path, problem=f"cannot read {path}: {error.strerror or error}")


def _ingest_file(path: str, desk: _Desk) -> FileSummary:
    name = path if path == STDIN else str(Path(path).resolve())
    intake = desk.intake
    start = _start(path, desk.known.get(name))
    if start is None:
        desk.progress(Path(path).stat().st_size)
        return FileSummary(path, unchanged=True)
    whole = path == STDIN or sources.is_compressed(path)
    with sources.opened(path, start.position) as stream:
        records = sources.records(stream, start.lines + 1, start.position, whole=whole)
        head = list(itertools.islice(records, _SNIFFED_RECORDS))
        form, rest = _chosen(path, head, records, intake.format, start)
        fallback = intake.assume_time or sources.modified_at(path)
        reading = Reading(form, name, desk.now, fallback, desk.key, intake.rules, intake.segment_rules)
        return _ingest_records(path, form, rest, reading, start, desk)


_FRESH = SourcePosition("", "", 0, 0, 0, b"")


def _start(path: str, known: SourcePosition | None) -> SourcePosition | None:
    """Where to read on: past what is known where the file only grew, else from the top; None if unchanged."""
    if path == STDIN or known is None:
        return _FRESH
    size = Path(path).stat().st_size
    if size < known.position or sources.fingerprint(path, known.position) != known.digest:
        return _FRESH
    if size == known.position or (size == known.size and not sources.is_compressed(path)):
        return None
    return _FRESH if sources.is_compressed(path) else known


def _chosen(
    path: str, head: list[Record], rest: Iterator[Record], wanted: str, start: SourcePosition
) -> tuple[str, Iterator[Record]]:
    """The format and all records. JSON that spreads over lines is read as a whole."""
    objects = [found for record in head if isinstance(found := _json(record), dict)]
    records: Iterator[Record] = itertools.chain(head, rest)
    if head and not objects and path != STDIN:
        spread = _spread(path)
        if spread is not None:
            records = iter(spread)
            objects = [
                found for record in spread[:_SNIFFED_RECORDS] if isinstance(found := _json(record), dict)
            ]
    if wanted != AUTO:
        return wanted, records
    if start.format:
        return start.format, records
    form = sniff(objects)
    if form is None and head:
        raise SourceError(
            f"cannot tell the format of {path} from its first {len(head)} records: name one with --format "
            f"({', '.join(FORMATS)})"
        )
    return form or "", records


def _json(record: Record) -> object:
    try:
        return _decoded(record.data) if record.problem is None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _spread(path: str) -> list[Record] | None:
    """The records of a file that is one JSON object or array, numbered; None where it is not."""
    text = sources.whole_text(path)
    try:
        found = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    items = found if isinstance(found, list) else [found]
    if not any(isinstance(item, dict) for item in items):
        return None
    encoded = [msgspec.json.encode(item) for item in items]
    last = len(encoded) - 1
    # The file is one piece: its whole length belongs to the last record, so that it is read to the end.
    size = Path(path).stat().st_size
    return [Record(i + 1, 0, data, size if i == last else 0) for i, data in enumerate(encoded)]


def _ingest_records(
    path: str, form: str, records: Iterator[Record], reading: Reading, start: SourcePosition, desk: _Desk
) -> FileSummary:
    total, size, place = Outcome(), 0, start
    for chunk, last in _chunks(records):
        rows, rejects = _read(chunk, reading)
        place, size_read = _advance(path, form, chunk, place, last)
        stored = place if path != STDIN and (last or not sources.is_compressed(path)) else None
        batch = _batch(rows, rejects, reading, stored, form, size_read)
        with desk.visit() as ledger:
            outcome = post(ledger, batch, desk.intake.contracts, reading.ingested_at)
        _quarantine(path, chunk, rejects, desk.intake.quarantine)
        total, size = _sum(total, outcome), size + size_read
        desk.progress(size_read)
    return FileSummary(path, form, total, size)


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


def _read(chunk: list[Record], reading: Reading) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for record in chunk:
        try:
            rows.append(_row(record, reading))
        except ValueError as error:
            rejects.append(_reject(record, str(error)))
    return rows, rejects


def _row(record: Record, reading: Reading) -> Row:
    if record.problem is not None:
        raise ValueError(record.problem)
    request = FORMATS[reading.source].read(_object(record))
    return row(request, digest(record.data), record.line, reading)


def _object(record: Record) -> Mapping[str, object]:
    try:
        found = _decoded(record.data)
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from error
    except msgspec.DecodeError as error:
        problem = UNFINISHED if record.unfinished else f"invalid JSON: {error}"
        raise ValueError(problem) from error
    except RecursionError:
        raise ValueError("the record is nested too deeply to be read") from None
    if not isinstance(found, dict):
        raise ValueError(f"a JSON {_kind(found)} where an object is expected")
    return found


# JavaScript writes an emoji that was cut in half as a lone surrogate, which no UTF-8 can hold. The rest of
# the record is sound, so only that character is replaced.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        if "surrogate" not in str(error):
            raise
    return msgspec.json.decode(_LONE_SURROGATE.sub(rb"\\ufffd", data))


def _kind(value: object) -> str:
    names = {list: "array", str: "string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")


def _reject(record: Record, reason: str) -> Reject:
    return Reject(
        reason, record.line, record.offset, record.length, digest(record.data), excerpt(record.data)
    )


def _advance(
    path: str, form: str, chunk: list[Record], place: SourcePosition, last: bool
) -> tuple[SourcePosition, int]:
    """The position after a chunk. A last line that may still be being written is left for the next time."""
    whole = [record for record in chunk if not (record.unfinished and _json(record) is None)]
    read = sum(record.length for record in whole)
    end = max((record.offset + record.length for record in whole), default=place.position)
    lines = max((record.line for record in whole), default=place.lines)
    if path == STDIN:
        return place, read
    size = Path(path).stat().st_size
    position = size if sources.is_compressed(path) and last else end
    name = str(Path(path).resolve())
    if sources.is_compressed(path) and not last:
        return replace(place, path=name, format=form), read
    return SourcePosition(name, form, size, position, lines, sources.fingerprint(path, position)), read


def _batch(
    rows: list[Row],
    rejects: list[Reject],
    reading: Reading,
    place: SourcePosition | None,
    form: str,
    size: int,
) -> Batch:
    return Batch(
        records=records_frame(rows),
        rejects=_rejects_frame(rejects, reading),
        prompt_versions=versions_frame(rows),
        source=place,
        source_file=reading.source_file,
        format=form,
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


def _quarantine(path: str, chunk: list[Record], rejects: list[Reject], file: Path | None) -> None:
    if path != STDIN or file is None or not rejects:
        return
    bad = {reject.line for reject in rejects}
    with file.open("ab") as out:
        out.writelines(record.data + b"\n" for record in chunk if record.line in bad)


def _sum(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        one.read + other.read,
        one.added + other.added,
        one.updated + other.updated,
        one.duplicate + other.duplicate,
        one.rejected + other.rejected,
        one.merged_identical + other.merged_identical,
    )


def read_again(
    ledger: Ledger, record: Record, form: str, source_file: str, intake: Intake, now: datetime
) -> str | None:
    """Book one record that was rejected before; None, or the reason it is still no good."""
    fallback = intake.assume_time or sources.modified_at(source_file)
    reading = Reading(form, source_file, now, fallback, ledger.key, intake.rules, intake.segment_rules)
    try:
        found = _row(record, reading)
    except ValueError as error:
        return str(error)
    post(ledger, _batch([found], [], reading, None, form, 0), intake.contracts, now)
    return None
