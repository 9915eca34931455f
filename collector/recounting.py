"""Count booked calls again where their text can still be read: only files that hold older counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from collector import sources
from collector.counting import RULES_VERSION
from collector.ingest import Intake, Visit
from collector.work import Job, Source, read
from ledger import calibrations
from ledger.derived import settle
from ledger.recounting import Recounted, Which, recount
from ledger.store import Ledger

_COMMIT_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class Summary:
    """Calls that were counted again, those whose count changed, and those whose text was `not_found`.

    `gone` names the files that are there no more, `problems` says why others could not be read.
    """

    calls: int = 0
    changed: int = 0
    not_found: int = 0
    files: int = 0
    gone: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stale:
    """A file that holds calls to count again, and how many."""

    path: str
    form: str
    calls: int


@dataclass(frozen=True, slots=True)
class _Work:
    """What the recount of every file shares."""

    visit: Visit
    job: Job
    which: Which
    dry_run: bool
    undisturbed: Callable[[], AbstractContextManager[None]]


def recount_files(
    paths: Sequence[str] | None,
    visit: Visit,
    intake: Intake,
    now: datetime,
    which: Which,
    *,
    dry_run: bool = False,
    undisturbed: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Summary:
    """Count again what these files gave, or all files; what was booked for it stays."""
    with visit() as ledger:
        stale = _stale(ledger, paths, which)
        calibrated = replace(intake, calibrations=calibrations.in_force(ledger))
        job = Job(calibrated, now, ledger.key)
    work = _Work(visit, job, which, dry_run, undisturbed)
    total = Summary()
    for each in stale:
        total = _sum(total, _of_file(each, work))
    if total.calls and not dry_run:
        with visit() as ledger, undisturbed():
            settle(ledger)
            _note(ledger, total, now)
    return total


_STALE = """
    WITH stale AS (SELECT request_id, source_file, source FROM requests WHERE {condition})
    SELECT source_file, source, sum(calls)::BIGINT AS calls FROM (
        SELECT source_file, source, 1 AS calls FROM stale
        UNION ALL
        SELECT source_file, source, 0 FROM record_parts SEMI JOIN stale USING (request_id)
    ) GROUP BY ALL ORDER BY ALL
"""


def _stale(ledger: Ledger, paths: Sequence[str] | None, which: Which) -> list[_Stale]:
    """The files and formats of rows, and of the records behind them, that other rules counted."""
    condition, given = which.condition(RULES_VERSION)
    found = ledger.frame(_STALE.format(condition=condition), given)
    names = None if paths is None else {sources.name_of(path) for path in paths}
    rows = found.iter_rows()
    return [_Stale(file, form, calls) for file, form, calls in rows if names is None or file in names]


def _of_file(stale: _Stale, work: _Work) -> Summary:
    if not (sources.is_url(stale.path) or Path(stale.path).is_file()):
        return Summary(not_found=stale.calls, gone=(stale.path,))
    problems: list[str] = []
    done = Recounted()
    for records in _together(_records(stale, work.job, problems)):
        with work.visit() as ledger, work.undisturbed():
            more = recount(
                ledger,
                records,
                work.which,
                RULES_VERSION,
                tuple(work.job.intake.contracts),
                dry_run=work.dry_run,
            )
        done = Recounted(done.calls + more.calls, done.changed + more.changed)
    missing = max(stale.calls - done.calls, 0)
    return Summary(done.calls, done.changed, missing, 1, problems=tuple(problems))


def _records(stale: _Stale, job: Job, problems: list[str]) -> Iterator[pl.DataFrame]:
    of_form = replace(job, intake=replace(job.intake, format=stale.form))
    for part in read(Source(stale.path), of_form):
        if part.problem is not None:
            problems.append(part.problem)
        if part.batch is not None:
            yield part.batch.records


def _together(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Frames of thousands of records, however small those that come."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= _COMMIT_RECORDS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _sum(one: Summary, other: Summary) -> Summary:
    return Summary(
        one.calls + other.calls,
        one.changed + other.changed,
        one.not_found + other.not_found,
        one.files + other.files,
        (*one.gone, *other.gone),
        (*one.problems, *other.problems),
    )


def _note(ledger: Ledger, total: Summary, now: datetime) -> None:
    told = f"rules {RULES_VERSION}: {total.calls} calls, {total.changed} changed, {total.not_found} not found"
    at = now.astimezone(UTC).replace(tzinfo=None)
    ledger.execute("INSERT INTO audit VALUES (?, 'counts.recounted', ?)", [at, told])
