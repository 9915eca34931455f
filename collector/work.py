"""The unit of work: a source, or a stretch of one, read into finished batches in whatever process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from collector import objects, sources, tokenizers
from collector.attribution import DEFAULT_RULES, Rules, of_source
from collector.batches import batch_of
from collector.columns import TABLE, Mapped, check_columns, map_of, wanted_format
from collector.contents import AUTO, is_read_whole, read_contents, where_to_start
from collector.counting.learned import by_key
from collector.decoding import is_cut
from collector.formats import follow, scope
from collector.places import Stamp, stamp_of
from collector.rows import Reading
from collector.samples import SampleRules
from collector.segments import DEFAULT as DEFAULT_SEGMENTS
from collector.segments import SegmentRules
from collector.sources import STDIN, FileId, Record, SourceError, is_url
from ledger.posting import Batch, SourcePosition
from ledger.prices import Contract
from ledger.token_cache import Counts
from ledger.types import Calibration

# One and the same, so that sources that are read one after another share what is remembered of texts.
_NO_COUNTS: Counts = {}
PART_RECORDS = 20_000
PART_BYTES = 8 * 1024 * 1024
_SETTLED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Intake:
    """How logs are read: format, attribution, segments, contracts, and what stands in for a missing time.

    `quarantine` takes the text of records rejected from standard input, which cannot be read again;
    `calibrations` are those in force in the ledger that is read into; `tables` say which columns of which
    files are what.
    """

    format: str = AUTO
    rules: Rules = DEFAULT_RULES
    segment_rules: SegmentRules = DEFAULT_SEGMENTS
    contracts: Sequence[Contract] = ()
    assume_time: datetime | None = None
    quarantine: Path | None = None
    calibrations: tuple[Calibration, ...] = ()
    tables: tuple[Mapped, ...] = ()
    samples: SampleRules | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What every unit of a run is read with. Picklable; the key in it is the ledger's secret.

    `counts` are those the ledger remembers, `doubt` is why it does not want the fast counter used;
    `counting` is false where only what calls belong to is asked for.
    """

    intake: Intake
    now: datetime
    key: bytes
    counts: Counts = field(default_factory=dict)
    doubt: str | None = None
    counting: bool = True


@dataclass(frozen=True, slots=True)
class Source:
    """A whole source as a unit of work; `known` is how far it has been read before, `stamp` an object's.

    `at` is the path that a file stands at by now, where it is still known by the one it had.
    """

    path: str
    known: SourcePosition | None = None
    stamp: Stamp | None = None
    at: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """The lines in bytes [start, end) of a file that had `size` bytes when it was cut into stretches."""

    path: str
    form: str
    start: int
    end: int
    size: int
    file_id: FileId
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """What a unit of work gave, or a part of it; `last` where the unit is through.

    A stretch numbers its records from 1: what goes before counts `lines` more. `moved` says that another
    file stands at its path by now, `refused` holds the text of rejects that cannot be read again.
    """

    batch: Batch | None = None
    form: str = ""
    size: int = 0
    lines: int = 0
    last: bool = False
    unchanged: bool = False
    moved: bool = False
    problem: str | None = None
    refused: tuple[bytes, ...] = ()


Unit = Source | Stretch


def read(unit: Unit, job: Job, handle: IO[bytes] | None = None) -> Iterator[Part]:
    """Read a unit; one that cannot be read gives a part that says why.

    An open `handle` of a stretch's file is read in place of what stands at its path.
    """
    tokenizers.begin(job.key, job.counts, job.doubt)
    try:
        if isinstance(unit, Source):
            yield from _read_source(unit, job)
        else:
            yield from _read_stretch(unit, job, handle)
    except SourceError as error:
        yield Part(last=True, problem=str(error))
    except OSError as error:
        yield Part(last=True, problem=f"cannot read {unit.path}: {error.strerror or error}")


