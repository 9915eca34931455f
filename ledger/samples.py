"""Redacted samples of calls: kept in few, listed, and deleted when their time is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from ledger.store import Ledger

SAMPLES = pl.Schema(
    {
        "request_id": pl.String(),
        "ts": pl.Datetime("us"),
        "kept_at": pl.Datetime("us"),
        "tenant": pl.String(),
        "workflow": pl.String(),
        "end_user": pl.String(),
        "model": pl.String(),
        "prompt": pl.String(),
        "answer": pl.String(),
        "redacted": pl.Int64(),
    }
)
# Records of a call may be dated so far apart.
_APART = timedelta(days=2)


def fresh(ledger: Ledger, offered: pl.DataFrame) -> pl.DataFrame:
    """The samples of calls that are not booked yet: what was purged does not come back by a new reading."""
    if offered.is_empty():
        return offered
    with ledger.scanning("offered", offered.select("request_id")):
        booked = ledger.frame(
            "SELECT request_id::VARCHAR AS request_id FROM requests WHERE ts BETWEEN ? AND ? "
            "AND request_id IN (SELECT request_id::UUID FROM offered)",
            [offered["ts"].min() - _APART, offered["ts"].max() + _APART],  # type: ignore[operator]
        )
    return offered.join(booked, on="request_id", how="anti")


def keep(ledger: Ledger, offered: pl.DataFrame, most: int) -> None:
    """Add samples, and of each workflow and day keep those with the lowest ids, `most` of them."""
    if offered.is_empty():
        return
    with ledger.scanning("offered", offered.unique("request_id", keep="first", maintain_order=True)):
        ledger.execute(
            "INSERT INTO samples BY NAME SELECT * REPLACE (request_id::UUID AS request_id) FROM offered "
            "WHERE request_id::UUID NOT IN (SELECT request_id FROM samples)"
        )
    ledger.execute(
        "DELETE FROM samples WHERE request_id IN (SELECT request_id FROM samples QUALIFY "
        "row_number() OVER (PARTITION BY workflow, ts::DATE ORDER BY request_id) > ?)",
        [most],
    )


def delete_before(ledger: Ledger, before: datetime) -> int:
    """Delete the samples of calls that began before a time; how many there were."""
    return ledger.execute("DELETE FROM samples WHERE ts < ?", [before.astimezone(UTC).replace(tzinfo=None)])


def listed(ledger: Ledger, workflow: str | None, most: int) -> pl.DataFrame:
    """The newest samples, of one workflow or of all."""
    return ledger.frame(
        "SELECT request_id::VARCHAR AS request_id, ts, tenant, workflow, model, prompt, answer, redacted "
        "FROM samples WHERE CAST(? AS VARCHAR) IS NULL OR workflow = ? ORDER BY ts DESC, request_id LIMIT ?",
        [workflow, workflow, most],
    )
