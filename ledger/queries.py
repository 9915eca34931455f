"""The questions reports and checks ask the ledger: one query each, answered as a named frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl

from ledger import count_days, derived, trust
from ledger.figures import DataHealth
from ledger.frames import BUCKETS, DIMENSIONS, PROMPT_USE, ROLLUP, ROLLUP_KEYS, SIZE_BINS, checked
from ledger.merges import merged_sources
from ledger.store import Ledger

_BUCKETS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
_INPUT = " + ".join(f"coalesce({name}, 0)" for name in _BUCKETS)


def rollup(
    ledger: Ledger,
    start: datetime,
    end: datetime,
    cuts: Sequence[datetime] = (),
    whole: Sequence[tuple[datetime, datetime]] | None = None,
    *,
    timed: bool = False,
) -> pl.DataFrame:
    """ROLLUP rows of [start, end), aware UTC; with `timed`, only of calls whose time is their own.

    With `cuts` the rows between two of them, and those from the last on, stand added up at the cut they begin
    with: far fewer where nothing finer is asked. Outside the spans `whole` only DIMENSIONS and status,
    requests, tokens, cost and what is unpriced are told: other keys and sums are NULL there. The rows
    are in no order.
    """
    inside, edges = _inside(((start, end),) if whole is None else whole)
    own = "AND NOT ts_estimated" if timed else ""
    params = [_naive(start), _naive(end), *edges]
    with ledger.scanning("places", _places(start, end, cuts)):
        parts = [
            ledger.frame(
                f"SELECT place AS bucket, {keys}, {_summed(columns)} FROM rollup JOIN places USING (bucket) "
                f"WHERE bucket >= ? AND bucket < ? AND {where} {own} GROUP BY place, {keys}",
                params,
            )
            for keys, columns, where in (
                (", ".join(ROLLUP_KEYS), tuple(_SUMS), inside),
                (", ".join(_TOLD_KEYS), _TOLD, f"NOT {inside}"),
            )
        ]
    return checked(pl.concat(parts, how="diagonal"), ROLLUP, "rollup")


def rollup_to(ledger: Ledger, start: datetime, now: datetime, cuts: Sequence[datetime] = ()) -> pl.DataFrame:
    """ROLLUP rows of [start, now), aware UTC, to the second: the last quarter is that of its calls.

    Only what `rollup` tells outside of `whole` spans is told. Where that quarter's calls were dropped it is
    told whole.
    """
    edge = _naive(now).replace(minute=_naive(now).minute // 15 * 15, second=0, microsecond=0)
    at = edge.replace(tzinfo=UTC)
    if _is_dropped(ledger, _naive(now)):
        return rollup(ledger, start, now, cuts, [])
    calls = "(SELECT * FROM requests WHERE ts >= ? AND ts < ?)"
    keys = ", ".join(_TOLD_KEYS)
    last = ledger.frame(
        f"SELECT bucket, {keys}, {_summed(_TOLD)} FROM ({derived.query('rollup', calls)}) "
        f"GROUP BY bucket, {keys}",
        [edge, _naive(now)],
    )
    parts = [rollup(ledger, start, at, cuts, []), last]
    return checked(pl.concat(parts, how="diagonal"), ROLLUP, "rollup")


_SUMS = {name: dtype for name, dtype in ROLLUP.items() if dtype != pl.String and name != "bucket"}
_TOLD = ("requests", *BUCKETS, "cost_usd", "unpriced_requests", "unpriced_tokens")
_TOLD_KEYS = (*DIMENSIONS, "status")


def _inside(spans: Sequence[tuple[datetime, datetime]]) -> tuple[str, list[datetime]]:
    """The condition that a bucket lies in one of the spans, and its parameters."""
    one_each = " OR ".join("bucket >= ? AND bucket < ?" for _ in spans) or "false"
    return f"({one_each})", [_naive(edge) for span in spans for edge in span]


def _summed(columns: Sequence[str]) -> str:
    return ", ".join(f"sum({name})::{_sql_type(_SUMS[name])} AS {name}" for name in columns)


def _sql_type(dtype: pl.DataType) -> str:
    return "BIGINT" if dtype == pl.Int64 else "DECIMAL(38, 12)"


def _places(start: datetime, end: datetime, cuts: Sequence[datetime]) -> pl.DataFrame:
    """Each quarter of an hour with the cut its rows are added up at; itself where there is none before."""
    first = _naive(start).replace(second=0, microsecond=0)
    quarters = pl.datetime_range(first - timedelta(minutes=first.minute % 15), _naive(end), "15m", eager=True)
    frame = pl.DataFrame({"bucket": quarters.cast(pl.Datetime("us"))})
    grid = pl.DataFrame({"place": sorted({_naive(cut) for cut in cuts})}, schema={"place": pl.Datetime("us")})
    found = frame.join_asof(grid, left_on="bucket", right_on="place", coalesce=False)
    return found.with_columns(pl.col("place").fill_null(pl.col("bucket")))


def has_estimated_times(ledger: Ledger, start: datetime, end: datetime) -> bool:
    """Whether any call of [start, end) has a time that is not its own."""
    sql = "SELECT 1 FROM rollup WHERE bucket >= ? AND bucket < ? AND ts_estimated LIMIT 1"
    return bool(ledger.rows(sql, [_naive(start), _naive(end)]))


def size_bins(
    ledger: Ledger, start: datetime, end: datetime, workflows: Sequence[str], *, by_time: bool = False
) -> pl.DataFrame:
    """SIZE_BINS of these workflows in [start, end), aware UTC.

    All of a bin stands at the start, unless `by_time`: then at its hour. Where an end lies within an hour,
    that hour's part is made from the calls themselves; of a day whose rows were dropped it is the hours that
    begin in the range, so that every hour is told once whatever it is cut into.
    """
    low, high = _naive(start), _naive(end)
    first, last = _next_hour(low), _next_hour(high) if _is_dropped(ledger, high) else _hour(high)
    if _is_dropped(ledger, low):
        low = first
    cut = min(first, high)
    edges = [low, cut, max(last, cut), max(last, high)]
    calls = (
        "(SELECT * FROM requests WHERE (ts >= ? AND ts < ? OR ts >= ? AND ts < ?) "
        "AND list_contains(?, workflow))"
    )
    bucket = "greatest(bucket, CAST(? AS TIMESTAMP))" if by_time else "CAST(? AS TIMESTAMP)"
    frame = ledger.frame(
        f"""
        SELECT {bucket} AS bucket, tenant, workflow, side, sum(requests)::BIGINT AS requests,
            sum(tokens)::BIGINT AS tokens, sum(usd)::DECIMAL(38, 12) AS usd
        FROM (
            FROM size_bins WHERE bucket >= ? AND bucket < ? AND list_contains(?, workflow)
            UNION ALL BY NAME {derived.query("size_bins", calls)}
        )
        GROUP BY {"bucket, " if by_time else ""}tenant, workflow, side, bin ORDER BY ALL
        """,
        [_naive(start), first, last, list(workflows), *edges, list(workflows)],
    )
    return checked(frame, SIZE_BINS, "size bins")


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _next_hour(at: datetime) -> datetime:
    return at if at == _hour(at) else _hour(at) + timedelta(hours=1)


def _is_dropped(ledger: Ledger, at: datetime) -> bool:
    """Whether the rows of the hour that holds the moment were dropped; a whole hour needs no rows."""
    sql = "SELECT 1 FROM sealed WHERE kind = 'dropped' AND period_start <= ? AND period_end > ? LIMIT 1"
    return at != _hour(at) and bool(ledger.rows(sql, [at, at]))


def prompt_use(ledger: Ledger, start: datetime, end: datetime) -> pl.DataFrame:
    """PROMPT_USE of [start, end), aware UTC, by the hours from `start` on."""
    frame = ledger.frame(
        """
        SELECT min(first_ts) AS ts, tenant, workflow, status, prompt_version,
            sum(requests)::BIGINT AS requests, sum(measured_requests)::BIGINT AS measured_requests,
            sum(measured_tokens)::BIGINT AS measured_tokens,
            sum(measured_usd)::DECIMAL(38, 12) AS measured_usd
        FROM prompt_use WHERE bucket >= ? AND bucket < ?
        GROUP BY time_bucket(INTERVAL 1 HOUR, bucket, CAST(? AS TIMESTAMP)), tenant, workflow, status,
            prompt_version
        HAVING sum(requests) > 0 ORDER BY ALL
        """,
        [_naive(start), _naive(end), _naive(start)],
    )
    return checked(frame, PROMPT_USE, "prompt use")


def workflows(ledger: Ledger, start: datetime, end: datetime) -> list[str]:
    """The workflows that had calls in [start, end), by name."""
    sql = (
        "SELECT DISTINCT workflow FROM rollup WHERE bucket >= ? AND bucket < ? AND workflow IS NOT NULL "
        "ORDER BY 1"
    )
    return [str(name) for (name,) in ledger.rows(sql, [_naive(start), _naive(end)])]


def calls(ledger: Ledger, start: datetime, end: datetime) -> int:
    """How many calls were made in [start, end), to the quarter of an hour."""
    sql = "SELECT sum(requests) FROM rollup WHERE bucket >= ? AND bucket < ?"
    return _int(ledger.rows(sql, [_naive(start), _naive(end)])[0][0])


def last_data(ledger: Ledger, now: datetime) -> datetime | None:
    """When the newest call before now was made; None for an empty ledger."""
    newest = ledger.rows("SELECT max(bucket) FROM rollup WHERE bucket < ?", [_naive(now)])[0][0]
    if newest is None:
        return None
    within = [newest, _naive(now)]
    found = ledger.rows("SELECT max(ts) FROM requests WHERE ts >= ? AND ts < ?", within)[0][0]
    return _aware(found or newest)


def last_check(ledger: Ledger) -> datetime | None:
    """The newest moment that incidents were evaluated for; None before the first check."""
    return _aware(
        ledger.rows("SELECT max(started_at) FROM job_runs WHERE job = 'check' AND outcome = 'ok'")[0][0]
    )


def health(
    ledger: Ledger,
    start: datetime,
    end: datetime,
    now: datetime,
    price_book: str,
    price_book_date: date | None = None,
) -> DataHealth:
    """How far the numbers of [start, end) can be trusted, and what was ingested since its start."""
    intake = _row(ledger, _INTAKE, [_naive(now), _naive(start), _naive(now)])
    rows = _row(ledger, _ROWS, [_naive(start), _naive(end)])
    late = _row(ledger, _LATE, [_naive(start), _naive(now)])
    agreed = count_days.agreement(ledger, start, min(end, now))
    return DataHealth(
        ingested_since=start,
        read=intake.int("read"),
        added=intake.int("added"),
        updated=intake.int("updated"),
        duplicate=intake.int("duplicate"),
        merged_identical=intake.int("merged_identical"),
        rejected=intake.int("rejected"),
        reject_reasons=_reasons(ledger, _REJECT_REASONS, [_naive(start), _naive(now)]),
        requests=rows.int("requests"),
        late_requests=late.int("requests"),
        late_usd=late.usd("cost"),
        unpriced_requests=rows.int("unpriced"),
        unpriced_tokens=rows.int("unpriced_tokens"),
        unpriced_reasons=_reasons(ledger, _UNPRICED_REASONS, [_naive(start), _naive(end)]),
        unattributed_requests=rows.int("unattributed"),
        unattributed_usd=rows.usd("unattributed_usd"),
        estimated_requests=rows.int("estimated"),
        estimated_usd=rows.usd("estimated_usd"),
        cost_usd=rows.usd("cost"),
        ts_estimated_requests=rows.int("ts_estimated"),
        drift_share=agreed.drift_share,
        exact_share=agreed.exact_share,
        comparable_requests=agreed.compared,
        price_book=price_book,
        price_book_date=price_book_date,
        last_commit=_aware(intake.values["last_commit"]),
        distrusted_counters=trust.distrusted(ledger),
        merged_sources=merged_sources(ledger, start, end),
    )


_INTAKE = """
    SELECT sum(read) AS read, sum(added) AS added, sum(updated) AS updated, sum(duplicate) AS duplicate,
        sum(merged_identical) AS merged_identical, sum(rejected) AS rejected,
        (SELECT max(started_at) FROM ingest_runs WHERE started_at <= ?) AS last_commit
    FROM ingest_runs WHERE started_at >= ? AND started_at <= ?
