"""Calls that several sources told of and that were booked once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ledger.figures import MergedSources
from ledger.store import Ledger

# Records of a call lie at most so far from its row as `known` looks for them.
_MERGED = """
    WITH near AS (
        SELECT request_id, span, id_kind, source FROM record_parts
        WHERE ts >= CAST(? AS TIMESTAMP) - INTERVAL 3 DAY AND ts < CAST(? AS TIMESTAMP) + INTERVAL 3 DAY
    ), every AS (
        SELECT request_id, source FROM near
        UNION ALL
        SELECT call.request_id, echo.source FROM near AS echo
        JOIN near AS call ON call.span = echo.request_id AND call.request_id <> call.span
        WHERE echo.id_kind = 'echo'
    ), told AS (
        SELECT request_id, string_agg(DISTINCT source, ' + ' ORDER BY source) AS sources
        FROM every
        GROUP BY request_id HAVING count(DISTINCT source) > 1
    )
    SELECT sources, count(*), coalesce(sum(cost_usd), 0)::DECIMAL(38, 12)
    FROM requests JOIN told USING (request_id) WHERE ts >= ? AND ts < ?
    GROUP BY sources ORDER BY 3 DESC, 1
"""


def merged_sources(ledger: Ledger, start: datetime, end: datetime) -> tuple[MergedSources, ...]:
    """By the sources that told them: calls of [start, end) that are one row, and what that row cost."""
    edges = [each.astimezone(UTC).replace(tzinfo=None) for each in (start, end)]
    found = ledger.rows(_MERGED, [*edges, *edges])
    return tuple(MergedSources(str(names), int(str(calls)), Decimal(str(usd))) for names, calls, usd in found)
