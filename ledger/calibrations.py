"""Calibrations learned from the ledger: pairs of count and bill to learn from, and what was learned."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from ledger.frames import CALIBRATION_PAIRS, CALIBRATIONS, checked
from ledger.store import Ledger
from ledger.types import Calibration

# Of a model that is called a lot, so many pairs say all there is to learn.
_MOST = 2_000


def plain_rules(column: str) -> str:
    """The SQL of the counting rules in a column, without the calibration whose version stands behind them."""
    return f"regexp_replace({column}, '[+]cal[0-9]+$', '')"


# The count before a calibration is what is learned from. Only counts by one version of the rules belong
# together, and only those in one vocabulary.
_PAIRS = f"""
WITH pairs AS (
    SELECT r.model, r.api, r.count_category AS category, r.tokenizer, ?::VARCHAR AS rules, r.request_id, r.ts,
        coalesce(round((r.counted_input_tokens - c.intercept) / c.factor), r.counted_input_tokens)::DOUBLE
            AS counted,
        (r.input_tokens + coalesce(r.cache_read_tokens, 0) + coalesce(r.cache_write_tokens, 0)
            + coalesce(r.cache_write_1h_tokens, 0))::BIGINT AS reported
    FROM requests r LEFT JOIN calibrations c
        ON c.version = TRY_CAST(nullif(regexp_extract(r.rules, '[+]cal([0-9]+)$', 1), '') AS BIGINT)
        AND c.model = r.model AND c.api = r.api AND c.category = r.count_category
        AND c.tokenizer = r.tokenizer AND c.rules = ?
    WHERE r.ts >= ? AND r.ts < ? AND r.count_method = 'calibrated' AND r.usage_source = 'reported'
        AND r.status = 'ok' AND NOT r.cache_hit AND r.model IS NOT NULL AND r.count_category IS NOT NULL
        AND r.counted_input_tokens > 0 AND r.input_tokens IS NOT NULL AND r.tokenizer IS NOT NULL
        AND {plain_rules("r.rules")} = ?
)
SELECT model, api, category, tokenizer, rules, counted, reported,
    row_number() OVER (PARTITION BY model, api, category, tokenizer ORDER BY ts DESC, request_id) AS age
FROM pairs WHERE reported > 0 QUALIFY age <= ?
ORDER BY model, api, category, tokenizer, request_id
"""
_IN_FORCE = """
SELECT version, model, api, category, tokenizer, rules, factor, intercept, least, greatest, error, evidence
FROM (
    FROM calibrations QUALIFY row_number() OVER (
        PARTITION BY model, api, category, tokenizer, rules ORDER BY version DESC) = 1
)
WHERE factor <> 1 OR intercept <> 0
ORDER BY model, api, category, tokenizer, rules
"""


def pairs(ledger: Ledger, start: datetime, end: datetime, rules: str) -> pl.DataFrame:
    """CALIBRATION_PAIRS of calls in [start, end) whose bill is known and whose count is `rules`' estimate."""
    frame = ledger.frame(_PAIRS, [rules, rules, _naive(start), _naive(end), rules, _MOST])
    return checked(frame, CALIBRATION_PAIRS, "calibration pairs")


def in_force(ledger: Ledger) -> tuple[Calibration, ...]:
    """The newest calibration of each key, but for those that gave way to the plain count."""
    return tuple(Calibration(*row) for row in ledger.frame(_IN_FORCE).iter_rows())


def next_version(ledger: Ledger) -> int:
    """The number of the next refit."""
    return int(str(ledger.rows("SELECT coalesce(max(version), 0) + 1 FROM calibrations")[0][0]))


def keep(ledger: Ledger, learned: pl.DataFrame) -> None:
    """Add what a refit learned; calibrations are never changed, so that a count can be made again."""
    with ledger.scanning("learned", checked(learned, CALIBRATIONS, "calibrations")):
        ledger.execute("INSERT INTO calibrations BY NAME FROM learned")


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)
