"""Post a batch of records to the ledger: merged, booked, counted, all in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from ledger.booking import MONEY_COLUMNS, book, is_half_reported
from ledger.frames import RECORDS
from ledger.merge import merge
from ledger.prices import Contract, as_frame
from ledger.quotes import held_terms
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


# A file may be read while its end is being written: such rejects are dropped when the file is read on.
UNFINISHED = "unfinished last line: no newline yet and no complete JSON"
DAMAGED = "the compressed data ends early or is damaged: what follows could not be read"


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
    """What a commit takes of a source: RECORDS, REJECTS, PROMPT_VERSIONS and how far it is read by them.

    `reads_on` is false where single records were read again and the source's end was not looked at.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame
    prompt_versions: pl.DataFrame
    source: SourcePosition | None
    source_file: str
    format: str
    bytes: int
    reads_on: bool = True


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
    return post_all(ledger, [batch], contracts, now)[0]


def post_all(
    ledger: Ledger, batches: Sequence[Batch], contracts: Sequence[Contract], now: datetime
) -> list[Outcome]:
    """Add batches as one, in one transaction, and say of each what became of it."""
    with ledger.transaction():
        outcomes = _post_records(ledger, batches, contracts, now)
        for batch, outcome in zip(batches, outcomes, strict=True):
            kept = _post_rejects(ledger, batch)
            _post_progress(ledger, batch, replace(outcome, rejected=kept), now)
        _post_prompt_versions(ledger, pl.concat(batch.prompt_versions for batch in batches))
    return outcomes


_CALL = ["request_id", "record_digest"]


def _post_records(
    ledger: Ledger, batches: Sequence[Batch], contracts: Sequence[Contract], now: datetime
) -> list[Outcome]:
    incoming = pl.concat(
        batch.records.with_columns(pl.lit(number).alias("batch")) for number, batch in enumerate(batches)
    )
    with ledger.scanning("incoming", incoming.select(_CALL)):
        known = ledger.frame(_KNOWN)
        ledger.execute("DELETE FROM rejects WHERE record_digest IN (SELECT record_digest FROM incoming)")
    fresh = _fresh(incoming, known)
    existing = set(known["request_id"]) & set(fresh["request_id"])
    first = fresh.unique("request_id", keep="first", maintain_order=True).filter(
        ~pl.col("request_id").is_in(list(existing))
    )
    _write(ledger, fresh.drop("batch"), list(existing), contracts, now)
    parts = (_by_batch(frame, len(batches)) for frame in (incoming, fresh, first))
    return [_outcome(batch, *frames) for batch, *frames in zip(batches, *parts, strict=True)]


