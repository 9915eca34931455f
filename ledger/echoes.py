"""Calls that two logs tell under differing ids, of which one names the other's: a row, whichever comes first.

A record of the kind ECHO is a row as long as it is the only word of its call. Once another log tells the
call, with the echo's id as its span, the echo completes that call as a part does, and is no row any more.
"""

from __future__ import annotations

import polars as pl

from ledger import closed, rows
from ledger.frames import COMPLETING, ECHO
from ledger.known import Near, near
from ledger.store import Ledger

_GIVEN_WAY = pl.Schema({"span": pl.String()})


def heard(ledger: Ledger, fresh: pl.DataFrame) -> pl.Series:
    """The ids of those echoes among new records whose call is among them too or in the ledger."""
    told = fresh.filter(pl.col("id_kind") == ECHO)
    calls = fresh.filter(~pl.col("id_kind").is_in(COMPLETING))
    spans = pl.concat([rows.completed(ledger, told)["span"], calls["span"]]).drop_nulls()
    return told["request_id"].filter(told["request_id"].is_in(spans.implode())).unique()


def give_way(ledger: Ledger, calls: pl.DataFrame) -> pl.DataFrame:
    """Take out the rows of echoes whose call has come now, their records kept to complete it; their `span`.

    Rows of a closed period stay.
    """
    named = _named(calls)
    found = _booked(ledger, named, f"NOT {closed.IS_CLOSED.format(rows='requests')}")
    if len(found):
        _take_back(ledger, found["span"], near(named))
    return found


def under_closed_names(ledger: Ledger, incoming: pl.DataFrame) -> pl.DataFrame:
    """The records; those of calls that a closed period knows by an echo, under its id: they correct it."""
    if not closed.any_is(ledger):
        return incoming
    found = _booked(ledger, _named(incoming), closed.IS_CLOSED.format(rows="requests"))
    is_closed = pl.col("span").is_in(found["span"].implode())
    return incoming.with_columns(request_id=pl.when(is_closed).then("span").otherwise("request_id"))


def _named(records: pl.DataFrame) -> pl.DataFrame:
    return records.filter(~pl.col("id_kind").is_in(COMPLETING) & pl.col("span").is_not_null())


def _booked(ledger: Ledger, named: pl.DataFrame, condition: str) -> pl.DataFrame:
    """The spans of these calls that are rows of echoes of which this is true."""
    if named.is_empty():
        return _GIVEN_WAY.to_frame()
    where = near(named)
    with ledger.scanning("sought", named.select(pl.col("span").alias("id")).unique()):
        found = ledger.frame(
            f"SELECT request_id::VARCHAR AS span FROM requests WHERE ({where.sql} OR ts_estimated) "
            "AND id_kind = ? AND request_id = span AND request_id IN (SELECT id::UUID FROM sought) "
            f"AND {condition}",
            [*where.params, ECHO],
        )
    return found.cast(_GIVEN_WAY)


def _take_back(ledger: Ledger, ids: pl.Series, where: Near) -> None:
    rows.take_out(ledger, ids.to_list(), where)
    kept = rows.parts_of(ledger, ids, where)
    seen_once = rows.as_read(ledger, "gone").join(kept, on="request_id", how="anti")
    rows.keep_parts(ledger, seen_once)
