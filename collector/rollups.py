"""Sum up parts without keeping their calls: for volumes past what one ledger should hold row by row.

Records of one call meet by their id: parts are split into buckets of ids, each bucket is booked into a ledger
that is thrown away, by the functions that book every other call, and what is kept is its derived tables,
which add up. A call counts on the day of its merged record, so the days beside are read too: one told again
after midnight is one call, whichever of its days is loaded first.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Protocol, TypeVar

import polars as pl

from collector import places
from collector.parts import Manifest, PartFile, Writer, read_part
from collector.places import Place
from collector.sources import SourceError
from ledger import derived, spans, store
from ledger.frames import PART, RECORDS
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch, Outcome, post_all
from ledger.prices import Contract
from ledger.resources import USUAL, Resources
from ledger.store import Ledger

BUCKET_ROWS = 5_000_000
_SPLIT_ROWS = 4_000_000
_COMMIT_ROWS = 50_000
_BESIDE = timedelta(days=1)

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Portion:
    """One file of records, and the source they come from; None where each record says it."""

    part: PartFile
    source: str | None


@dataclass(frozen=True, slots=True)
class Split:
    """Portions to be split by their calls' ids, into files below `work`."""

    place: str
    work: str
    portions: tuple[Portion, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class Terms:
    """How calls are booked, whatever bucket they are in."""

    contracts: tuple[Contract, ...]
    now: datetime
    resources: Resources = USUAL


@dataclass(frozen=True, slots=True)
class Bucket:
    """Portions that hold every record of their calls, and the days whose calls are wanted.

    `above` are the files of the steps above calls, of all sources: any of them may be above any call.
    The sums are kept below `work`; `resources` bound the ledger that is thrown away.
    """

    place: str
    work: str
    portions: tuple[Portion, ...]
    days: frozenset[date]
    terms: Terms
    above: tuple[PartFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Sums:
    """What a bucket gave: a file for each derived table and for the prices used; how many calls are in it.

    `outcomes` say what became of each source's records of the wanted days.
    """

    calls: int
    tables: dict[str, PartFile] = field(default_factory=dict)
    outcomes: tuple[tuple[str, Outcome], ...] = ()


class Each(Protocol):
    """Run a function on every item, here or on a cluster, and give the answers in order."""

    def __call__(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Raises what the function raises."""


def here(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Run a function on every item in this process."""
    return [work(item) for item in items]


def sum_up(
    place: str, work: str, found: Sequence[Manifest], days: frozenset[date], terms: Terms, each: Each
) -> list[Sums]:
    """The sums of these days' calls, in files below `work`. Raises SourceError for a damaged part."""
    portions = [
        (part.day, Portion(part, manifest.source))
        for manifest in found
        for part in manifest.parts
        if part.day is not None and any(abs(part.day - day) <= _BESIDE for day in days)
    ]
    # In the order of days, a call that is told again after midnight was added on the day before.
    ordered = tuple(portion for _, portion in sorted(portions, key=itemgetter(0)))
    above = tuple(manifest.spans for manifest in found if manifest.spans is not None)
    buckets = -(-sum(portion.part.rows for portion in ordered) // BUCKET_ROWS)
    if buckets <= 1:
        return each(sum_bucket, [Bucket(place, work, ordered, days, terms, above)])
    splits = [Split(place, work, group, buckets) for group in _groups(ordered)]
    pieces = each(split, splits)
    wanted = [
        Bucket(place, work, tuple(Portion(piece[number], None) for piece in pieces), days, terms, above)
        for number in range(buckets)
    ]
    return each(sum_bucket, wanted)


def _groups(portions: Sequence[Portion]) -> Iterator[tuple[Portion, ...]]:
    group: list[Portion] = []
    for portion in portions:
        group.append(portion)
        if sum(each.part.rows for each in group) >= _SPLIT_ROWS:
            yield tuple(group)
            group = []
    if group:
        yield tuple(group)


def split(order: Split) -> list[PartFile]:
    """Write a file for each bucket of ids. A part of a call does not know the call's: each bucket has it."""
    place = places.at(order.place)
    bucket = pl.col("request_id").str.slice(0, 8).str.to_integer(base=16) % order.buckets
    told = pl.concat(_records(place, order.portions))
    parts, calls = told.filter(pl.col("id_kind") == PART), told.filter(pl.col("id_kind") != PART)
    by_bucket = calls.with_columns(bucket=bucket).partition_by("bucket", as_dict=True, include_key=False)
    writer = Writer(place, f"{order.buckets}")
    return [
        writer.file(
            f"{order.work}/split/{number:04d}", pl.concat([parts, by_bucket.get((number,), calls.clear())])
        )
        for number in range(order.buckets)
    ]


def sum_bucket(order: Bucket) -> Sums:
    """Book every call of a bucket in a ledger of its own, and keep the sums of the wanted days."""
    place = places.at(order.place)
    outcomes: list[tuple[str, Outcome]] = []
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-") as folder,
        store.open(Path(folder) / "bucket.duckdb", resources=order.terms.resources) as ledger,
    ):
        for part in order.above:
            spans.keep(ledger, _read(place, part))
        for frame in _commits(_records(place, order.portions)):
            outcomes += _post(ledger, frame, order)
        calls, frames = _sums_of(ledger, order.days)
    writer = Writer(place, f"{min(order.days):%Y%m%d}")
    tables = {name: writer.file(f"{order.work}/sums/{name}", frame) for name, frame in frames.items()}
    return Sums(calls, tables, tuple(outcomes))


def _sums_of(ledger: Ledger, wanted: frozenset[date]) -> tuple[int, dict[str, pl.DataFrame]]:
    """How many calls the days have, the derived tables of them and the prices they were booked by."""
    days = ", ".join(f"DATE '{day}'" for day in sorted(wanted))
    ledger.execute(f"CREATE TEMP VIEW wanted AS SELECT * FROM requests WHERE ts::DATE IN ({days})")
    calls = int(str(ledger.rows("SELECT count(*) FROM wanted")[0][0]))
    frames = {name: ledger.frame(derived.query(name, "wanted")) for name in derived.DERIVED}
    used = "SELECT * FROM prices WHERE price_id IN (SELECT price_id FROM wanted)"
    return calls, {**frames, "prices": ledger.frame(used)}


def _post(ledger: Ledger, records: pl.DataFrame, order: Bucket) -> list[tuple[str, Outcome]]:
    """Book records; what became of those of the wanted days, by source."""
    if records.is_empty():
        return []
    dated = records.with_columns(day=pl.col("ts").dt.date()).sort("day", maintain_order=True)
    parts = dated.partition_by("day", "source_file", as_dict=True, maintain_order=True)
    batches = [_batch(part.drop("day"), str(source), order.terms.now) for (_, source), part in parts.items()]
    outcomes = post_all(ledger, batches, order.terms.contracts, order.terms.now)
    return [
        (str(source), outcome)
        for (day, source), outcome in zip(parts, outcomes, strict=True)
        if day in order.days
    ]


def _records(place: Place, portions: Sequence[Portion]) -> Iterator[pl.DataFrame]:
    for portion in portions:
        frame = _read(place, portion.part)
        source = pl.lit(portion.source).alias("source_file")
        yield frame if portion.source is None else frame.with_columns(source)


def _read(place: Place, part: PartFile) -> pl.DataFrame:
    frame = read_part(place, part)
    if frame is None:
        raise SourceError(
            f"{part.name} is gone or damaged: run `tollbook ingest --on` again to make it anew, "
            f"then load the parts again"
        )
    return frame


def _commits(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= _COMMIT_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _batch(records: pl.DataFrame, source: str, now: datetime) -> Batch:
    at = pl.lit(now.replace(tzinfo=None), pl.Datetime("us"))
    return Batch(
        records=records.with_columns(at.alias("ingested_at")).select(RECORDS.names()),
        rejects=REJECTS.to_frame(),
        prompt_versions=PROMPT_VERSIONS.to_frame(),
        source=None,
        source_file=source,
        format="",
        bytes=0,
        reads_on=False,
    )