def _fresh(incoming: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The records that say something new: of equal ones without a time of their own the earliest does."""
    earliest = incoming.sort("ts", maintain_order=True).unique(_CALL, keep="first", maintain_order=True)
    before = known.group_by(_CALL).agg(known_ts=pl.col("ts").min())
    held = earliest.join(before, on=_CALL, how="left", maintain_order="left")
    is_earlier = pl.col("ts_estimated") & (pl.col("ts") < pl.col("known_ts"))
    return held.filter(pl.col("known_ts").is_null() | is_earlier).drop("known_ts")


def _by_batch(frame: pl.DataFrame, count: int) -> list[pl.DataFrame]:
    return [frame.filter(pl.col("batch") == number) for number in range(count)]


def _outcome(batch: Batch, incoming: pl.DataFrame, fresh: pl.DataFrame, first: pl.DataFrame) -> Outcome:
    return Outcome(
        read=len(incoming) + len(batch.rejects),
        added=len(first),
        updated=len(fresh) - len(first),
        duplicate=len(incoming) - len(fresh),
        rejected=len(batch.rejects),
        merged_identical=_without_id(incoming) - _without_id(fresh),
    )


def _without_id(records: pl.DataFrame) -> int:
    return int((records["id_kind"] == "record").sum())


def _write(
    ledger: Ledger,
    fresh: pl.DataFrame,
    existing: Sequence[str],
    contracts: Sequence[Contract],
    now: datetime,
) -> None:
    again = fresh.filter(pl.col("request_id").is_in(existing) | pl.col("request_id").is_duplicated())
    alone = fresh.join(again, on="request_id", how="anti") if len(again) else fresh
    # The row of a call whose usage is half reported does not show the record as read: keep it beside.
    _keep_parts(ledger, alone.filter(is_half_reported()))
    merged = _merge_parts(ledger, again) if len(again) else alone.clear()
    _write_booked(ledger, pl.concat([alone, merged]), existing, contracts, now)


_KNOWN = """
    SELECT request_id::VARCHAR AS request_id, record_digest, ts FROM requests
    WHERE request_id IN (SELECT request_id::UUID FROM incoming)
    UNION
    SELECT request_id::VARCHAR, record_digest, ts FROM record_parts
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
    _keep_parts(ledger, again)
    with ledger.scanning("incoming", again.select("request_id")):
        parts = ledger.frame(
            f"SELECT * REPLACE ({_FROM_ROW}) FROM record_parts "
            "WHERE request_id IN (SELECT request_id::UUID FROM incoming)"
        )
    return merge(parts.select(pl.col(name).cast(dtype) for name, dtype in RECORDS.items()))


def _keep_parts(ledger: Ledger, records: pl.DataFrame) -> None:
    if len(records):
        with ledger.scanning("kept", records):
            ledger.execute(f"INSERT INTO record_parts BY NAME SELECT * REPLACE ({_TO_ROW}) FROM kept")


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
    held = _replace(ledger, replaced) if replaced else None
    booked, prices = book(records, contracts, held)
    with ledger.scanning("booked", booked):
        ledger.execute(f"INSERT INTO requests BY NAME SELECT * REPLACE ({_TO_ROW}, {_TO_MONEY}) FROM booked")
    with ledger.scanning("used", as_frame(prices, now)):
        ledger.execute(
            "INSERT INTO prices BY NAME SELECT * FROM used "
            "WHERE price_id NOT IN (SELECT price_id FROM prices)"
        )


def _replace(ledger: Ledger, request_ids: Sequence[str]) -> pl.DataFrame:
    """Take rows out to be booked anew, and say what they were charged by: a booked price stays."""
    with ledger.scanning("replaced", pl.DataFrame({"request_id": list(request_ids)})):
        booked = ledger.frame(
            "SELECT request_id::VARCHAR AS request_id, provider, model, tenant, service_tier, "
            "ts::DATE AS day, price_id FROM requests "
            "WHERE request_id IN (SELECT request_id::UUID FROM replaced) "
            "AND cost_usd IS NOT NULL AND usage_source <> 'none' AND NOT ts_estimated"
        )
        ledger.execute("DELETE FROM requests WHERE request_id IN (SELECT request_id::UUID FROM replaced)")
    with ledger.scanning("booked", booked.select("price_id").unique()):
        prices = ledger.frame(
            "SELECT price_id, meter, above_input_tokens, usd_per_million FROM prices "
            "WHERE price_id IN (SELECT price_id FROM booked)"
        )
    return held_terms(booked, prices)


def _post_rejects(ledger: Ledger, batch: Batch) -> int:
    """Keep each bad record once; how many are new, those aside that may yet come whole."""
    if batch.reads_on:
        ledger.execute(
            "DELETE FROM rejects WHERE source_file = ? AND reason IN (?, ?)",
            [batch.source_file, UNFINISHED, DAMAGED],
        )
    passing = pl.col("reason").is_in([UNFINISHED, DAMAGED])
    _keep_rejects(ledger, batch.rejects.filter(passing))
    return _keep_rejects(ledger, batch.rejects.filter(~passing))


def _keep_rejects(ledger: Ledger, rejects: pl.DataFrame) -> int:
    if rejects.is_empty():
        return 0
    with ledger.scanning("refused", rejects.unique("record_digest", keep="first", maintain_order=True)):
        return ledger.execute(
            "INSERT INTO rejects BY NAME SELECT * FROM refused "
            "WHERE record_digest NOT IN (SELECT record_digest FROM rejects)"
        )


def _post_prompt_versions(ledger: Ledger, seen: pl.DataFrame) -> None:
    """Widen the time a version was seen in; models count it differently, the largest count is kept."""
    if seen.is_empty():
        return
    with ledger.scanning("seen", seen):
        ledger.execute("""
            CREATE OR REPLACE TEMP TABLE versions AS
            WITH every AS (
                SELECT * REPLACE (map_from_entries(tool_tokens) AS tool_tokens) FROM seen
                UNION ALL BY NAME
                SELECT * FROM prompt_versions AS known WHERE EXISTS (
                    SELECT 1 FROM seen WHERE seen.prompt_version = known.prompt_version
                        AND seen.workflow IS NOT DISTINCT FROM known.workflow
                )
            )
            SELECT prompt_version, workflow, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
                max((tools_tokens, system_tokens, schema_tokens)) AS sizes,
                arg_max(tool_tokens, (tools_tokens, system_tokens, schema_tokens)) AS tool_tokens
            FROM every GROUP BY prompt_version, workflow
        """)
        ledger.execute("""
            DELETE FROM prompt_versions AS known USING seen
            WHERE known.prompt_version = seen.prompt_version
                AND known.workflow IS NOT DISTINCT FROM seen.workflow
        """)
        ledger.execute("""
            INSERT INTO prompt_versions BY NAME
            SELECT * EXCLUDE (sizes), sizes[1] AS tools_tokens, sizes[2] AS system_tokens,
                sizes[3] AS schema_tokens
            FROM versions
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
