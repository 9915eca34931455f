"""Which records the ledger holds already, found without an index and without reading what is far in time.

An index on `requests` costs seconds at every opening of a large ledger. The records of one call lie close in
time, so only rows within two days of what comes in are looked at, through the zone maps, and those whose time
is an estimate. Records of a call that lie further apart are brought together by `rows.unite`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise

import polars as pl

from ledger.store import Ledger

_REACH = timedelta(days=2)
_ONE_DAY = timedelta(days=1)
_MOST_SPANS = 8

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Near:
    """Where in time to look: spans of naive UTC, or None for all of it."""

    spans: tuple[Span, ...] | None

    @property
    def sql(self) -> str:
        """The condition on `ts`, with two parameters a span."""
        if self.spans is None:
            return "true"
        return "(" + (" OR ".join("ts BETWEEN ? AND ?" for _ in self.spans) or "false") + ")"

    @property
    def params(self) -> list[object]:
        """The parameters of `sql`."""
        return [end for span in self.spans or () for end in span]


EVERYWHERE = Near(None)


def near(records: pl.DataFrame) -> Near:
    """Where records of the same calls may lie; `records` has `ts` and `ts_estimated`.

    A time taken from the file says nothing of when the call was made.
    """
    if records["ts_estimated"].any():
        return EVERYWHERE
    return Near(spans(records["ts"]))


def spans(ts: pl.Series) -> tuple[Span, ...]:
    """The days that are touched, widened by two on both sides, as few spans."""
    days = ts.dt.date().unique().sort().to_list()
    wide = [
        (datetime.combine(day, time()) - _REACH, datetime.combine(day, time()) + _ONE_DAY + _REACH)
        for day in days
    ]
    return tuple(_fewer(_joined(wide, timedelta(0))))


def _joined(wide: Sequence[Span], gap: timedelta) -> list[Span]:
    """Spans in order, those together that lie no further apart than the gap."""
    found: list[Span] = []
    for start, end in wide:
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _fewer(apart: list[Span]) -> list[Span]:
    """At most eight spans: the smallest gaps are closed."""
    if len(apart) <= _MOST_SPANS:
        return apart
    gaps = sorted((after[0] - before[1] for before, after in pairwise(apart)), reverse=True)
    return _joined(apart, gaps[_MOST_SPANS - 1])


def known(ledger: Ledger, incoming: pl.DataFrame) -> pl.DataFrame:
    """The records held of these calls: request_id, record_digest and ts.

    `incoming` has request_id, ts and ts_estimated.
    """
    where = near(incoming)
    with ledger.scanning("incoming", incoming.select("request_id").unique()):
        return ledger.frame(_known(where), [*where.params, *where.params])


def _known(where: Near) -> str:
    looks = [where.sql] if where.spans is None else [where.sql, "ts_estimated"]
    parts = [
        "SELECT request_id::VARCHAR AS request_id, record_digest, ts "
        f"FROM {table} WHERE {look} AND request_id IN (SELECT id FROM ids)"
        for look in looks
        for table in ("requests", "record_parts")
    ]
    return "WITH ids AS MATERIALIZED (SELECT request_id::UUID AS id FROM incoming) " + " UNION ALL ".join(
        parts
    )