"""
_REJECT_REASONS = """
    SELECT reason, count(*) FROM rejects WHERE rejected_at >= ? AND rejected_at <= ?
    GROUP BY ALL ORDER BY count(*) DESC, reason LIMIT 8
"""
_ROWS = """
    SELECT sum(requests) AS requests,
        sum(unpriced_requests) AS unpriced,
        sum(unpriced_tokens) AS unpriced_tokens,
        sum(requests) FILTER (tenant IS NULL) AS unattributed,
        sum(cost_usd) FILTER (tenant IS NULL) AS unattributed_usd,
        sum(requests) FILTER (usage_source = 'estimated') AS estimated,
        sum(cost_usd) FILTER (usage_source = 'estimated') AS estimated_usd,
        sum(requests) FILTER (ts_estimated) AS ts_estimated,
        sum(cost_usd) AS cost
    FROM rollup WHERE bucket >= ? AND bucket < ?
"""
_UNPRICED_REASONS = """
    SELECT coalesce(unpriced_reason, 'unknown') || ': ' || coalesce(model, 'no model'), sum(unpriced_requests)
    FROM rollup WHERE bucket >= ? AND bucket < ? AND unpriced_requests <> 0
    GROUP BY ALL HAVING sum(unpriced_requests) > 0 ORDER BY sum(unpriced_requests) DESC, 1 LIMIT 8
