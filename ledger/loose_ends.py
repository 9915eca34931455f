"""What logs tell that does not fit together: parts without their call, calls that two logs tell apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ledger.frames import ECHO, PART
from ledger.store import Ledger

# A call and its parts meet up to two days apart.
WAITED = timedelta(days=2)

_LONELY = """
    SELECT source, count(DISTINCT request_id)
    FROM record_parts AS part
    WHERE id_kind = ? AND ts >= ? AND ts < ?
        AND NOT EXISTS (SELECT 1 FROM requests WHERE span = part.request_id AND (ts >= ? OR ts_estimated))
        AND NOT EXISTS (
            SELECT 1 FROM record_parts AS other WHERE other.span = part.request_id AND other.id_kind <> ?
        )
    GROUP BY source ORDER BY source
"""
_TWICE = """
    SELECT count(*), sum(usd) FROM (
        SELECT parent_span, sum(cost_usd) FILTER (source <> ? AND id_kind <> ?) AS usd
        FROM requests WHERE ts >= ? AND parent_span IS NOT NULL
        GROUP BY parent_span
        HAVING count(*) FILTER (source = ?) > 0 AND count(*) FILTER (source <> ? AND id_kind <> ?) > 0
    )
"""


def lonely_parts(ledger: Ledger, since: datetime, now: datetime) -> list[tuple[str, int]]:
    """By source, the calls of which only a part was ever told, begun since then and over two days ago."""
    start, end = (each.replace(tzinfo=None) for each in (since, now - WAITED))
    # The zone maps leave out what is older than the parts could belong to.
    found = ledger.rows(_LONELY, [PART, start, end, start - WAITED, PART])
    return [(str(source), int(str(count))) for source, count in found]


def sessions_told_twice(ledger: Ledger, source: str, since: datetime) -> tuple[int, Decimal]:
    """How many sessions that this source tells are told by another one too, and the money of the other.

    Calls of the other that would have met their own by an id of the request are told by it alone.
    """
    sessions, usd = ledger.rows(_TWICE, [source, ECHO, since.replace(tzinfo=None), source, source, ECHO])[0]
    return int(str(sessions)), Decimal(str(usd or 0))
