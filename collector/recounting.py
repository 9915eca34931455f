"""Count booked calls again where their text can still be read: only files that hold older counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import polars as pl

from collector.counting import RULES_VERSION
from collector.ingest import Intake, Visit
from collector.rereading import Held, commits, held, sought
from collector.work import Job
from ledger import calibrations
from ledger.derived import settle
from ledger.recounting import Recounted, Which, recount
from ledger.store import Ledger


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
        stale = held(ledger, *which.condition(RULES_VERSION), paths)
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


def _of_file(stale: Held, work: _Work) -> Summary:
    if not stale.paths:
        return Summary(not_found=stale.calls, gone=(stale.path,))
    with work.visit() as ledger:
        asked = sought(ledger, stale, *work.which.condition(RULES_VERSION))
    problems: list[str] = []
    done = Recounted()
    for batches in commits(stale, asked, work.job, problems):
        with work.visit() as ledger, work.undisturbed():
            more = recount(
                ledger,
                pl.concat(batch.records for batch in batches),
                work.which,
                RULES_VERSION,
                tuple(work.job.intake.contracts),
                dry_run=work.dry_run,
            )
        done = Recounted(done.calls + more.calls, done.changed + more.changed)
    missing = max(stale.calls - done.calls, 0)
    gone = (stale.path,) if missing and not stale.is_there else ()
    return Summary(done.calls, done.changed, missing, 1, gone, tuple(problems))


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
