"""Post a batch of records to the ledger: merged, booked, counted, all in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from ledger.booking import MONEY_COLUMNS, book
from ledger.frames import RECORDS
from ledger.merge import merge
from ledger.prices import Contract, as_frame
from ledger.store import Ledger

REJECTS = pl.Schema(
    {
        "record_digest": pl.Binary(),
        "reason": pl.String(),
        "source": pl.String(),
        "source_file": pl.String(),
        "source_line": pl.Int64(),
        "source_offset": pl.Int64(),
        "length": pl.Int64(),
        "excerpt": pl.String(),
        "rejected_at": pl.Datetime("us"),
    }
)
PROMPT_VERSIONS = pl.Schema(
    {
        "prompt_version": pl.String(),
        "workflow": pl.String(),
        "first_seen": pl.Datetime("us"),
        "last_seen": pl.Datetime("us"),
        "system_tokens": pl.Int64(),
        "tools_tokens": pl.Int64(),
        "schema_tokens": pl.Int64(),
        "tool_tokens": pl.List(pl.Struct({"key": pl.String(), "value": pl.Int64()})),
    }
)


# A file may be read while its last line is being written: such a reject is dropped when the file is read on.
UNFINISHED = "unfinished last line: no newline yet and no complete JSON"


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """How far a file has been read: `lines` records in `position` bytes whose digest is `digest`."""

    path: str
    format: str
    size: int
    position: int
    lines: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit takes: RECORDS, REJECTS, PROMPT_VERSIONS and how far their source is read by it."""

    records: pl.DataFrame
    rejects: pl.DataFrame
    prompt_versions: pl.DataFrame
    source: SourcePosition | None
    source_file: str
    format: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch's records: `read` is the sum of the other four."""

    read: int = 0
    added: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    merged_identical: int = 0


def post(ledger: Ledger, batch: Batch, contracts: Sequence[Contract], now: datetime) -> Outcome:
    """Add a batch in one transaction; a batch that was added before changes nothing.

    `updated` counts records that completed a call already known, `duplicate` those that were known,
    `merged_identical` the duplicates that carry no id of their own.
    """
    with ledger.transaction():
        outcome = _post_records(ledger, batch, contracts, now)
        _post_rejects(ledger, batch)
        _post_prompt_versions(ledger, batch.prompt_versions)
        _post_progress(ledger, batch, outcome, now)
    return outcome


def _post_records(ledger: Ledger, batch: Batch, contracts: Sequence[Contract], now: datetime) -> Outcome:
    incoming = batch.records
    with ledger.scanning("incoming", incoming.select("request_id", "record_digest")):
        known = ledger.frame(_KNOWN)
    fresh = incoming.unique(["request_id", "record_digest"], keep="first", maintain_order=True).join(
        known, on=["request_id", "record_digest"], how="anti"
    )
    existing = set(known["request_id"]) & set(fresh["request_id"])
    again = fresh.filter(pl.col("request_id").is_in(list(existing)) | pl.col("request_id").is_duplicated())
    alone = fresh.join(again, on="request_id", how="anti")
    merged = _merge_parts(ledger, again) if len(again) else alone.clear()
    _write_booked(ledger, pl.concat([alone, merged]), list(existing), contracts, now)
    ids = fresh["request_id"].n_unique()
    repeated = len(incoming) - len(fresh)
    return Outcome(
        read=len(incoming) + len(batch.rejects),
        added=ids - len(existing),
        updated=len(fresh) - (ids - len(existing)),
        duplicate=repeated,
        rejected=len(batch.rejects),
        merged_identical=_without_id(incoming) - _without_id(fresh),
    )


def _without_id(records: pl.DataFrame) -> int:
    return len(records.filter(pl.col("id_kind") == "record"))


_KNOWN = """
    SELECT request_id::VARCHAR AS request_id, record_digest FROM requests
    WHERE request_id IN (SELECT request_id::UUID FROM incoming)
    UNION
    SELECT request_id::VARCHAR, record_digest FROM record_parts
    WHERE request_id IN (SELECT request_id::UUID FROM incoming)
"""


def _merge_parts(ledger: Ledger, again: pl.DataFrame) -> pl.DataFrame:
    """Keep the records of calls seen more than once beside the row, and merge all of each call."""
    with ledger.scanning("incoming", again.select("request_id").unique()):
        ledger.execute(
            f"INSERT INTO record_parts BY NAME SELECT {_AS_READ} FROM requests "
            "WHERE request_id IN (SELECT request_id::UUID FROM incoming) "
            "AND request_id NOT IN (SELECT request_id FROM record_parts)"
        )
    with ledger.scanning("incoming", again):
        ledger.execute(f"INSERT INTO record_parts BY NAME SELECT * REPLACE ({_TO_ROW}) FROM incoming")
        parts = ledger.frame(
            f"SELECT * REPLACE ({_FROM_ROW}) FROM record_parts "
            "WHERE request_id IN (SELECT request_id::UUID FROM incoming)"
        )
    return merge(parts.select(pl.col(name).cast(dtype) for name, dtype in RECORDS.items()))


