"""Make a batch of a source's records: rows, rejects and prompt versions."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from typing import TypeVar

import polars as pl

from collector import pieces, tokenizers
from collector.bill_rows import BillRow, bill_row, bills_frame
from collector.columns import record_of
from collector.decoding import object_of
from collector.formats import FORMATS, NotACallError
from collector.formats.format import Follow
from collector.formats.newer import newer
from collector.identity import digest, told_by
from collector.masking import excerpt
from collector.rows import Reading, Row, records_frame, row, span_row, versions_frame
from collector.samples import Choice, Chosen
from collector.sources import Record
from ledger.frames import RECORDS, SPANS
from ledger.newer_records import bounded
from ledger.posting import REJECTS, Batch, SourcePosition
from ledger.types import Bill, Newer, Reject, Request, Span

# What was made of counts is worth as little as they are.
tokenizers.on_distrust(pieces.forget)


def batch_of(
    records: Sequence[Record],
    reading: Reading,
    place: SourcePosition | None = None,
    size: int = 0,
    *,
    last: bool = True,
) -> Batch:
    """The records read: each gives rows or rejects, or is set aside; `last` where the source has no more."""
    trusted = tokenizers.doubt()
    told = None if reading.follow is None else _followed(records, reading.follow, last)
    with _no_collection():
        taken = _taken(told or _told(records, reading), reading)
        if tokenizers.doubt() != trusted:
            # The fast counter was found wrong on the way: what it counted here is counted again without it.
            taken = _taken(told or _told(records, reading), reading)
    return Batch(
        records=records_frame(taken.rows),
        rejects=_rejects_frame(taken.rejects, reading),
        prompt_versions=versions_frame(taken.rows),
        spans=pl.DataFrame(taken.spans, schema=SPANS, orient="row").unique(maintain_order=True),
        source=place,
        source_file=reading.source_file,
        format=reading.source,
        bytes=size,
        set_aside=taken.set_aside,
        newer=taken.newer,
        samples=None if taken.samples is None else taken.samples.frame(reading.ingested_at),
        samples_kept=0 if reading.samples is None else reading.samples.keep,
        counts=tokenizers.learned(),
        doubt=tokenizers.doubt(),
        bills=bills_frame(taken.bills),
    )


@contextmanager
def _no_collection() -> Iterator[None]:
    """Put Python's search for cycles off: reading makes none, and what it remembers is much to search."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@dataclass(slots=True)
