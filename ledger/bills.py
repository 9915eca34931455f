"""Keep the lines of providers' bills: one a line and period, a later report in place of an earlier one."""

from __future__ import annotations

import polars as pl

from ledger.frames import BILL_REPORTS, BILLS
from ledger.store import Ledger

_ORDER = ["reported_at", "source_file", "source_line", "record_digest"]
_REPORT = ["bill_id", "reported_at", "source_file"]
_SAID = ["bill_id", "quantity", "unit", "cost_usd", "list_cost_usd"]


def keep(ledger: Ledger, incoming: pl.DataFrame) -> pl.DataFrame:
    """Take in BILLS lines that carry a `batch` number; give back those that say something new.

    Of several reports of a line the one that was written last stands, of equally old ones that of the greater
    file name, so that the order of loading is all the same. Of several lines in it the last one stands, or
    all of them where they add up.
    """
    if incoming.is_empty():
        return incoming
    held = _held(ledger, incoming)
    standing = _standing(pl.concat([held.with_columns(batch=pl.lit(None, pl.Int32)), incoming]))
    fresh = standing.filter(pl.col("batch").is_not_null())
    touched = standing.join(fresh.select("bill_id").unique(), on="bill_id", how="semi")
    _write(ledger, touched.drop("batch"))
    return fresh.join(held, on=_SAID, how="anti", nulls_equal=True)


def _held(ledger: Ledger, incoming: pl.DataFrame) -> pl.DataFrame:
    with ledger.scanning("incoming", incoming.select("bill_id").unique()):
        found = ledger.frame(
            "SELECT * REPLACE (map_entries(keys) AS keys) FROM bills SEMI JOIN incoming USING (bill_id)"
        )
    return found.select(BILLS.names()).cast(BILLS)


def _standing(every: pl.DataFrame) -> pl.DataFrame:
    """The lines that stand of those known and those that come; what is known stands before its like."""
    ranked = every.sort(_ORDER, maintain_order=True)
    last = ranked.group_by("bill_id").agg(pl.col("reported_at", "source_file").last())
    of_last = ranked.join(last, on=_REPORT, how="semi", maintain_order="left")
    once = of_last.unique([*_REPORT, "source_line", "record_digest"], keep="first", maintain_order=True)
    is_last = pl.struct("source_line", "record_digest") == pl.struct(
        pl.col("source_line").last().over("bill_id"), pl.col("record_digest").last().over("bill_id")
    )
    return once.filter(pl.col("adds") | is_last)


def _write(ledger: Ledger, lines: pl.DataFrame) -> None:
    if lines.is_empty():
        return
    with ledger.scanning("lines", lines):
        ledger.execute("DELETE FROM bills WHERE bill_id IN (SELECT bill_id FROM lines)")
        ledger.execute(
            "INSERT INTO bills BY NAME SELECT * REPLACE (map_from_entries(keys) AS keys) FROM lines"
        )


def reports(ledger: Ledger) -> pl.DataFrame:
    """BILL_REPORTS: what is there, by provider, report, length of its periods, and breakdown.

    Each of them may tell the same money once more, so no sum goes over two of them.
    """
    totals = ledger.frame(_TOTALS)
    return _with_gaps(totals, ledger.frame(_GAPS)).select(BILL_REPORTS.names()).cast(BILL_REPORTS)


_GROUP = "provider, report, date_diff('second', period_start, period_end) AS period_s, grouped_by"
_TOTALS = f"""
    SELECT {_GROUP}, min(period_start) AS first, max(period_end) AS last, count(*) AS lines,
        count(DISTINCT period_start) AS periods, sum(cost_usd)::DECIMAL(38, 12) AS cost_usd,
        sum(list_cost_usd)::DECIMAL(38, 12) AS list_cost_usd, max(reported_at) AS reported_at,
        max(ingested_at) AS loaded_at, max(reported_at) < max(period_end) AS is_running
    FROM bills GROUP BY ALL
"""
# A gap is where no period reaches to the start of the next one.
_GAPS = f"""
    WITH periods AS (SELECT DISTINCT {_GROUP}, period_start, period_end FROM bills),
    reached AS (
        SELECT *, max(period_end) OVER (
            PARTITION BY provider, report, period_s, grouped_by ORDER BY period_start, period_end
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS gap_start FROM periods
    )
    SELECT provider, report, period_s, grouped_by, gap_start, period_start AS gap_end
    FROM reached WHERE period_start > gap_start
"""
_KEYS = ["provider", "report", "period_s", "grouped_by"]


def _with_gaps(totals: pl.DataFrame, gaps: pl.DataFrame) -> pl.DataFrame:
    pair = pl.struct(pl.col("gap_start").alias("from"), pl.col("gap_end").alias("to"))
    by_report = gaps.sort("gap_start").group_by(_KEYS).agg(gaps=pair)
    return totals.join(by_report, on=_KEYS, how="left").sort(_KEYS)