def batches(
    path: str,
    intake: Intake,
    now: datetime,
    key: bytes,
    doubt: str | None = None,
    name: str | None = None,
) -> Iterator[Batch]:
    """What a source gives, read from the top and booked by nobody. Raises SourceError or OSError.

    `doubt` is why the fast counter is not to be used, `name` what a source is known by whose copy is read.
    """
    tokenizers.begin(key, _NO_COUNTS, doubt)
    job = Job(intake, now, key)
    parts = _read_source(Source(path), job) if name is None else _read_local(Source(name), path, job)
    for part in parts:
        if part.batch is not None:
            yield part.batch


def reading_of(path: str, form: str, job: Job, written_at: datetime | None) -> Reading:
    """How the records of a source are read; its own time stands in where they have none."""
    name = sources.name_of(path)
    return Reading(
        form,
        name,
        job.now,
        job.intake.assume_time or written_at,
        job.key,
        of_source(job.intake.rules, name),
        job.intake.segment_rules,
        by_key(job.intake.calibrations),
        follow(form),
        _scope(path, name, form, job.now),
        map_of(job.intake.tables, path) if form == TABLE else None,
        job.counting,
        samples=job.intake.samples,
    )


def _scope(path: str, name: str, form: str, now: datetime) -> str | None:
    """What the names of calls in a source hold among; those of a pipe in nothing else."""
    return scope(form, name, sources.beside(path)) if path != STDIN else scope(form, f"-/{now}", None)


@dataclass(frozen=True, slots=True)
class _File:
    """A file being read: its size before the first byte was taken, as what is written meanwhile is for
    the next time. One that is `whole` is read in one go from the top, or again from the top."""

    handle: IO[bytes]
    path: str
    size: int
    whole: bool
    etag: str | None = None


def _read_source(source: Source, job: Job) -> Iterator[Part]:
    if not is_url(source.path):
        yield from _read_local(source, source.at or source.path, job)
        return
    stamp = source.stamp or stamp_of(source.path)
    with objects.copied(source.path, stamp, source.known) as copy:
        yield from _read_local(replace(source, stamp=stamp), copy, job)


def _read_local(source: Source, path: str, job: Job) -> Iterator[Part]:
    """Read what stands at a local path under the source's own name."""
    wanted = wanted_format(job.intake.format, job.intake.tables, source.path)
    with sources.opened(path) as handle:
        start = where_to_start(path, handle, source.known, wanted)
        if start is None:
            yield _unchanged(source, path, handle, job)
            return
        size = 0 if path == STDIN else sources.size_of(handle)
        settled = _is_settled(sources.written_at(path, handle), job.now)
        contents = read_contents(path, handle, start, wanted, size, settled=settled)
        etag = None if source.stamp is None else source.stamp.etag
        file = _File(handle, path, size, contents.spread or is_read_whole(path, contents.form), etag)
        reading = reading_of(source.path, contents.form, job, sources.written_at(path, handle))
        if contents.form == TABLE:
            check_columns(source.path, reading.columns, contents.first)
        before = replace(start, path=reading.source_file, format=contents.form, etag=None)
        yield from _parts(file, contents.records, reading, before)


def _unchanged(source: Source, path: str, handle: IO[bytes], job: Job) -> Part:
    """Nothing to read; what was read under another name or etag is known by the one it has now."""
    known, name = source.known, sources.name_of(source.path)
    etag = None if source.stamp is None else source.stamp.etag
    if known is None or (known.path == name and known.etag == etag):
        return Part(last=True, unchanged=True)
    size = sources.size_of(handle)
    place = replace(known, path=name, etag=etag)
    if sources.is_compressed(path):
        place = _whole(name, known.format, handle, size)
    reading = reading_of(source.path, known.format, job, None)
    return Part(batch_of((), reading, place), last=True, unchanged=True)


def _whole(name: str, form: str, handle: IO[bytes], size: int) -> SourcePosition:
    """The place of a file that was read from the top to its end."""
    read = sources.fingerprint(handle, size)
    return SourcePosition(name, form, size, size, 0, read, sources.head(handle, size))


