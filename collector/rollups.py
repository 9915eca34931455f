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
from pathlib import Path
from typing import Protocol, TypeVar

import polars as pl

from collector import places
from collector.parts import Manifest, PartFile, Writer, read_part
from collector.places import Place
from collector.sources import SourceError
from ledger import derived, store
from ledger.frames import RECORDS
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch, post
from ledger.prices import Contract

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
    """Portions to be split by their calls' ids."""

    place: str
    portions: tuple[Portion, ...]
    buckets: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """Portions that hold every record of their calls, and the days whose calls are wanted."""

    place: str
    portions: tuple[Portion, ...]
    days: frozenset[date]
    contracts: tuple[Contract, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """What a bucket gave: a file for each derived table and for the prices used; how many calls are in it."""

    calls: int
    tables: dict[str, PartFile] = field(default_factory=dict)


class Each(Protocol):
    """Run a function on every item, here or on a cluster, and give the answers in order."""

    def __call__(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Raises what the function raises."""


def here(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Run a function on every item in this process."""
    return [work(item) for item in items]


def sum_up(
    place: str,
    found: Sequence[Manifest],
    days: frozenset[date],
    contracts: tuple[Contract, ...],
    now: datetime,
    each: Each,
) -> list[Sums]:
    """The sums of these days' calls. Raises SourceError for a part that is not as it was made."""
    portions = tuple(
        Portion(part, manifest.source)
        for manifest in found
        for part in manifest.parts
        if part.day is not None and any(abs(part.day - day) <= _BESIDE for day in days)
    )
    buckets = -(-sum(portion.part.rows for portion in portions) // BUCKET_ROWS)
    if buckets <= 1:
        return each(sum_bucket, [Bucket(place, portions, days, contracts, now)])
    splits = [Split(place, group, buckets) for group in _groups(portions)]
    pieces = each(split, splits)
    wanted = [
        Bucket(place, tuple(Portion(piece[number], None) for piece in pieces), days, contracts, now)
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
    """Write a file for each bucket of ids."""
    place = places.at(order.place)
    bucket = pl.col("request_id").str.slice(0, 8).str.to_integer(base=16) % order.buckets
    records = pl.concat(_records(place, order.portions)).with_columns(bucket=bucket)
    by_bucket = records.partition_by("bucket", as_dict=True, include_key=False)
    writer = Writer(place, f"{order.buckets}")
    return [
        writer.file(f"split/{number:04d}", by_bucket.get((number,), records.clear().drop("bucket")))
        for number in range(order.buckets)
    ]


def sum_bucket(order: Bucket) -> Sums:
    """Book every call of a bucket in a ledger of its own, and keep the sums of the wanted days."""
    place = places.at(order.place)
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-") as folder,
        store.open(Path(folder) / "bucket.duckdb") as ledger,
    ):
        for frame in _commits(_records(place, order.portions)):
            post(ledger, _batch(frame, order.now), order.contracts, order.now)
        days = ", ".join(f"DATE '{day}'" for day in sorted(order.days))
        ledger.execute(f"CREATE TEMP VIEW wanted AS SELECT * FROM requests WHERE ts::DATE IN ({days})")
        calls = int(str(ledger.rows("SELECT count(*) FROM wanted")[0][0]))
        frames = {name: ledger.frame(derived.query(name, "wanted")) for name in derived.DERIVED}
        used = "SELECT * FROM prices WHERE price_id IN (SELECT price_id FROM wanted)"
        frames["prices"] = ledger.frame(used)
    writer = Writer(place, f"{min(order.days):%Y%m%d}")
    return Sums(calls, {name: writer.file(f"sums/{name}", frame) for name, frame in frames.items()})


def _records(place: Place, portions: Sequence[Portion]) -> Iterator[pl.DataFrame]:
    for portion in portions:
        frame = read_part(place, portion.part)
        if frame is None:
            raise SourceError(
                f"{portion.part.name} is gone or damaged: run `tollbook ingest --on` again to make it anew, "
                f"then load the parts again"
            )
        source = pl.lit(portion.source).alias("source_file")
        yield frame if portion.source is None else frame.with_columns(source)


def _commits(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= _COMMIT_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def _batch(records: pl.DataFrame, now: datetime) -> Batch:
    at = pl.lit(now.replace(tzinfo=None), pl.Datetime("us"))
    return Batch(
        records=records.with_columns(at.alias("ingested_at")).select(RECORDS.names()),
        rejects=REJECTS.to_frame(),
        prompt_versions=PROMPT_VERSIONS.to_frame(),
        source=None,
        source_file="",
        format="",
        bytes=0,
        reads_on=False,
    )
