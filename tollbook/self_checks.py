"""Whether the books tie: sums that must agree, row by row and table by table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.rows import SLICES
from ledger.store import Ledger

# A look at every row of a ledger of years takes minutes; what went wrong lately is in the newest ones.
NEWEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence about the books, for how many rows it does not hold, and since when rows were looked at.

    `since` is None where every row was.
    """

    sentence: str
    wrong: int
    since: datetime | None = None


_ROWS = {
    "meters sum to the cost": """
        cost_usd IS NOT NULL
        AND cost_usd <> input_cost_usd + cache_read_cost_usd + cache_write_cost_usd + output_cost_usd""",
    "segments sum to the billed input": """
        seg_user IS NOT NULL AND
        seg_tools + seg_system + seg_schema + seg_history + seg_context + seg_tool_results + seg_user
        + seg_media + seg_framing + seg_unexplained
        <> coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0)""",
    "segments and answers sum to the cost": """
        cost_usd IS NOT NULL AND cost_usd <>
        cost_tools_usd + cost_system_usd + cost_schema_usd + cost_history_usd + cost_context_usd
        + cost_tool_results_usd + cost_user_usd + cost_media_usd + cost_framing_usd + cost_unexplained_usd
        + cost_answer_usd + cost_tool_calls_usd + cost_reasoning_usd""",
}
_TIES = """
    SELECT CASE WHEN (
        SELECT coalesce(sum(cost_usd), 0) FROM rollup WHERE bucket::DATE NOT IN (
            SELECT period_start::DATE FROM sealed WHERE kind = 'dropped')
        ) = (SELECT coalesce(sum(cost_usd), 0) FROM requests) THEN 0 ELSE 1 END"""


def check(ledger: Ledger, *, deep: bool) -> Iterator[Checked]:
    """Look at the rows of the newest days, or with `deep` at every one; the sums are those of all."""
    since = None if deep else _since(ledger)
    yield Checked("every call is booked once", _doubled(ledger, since), since)
    broken = ", ".join(f"count(*) FILTER ({condition})" for condition in _ROWS.values())
    found = ledger.rows(f"SELECT {broken} FROM requests WHERE {_NEWER}", [since, since])[0]
    for sentence, wrong in zip(_ROWS, found, strict=True):
        yield Checked(sentence, int(str(wrong)), since)
    yield Checked("the rollup ties to the requests", _number(ledger, _TIES))


_NEWER = "(?::TIMESTAMP IS NULL OR ts >= ?)"


def _since(ledger: Ledger) -> datetime | None:
    """When the newest rows begin; None where there are no older ones."""
    first, last = ledger.rows("SELECT min(ts), max(ts) FROM requests")[0]
    if not isinstance(first, datetime) or not isinstance(last, datetime) or last - first <= NEWEST:
        return None
    return last - NEWEST


def _doubled(ledger: Ledger, since: datetime | None) -> int:
    """How many rows are one too many, a slice of the ids at a time: all take gigabytes."""
    sql = f"SELECT count(*) - count(DISTINCT request_id) FROM requests WHERE {_NEWER}"
    if since is not None:
        return _number(ledger, sql, since, since)
    within = f"{sql} AND request_id BETWEEN ?::UUID AND ?::UUID"
    return sum(_number(ledger, within, None, None, *ends) for ends in SLICES)


def _number(ledger: Ledger, sql: str, *params: object) -> int:
    return int(str(ledger.rows(sql, params)[0][0]))
