"""Our counts beside the bills by UTC day: how many are equal, how far off the others are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time
from math import log

import polars as pl

from ledger.frames import BUCKETS, COUNT_DAYS, ERROR_GROWTH, SMALLEST_ERROR, checked
from ledger.store import Ledger
from ledger.types import Category, CountMethod

_LAST_BUCKET = 120

_INPUT = " + ".join(f"coalesce({name}, 0)" for name in BUCKETS[:-1])
_ERROR = "(counted_input_tokens - reported) / reported"
_STEPS = f"1 + floor(ln(abs({_ERROR}) / {SMALLEST_ERROR}) / {log(ERROR_GROWTH)})"
_BUCKET = (
    f"CASE WHEN abs({_ERROR}) < {SMALLEST_ERROR} THEN 0 "
    f"ELSE sign({_ERROR}) * least({_LAST_BUCKET}, {_STEPS}) END::SMALLINT"
)

# What a day of `count_days` is made of, over a relation named {source}. Only what a provider billed by tokens
# of its own count can be compared: no cached answer of a gateway, no count that stood in for a bill.
SELECT = f"""
    SELECT ts::DATE AS day, model, api, count_category AS category, count_method AS method, ts_estimated,
        count(*) AS compared,
        count(*) FILTER (counted_input_tokens = reported) AS equal,
        count(*) FILTER (abs(counted_input_tokens - reported) <= 2) AS within_2,
        sum(reported)::BIGINT AS reported_tokens,
        sum(counted_input_tokens)::BIGINT AS counted_tokens,
        sum(round(1e6 * abs({_ERROR})))::BIGINT AS error_ppm,
        histogram({_BUCKET}) AS errors
    FROM (SELECT *, {_INPUT} AS reported FROM {{source}})
    WHERE usage_source = 'reported' AND NOT cache_hit AND count_method <> 'none'
        AND counted_input_tokens IS NOT NULL AND reported > 0
    GROUP BY ALL
"""


def read(ledger: Ledger, start: datetime, end: datetime) -> pl.DataFrame:
    """COUNT_DAYS of the UTC days that begin in [start, end); of the day of `end` only what came before it."""
    source = "(SELECT * FROM requests WHERE ts >= ? AND ts < ?)"
    days = SELECT.format(source=source)
    frame = ledger.frame(
        f"SELECT * REPLACE (map_entries(errors) AS errors) FROM ({days}) ORDER BY ALL",
        [_first_midnight(start), _naive(end)],
    )
    return checked(frame, COUNT_DAYS, "count days")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many calls could be compared, and what their counts and bills say; shares of none are None."""

    compared: int
    equal: int
    reported_tokens: int
    counted_tokens: int

    @property
    def exact_share(self) -> float | None:
        """The share that is equal to the last token."""
        return self.equal / self.compared if self.compared else None

    @property
    def drift_share(self) -> float | None:
        """(counted - reported) / reported of all their tokens."""
        off = self.counted_tokens - self.reported_tokens
        return off / self.reported_tokens if self.reported_tokens else None


def agreement(ledger: Ledger, start: datetime, end: datetime) -> Agreement:
    """How the counts that should be the bill agree with it: of text alone, by exact rules."""
    sure = read(ledger, start, end).filter(
        pl.col("category") == Category.TEXT, pl.col("method") == CountMethod.EXACT
    )
    sums = sure.select(pl.col("compared", "equal", "reported_tokens", "counted_tokens").sum()).row(0)
    return Agreement(*map(int, sums))


def _first_midnight(start: datetime) -> datetime:
    at = _naive(start)
    midnight = datetime.combine(at.date(), time.min)
    return midnight if at == midnight else datetime.combine(at.date(), time.max)


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)
