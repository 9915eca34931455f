"""Counts of long texts remembered from one ingest to the next, by keyed digest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import polars as pl

from ledger.store import Ledger

Counts = Mapping[bytes, int]

# 500,000 counts are about 30 MB of ledger and load in about half a second.
MOST: Final = 500_000
_COUNTED: Final = pl.Schema({"key": pl.Binary(), "tokens": pl.Int64()})


def load(ledger: Ledger, most: int = MOST) -> dict[bytes, int]:
    """The counts used last, by digest."""
    sql = "SELECT key, tokens FROM token_cache ORDER BY used_at DESC, key LIMIT ?"
    frame = ledger.frame(sql, [most])
    return dict(zip(frame["key"].to_list(), frame["tokens"].to_list(), strict=True))


def keep(ledger: Ledger, counts: Counts, now: datetime) -> None:
    """Remember counts; of one known already the day of its last use moves on."""
    if not counts:
        return
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    counted = pl.DataFrame([list(counts), list(counts.values())], _COUNTED)
    frame = counted.with_columns(used_at=pl.lit(day, pl.Datetime("us")))
    with ledger.scanning("counted", frame):
        ledger.execute(
            "UPDATE token_cache SET used_at = counted.used_at FROM counted "
            "WHERE token_cache.key = counted.key AND token_cache.used_at < counted.used_at"
        )
        ledger.execute("INSERT INTO token_cache BY NAME FROM counted ANTI JOIN token_cache USING (key)")


def prune(ledger: Ledger, most: int = MOST) -> int:
    """Forget all but the counts used last; how many were forgotten."""
    held = int(str(ledger.rows("SELECT count(*) FROM token_cache")[0][0]))
    if held <= most:
        return 0
    newest = "SELECT key FROM token_cache ORDER BY used_at DESC, key LIMIT ?"
    return ledger.execute(f"DELETE FROM token_cache WHERE key NOT IN ({newest})", [most])
