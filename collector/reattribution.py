"""Attribute booked calls by the rules of today, where their records can still be read; no cost changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import polars as pl

from collector.attribution import Rules
from collector.rereading import Held, Visit, commits, held, sought
from collector.work import Intake, Job
from ledger.derived import settle
from ledger.frames import SPANS
from ledger.posting import Batch
from ledger.reattribution import Reattributed, reattribute
from ledger.recounting import Which
from ledger.store import Ledger

APPLIED = "attribution.applied"


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, by whom and why: calls of a time, and only to see what would change if `dry_run`."""

    which: Which
    by: str | None = None
    note: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of it; `not_found` are calls whose record is not in their file any more, or the file `gone`.

    `sealed` are calls of the time asked for that lie in closed periods and stay as they are.
    """

    done: Reattributed = field(default_factory=Reattributed)
    not_found: int = 0
    files: int = 0
    sealed: int = 0
    gone: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Work:
    """What every file shares."""

    visit: Visit
    job: Job
    order: Order
    undisturbed: Callable[[], AbstractContextManager[None]]


def digest_of(rules: Rules) -> str:
    """A name for rules, with what their mapping files say."""
    return hashlib.sha256(repr(rules).encode()).hexdigest()[:16]


def reattribute_files(
    paths: Sequence[str] | None,
    visit: Visit,
    intake: Intake,
    now: datetime,
    order: Order,
    *,
    undisturbed: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Summary:
    """Attribute again what these files gave, or all files. Each commit stands in the audit as it is made."""
    with visit() as ledger:
        files = held(ledger, *order.which.condition(""), paths)
        sealed = _sealed(ledger, order.which)
        job = Job(intake, now, ledger.key, counting=False)
    work = _Work(visit, job, order, undisturbed)
    total = Summary(sealed=sealed)
    for each in files:
        total = _sum(total, _of_file(each, work))
    if total.done.changed and not order.dry_run:
        with visit() as ledger, undisturbed():
            settle(ledger)
    return total


def _sealed(ledger: Ledger, which: Which) -> int:
    """The calls of that time that lie in closed periods."""
    every, unsealed = (_count(ledger, *which.condition("", sealed=sealed)) for sealed in (True, False))
    return every - unsealed


def _count(ledger: Ledger, condition: str, given: Sequence[object]) -> int:
    return int(str(ledger.rows(f"SELECT count(*) FROM requests WHERE {condition}", given)[0][0]))


def _of_file(file: Held, work: _Work) -> Summary:
    if not file.paths:
        return Summary(not_found=file.calls, gone=(file.path,))
    with work.visit() as ledger:
        asked = sought(ledger, file, *work.order.which.condition(""))
    problems: list[str] = []
    done, steps = Reattributed(), SPANS.to_frame()
    for batches in commits(file, asked, work.job, problems):
        steps = pl.concat([steps, *(batch.spans for batch in batches)])
        done = done.plus(_commit(file, batches, steps, work))
    missing = max(file.calls - done.calls, 0)
    gone = (file.path,) if missing and not file.is_there else ()
    return Summary(done, missing, 1, gone=gone, problems=tuple(problems))


def _commit(file: Held, batches: Sequence[Batch], steps: pl.DataFrame, work: _Work) -> Reattributed:
    records = pl.concat(batch.records for batch in batches)
    with work.visit() as ledger, work.undisturbed(), ledger.transaction(undo=work.order.dry_run):
        done = reattribute(ledger, records, steps, work.order.which)
        if done.changed:
            _note(ledger, file, done, work)
    return done


def _note(ledger: Ledger, file: Held, done: Reattributed, work: _Work) -> None:
    order = work.order
    told = {
        "rules": digest_of(work.job.intake.rules),
        "by": order.by,
        "note": order.note,
        "file": file.path,
        "calls": done.changed,
        "usd": str(done.usd),
        "moved": [
            [each.dimension, each.before, each.after, each.calls, str(each.usd)] for each in done.moves
        ],
    }
    at = work.job.now.astimezone(UTC).replace(tzinfo=None)
    ledger.execute("INSERT INTO audit VALUES (?, ?, ?)", [at, APPLIED, json.dumps(told, ensure_ascii=False)])


def _sum(one: Summary, other: Summary) -> Summary:
    return replace(
        one,
        done=one.done.plus(other.done),
        not_found=one.not_found + other.not_found,
        files=one.files + other.files,
        gone=(*one.gone, *other.gone),
        problems=(*one.problems, *other.problems),
    )
