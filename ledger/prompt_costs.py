"""What prompts cost beyond need: repeats that a cache would have answered, and the use of context windows.

Both need the calls themselves, so they reach as far back as raw rows are kept.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from ledger.frames import CONTEXT_USE, REPEATS, checked
from ledger.store import Ledger

_INPUT = (
    "coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) "
    "+ coalesce(cache_write_1h_tokens, 0)"
)


def repeats(ledger: Ledger, start: datetime, end: datetime) -> pl.DataFrame:
    """Answered calls of [start, end), aware UTC, that asked a model the same again, as REPEATS.

    The first call of each prompt is no repeat; answers that a gateway's cache gave already are not counted.
    """
    sql = """
        SELECT workflow, sum(calls)::BIGINT AS requests, sum(calls - 1)::BIGINT AS repeats,
            coalesce(sum(cost - coalesce(first_cost, 0)), 0)::DECIMAL(38, 12) AS repeats_usd,
            coalesce(sum(cost - coalesce(first_cost, 0)) FILTER (fixed), 0)::DECIMAL(38, 12) AS fixed_usd,
            coalesce(sum(cost), 0)::DECIMAL(38, 12) AS cost_usd
        FROM (
            SELECT workflow, count(*) AS calls, coalesce(sum(cost_usd), 0)::DECIMAL(38, 12) AS cost,
                arg_min(cost_usd, ts) AS first_cost, coalesce(max(temperature) = 0, false) AS fixed
            FROM requests
            WHERE ts >= ? AND ts < ? AND status = 'ok' AND prompt_hash IS NOT NULL
                AND NOT coalesce(cache_hit, false)
            GROUP BY workflow, tenant, model, prompt_hash
        )
        GROUP BY workflow HAVING sum(calls - 1) > 0
        ORDER BY repeats_usd DESC, workflow
    """
    return checked(ledger.frame(sql, [_naive(start), _naive(end)]), REPEATS, "repeats")


def context_use(ledger: Ledger, start: datetime, end: datetime) -> pl.DataFrame:
    """How full the context windows of calls of [start, end), aware UTC, were, as CONTEXT_USE."""
    sql = f"""
        SELECT workflow, count(*) FILTER (share IS NOT NULL) AS requests,
            quantile_cont(share, 0.5) AS p50_share, quantile_cont(share, 0.95) AS p95_share,
            max(share) AS most_share, count(*) FILTER (share >= 0.9) AS near,
            count(*) FILTER (status <> 'ok' AND error_type ILIKE '%context%') AS refused,
            min(room) AS least_room,
            avg(len(context_chunk_tokens)) FILTER (len(context_chunk_tokens) > 0) AS chunks,
            (sum(list_sum(context_chunk_tokens)) / nullif(sum(len(context_chunk_tokens)), 0))::DOUBLE
                AS tokens_a_chunk,
            coalesce(sum(cost_context_usd), 0)::DECIMAL(38, 12) AS context_usd
        FROM (
            SELECT workflow, status, error_type, context_chunk_tokens, cost_context_usd,
                CASE WHEN {_INPUT} > 0 THEN ({_INPUT}) / nullif(context_window, 0)::DOUBLE END AS share,
                context_window - ({_INPUT}) - coalesce(max_output_tokens, output_tokens, 0) AS room
            FROM requests
            -- one call may embed many texts, each in a window of its own
            WHERE ts >= ? AND ts < ? AND operation <> 'embedding'
        )
        GROUP BY workflow HAVING requests > 0 OR refused > 0
        ORDER BY most_share DESC NULLS LAST, workflow
    """
    return checked(ledger.frame(sql, [_naive(start), _naive(end)]), CONTEXT_USE, "context use")


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)
