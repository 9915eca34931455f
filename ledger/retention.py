"""Old rows are dropped day by day once their sums stand in the derived tables; a dropped day takes no more.

What was dropped is known by its days only, not call by call: a record of such a day may be one that is in the
sums, so it is refused, and said to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import polars as pl

from ledger import derived
from ledger.closed import LATE
from ledger.frames import ECHO, PART
from ledger.store import Ledger

_BEFORE, _AFTER = "its day was dropped: the rows of ", " are no longer kept, their sums stay as they are"


@dataclass(frozen=True, slots=True)
class Drop:
    """What was dropped: whole UTC days, and the rows of calls in them."""

    days: int = 0
    requests: int = 0


def drop(ledger: Ledger, keep_days: int, now: datetime) -> Drop:
    """Drop the rows of the UTC days that ended more than `keep_days` days ago, and seal those days."""
    today = datetime.combine(now.astimezone(UTC).date(), time())
    before = today - timedelta(days=keep_days)
    days = ledger.frame(
        "SELECT date_trunc('day', ts)::TIMESTAMP AS period_start, count(*) AS requests FROM requests "
        "WHERE ts < ? GROUP BY ALL ORDER BY 1",
        [before],
    )
    if days.is_empty():
        return Drop()
    derived.settle(ledger)
    with ledger.transaction():
        ledger.execute(
            "DELETE FROM record_parts WHERE request_id IN (SELECT request_id FROM requests WHERE ts < ?) "
            "OR (id_kind IN (?, ?) AND ts < ?) "
            # What came late for a closed period is known by its records alone.
            "OR (ts < ? AND request_id IN (SELECT request_id FROM corrections WHERE reason = ?) "
            "AND request_id NOT IN (SELECT request_id FROM requests))",
            [before, PART, ECHO, before, before, LATE],
        )
        ledger.execute("DELETE FROM requests WHERE ts < ?", [before])
        seal(ledger, days["period_start"], now)
    ledger.execute("CHECKPOINT")
    return Drop(days.height, int(days["requests"].sum()))


def seal(ledger: Ledger, days: pl.Series, now: datetime) -> None:
    """Have these days, given by their midnights, take no more rows."""
    at = now.astimezone(UTC).replace(tzinfo=None)
    sealed = days.to_frame().select(
        "period_start",
        (pl.col("period_start") + timedelta(days=1)).alias("period_end"),
        pl.lit("dropped").alias("kind"),
        pl.lit(at).alias("sealed_at"),
    )
    with ledger.scanning("days", sealed):
        ledger.execute(
            "INSERT INTO sealed BY NAME SELECT * FROM days WHERE period_start NOT IN "
            "(SELECT period_start FROM sealed WHERE kind = 'dropped')"
        )


def dropped_days(ledger: Ledger) -> pl.Series:
    """The UTC days whose rows were dropped."""
    return ledger.frame("SELECT period_start::DATE AS day FROM sealed WHERE kind = 'dropped'")["day"]


def refused(records: pl.DataFrame, days: pl.Series) -> pl.DataFrame:
    """The records of dropped days as rows of `rejects`; without the place of their text they stay out."""
    late = records.filter(pl.col("ts").dt.date().is_in(days.to_list()))
    return late.select(
        "record_digest",
        (pl.lit(_BEFORE) + pl.col("ts").dt.strftime("%Y-%m-%d") + _AFTER).alias("reason"),
        "source",
        "source_file",
        "source_line",
        pl.lit(0, pl.Int64).alias("source_offset"),
        pl.lit(0, pl.Int64).alias("length"),
        pl.lit("").alias("excerpt"),
        pl.col("ingested_at").alias("rejected_at"),
    )
