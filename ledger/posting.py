"""Post a batch of records to the ledger: merged, booked, counted, all in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from datetime import datetime

import polars as pl

from ledger import echoes, newer_records, spans, token_cache, trust
from ledger.bills import keep as keep_bills
from ledger.frames import BILLS, PART, SPANS
from ledger.known import known
from ledger.prices import Contract
from ledger.retention import dropped_days, refused
from ledger.rows import completed, keep_parts, withheld_beneath, write
from ledger.samples import fresh as fresh_samples
from ledger.samples import keep as keep_samples
from ledger.store import Ledger
from ledger.types import Newer

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
_SOURCES = pl.Schema(
    {
        "path": pl.String(),
        "format": pl.String(),
        "size": pl.Int64(),
        "position": pl.Int64(),
        "lines": pl.Int64(),
        "digest": pl.Binary(),
        "head": pl.Binary(),
        "etag": pl.String(),
        "read_at": pl.Datetime("us"),
    }
)
_RUNS = pl.Schema(
    {
        "started_at": pl.Datetime("us"),
        "source_file": pl.String(),
        "format": pl.String(),
        **dict.fromkeys(
            (
                "read",
                "added",
                "updated",
                "duplicate",
                "merged_identical",
                "rejected",
                "bytes",
                "set_aside",
                "bills",
            ),
            pl.Int64(),
        ),
    }
)

# A file may be read while its end is being written: such rejects are dropped when the file is read on.
UNFINISHED = "unfinished last line: no newline yet and no complete JSON"
DAMAGED = "the compressed data ends early or is damaged: what follows could not be read"
_PASSING = pl.col("reason").is_in([UNFINISHED, DAMAGED])


@dataclass(frozen=True, slots=True)
class SourcePosition:
    """How far a file has been read: `lines` records in `position` bytes whose digest is `digest`.

    `head` is a digest of the first of these bytes, `etag` what an object store calls the content.
    """

    path: str
    format: str
    size: int
    position: int
    lines: int
    digest: bytes
    head: bytes | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a commit takes of a source: RECORDS, REJECTS, PROMPT_VERSIONS and how far it is read by them.

    `reads_on` is false where single records were read again and the source's end was not looked at.
    `set_aside` counts sound records that hold no call. `counts` are tokens of long texts by keyed digest, for
    `token_cache`; `doubt` says why the fast counter was switched off in the process that read it.
    `told_before` counts records that are in the ledger's sums already and so are not among `records`;
    `parts` names the files made elsewhere that are booked by this batch. `bills` are BILLS, never calls,
    `spans` the SPANS above calls.
    """

    records: pl.DataFrame
    rejects: pl.DataFrame
    prompt_versions: pl.DataFrame
    source: SourcePosition | None
    source_file: str
    format: str
    bytes: int
    reads_on: bool = True
    set_aside: int = 0
    counts: token_cache.Counts = field(default_factory=dict)
    doubt: str | None = None
    told_before: int = 0
    parts: tuple[str, ...] = ()
    newer: Mapping[Newer, int] = field(default_factory=dict)
    samples: pl.DataFrame | None = None
    samples_kept: int = 0
    bills: pl.DataFrame = field(default_factory=BILLS.to_frame)
    spans: pl.DataFrame = field(default_factory=SPANS.to_frame)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch's records: `read` is the sum of the next four, `set_aside` and `bills`.

    `updated` may be more than what was read: a step above known calls may tell more of many of them.
    A record that holds several calls counts as that many. `bills` are lines of bills that say something new;
    those that do not are among the duplicates.
    """

    read: int = 0
    added: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    merged_identical: int = 0
    set_aside: int = 0
    bills: int = 0


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """The sum of outcomes."""
    together = tuple(outcomes)
    return Outcome(*(sum(getattr(each, one.name) for each in together) for one in fields(Outcome)))


def post(ledger: Ledger, batch: Batch, contracts: Sequence[Contract], now: datetime) -> Outcome:
    """Add a batch in one transaction; a batch that was added before changes nothing.

    `updated` counts records that completed a call already known, and known calls of which a step above them
    told more; `duplicate` the records that were known, `merged_identical` the duplicates that carry no id of
    their own. A record that waits for the call that it is a part of counts as set aside.
    """
    return post_all(ledger, [batch], contracts, now)[0]


def post_all(
    ledger: Ledger, batches: Sequence[Batch], contracts: Sequence[Contract], now: datetime
) -> list[Outcome]:
    """Add batches as one, in one transaction, and say of each what became of it."""
    with ledger.transaction():
        days = dropped_days(ledger)
        batches = [_open(batch, days) for batch in batches] if len(days) else batches
        kept_texts = [fresh_samples(ledger, batch.samples) for batch in batches if batch.samples is not None]
        outcomes = _post_records(ledger, batches, contracts, now)
        outcomes = _post_bills(ledger, batches, outcomes)
        kept = _post_rejects(ledger, batches)
        told = [replace(outcome, rejected=new) for outcome, new in zip(outcomes, kept, strict=True)]
        _post_progress(ledger, batches, told, now)
        _post_prompt_versions(ledger, pl.concat(batch.prompt_versions for batch in batches))
        _post_counting(ledger, batches, now)
        if kept_texts:
            keep_samples(ledger, pl.concat(kept_texts), max(batch.samples_kept for batch in batches))
        for batch in batches:
            newer_records.keep(ledger, batch.newer, now)
        remember(ledger, [(name, batch.source_file) for batch in batches for name in batch.parts], now)
    return outcomes


def remember(ledger: Ledger, parts: Sequence[tuple[str, str]], now: datetime) -> None:
    """Keep the names of booked parts, each with the source it was made of."""
    if not parts:
        return
    frame = pl.DataFrame(parts, schema={"name": pl.String, "source": pl.String}, orient="row")
    with ledger.scanning("booked", frame.with_columns(loaded_at=_naive(now))):
        ledger.execute(
            "INSERT INTO loaded_parts BY NAME SELECT * FROM booked "
            "WHERE name NOT IN (SELECT name FROM loaded_parts)"
        )


def _naive(now: datetime) -> pl.Expr:
    return pl.lit(now.replace(tzinfo=None), pl.Datetime("us"))


def _post_counting(ledger: Ledger, batches: Sequence[Batch], now: datetime) -> None:
    """Keep the counts that another ingest need not make again, and what was found of the counter."""
    token_cache.keep(ledger, {key: tokens for batch in batches for key, tokens in batch.counts.items()}, now)
    for doubt in {batch.doubt for batch in batches if batch.doubt is not None}:
        trust.distrust(ledger, doubt, now)


def _open(batch: Batch, dropped: pl.Series) -> Batch:
    """The batch with what is of dropped days among its rejects."""
    late = refused(batch.records, dropped)
    kept = batch.records.join(late, on="record_digest", how="anti", maintain_order="left")
    return replace(batch, records=kept, rejects=pl.concat([batch.rejects, late])) if len(late) else batch


_CALL = ["request_id", "record_digest"]


def _post_records(
    ledger: Ledger, batches: Sequence[Batch], contracts: Sequence[Contract], now: datetime
) -> list[Outcome]:
    incoming = pl.concat(
        batch.records.with_columns(pl.lit(number).alias("batch")) for number, batch in enumerate(batches)
    )
    incoming = echoes.under_closed_names(ledger, incoming)
    held = known(ledger, incoming)
    with ledger.scanning("incoming", incoming.select("record_digest")):
        ledger.execute("DELETE FROM rejects WHERE record_digest IN (SELECT record_digest FROM incoming)")
    fresh = _fresh(incoming, held)
    is_part = (pl.col("id_kind") == PART) | pl.col("request_id").is_in(echoes.heard(ledger, fresh).implode())
    calls, parts = fresh.filter(~is_part), fresh.filter(is_part)
    given_way = echoes.give_way(ledger, calls)
    first = calls.unique("request_id", keep="first", maintain_order=True).join(
        held, on="request_id", how="anti", maintain_order="left"
    )
    first = first.join(given_way, on="span", how="anti", maintain_order="left")
    keep_parts(ledger, parts.drop("batch"))
    completes = completed(ledger, parts)
    changed = spans.keep(ledger, pl.concat(batch.spans for batch in batches))
    late = pl.concat([spans.beneath(ledger, changed), withheld_beneath(ledger, changed)])
    touched = pl.concat([late, completes.select(late.columns)]).unique("request_id", keep="any")
    write(ledger, calls.drop("batch"), held, touched, contracts, now)
    spoken_for = pl.concat([completes["span"], calls["span"]]).drop_nulls().unique()
    waiting = parts.filter(~pl.col("request_id").is_in(spoken_for.implode()))
    frames = (
        _by_batch(frame.select("batch", "id_kind"), len(batches))
        for frame in (incoming, fresh, first, waiting)
    )
    outcomes = [_outcome(batch, *of_batch) for batch, *of_batch in zip(batches, *frames, strict=True)]
    return _with_late(outcomes, batches, late.join(calls, on="request_id", how="anti").height)


def _with_late(outcomes: list[Outcome], batches: Sequence[Batch], late: int) -> list[Outcome]:
    """Known calls that steps above them told more of count where the steps were told."""
    told = next((number for number, batch in enumerate(batches) if len(batch.spans)), 0)
    return [
        replace(outcome, updated=outcome.updated + late) if number == told else outcome
        for number, outcome in enumerate(outcomes)
    ]


def _fresh(incoming: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """The records that say something new: of equal ones without a time of their own the earliest does."""
    earliest = incoming.sort("ts", maintain_order=True).unique(_CALL, keep="first", maintain_order=True)
    before = held.group_by(_CALL).agg(known_ts=pl.col("ts").min())
    compared = earliest.join(before, on=_CALL, how="left", maintain_order="left")
    is_earlier = pl.col("ts_estimated") & (pl.col("ts") < pl.col("known_ts"))
    return compared.filter(pl.col("known_ts").is_null() | is_earlier).drop("known_ts")


def _post_bills(ledger: Ledger, batches: Sequence[Batch], outcomes: Sequence[Outcome]) -> list[Outcome]:
    if not any(len(batch.bills) for batch in batches):
        return list(outcomes)
    incoming = pl.concat(
        batch.bills.with_columns(batch=pl.lit(number, pl.Int32)) for number, batch in enumerate(batches)
    )
    with ledger.scanning("incoming", incoming.select("record_digest")):
        ledger.execute("DELETE FROM rejects WHERE record_digest IN (SELECT record_digest FROM incoming)")
    new = keep_bills(ledger, incoming)["batch"].value_counts()
    counts = dict(new.iter_rows())
    return [
        _with_bills(outcome, len(batch.bills), counts.get(number, 0))
        for number, (batch, outcome) in enumerate(zip(batches, outcomes, strict=True))
    ]


def _with_bills(outcome: Outcome, lines: int, new: int) -> Outcome:
    return replace(outcome, read=outcome.read + lines, bills=new, duplicate=outcome.duplicate + lines - new)


def _by_batch(frame: pl.DataFrame, count: int) -> list[pl.DataFrame]:
    found = frame.partition_by("batch", as_dict=True)
    return [found.get((number,), frame.clear()) for number in range(count)]


def _outcome(
    batch: Batch, incoming: pl.DataFrame, fresh: pl.DataFrame, first: pl.DataFrame, waiting: pl.DataFrame
) -> Outcome:
    return Outcome(
        read=len(incoming) + len(batch.rejects) + batch.set_aside + batch.told_before,
        added=len(first),
        updated=len(fresh) - len(first) - len(waiting),
        duplicate=len(incoming) - len(fresh) + batch.told_before,
        rejected=len(batch.rejects),
        merged_identical=_without_id(incoming) - _without_id(fresh),
        set_aside=batch.set_aside + len(waiting),
    )


def _without_id(records: pl.DataFrame) -> int:
    return int((records["id_kind"] == "record").sum())


def _post_rejects(ledger: Ledger, batches: Sequence[Batch]) -> list[int]:
    """Keep each bad record once; how many of each batch are new, those aside that may yet come whole."""
    found = []
    settled: set[str] = set()
    for batch in batches:
        passing = batch.rejects.filter(_PASSING)
        if batch.reads_on and batch.source_file not in settled:
            ledger.execute(
                "DELETE FROM rejects WHERE source_file = ? AND reason IN (?, ?)",
                [batch.source_file, UNFINISHED, DAMAGED],
            )
            settled.add(batch.source_file)
        if _keep_rejects(ledger, passing):
            settled.discard(batch.source_file)
        found.append(_keep_rejects(ledger, batch.rejects.filter(~_PASSING)))
    return found


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


def _post_progress(
    ledger: Ledger, batches: Sequence[Batch], outcomes: Sequence[Outcome], now: datetime
) -> None:
    at = now.replace(tzinfo=None)
    places = {batch.source.path: batch.source for batch in batches if batch.source is not None}
    placed = pl.DataFrame([(*astuple(place), at) for place in places.values()], schema=_SOURCES, orient="row")
    with ledger.scanning("placed", placed):
        ledger.execute("DELETE FROM sources WHERE path IN (SELECT path FROM placed)")
    ledger.append("sources", placed)
    read = ((batch.source_file, batch.format, batch.bytes) for batch in batches)
    runs = [_run(*told, outcome, at) for told, outcome in zip(read, outcomes, strict=True)]
    ledger.append("ingest_runs", pl.DataFrame(runs, schema=_RUNS, orient="row"))


def post_run(ledger: Ledger, source_file: str, form: str, size: int, outcome: Outcome, now: datetime) -> None:
    """Write down what became of records that were read of a source."""
    run = _run(source_file, form, size, outcome, now.replace(tzinfo=None))
    ledger.append("ingest_runs", pl.DataFrame([run], schema=_RUNS, orient="row"))


def _run(source_file: str, form: str, size: int, outcome: Outcome, at: datetime) -> tuple[object, ...]:
    return (
        at,
        source_file,
        form,
        outcome.read,
        outcome.added,
        outcome.updated,
        outcome.duplicate,
        outcome.merged_identical,
        outcome.rejected,
        size,
        outcome.set_aside,
        outcome.bills,
    )


def positions(ledger: Ledger) -> dict[str, SourcePosition]:
    """How far each file has been read, by its path."""
    rows = ledger.frame(
        "SELECT path, format, size, position, lines, digest, head, etag FROM sources"
    ).iter_rows()
    return {path: SourcePosition(path, *rest) for path, *rest in rows}
