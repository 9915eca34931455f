"""The tables of sums kept beside `requests`, always in step with its rows.

Each is the answer of its query in `sql/`, by quarter of an hour, hour or day. A commit adds the sums of what
it booked, less those of the rows it took out, so it costs what it brings, however large the ledger is. Until
`settle` adds them up a group may stand in several rows: their sum is right at any moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import polars as pl

from ledger.frames import ROLLUP_KEYS

if TYPE_CHECKING:
    from ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Derived:
    """A table of sums: the columns that name a group, time first; those whose least or most is kept.

    Every other column adds up; `count` is the one that is zero where a group has no call left. `time` is the
    first key of a quarter of an hour named `bucket`.
    """

    keys: tuple[str, ...]
    least: tuple[str, ...] = ()
    most: tuple[str, ...] = ()
    count: str = "requests"
    time: str = "bucket"


DERIVED: Mapping[str, Derived] = {
    "rollup": Derived(("bucket", *ROLLUP_KEYS, "ts_estimated", "unpriced_reason")),
    "prompt_use": Derived(
        ("bucket", "tenant", "workflow", "environment", "model", "status", "prompt_version"),
        least=("first_ts",),
        most=("last_ts",),
    ),
    "size_bins": Derived(
        ("bucket", "tenant", "workflow", "side", "bin"), time="date_trunc('hour', bucket)::TIMESTAMP"
    ),
    "count_days": Derived(
        ("day", "model", "api", "category", "method", "ts_estimated", "bin"),
        count="compared",
        time="bucket::DATE",
    ),
}

# Quarters of an hour that are added up together: two busy days of a large ledger fit in memory.
_AT_ONCE = 200


@cache
def query(name: str, source: str = "requests") -> str:
    """The SQL that makes a derived table from the rows of `requests`, or of another source like it."""
    text = resources.files("ledger").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return text.replace("FROM requests", f"FROM {source}")


def statements() -> str:
    """The SQL that makes all derived tables from the rows there are."""
    return "\n".join(f"CREATE TABLE {name} AS\n{query(name)};" for name in DERIVED)


def add(ledger: Ledger, source: str) -> None:
    """Add the rows of `source` to every derived table."""
    for name in DERIVED:
        ledger.execute(f"INSERT INTO {name} BY NAME {query(name, source)}")


def take(ledger: Ledger, source: str) -> None:
    """Take the rows of `source` out of every derived table."""
    for name, table in DERIVED.items():
        ledger.execute(f"INSERT INTO {name} BY NAME SELECT {_less(table)} FROM ({query(name, source)})")


def unsettle(ledger: Ledger, ts: pl.Series) -> None:
    """Remember when the calls were made that `add` and `take` were told of."""
    times = ts.dt.truncate("15m").unique().alias("bucket")
    ledger.append("unsettled", times.to_frame())


def settle(ledger: Ledger) -> None:
    """Add up the rows of each group into one, some days' at a time, and drop those without a call."""
    buckets = ledger.frame("SELECT DISTINCT bucket FROM unsettled ORDER BY 1")["bucket"].to_list()
    for first in range(0, len(buckets), _AT_ONCE):
        some = buckets[first : first + _AT_ONCE]
        ends = (f"TIMESTAMP '{some[0]}'", f"TIMESTAMP '{some[-1]}'")
        with ledger.transaction():
            for name, table in DERIVED.items():
                _settle(ledger, name, table, ends)
            ledger.execute(f"DELETE FROM unsettled WHERE bucket BETWEEN {ends[0]} AND {ends[1]}")


def _settle(ledger: Ledger, name: str, table: Derived, ends: tuple[str, str]) -> None:
    keys = ", ".join(table.keys)
    # The two ends are for the zone maps: without them all times are read.
    low, high = (table.time.replace("bucket", end) for end in ends)
    touched = (
        f"{table.keys[0]} BETWEEN {low} AND {high} AND {table.keys[0]} IN "
        f"(SELECT {table.time} FROM unsettled WHERE bucket BETWEEN {ends[0]} AND {ends[1]})"
    )
    apart = (
        f"SELECT 1 FROM {name} WHERE {touched} GROUP BY {keys} "
        f"HAVING count(*) > 1 OR sum({table.count}) = 0 LIMIT 1"
    )
    if not ledger.rows(apart):
        return
    ledger.execute(
        f"CREATE OR REPLACE TEMP TABLE settled AS SELECT {_added_up(table)} FROM {name} "
        f"WHERE {touched} GROUP BY {keys} HAVING sum({table.count}) <> 0"
    )
    ledger.execute(f"DELETE FROM {name} WHERE {touched}")
    ledger.execute(f"INSERT INTO {name} BY NAME SELECT * FROM settled ORDER BY {table.keys[0]}")


def _parts(table: Derived) -> tuple[str, str]:
    keys = ", ".join(table.keys)
    return keys, ", ".join((*table.keys, *table.least, *table.most))


def _less(table: Derived) -> str:
    """Every sum with its sign turned; what is least or most stays, it cannot be taken back."""
    _, kept = _parts(table)
    return f"{kept}, -COLUMNS(* EXCLUDE ({kept}))"


def _added_up(table: Derived) -> str:
    keys, kept = _parts(table)
    ends = [*(f"min({n}) AS {n}" for n in table.least), *(f"max({n}) AS {n}" for n in table.most)]
    return ", ".join([keys, *ends, f"sum(COLUMNS(* EXCLUDE ({kept})))"])