# A row of a call seen once still holds its record as read: only a count that stands in for missing usage
# has to be taken back out.
_STOOD_IN = ("input_tokens", "output_tokens")
_AS_READ = ", ".join(
    f"CASE WHEN usage_source = 'reported' THEN {name} END AS {name}" if name in _STOOD_IN else name
    for name in RECORDS
)
_TO_ROW = "request_id::UUID AS request_id, map_from_entries(tags) AS tags"
_FROM_ROW = "request_id::VARCHAR AS request_id, map_entries(tags) AS tags"
_TO_MONEY = ", ".join(
    f"({name}::DECIMAL(19, 0) * 0.000000000001)::DECIMAL(18, 12) AS {name}" for name in MONEY_COLUMNS
)


def _write_booked(
    ledger: Ledger,
    records: pl.DataFrame,
    replaced: Sequence[str],
    contracts: Sequence[Contract],
    now: datetime,
) -> None:
    if records.is_empty():
        return
    booked, prices = book(records, contracts)
    if replaced:
        with ledger.scanning("replaced", pl.DataFrame({"request_id": list(replaced)})):
            ledger.execute("DELETE FROM requests WHERE request_id IN (SELECT request_id::UUID FROM replaced)")
    with ledger.scanning("booked", booked):
        ledger.execute(f"INSERT INTO requests BY NAME SELECT * REPLACE ({_TO_ROW}, {_TO_MONEY}) FROM booked")
    with ledger.scanning("used", as_frame(prices, now)):
        ledger.execute(
            "INSERT INTO prices BY NAME SELECT * FROM used "
            "WHERE price_id NOT IN (SELECT price_id FROM prices)"
        )


def _post_rejects(ledger: Ledger, batch: Batch) -> None:
    ledger.execute(
        "DELETE FROM rejects WHERE source_file = ? AND reason = ?", [batch.source_file, UNFINISHED]
    )
    if batch.rejects.is_empty():
        return
    with ledger.scanning("refused", batch.rejects.unique("record_digest", keep="first", maintain_order=True)):
        ledger.execute(
            "INSERT INTO rejects BY NAME SELECT * FROM refused "
            "WHERE record_digest NOT IN (SELECT record_digest FROM rejects)"
        )


def _post_prompt_versions(ledger: Ledger, seen: pl.DataFrame) -> None:
    """Widen the time a version was seen in; its sizes are those of the record seen first."""
    if seen.is_empty():
        return
    with ledger.scanning("seen", seen):
        ledger.execute("""
            UPDATE prompt_versions AS known
            SET first_seen = least(known.first_seen, seen.first_seen),
                last_seen = greatest(known.last_seen, seen.last_seen)
            FROM seen
            WHERE known.prompt_version = seen.prompt_version
                AND known.workflow IS NOT DISTINCT FROM seen.workflow
        """)
        ledger.execute("""
            INSERT INTO prompt_versions BY NAME
            SELECT * REPLACE (map_from_entries(tool_tokens) AS tool_tokens) FROM seen
            WHERE NOT EXISTS (
                SELECT 1 FROM prompt_versions AS known
                WHERE known.prompt_version = seen.prompt_version
                    AND known.workflow IS NOT DISTINCT FROM seen.workflow
            )
        """)


def _post_progress(ledger: Ledger, batch: Batch, outcome: Outcome, now: datetime) -> None:
    at = now.replace(tzinfo=None)
    if batch.source is not None:
        place = batch.source
        ledger.execute("DELETE FROM sources WHERE path = ?", [place.path])
        ledger.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?)",
            [place.path, place.format, place.size, place.position, place.lines, place.digest, at],
        )
    ledger.execute(
        "INSERT INTO ingest_runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            at,
            batch.source_file,
            batch.format,
            outcome.read,
            outcome.added,
            outcome.updated,
            outcome.duplicate,
            outcome.merged_identical,
            outcome.rejected,
            batch.bytes,
        ],
    )


def positions(ledger: Ledger) -> dict[str, SourcePosition]:
    """How far each file has been read, by its path."""
    rows = ledger.frame("SELECT path, format, size, position, lines, digest FROM sources").iter_rows()
    return {path: SourcePosition(path, *rest) for path, *rest in rows}