class _Taken:
    """What the records gave; `set_aside` counts the sound ones that hold no call."""

    rows: list[Row] = field(default_factory=list)
    bills: list[BillRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    spans: list[tuple[object, ...]] = field(default_factory=list)
    set_aside: int = 0
    newer: Counter[Newer] = field(default_factory=Counter)
    samples: Choice | None = None

    def __len__(self) -> int:
        return len(self.rows) + len(self.bills) + len(self.rejects)


# A call as its format gives it, and the digest it is known by.
_Call = tuple[Mapping[str, object], bytes]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one record tells: calls, or why it tells none."""

    record: Record
    calls: Iterable[_Call] = ()
    problem: str | None = None
    is_record: bool = True


def _taken(told: Iterable[_Told], reading: Reading) -> _Taken:
    taken = _Taken(samples=None if reading.samples is None else Choice(reading.samples))
    for each in told:
        before = len(taken)
        try:
            if each.problem is not None:
                raise ValueError(each.problem)
            for call, known_by in each.calls:
                _take(call, known_by, each.record, reading, taken)
        except ValueError as error:
            taken.rejects.append(_reject(each.record, str(error), reading.source_file))
        taken.set_aside += each.is_record and len(taken) == before
    return taken


def _take(
    call: Mapping[str, object], known_by: bytes, record: Record, reading: Reading, taken: _Taken
) -> None:
    """Of many calls in one record each stands alone: a bad one costs no other."""
    try:
        found = _in_scope(FORMATS[reading.source].read(call), reading.scope)
        if isinstance(found, Request):
            made = row(found, known_by, record.line, reading)
            taken.rows.append(made)
            _offer(found, made, taken)
            _note_newer(call, reading.source, taken)
        elif isinstance(found, Bill):
            taken.bills.append(bill_row(found, known_by, record.line, reading))
            _note_newer(call, reading.source, taken)
        elif isinstance(found, Span):
            taken.spans.append(span_row(found, reading))
    except NotACallError:
        return
    except ValueError as error:
        taken.rejects.append(_reject(record, str(error), reading.source_file, known_by))


Found = TypeVar("Found")


def _in_scope(found: Found, scope: str | None) -> Found:
    """What was read, a call under a name that is another's nowhere."""
    if scope is None or not isinstance(found, Request) or found.span is None:
        return found
    return replace(found, span=f"{digest(scope.encode()).hex()}:{found.span}")


_SAMPLED = ("request_id", "ts", "tenant", "workflow", "end_user", "model")
_sampled = itemgetter(*(RECORDS.names().index(name) for name in _SAMPLED))


def _offer(request: Request, made: Row, taken: _Taken) -> None:
    if taken.samples is not None and not request.part:
        request_id, ts, tenant, workflow, end_user, model = _sampled(made.values)
        taken.samples.offer(Chosen(request_id, ts, tenant, workflow, end_user, model, request))


def _note_newer(call: Mapping[str, object], form: str, taken: _Taken) -> None:
    found = newer(form, call)
    if found is not None:
        taken.newer[bounded(taken.newer, found)] += 1


def _told(records: Sequence[Record], reading: Reading) -> Iterator[_Told]:
    """Each record by itself."""
    return (_Told(record, _calls(record, reading)) for record in records)


def _calls(record: Record, reading: Reading) -> Iterator[_Call]:
    """The calls of a record, each with the digest it is known by: the record's own, or of its place in it."""
    found, items = object_of(record), FORMATS[reading.source].items
    if reading.columns is not None:
        found = record_of(reading.columns, found)
    if items is None:
        yield found, digest(record.data)
    else:
        yield from _numbered(items(found), record)


def _numbered(items: Iterable[Mapping[str, object]], record: Record) -> Iterator[_Call]:
    for number, item in enumerate(items):
        yield item, digest(b"%d:%b" % (number, record.data))


def _followed(records: Sequence[Record], follow: Follow, last: bool) -> list[_Told]:
    """Each record after those before it; read once only, as the reader remembers."""
    told = [_after(record, follow) for record in records]
    # What the end of the file brings to light belongs to no record; the last one stands for it.
    ending = list(_identified(follow(None))) if last and records else []
    return [*told, _Told(records[-1], ending, is_record=False)] if ending else told


def _after(record: Record, follow: Follow) -> _Told:
    try:
        return _Told(record, list(_identified(follow(object_of(record)))))
    except ValueError as error:
        return _Told(record, problem=str(error))


def _identified(items: Iterable[Mapping[str, object]]) -> Iterator[_Call]:
    return ((item, told_by(item)) for item in items)


def _reject(record: Record, reason: str, source_file: str, known_by: bytes | None = None) -> Reject:
    if record.problem is None:
        known_by, shape = known_by or digest(record.data), excerpt(record.data)
    else:
        known_by = record.known_by or digest(f"{source_file}:{record.offset}".encode())
        shape = f"… ({record.length:,} bytes)"
    return Reject(reason, record.line, record.offset, record.length, known_by, shape)


def _rejects_frame(rejects: Sequence[Reject], reading: Reading) -> pl.DataFrame:
    at = reading.ingested_at.replace(tzinfo=None)
    return pl.DataFrame([_reject_row(each, reading, at) for each in rejects], schema=REJECTS, orient="row")


def _reject_row(reject: Reject, reading: Reading, at: datetime) -> tuple[object, ...]:
    return (
        reject.digest,
        reject.reason,
        reading.source,
        reading.source_file,
        reject.line,
        reject.offset,
        reject.length,
        reject.excerpt,
        at,
    )


@dataclass(slots=True)
class Unreadable:
    """How many records, or calls in records, could not be read."""

    records: int = 0


def calls_in(
    records: Sequence[Record], reading: Reading, unreadable: Unreadable, *, last: bool
) -> Iterator[tuple[int, bytes, Request]]:
    """The calls that records tell, with their line and the digest they are known by; bad ones are counted."""
    told = _told(records, reading) if reading.follow is None else _followed(records, reading.follow, last)
    for each in told:
        unreadable.records += each.problem is not None
        try:
            yield from _requests(each, reading, unreadable)
        except ValueError:
            unreadable.records += 1


def _requests(told: _Told, reading: Reading, unreadable: Unreadable) -> Iterator[tuple[int, bytes, Request]]:
    for call, known_by in told.calls:
        try:
            found = _in_scope(FORMATS[reading.source].read(call), reading.scope)
        except NotACallError:
            continue
        except ValueError:
            unreadable.records += 1
            continue
        if isinstance(found, Request):
            yield told.record.line, known_by, found
