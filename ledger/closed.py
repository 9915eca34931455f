"""A period that finance has closed takes no more rows: what comes late is a correction of each value.

A late call is worked out as it would have been booked, from all of its records, and stands in `corrections`
under the reason LATE, a row a column: its value as closed (NULL where the period knows no such call) and the
one it would have. What is told later of the same call takes the place of these rows, so that they say the
same in whatever order its records came; the closed rows and their sums stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from ledger import derived
from ledger.booking import MONEY_COLUMNS
from ledger.frames import ROLLUP_KEYS, USAGE_COLUMNS
from ledger.store import Ledger
from ledger.types import SEGMENTS

LATE = "late"
CORRECTED = (
    "ts",
    *ROLLUP_KEYS,
    *USAGE_COLUMNS,
    *(f"seg_{name}" for name in SEGMENTS),
    *MONEY_COLUMNS,
    "price_id",
    "unpriced_reason",
)
# What a call may have from a step above it, of what is corrected.
INHERITED = ("tenant", "workflow", "environment")
# A call lies in a closed period by its row there; without one, by the time that all of its records give it.
IS_CLOSED = (
    "EXISTS (SELECT 1 FROM sealed WHERE kind = 'closed' AND {rows}.ts >= period_start "
    "AND {rows}.ts < period_end)"
)


def close(ledger: Ledger, start: datetime, end: datetime, now: datetime) -> None:
    """Have [start, end), aware UTC, take no more rows; closing it again changes nothing."""
    span = [each.astimezone(UTC).replace(tzinfo=None) for each in (start, end)]
    known = "SELECT 1 FROM sealed WHERE kind = 'closed' AND period_start = ? AND period_end = ?"
    if not ledger.rows(known, span):
        at = now.astimezone(UTC).replace(tzinfo=None)
        ledger.execute("INSERT INTO sealed VALUES (?, ?, 'closed', ?)", [*span, at])


def any_is(ledger: Ledger) -> bool:
    """Whether any period is closed."""
    return bool(ledger.rows("SELECT 1 FROM sealed WHERE kind = 'closed' LIMIT 1"))


def said_late(ledger: Ledger) -> pl.DataFrame:
    """What the corrections of late calls put each of INHERITED to: `request_id`, `was_tenant`, and so on."""
    said = ", ".join(
        f"any_value(new_value) FILTER (column_name = '{name}') AS was_{name}" for name in INHERITED
    )
    return ledger.frame(
        f"SELECT request_id::VARCHAR AS request_id, {said} FROM corrections WHERE reason = '{LATE}' "
        "GROUP BY 1"
    )


def withhold(ledger: Ledger, as_read: str, now: datetime, *, taken_out: bool) -> None:
    """Take from the table `came` what lies in closed periods, and correct it instead.

    With `taken_out` the rows in `gone` were taken out to be booked anew: those of closed periods go back.
    `as_read` is the SQL of a row's record as it was read: what has no row is known by that.
    """
    gone = "gone" if taken_out else "(SELECT * FROM requests WHERE false)"
    ledger.execute(
        f"CREATE OR REPLACE TEMP TABLE closed_rows AS SELECT * FROM {gone} AS held "
        f"WHERE {IS_CLOSED.format(rows='held')}"
    )
    ledger.execute(
        f"CREATE OR REPLACE TEMP TABLE late AS SELECT * FROM came WHERE {IS_CLOSED.format(rows='came')} "
        "OR request_id IN (SELECT request_id FROM closed_rows)"
    )
    ledger.execute(
        f"DELETE FROM corrections WHERE reason = '{LATE}' AND request_id IN (SELECT request_id FROM came)"
    )
    ledger.execute("DELETE FROM came WHERE request_id IN (SELECT request_id FROM late)")
    ledger.execute(
        f"INSERT INTO record_parts BY NAME SELECT {as_read} FROM late "
        "WHERE request_id NOT IN (SELECT request_id FROM record_parts)"
    )
    _put_back(ledger)
    _correct(ledger, CORRECTED, now)


def _put_back(ledger: Ledger) -> None:
    if ledger.execute("INSERT INTO requests BY NAME FROM closed_rows"):
        derived.add(ledger, "closed_rows")


def _correct(ledger: Ledger, columns: Sequence[str], now: datetime) -> None:
    """Of the two rows that a call booked twice has in a closed period, the first is the one corrected."""
    changed = " UNION ALL ".join(
        f"SELECT late.request_id, coalesce(was.ts, late.ts) AS ts, '{name}' AS column_name, "
        f"was.{name}::VARCHAR AS old_value, late.{name}::VARCHAR AS new_value "
        f"FROM late LEFT JOIN was ON was.request_id = late.request_id "
        f"WHERE was.{name} IS DISTINCT FROM late.{name}"
        for name in columns
    )
    ledger.execute(
        "INSERT INTO corrections BY NAME WITH was AS (SELECT * FROM closed_rows "
        "QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY ts, record_digest) = 1) "
        f"SELECT *, ?::TIMESTAMP AS corrected_at, '{LATE}' AS reason FROM ({changed})",
        [now.astimezone(UTC).replace(tzinfo=None)],
    )
