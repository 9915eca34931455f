"""Read rejected records again where they stand in their files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from collector import sources
from collector.identity import digest
from collector.ingest import Intake, read_again
from collector.sources import STDIN, SourceError
from ledger.store import Ledger

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of the rejects: `gone` could not be read at their place any more."""

    booked: int = 0
    still_rejected: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    digest: bytes
    source: str
    file: str
    line: int
    offset: int
    length: int


def retry(visit: Visit, intake: Intake, now: datetime) -> Retried:
    """Book every reject that can be read now; the others stay, with their reason as it is now."""
    with visit() as ledger:
        found = ledger.rows(
            "SELECT record_digest, source, source_file, source_line, source_offset, length FROM rejects "
            "ORDER BY source_file, source_offset"
        )
    booked = still = gone = 0
    for place in (_Place(*row) for row in found):  # type: ignore[arg-type]
        data = _text(place)
        if data is None:
            gone += 1
        elif _book(place, data, visit, intake, now):
            booked += 1
        else:
            still += 1
    return Retried(booked, still, gone)


def _text(place: _Place) -> bytes | None:
    """The record's bytes, None where the file no longer holds them there."""
    if place.file == STDIN or not Path(place.file).exists() or place.length > sources.MAX_RECORD_BYTES:
        return None
    try:
        with sources.opened(place.file) as stream:
            stream.seek(place.offset)
            data = stream.read(place.length).strip()
    except (SourceError, OSError, EOFError):
        return None
    return data if digest(data) == place.digest else None


def _book(place: _Place, data: bytes, visit: Visit, intake: Intake, now: datetime) -> bool:
    record = sources.Record(place.line, place.offset, data, place.length)
    with visit() as ledger:
        reason = read_again(ledger, record, place.source, place.file, intake, now)
        if reason is None:
            ledger.execute("DELETE FROM rejects WHERE record_digest = ?", [place.digest])
        else:
            ledger.execute("UPDATE rejects SET reason = ? WHERE record_digest = ?", [reason, place.digest])
    return reason is None