def _is_settled(written_at: datetime | None, now: datetime) -> bool:
    """Whether a file has not been written to for a minute: its last row is whole without a line's end."""
    return written_at is None or abs(now - written_at) > _SETTLED


def _read_stretch(stretch: Stretch, job: Job, handle: IO[bytes] | None) -> Iterator[Part]:
    if handle is not None:
        yield from _read_lines(stretch, job, handle)
        return
    with sources.opened(stretch.path) as found:
        if sources.file_id(found) == stretch.file_id:
            yield from _read_lines(stretch, job, found)
        else:
            yield Part(last=True, moved=True)


def _read_lines(stretch: Stretch, job: Job, handle: IO[bytes]) -> Iterator[Part]:
    handle.seek(stretch.start)
    lines = _Followed(sources.records(handle, 1, stretch.start, whole=False, end=stretch.end), stretch.start)
    file = _File(handle, stretch.path, stretch.size, whole=False)
    reading = reading_of(stretch.path, stretch.form, job, stretch.written_at)
    before = SourcePosition(reading.source_file, stretch.form, stretch.size, stretch.start, 0, b"")
    for part in _parts(file, iter(lines), reading, before):
        blank = sources.lines_in(handle, lines.position, stretch.end) if part.last else 0
        yield replace(part, lines=lines.passed + blank if part.last else 0)


@dataclass(slots=True)
class _Followed:
    """Records as they are taken: `passed` lines end before `position`."""

    records: Iterator[Record]
    position: int
    passed: int = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self.records:
            self.position = record.offset + record.length
            self.passed = record.line - record.unfinished
            yield record


def _parts(file: _File, records: Iterator[Record], reading: Reading, start: SourcePosition) -> Iterator[Part]:
    place: SourcePosition | None = start
    for chunk, last in _chunks(records):
        taken = [record for record in chunk if not is_cut(record)]
        size = sum(record.length for record in taken)
        if file.path != STDIN:
            place = _whole_place(file, reading, last) if file.whole else _place(file, taken, place or start)
        batch = batch_of(chunk, reading, _kept_place(file, place, last=last), size, last=last)
        refused = _refused(chunk, batch) if file.path == STDIN else ()
        yield Part(batch, reading.source, size, last=last, refused=refused)


def _refused(chunk: Sequence[Record], batch: Batch) -> tuple[bytes, ...]:
    bad = set(batch.rejects["source_line"])
    return tuple(record.data for record in chunk if record.line in bad)


def _kept_place(file: _File, place: SourcePosition | None, *, last: bool) -> SourcePosition | None:
    """The position, unless it says nothing of what the next reading will find at the path."""
    if file.path == STDIN or place is None or not sources.is_still_at(file.path, file.handle):
        return None
    if sources.size_of(file.handle) < place.position:
        return None
    # Only an object that was read to its end is known by its etag.
    return replace(place, etag=file.etag if last else None)


def _place(file: _File, taken: Sequence[Record], before: SourcePosition) -> SourcePosition:
    """The position after these records. A line without its end yet will go on with the same number."""
    end = max((record.offset + record.length for record in taken), default=before.position)
    lines = max((record.line - record.unfinished for record in taken), default=before.lines)
    read = sources.fingerprint(file.handle, end)
    start = sources.head(file.handle, end)
    return replace(before, size=file.size, position=end, lines=lines, digest=read, head=start)


def _whole_place(file: _File, reading: Reading, last: bool) -> SourcePosition | None:
    if not last:
        return None
    return _whole(reading.source_file, reading.source, file.handle, file.size)


def _chunks(records: Iterator[Record]) -> Iterator[tuple[list[Record], bool]]:
    """Batches of bounded records and bytes, the last one marked; at least one, so that a position is kept."""
    chunk: list[Record] = []
    weight = 0
    for record in records:
        if chunk and (len(chunk) >= PART_RECORDS or weight >= PART_BYTES):
            yield chunk, False
            chunk, weight = [], 0
        chunk.append(record)
        weight += len(record.data)
    yield chunk, True
