"""Read log files into the ledger: cut into tasks, read, and written by one writer in few, large commits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from collector import fast, objects, sources
from collector.batches import batch_of
from collector.cutting import Cutting, Numbered, left_to_read
from collector.places import stamp_of
from collector.readers import results
from collector.rotation import read_before
from collector.sources import STDIN, Record
from collector.work import Intake, Job, Part, Stretch, batches, read, reading_of
from ledger import calibrations, token_cache, trust
from ledger.derived import settle
from ledger.posting import Batch, Outcome, positions, post, post_all, total
from ledger.store import Ledger

__all__ = ["FileSummary", "Intake", "Summary", "batches", "ingest", "read_again", "read_file_again"]

# Below it, one process is done before others have started.
POOLED_FROM = 32 * 1024 * 1024
# The fast counter takes a second or two to load, in which tiktoken counts ten megabytes of new text.
_FAST_FROM = 128 * 1024 * 1024
# A commit costs a tenth of a second whatever it brings; a stop in the middle, to read this much again.
_COMMIT_RECORDS = 20_000
_COMMIT_BYTES = 256 * 1024 * 1024
_COMMIT_PIECES = 2_000

Visit = Callable[[], AbstractContextManager[Ledger]]


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
    """What an ingest did; totals are those of its files. `doubts` say what was found of the fast counter."""

    files: tuple[FileSummary, ...]
    seconds: float
    formats: Mapping[str, int] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

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
    *,
    workers: int = 1,
    undisturbed: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Summary:
    """Read the sources into the ledger. One that cannot be read is told in the summary; the rest go in.

    `visit` opens the ledger for one commit at a time, which `undisturbed` holds together; `progress` is
    told of bytes read. So many workers read where there is enough for them; the writer is this process.
    """
    started = time.perf_counter()
    stamps = objects.stamps([path for path in paths if sources.is_url(path)])
    with visit() as ledger:
        known = positions(ledger)
        left = left_to_read(paths, known, stamps)
        job = _job(ledger, _calibrated(intake, ledger), now, left)
    run = _Run(job, visit, progress, undisturbed, [FileSummary(path) for path in paths])
    cutting = Cutting(known, intake.format, run.settle, stamps, read_before(known.values()), intake.tables)
    try:
        # Standard input is read by the process it was given to.
        helpers = workers if workers > 1 and STDIN not in paths and left >= POOLED_FROM else 0
        tasks = cutting.tasks(paths)
        with closing(results(tasks, job, helpers, is_much=left >= _FAST_FROM)) as found:
            for pieces, is_last in _commits(_pieces(found, cutting, job)):
                run.write(pieces, is_last=is_last)
    finally:
        cutting.close_all()
    return Summary(tuple(run.files), time.perf_counter() - started, _formats(run.files), tuple(run.doubts))


def _job(ledger: Ledger, intake: Intake, now: datetime, bytes_left: int) -> Job:
    """What all is read with; remembered counts only where there is enough to read to be worth their load."""
    counts = token_cache.load(ledger) if bytes_left >= POOLED_FROM else {}
    return Job(intake, now, ledger.key, counts, trust.reason_against(ledger, fast.name()))


def _formats(files: Iterable[FileSummary]) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in files:
        if file.format:
            found[file.format] = found.get(file.format, 0) + file.outcome.read
    return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """What the reading of the source with this number gave next."""

    number: int
    part: Part


@dataclass(frozen=True, slots=True)
class _Run:
    """The writer's side of an ingest, and what came of each source so far."""

    job: Job
    visit: Visit
    progress: Callable[[int], None]
    undisturbed: Callable[[], AbstractContextManager[None]]
    files: list[FileSummary]
    doubts: set[str] = field(default_factory=set)

    def settle(self, number: int, part: Part) -> None:
        """A source needs no reading, or cannot be read."""
        self.progress(part.size)
        self._add(number, replace(part, size=0), Outcome())

    def write(self, pieces: Sequence[_Piece], *, is_last: bool) -> None:
        """Commit the pieces' batches as one; with the last ones, add up what all of them brought."""
        for piece, outcome in zip(pieces, self._posted(pieces, is_last), strict=True):
            self._add(piece.number, piece.part, outcome)
            self.progress(piece.part.size)

    def _posted(self, pieces: Sequence[_Piece], is_last: bool) -> list[Outcome]:
        batches = [piece.part.batch for piece in pieces if piece.part.batch is not None]
        if not batches and not (is_last and self._has_read()):
            return [Outcome() for _ in pieces]
        with self.visit() as ledger:
            outcomes = iter(self._post(ledger, batches))
            for piece in pieces:
                _quarantine(piece.part.refused, self.job.intake.quarantine)
            if is_last:
                settle(ledger)
                token_cache.prune(ledger)
        self.doubts.update(batch.doubt for batch in batches if batch.doubt not in {None, self.job.doubt})
        return [next(outcomes) if piece.part.batch is not None else Outcome() for piece in pieces]

    def _post(self, ledger: Ledger, batches: Sequence[Batch]) -> list[Outcome]:
        if not batches:
            return []
        with self.undisturbed():
            return post_all(ledger, batches, self.job.intake.contracts, self.job.now)

    def _has_read(self) -> bool:
        return any(file.outcome.read for file in self.files)

    def _add(self, number: int, part: Part, outcome: Outcome) -> None:
        file = self.files[number]
        self.files[number] = FileSummary(
            file.path,
            part.form or file.format,
            total([file.outcome, outcome]),
            file.bytes + part.size,
            file.unchanged or part.unchanged,
            part.problem or file.problem,
        )