"""
# Late is what came in after the day it belongs to had been reported whole: it changed a published number.
# What came after finance had closed its period stands in `corrections`.
_LATE = """
    WITH reported AS (
        SELECT period_start, period_end, min(rendered_at) AS rendered_at
        FROM report_runs WHERE report = 'daily' AND rendered_at >= period_end
        GROUP BY period_start, period_end
    ), late AS (
        SELECT request_id, cost_usd FROM requests JOIN reported
            ON ts >= period_start AND ts < period_end AND ingested_at > rendered_at
        WHERE ingested_at >= $1 AND ingested_at <= $2
        UNION ALL
        SELECT request_id, sum(CASE WHEN column_name = 'cost_usd' THEN
            coalesce(new_value::DECIMAL(38, 12), 0) - coalesce(old_value::DECIMAL(38, 12), 0) END)
        FROM corrections WHERE reason = 'late' AND corrected_at >= $1 AND corrected_at <= $2
        GROUP BY request_id
    )
    SELECT count(*) AS requests, sum(cost_usd) AS cost FROM late
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of sums by name; what SQL leaves NULL over no rows reads as zero."""

    values: Mapping[str, object]

    def int(self, name: str) -> int:
        return _int(self.values[name])

    def usd(self, name: str) -> Decimal:
        found = self.values[name]
        return found if isinstance(found, Decimal) else Decimal(0)


def _row(ledger: Ledger, sql: str, params: list[object]) -> _Row:
    return _Row(ledger.frame(sql, params).row(0, named=True))


def _reasons(ledger: Ledger, sql: str, params: list[object]) -> tuple[tuple[str, int], ...]:
    return tuple((str(reason), _int(count)) for reason, count in ledger.rows(sql, params))


def _int(value: object) -> int:
    return 0 if value is None else int(str(value).split(".")[0])


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)


def _aware(value: object) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
