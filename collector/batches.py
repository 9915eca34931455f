"""Make a batch of a source's records: rows, rejects and prompt versions."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from collector import pieces, tokenizers
from collector.decoding import object_of
from collector.formats import FORMATS, NotACallError
from collector.identity import digest
from collector.masking import excerpt
from collector.rows import Reading, Row, records_frame, row, versions_frame
from collector.sources import Record
from ledger.posting import REJECTS, Batch, SourcePosition
from ledger.types import Reject

# What was made of counts is worth as little as they are.
tokenizers.on_distrust(pieces.forget)


def batch_of(
    records: Sequence[Record], reading: Reading, place: SourcePosition | None = None, size: int = 0
) -> Batch:
    """The records read: each gives rows or rejects, or is set aside."""
    trusted = tokenizers.doubt()
    with _no_collection():
        taken = _taken(records, reading)
        if tokenizers.doubt() != trusted:
            # The fast counter was found wrong on the way: what it counted here is counted again without it.
            taken = _taken(records, reading)
    return Batch(
        records=records_frame(taken.rows),
        rejects=_rejects_frame(taken.rejects, reading),
        prompt_versions=versions_frame(taken.rows),
        source=place,
        source_file=reading.source_file,
        format=reading.source,
        bytes=size,
        set_aside=taken.set_aside,
        counts=tokenizers.learned(),
        doubt=tokenizers.doubt(),
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
    rejects: list[Reject] = field(default_factory=list)
    set_aside: int = 0


def _taken(records: Sequence[Record], reading: Reading) -> _Taken:
    taken = _Taken()
    for record in records:
        before = len(taken.rows) + len(taken.rejects)
        try:
            for call, known_by in _calls(record, reading.source):
                _take(call, known_by, record, reading, taken)
        except ValueError as error:
            taken.rejects.append(_reject(record, str(error), reading.source_file))
        taken.set_aside += len(taken.rows) + len(taken.rejects) == before
    return taken


def _take(
    call: Mapping[str, object], known_by: bytes, record: Record, reading: Reading, taken: _Taken
) -> None:
    """Of many calls in one record each stands alone: a bad one costs no other."""
    try:
        taken.rows.append(row(FORMATS[reading.source].read(call), known_by, record.line, reading))
    except NotACallError:
        return
    except ValueError as error:
        taken.rejects.append(_reject(record, str(error), reading.source_file, known_by))


def _calls(record: Record, source: str) -> Iterator[tuple[Mapping[str, object], bytes]]:
    """The calls of a record, each with the digest it is known by: the record's own, or of its place in it."""
    found, items = object_of(record), FORMATS[source].items
    if items is None:
        yield found, digest(record.data)
        return
    for number, item in enumerate(items(found)):
        yield item, digest(b"%d:%b" % (number, record.data))


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
