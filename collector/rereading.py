"""Read files that are booked once more, to make something of their calls anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from collector import sources
from collector.rotated import rotated
from collector.work import Job, Source, read
from ledger.posting import Batch
from ledger.store import Ledger

Visit = Callable[[], AbstractContextManager[Ledger]]
_COMMIT_RECORDS = 20_000


@dataclass(frozen=True, slots=True)
class Held:
    """A file of which rows are held, as which format it was read, and how many of its rows are asked for."""

    path: str
    form: str
    calls: int

    @property
    def is_there(self) -> bool:
        """Whether it can be read again at all."""
        return sources.is_url(self.path) or Path(self.path).is_file()

    @property
    def paths(self) -> list[str]:
        """Where its records may stand by now: in itself, and in what it was rotated to."""
        return [*([self.path] if self.is_there else []), *rotated(self.path)]


_HELD = """
    WITH asked AS (SELECT request_id, span, source_file, source FROM requests WHERE {condition})
    SELECT source_file, source, sum(calls)::BIGINT AS calls FROM (
        SELECT source_file, source, 1 AS calls FROM asked
        UNION ALL
        SELECT source_file, source, 0 FROM record_parts SEMI JOIN asked USING (request_id)
        UNION ALL
        SELECT source_file, source, 0 FROM record_parts AS one SEMI JOIN asked ON one.request_id = asked.span
    ) GROUP BY ALL ORDER BY ALL
"""


def held(
    ledger: Ledger, condition: str, given: Sequence[object], paths: Sequence[str] | None = None
) -> list[Held]:
    """The files, of these paths or of all, of rows that fit a condition, and of the records behind them."""
    found = ledger.frame(_HELD.format(condition=condition), given)
    names = None if paths is None else {sources.name_of(path) for path in paths}
    return [Held(*row) for row in found.iter_rows() if names is None or row[0] in names]


_ASKED = """
    WITH asked AS (
        SELECT request_id, span, record_digest, source_file, source FROM requests WHERE {condition}
    )
    SELECT DISTINCT record_digest FROM (
        SELECT record_digest, source_file, source FROM asked
        UNION ALL
        SELECT record_digest, source_file, source FROM record_parts SEMI JOIN asked USING (request_id)
        UNION ALL
        SELECT record_digest, source_file, source
        FROM record_parts AS one SEMI JOIN asked ON one.request_id = asked.span
    ) WHERE source_file = ? AND source = ?
"""


def sought(ledger: Ledger, file: Held, condition: str, given: Sequence[object]) -> pl.DataFrame | None:
    """The records asked for of a file that was rotated, by digest; None for one with no such file beside it.

    They are some bytes each, whatever the records' size.
    """
    if not rotated(file.path):
        return None
    return ledger.frame(_ASKED.format(condition=condition), [*given, file.path, file.form])


def commits(file: Held, asked: pl.DataFrame | None, job: Job, problems: list[str]) -> Iterator[list[Batch]]:
    """What a file gives, so much at a time as one commit takes; why it cannot be read goes to `problems`.

    Of the records `asked` for, those that it has no more are taken from what it was rotated to.
    """
    of_form = replace(job, intake=replace(job.intake, format=file.form))
    if asked is None:
        return _together(_batches(Source(file.path), of_form, problems))
    return _together(_rotated_too(file, asked, of_form, problems))


def _rotated_too(file: Held, asked: pl.DataFrame, job: Job, problems: list[str]) -> Iterator[Batch]:
    for path in file.paths:
        if asked.is_empty():
            return
        for batch in _batches(Source(file.path, at=path), job, problems):
            own = batch.records
            if path != file.path:
                own = own.join(asked, on="record_digest", how="semi", maintain_order="left")
                if own.is_empty():
                    continue
            asked = asked.join(own, on="record_digest", how="anti")
            yield replace(batch, records=own)


def _batches(source: Source, job: Job, problems: list[str]) -> Iterator[Batch]:
    for part in read(source, job):
        if part.problem is not None:
            problems.append(part.problem)
        if part.batch is not None:
            yield part.batch


def _together(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches of thousands of records together, however small those that come."""
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(each.records) for each in waiting) >= _COMMIT_RECORDS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
