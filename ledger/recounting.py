"""Put newer counts in the place of older, with segments and their shares of the cost; no bill changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ledger import rows
from ledger.booking import MONEY_COLUMNS, resplit
from ledger.calibrations import plain_rules
from ledger.frames import COMPLETING, RECORDS
from ledger.known import Near, near
from ledger.merge import ANSWER, COUNT, merge
from ledger.prices import Contract
from ledger.store import Ledger
from ledger.types import SEGMENTS

COUNT_COLUMNS = (*COUNT, *ANSWER)
_COMPARED = ("counted_input_tokens", "counted_output_tokens", "counted_segments", "count_method")
_SPLIT = (
    *(f"cost_{name}_usd" for name in SEGMENTS),
    "cost_answer_usd",
    "cost_tool_calls_usd",
    "cost_reasoning_usd",
)
# What was booked stays as it was, whatever the prices or the rules are by now.
_BOOKED = (
    *(name for name in MONEY_COLUMNS if name not in _SPLIT),
    "price_id",
    "context_window",
    "unpriced_reason",
)


_UNSEALED = "NOT EXISTS (SELECT 1 FROM sealed WHERE requests.ts >= period_start AND requests.ts < period_end)"


@dataclass(frozen=True, slots=True)
class Which:
    """Which calls are counted again: of a time, and those that other rules counted, or `every` one."""

    since: datetime | None = None
    until: datetime | None = None
    every: bool = False

    def condition(self, rules: str, *, sealed: bool = False) -> tuple[str, list[object]]:
        """The condition on a row of `requests`, with its parameters; it leaves `sealed` periods alone."""
        said = ["true"] if sealed else [_UNSEALED]
        given: list[object] = []
        for sql, value in (
            ("ts >= ?", _naive(self.since)),
            ("ts < ?", _naive(self.until)),
            (f"{plain_rules('rules')} IS DISTINCT FROM ?", None if self.every else rules),
        ):
            if value is not None:
                said.append(sql)
                given.append(value)
        return " AND ".join(said), given


@dataclass(frozen=True, slots=True)
class Recounted:
    """Calls that were counted again, and those of them whose count is another now."""

    calls: int = 0
    changed: int = 0


def _naive(ts: datetime | None) -> datetime | None:
    return None if ts is None else ts.replace(tzinfo=None)


def recount(
    ledger: Ledger,
    records: pl.DataFrame,
    which: Which,
    rules: str,
    contracts: tuple[Contract, ...],
    *,
    dry_run: bool = False,
) -> Recounted:
    """Put the counts of RECORDS, made by these rules, on the calls they belong to, in one transaction."""
    with ledger.transaction(undo=dry_run):
        return _recount(ledger, records, which, rules, contracts)


def _recount(
    ledger: Ledger, records: pl.DataFrame, which: Which, rules: str, contracts: tuple[Contract, ...]
) -> Recounted:
    where = near(records.select("ts", "ts_estimated"))
    completed = rows.completed(ledger, records.filter(pl.col("id_kind").is_in(COMPLETING)))
    ids = pl.concat([records["request_id"], completed["request_id"]]).unique()
    wanted = _wanted(ledger, ids, which, rules, where)
    spans = completed.join(wanted, on="request_id", how="semi")["span"]
    known = pl.concat([wanted["request_id"], spans]).unique().implode()
    counts = _counts(ledger, records.filter(pl.col("request_id").is_in(known)), wanted, where)
    if counts.is_empty():
        return Recounted()
    held = rows.take_out(ledger, counts["request_id"].to_list(), where, every=True)
    before = rows.taken_out(ledger).drop(COUNT_COLUMNS)
    again = before.join(counts, on="request_id").select(*RECORDS.names(), "usage_source", "inherited")
    rows.put_back(ledger, resplit(again, contracts, held), kept=_kept())
    ((changed,),) = ledger.rows(
        f"SELECT count(*) FROM came JOIN gone USING (request_id) WHERE ({_columns('came')}) "
        f"IS DISTINCT FROM ({_columns('gone')})"
    )
    return Recounted(len(counts), int(str(changed)))


def _columns(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in _COMPARED)


def _kept() -> dict[str, str]:
    """The columns of a row that stay as they were in `gone`; a split only where it is of another cost."""
    same = "came.cost_usd IS NOT DISTINCT FROM gone.cost_usd"
    splits = {name: f"CASE WHEN {same} THEN came.{name} ELSE gone.{name} END" for name in _SPLIT}
    return {**{name: f"gone.{name}" for name in _BOOKED}, **splits}


def _wanted(ledger: Ledger, ids: pl.Series, which: Which, rules: str, where: Near) -> pl.DataFrame:
    """The calls to count again: their ids, and the records that stand in their rows."""
    condition, given = which.condition(rules)
    with ledger.scanning("read", ids.to_frame("request_id")):
        return ledger.frame(
            "SELECT request_id::VARCHAR AS request_id, record_digest AS of_row FROM requests "
            f"WHERE request_id IN (SELECT request_id::UUID FROM read) AND {where.sql} AND {condition}",
            [*where.params, *given],
        )


def _counts(ledger: Ledger, records: pl.DataFrame, wanted: pl.DataFrame, where: Near) -> pl.DataFrame:
    """Each call's count as it is now: of its record, or of all its records merged."""
    fresh = records.unique(["request_id", "record_digest"], keep="first", maintain_order=True)
    parts = rows.parts_of(ledger, pl.concat([fresh["request_id"], wanted["request_id"]]), where)
    known = fresh.select("request_id", "record_digest", *COUNT_COLUMNS)
    # A record that was read by another name of its call has no part to put its count on.
    renewed = parts.drop(COUNT_COLUMNS).join(known, on=["request_id", "record_digest"])
    untouched = parts.join(renewed, on=["request_id", "record_digest"], how="anti")
    of_parts = pl.concat([untouched, renewed.select(parts.columns)])
    if len(renewed):
        rows.replace_parts(ledger, of_parts)
    own = of_parts.join(wanted, on="request_id", how="semi")
    told = pl.concat([own, rows.adopted_parts(ledger, own, where)])
    renewed_calls = told.join(renewed, on="record_digest", how="semi")
    touched = told.join(renewed_calls, on="request_id", how="semi")
    alone = fresh.join(parts, on="request_id", how="anti").join(
        wanted, left_on=["request_id", "record_digest"], right_on=["request_id", "of_row"], how="semi"
    )
    return pl.concat([alone, merge(touched)]).select("request_id", *COUNT_COLUMNS)
