"""Make a batch of a source's records: rows, rejects and prompt versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from collector.decoding import object_of
from collector.formats import FORMATS
from collector.identity import digest
from collector.masking import excerpt
from collector.rows import Reading, Row, records_frame, row, versions_frame
from collector.sources import Record
from ledger.posting import REJECTS, Batch, SourcePosition
from ledger.types import Reject


def batch_of(
    records: Sequence[Record], reading: Reading, place: SourcePosition | None = None, size: int = 0
) -> Batch:
    """The records read: each a row or a reject."""
    rows, rejects = _read(records, reading)
    return Batch(
        records=records_frame(rows),
        rejects=_rejects_frame(rejects, reading),
        prompt_versions=versions_frame(rows),
        source=place,
        source_file=reading.source_file,
        format=reading.source,
        bytes=size,
    )


def _read(records: Sequence[Record], reading: Reading) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for record in records:
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
