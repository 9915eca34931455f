"""Records that are newer than the readers: of which formats and versions, with which fields, how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from ledger.store import Ledger
from ledger.types import Newer

# A log whose every record has another field would fill the table.
_MOST_KINDS = 200
_OTHERS = "…"


def keep(ledger: Ledger, seen: Mapping[Newer, int], now: datetime) -> None:
    """Add what was seen to what is known; past a limit, other fields are one kind."""
    at = now.astimezone(UTC).replace(tzinfo=None)
    for newer, count in seen.items():
        if not _add(ledger, newer, count, at):
            other = newer if _has_room(ledger) else Newer(newer.format, newer.version, (_OTHERS,))
            if other is newer or not _add(ledger, other, count, at):
                ledger.execute(
                    "INSERT INTO newer_records VALUES (?, ?, ?, ?, ?, ?)",
                    [other.format, other.version, list(other.fields), count, at, at],
                )


def _has_room(ledger: Ledger) -> bool:
    ((kinds,),) = ledger.rows("SELECT count(*) FROM newer_records")
    return int(str(kinds)) < _MOST_KINDS


def _add(ledger: Ledger, newer: Newer, count: int, at: datetime) -> int:
    return ledger.execute(
        "UPDATE newer_records SET records = records + ?, last_seen = greatest(last_seen, ?) "
        "WHERE format = ? AND version IS NOT DISTINCT FROM ? AND fields = ?::VARCHAR[]",
        [count, at, newer.format, newer.version, list(newer.fields)],
    )


def known(ledger: Ledger) -> list[tuple[Newer, int]]:
    """Every kind with the number of records read of it, the most frequent first."""
    rows = ledger.rows(
        "SELECT format, version, fields, records FROM newer_records "
        "ORDER BY records DESC, format, version, fields"
    )
    return [
        (Newer(str(form), None if version is None else str(version), tuple(fields)), int(str(records)))  # type: ignore[arg-type]
        for form, version, fields, records in rows
    ]


def bounded(seen: Counter[Newer], newer: Newer, most: int = 50) -> Newer:
    """The kind to count a record under in one batch."""
    return newer if newer in seen or len(seen) < most else Newer(newer.format, newer.version, (_OTHERS,))