def _pieces(found: Iterable[tuple[Numbered, Part]], cutting: Cutting, job: Job) -> Iterator[_Piece]:
    """The parts with lines numbered through. After one that could not be read, a file's others are left
    for the next time, as its position cannot pass over it."""
    failed: set[int] = set()
    for numbered, part in found:
        if numbered.number in failed:
            continue
        for each in _found(numbered, part, cutting, job):
            if each.problem is not None:
                failed.add(numbered.number)
            yield _Piece(numbered.number, _counted_on(numbered, each, cutting))


def _found(numbered: Numbered, part: Part, cutting: Cutting, job: Job) -> Iterable[Part]:
    """The part, or what is read where another file came to stand at the path."""
    if not part.moved:
        return [part]
    return read(numbered.unit, job, cutting.open_files[numbered.number].handle)


def _counted_on(numbered: Numbered, part: Part, cutting: Cutting) -> Part:
    """A stretch's part with lines numbered from the top of the file."""
    if not isinstance(numbered.unit, Stretch):
        return part
    file = cutting.open_files[numbered.number]
    before = file.lines
    file.lines += part.lines
    if part.last and numbered.unit.end == numbered.unit.size:
        cutting.close(numbered.number)
    return part if part.batch is None else replace(part, batch=_moved_down(part.batch, before))


def _moved_down(batch: Batch, lines: int) -> Batch:
    place = batch.source
    return replace(
        batch,
        records=batch.records.with_columns(pl.col("source_line") + lines),
        rejects=batch.rejects.with_columns(pl.col("source_line") + lines),
        source=None if place is None else replace(place, lines=place.lines + lines),
    )


def _commits(pieces: Iterable[_Piece]) -> Iterator[tuple[list[_Piece], bool]]:
    """Pieces together to make commits of thousands of records, whatever the files' sizes; the last is told,
    which may hold none."""
    together: list[_Piece] = []
    records = weight = 0
    for piece in pieces:
        together.append(piece)
        records += _height(piece.part.batch)
        weight += piece.part.size
        if records >= _COMMIT_RECORDS or weight >= _COMMIT_BYTES or len(together) >= _COMMIT_PIECES:
            yield together, False
            together, records, weight = [], 0, 0
    yield together, True


def _height(batch: Batch | None) -> int:
    return 0 if batch is None else batch.records.height + batch.spans.height


def _quarantine(refused: Sequence[bytes], file: Path | None) -> None:
    if file is not None and refused:
        with file.open("ab") as out:
            out.writelines(text + b"\n" for text in refused)


def _calibrated(intake: Intake, ledger: Ledger) -> Intake:
    return replace(intake, calibrations=calibrations.in_force(ledger))


def read_again(
    ledger: Ledger, records: Sequence[Record], form: str, source_file: str, intake: Intake, now: datetime
) -> dict[bytes, str]:
    """Book records of one file that were rejected before; the reasons of those that are still no good."""
    written_at = stamp_of(source_file).modified_at
    batch = batch_of(
        records, reading_of(source_file, form, Job(_calibrated(intake, ledger), now, ledger.key), written_at)
    )
    if batch.records.height or batch.bills.height or batch.spans.height:
        post(ledger, replace(batch, rejects=batch.rejects.clear(), reads_on=False), intake.contracts, now)
    return dict(batch.rejects.select("record_digest", "reason").iter_rows())


def read_file_again(
    ledger: Ledger, source_file: str, form: str, intake: Intake, now: datetime
) -> tuple[frozenset[bytes], dict[bytes, str]]:
    """Book a whole file again, whose records are not told by themselves: what is booked, and why what is not.

    How far the file has been read stays as it was, and so do its rejects.
    """
    booked: set[bytes] = set()
    reasons: dict[bytes, str] = {}
    wanted = replace(_calibrated(intake, ledger), format=form)
    for batch in batches(source_file, wanted, now, ledger.key, trust.reason_against(ledger, fast.name())):
        post(
            ledger,
            replace(batch, rejects=batch.rejects.clear(), source=None, reads_on=False),
            intake.contracts,
            now,
        )
        booked.update(batch.records["record_digest"], batch.bills["record_digest"])
        reasons.update(batch.rejects.select("record_digest", "reason").iter_rows())
    return frozenset(booked), reasons
