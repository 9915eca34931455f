"""Read rejected records again where they stand in their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from collector import containers, places, sources
from collector.contents import AUTO
from collector.formats import FORMATS
from collector.identity import digest
from collector.ingest import Intake, read_again, read_file_again
from collector.rotated import rotated
from collector.rows import AHEAD, GRACE
from collector.sources import Record, SourceError
from ledger.posting import DAMAGED, UNFINISHED
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
    reason: str
    source: str
    file: str
    line: int
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class FileRetried:
    """What became of the rejects of one file."""

    file: str
    retried: Retried


def retry(visit: Visit, intake: Intake, now: datetime) -> Retried:
    """Book every reject that can be read now; what became of all of them together."""
    return total(retry_files(visit, intake, now))


def retry_files(visit: Visit, intake: Intake, now: datetime) -> list[FileRetried]:
    """Book every reject that can be read now; the others stay, with their reason as it is now.

    They are read as the format that the intake names, or else as before. A file's unfinished or damaged
    end is left to the next ingest.
    """
    with visit() as ledger:
        found = ledger.rows(f"{_PLACES} WHERE length > 0 ORDER BY source_file, source_offset")
    return _retry(found, visit, intake, now)


def retry_due(visit: Visit, intake: Intake, now: datetime) -> Retried:
    """Book the rejects that were ahead of the clock when they were read and are not any more."""
    with visit() as ledger:
        latest = (now + GRACE).astimezone(UTC).replace(tzinfo=None)
        found = ledger.rows(f"{_PLACES} WHERE {_WHEN} <= ? ORDER BY source_file, source_offset", [latest])
    return total(_retry(found, visit, intake, now))


_PLACES = "SELECT record_digest, reason, source, source_file, source_line, source_offset, length FROM rejects"
_BEFORE_TIME, _AFTER_TIME = AHEAD.split("{:%Y-%m-%d %H:%M}")
_WHEN = f"try_strptime(regexp_extract(reason, '^{_BEFORE_TIME}(.+){_AFTER_TIME}$', 1), '%Y-%m-%d %H:%M')"


def _retry(
    found: Sequence[tuple[object, ...]], visit: Visit, intake: Intake, now: datetime
) -> list[FileRetried]:
    by_file = groupby((_Place(*row) for row in found), key=lambda place: place.file)  # type: ignore[arg-type]
    return [
        FileRetried(file, _retry_file(file, list(places), visit, intake, now)) for file, places in by_file
    ]


def total(files: Sequence[FileRetried]) -> Retried:
    """What became of the rejects of all files."""
    return Retried(
        sum(each.retried.booked for each in files),
        sum(each.retried.still_rejected for each in files),
        sum(each.retried.gone for each in files),
    )


def _retry_file(file: str, known: Sequence[_Place], visit: Visit, intake: Intake, now: datetime) -> Retried:
    open_ended = [place for place in known if place.reason in (UNFINISHED, DAMAGED)]
    booked, still = 0, len(open_ended)
    rest = (place for place in known if place not in open_ended)
    for form, of_form in groupby(rest, key=lambda place: place.source):
        wanted = form if intake.format == AUTO else intake.format
        in_table = containers.of(file) is not None
        retry_form = _retry_whole if in_table or _is_told_together(wanted) else _retry_places
        done = retry_form(file, wanted, list(of_form), visit, intake, now)
        booked, still = booked + done.booked, still + done.still_rejected
    return Retried(booked, still, len(known) - booked - still)


def _is_told_together(form: str) -> bool:
    """Whether a reject need not be a record by itself, but what came of one, or of several."""
    return form in FORMATS and (FORMATS[form].items is not None or FORMATS[form].follow is not None)


def _retry_whole(
    file: str, form: str, known: Sequence[_Place], visit: Visit, intake: Intake, now: datetime
) -> Retried:
    """Read the whole file again for the rejects in it."""
    if not (sources.is_url(file) or Path(file).exists()):
        return Retried()
    try:
        with visit() as ledger:
            booked, reasons = read_file_again(ledger, file, form, intake, now)
            _keep_reasons(ledger, reasons)
    except (SourceError, OSError):
        return Retried()
    wanted = {place.digest for place in known}
    return Retried(len(wanted & booked), len(wanted & reasons.keys() - booked))


def _retry_places(
    file: str, form: str, known: Sequence[_Place], visit: Visit, intake: Intake, now: datetime
) -> Retried:
    """Read the rejects again that the file, or what it was rotated to, still holds."""
    left, read, still = list(known), 0, 0
    for path in (file, *rotated(file)):
        found = _texts(path, left)
        if path == file:
            found += _moved(path, _without(left, found))
        if not found:
            continue
        left = _without(left, found)
        with visit() as ledger:
            reasons = read_again(ledger, [record for _, record in found], form, path, intake, now)
            _keep_reasons(ledger, reasons)
        read, still = read + len(found), still + len(reasons)
    return Retried(read - still, still)


def _without(known: Sequence[_Place], found: Sequence[tuple[_Place, Record]]) -> list[_Place]:
    held = {place.digest for place, _ in found}
    return [place for place in known if place.digest not in held]


def _moved(file: str, wanted: Sequence[_Place]) -> list[tuple[_Place, Record]]:
    """The records that stand elsewhere in the file by now, as where a line above them was mended."""
    by_digest = {place.digest: place for place in wanted}
    if not by_digest or not (sources.is_url(file) or Path(file).exists()):
        return []
    try:
        with places.at_hand(file, places.stamp_of(file)) as path, sources.opened(path) as raw:
            lines = sources.records(sources.plain_text(file, raw), 1, 0, whole=True)
            told = {known_by: line for line in lines if (known_by := digest(line.data)) in by_digest}
    except (SourceError, *sources.DAMAGE):
        return []
    return [(place, told[known_by]) for known_by, place in by_digest.items() if known_by in told]


def _keep_reasons(ledger: Ledger, reasons: Mapping[bytes, str]) -> None:
    for known_by, reason in reasons.items():
        ledger.execute("UPDATE rejects SET reason = ? WHERE record_digest = ?", [reason, known_by])


def _texts(file: str, wanted: Sequence[_Place]) -> list[tuple[_Place, Record]]:
    """The records that the file still holds at their places, read in one pass."""
    if not (sources.is_url(file) or Path(file).exists()):
        return []
    found = []
    try:
        with places.at_hand(file, places.stamp_of(file)) as path, sources.opened(path) as raw:
            stream = sources.plain_text(file, raw)
            position = 0
            for place in wanted:
                position = sources.skip(stream, position, place.offset)
                data = stream.read(min(place.length, sources.MAX_RECORD_BYTES + 1))
                position += len(data)
                text = sources.trimmed(data)
                if digest(text) == place.digest:
                    found.append((place, Record(place.line, place.offset, text, place.length)))
    except (SourceError, *sources.DAMAGE):
        pass
    return found
