"""Make the parts of one source: its rows by day, rejects and prompt versions as Parquet, and a manifest.

What is made depends on the source's bytes and the settings only, its files are named by their content, and
the manifest is written last: so it can be killed anywhere, run twice at once, and run again to do the rest.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from collector import fast, places
from collector.counting import RULES_VERSION
from collector.ingest import Intake, batches
from collector.places import Place, Stamp
from collector.sources import SourceError
from ledger import trust
from ledger.frames import BILLS, BUCKETS, RECORDS, SPANS
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch, SourcePosition

LAYOUT = 5
MANIFESTS = "manifests"
# What differs from run to run is added when the parts are booked.
ADDED = ("ingested_at", "source_file")
_PART_ROWS = 200_000
_READ_BYTES = 1 << 20
_READERS = 16


@dataclass(frozen=True, slots=True)
class Order:
    """One source to make parts of. Picklable; the key is not in it.

    `distrusted` are reasons not to use fast counters, each beginning with a counter's name and version.
    """

    source: str
    place: str
    intake: Intake
    now: datetime
    key_id: str
    distrusted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PartFile:
    """One file of a source's parts; `tokens` are those billed where reported. `day` is of its rows."""

    name: str
    rows: int
    size: int
    sha256: str
    day: date | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a source gave: `settings` is a digest of all that shapes rows, `digest` that of its bytes.

    `counter` is the fast counter it was begun with, `doubt` says why the worker gave that up,
    `calibration` is the newest that estimates were corrected by.
    """

    layout: int
    source: str
    stamp: Stamp
    digest: str
    settings: str
    rules: str
    key_id: str
    format: str
    rows: int
    rejected: int
    set_aside: int
    counter: str | None
    doubt: str | None
    calibration: int | None
    parts: tuple[PartFile, ...]
    rejects: PartFile
    prompt_versions: PartFile
    position: SourcePosition | None
    bills: PartFile | None = None
    spans: PartFile | None = None

    @property
    def files(self) -> tuple[PartFile, ...]:
        """Every file of the source."""
        ending = (self.rejects, self.prompt_versions, self.bills, self.spans)
        return (*self.parts, *(each for each in ending if each is not None))

    @property
    def name(self) -> str:
        """Where it is kept: one a source and content."""
        return f"{_shelf(self.source)}/{self.digest[:32]}.json"

    def stem_in(self, folder: str) -> str:
        """How the names of the parts that are made of the same bytes begin."""
        return f"{folder}/{self.digest[:16]}-"

    def keep(self, place: Place) -> None:
        """Write it; its files have to be there already."""
        place.keep(self.name, msgspec.json.format(msgspec.json.encode(self)))


@dataclass(frozen=True, slots=True)
class Made:
    """What became of an order: a manifest, `kept` where nothing had to be done, or the problem."""

    source: str
    manifest: Manifest | None = None
    kept: bool = False
    problem: str | None = None


def settings_digest(intake: Intake, known_key: str) -> str:
    """A name for all that shapes rows beside the source: layout, counting rules, intake and key.

    Calibrations are not in it: a refit leaves what is made as it was counted, as it does what is booked.
    """
    shaping = replace(intake, contracts=(), quarantine=None, calibrations=(), samples=None)
    return hashlib.sha256(repr((LAYOUT, RULES_VERSION, known_key, shaping)).encode()).hexdigest()[:16]


def make_parts(order: Order, key: bytes) -> Made:
    """The unit of work of the cluster: a source's parts, made unless they are there whole already.

    A source that cannot be read is told in the answer. Raises SourceError where the parts cannot be kept.
    """
    place = places.at(order.place)
    try:
        stamp = places.stamp_of(order.source)
    except (OSError, SourceError) as error:
        return Made(order.source, problem=_unreadable(order.source, error))
    settings = settings_digest(order.intake, order.key_id)
    before = _manifests(place, order.source)
    known = [each for each in before if each.settings == settings and _is_trusted(each, order)]
    for manifest in known:
        if manifest.stamp == stamp and is_whole(place, manifest):
            return Made(order.source, manifest, kept=True)
    try:
        with places.at_hand(order.source, stamp) as path:
            return _make(order, key, place, path, stamp, settings, before, known)
    except (OSError, SourceError) as error:
        return Made(order.source, problem=_unreadable(order.source, error))


def _unreadable(source: str, error: Exception) -> str:
    if isinstance(error, SourceError):
        return str(error)
    reason = error.strerror if isinstance(error, OSError) else None
    return f"cannot read {source}: {reason or str(error).splitlines()[0]}"


def _make(
    order: Order,
    key: bytes,
    place: Place,
    path: str,
    stamp: Stamp,
    settings: str,
    before: Sequence[Manifest],
    known: Sequence[Manifest],
) -> Made:
    digest, beginnings = _digests(path, {each.stamp.size for each in before})
    same = next((each for each in known if each.digest == digest and is_whole(place, each)), None)
    if same is not None:
        manifest = replace(same, stamp=stamp)
    else:
        manifest = _written(order, key, place, path, stamp, settings, digest)
    manifest.keep(place)
    for each in before:
        # A source that grew tells all of it again. One whose bytes are others stands beside what it was.
        if each.name != manifest.name and beginnings[each.stamp.size] == each.digest:
            place.drop(each.name)
    return Made(order.source, manifest, kept=same is not None)


def _is_trusted(manifest: Manifest, order: Order) -> bool:
    """Whether no counter was at work that was found wrong since."""
    return trust.against(order.distrusted, manifest.counter) is None


def _written(
    order: Order, key: bytes, place: Place, path: str, stamp: Stamp, settings: str, digest: str
) -> Manifest:
    writer = Writer(place, f"{digest[:16]}-{settings[:8]}")
    parts: list[PartFile] = []
    rejects, versions = [REJECTS.to_frame()], [PROMPT_VERSIONS.to_frame()]
    bills, spans = [BILLS.to_frame()], [SPANS.to_frame()]
    position, form, set_aside, doubt = None, "", 0, None
    against = trust.against(order.distrusted, fast.name())
    counter = fast.name() if against is None and fast.doubt() is None else None
    waiting: list[pl.DataFrame] = []
    untold = replace(order.intake, samples=None)
    for batch in batches(path, untold, order.now, key, against, order.source):
        waiting.append(batch.records)
        rejects.append(batch.rejects)
        versions.append(batch.prompt_versions)
        bills.append(batch.bills)
        spans.append(batch.spans)
        position, form = batch.source or position, batch.format
        set_aside, doubt = set_aside + batch.set_aside, batch.doubt or doubt
        if sum(map(len, waiting)) >= _PART_ROWS:
            parts += writer.days(pl.concat(waiting), len(parts))
            waiting = []
    parts += writer.days(pl.concat([RECORDS.to_frame(), *waiting]), len(parts))
    refused, billed, above = pl.concat(rejects), pl.concat(bills), pl.concat(spans)
    return Manifest(
        layout=LAYOUT,
        source=order.source,
        stamp=stamp,
        digest=digest,
        settings=settings,
        rules=RULES_VERSION,
        key_id=order.key_id,
        format=form,
        rows=sum(part.rows for part in parts),
        rejected=len(refused),
        set_aside=set_aside,
        counter=counter,
        doubt=None if doubt in order.distrusted else doubt,
        calibration=max((each.version for each in order.intake.calibrations), default=None),
        parts=tuple(parts),
        rejects=writer.file("rejects", refused.drop("source_file", "rejected_at")),
        prompt_versions=writer.file("prompts", pl.concat(versions)),
        position=None if position is None else replace(position, path=order.source),
        bills=writer.file("bills", billed.drop(ADDED)) if len(billed) else None,
        spans=writer.file("spans", above) if len(above) else None,
    )


@dataclass(frozen=True, slots=True)
class Writer:
    """Write Parquet files whose names begin with the same stem."""

    place: Place
    stem: str

    def days(self, records: pl.DataFrame, first: int) -> Iterator[PartFile]:
        """One file a day of the records."""
        dated = records.drop(*ADDED).with_columns(day=pl.col("ts").dt.date())
        by_day = dated.partition_by("day", as_dict=True, include_key=False)
        for number, (found,) in enumerate(sorted(by_day), first):
            rows = by_day[(found,)]
            tokens = int(rows.select(pl.sum_horizontal(pl.col(BUCKETS).sum())).item() or 0)
            kept = self.file(f"rows/day={found}", rows, f"-{number:04d}")
            yield replace(kept, day=found, tokens=tokens)

    def file(self, folder: str, frame: pl.DataFrame, number: str = "") -> PartFile:
        """One file, named by its content too: what another run made of it never stands in its place."""
        out = io.BytesIO()
        frame.write_parquet(out, compression="zstd")
        content = out.getvalue()
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"{folder}/{self.stem}{number}-{sha256[:12]}.parquet"
        self.place.keep(name, content)
        return PartFile(name, len(frame), len(content), sha256)


def read_part(place: Place, part: PartFile) -> pl.DataFrame | None:
    """A part's rows; None where the file is gone or is not what the manifest says."""
    content = place.read(part.name)
    if content is None or hashlib.sha256(content).hexdigest() != part.sha256:
        return None
    return pl.read_parquet(io.BytesIO(content))


def is_whole(place: Place, manifest: Manifest) -> bool:
    """Whether every file of a source is there as it was made."""
    return all(place.holds(part.name, part.size, part.sha256) for part in manifest.files)


def manifests(place: Place) -> list[Manifest]:
    """Every manifest of a place, in the order in which the sources were written. Raises SourceError."""
    # Most of the time of a small object's reading is waiting for the store.
    with ThreadPoolExecutor(_READERS) as readers:
        found = list(readers.map(partial(_decoded, place), place.names(MANIFESTS)))
    return sorted((each for each in found if each is not None), key=_age)


def _age(manifest: Manifest) -> tuple[datetime, int, str]:
    return manifest.stamp.modified_at, manifest.stamp.size, manifest.source


def _manifests(place: Place, source: str) -> list[Manifest]:
    """A source's manifests; one that another version wrote is made anew."""
    found = [_parsed(place.read(name)) for name in place.names(_shelf(source))]
    return [each for each in found if each is not None]


def _shelf(source: str) -> str:
    return f"{MANIFESTS}/{hashlib.sha256(source.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


def _decoded(place: Place, name: str) -> Manifest | None:
    content = place.read(name)
    manifest = _parsed(content)
    if manifest is None and content is not None:
        raise SourceError(
            f"the manifest {name} cannot be read (damaged, or written by another version of tollbook): "
            f"delete it, and run `tollbook ingest --on` again to make it anew"
        )
    return manifest


def _parsed(content: bytes | None) -> Manifest | None:
    try:
        found = msgspec.json.decode(content or b"", type=Manifest)
    except msgspec.DecodeError:
        return None
    return found if found.layout == LAYOUT else None


def _digests(path: str, sizes: Set[int]) -> tuple[str, dict[int, str]]:
    """The digest of a file, and of its first bytes by how many they are."""
    found = hashlib.sha256()
    beginnings: dict[int, str] = {}
    with Path(path).open("rb") as file:
        for size in sorted(sizes):
            left = size - file.tell()
            while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
                found.update(piece)
                left -= len(piece)
            beginnings[size] = found.hexdigest()
        while piece := file.read(_READ_BYTES):
            found.update(piece)
    return found.hexdigest(), beginnings


class Rest(NamedTuple):
    """What a source gave beside its rows."""

    rejects: pl.DataFrame = REJECTS.to_frame()
    prompt_versions: pl.DataFrame = PROMPT_VERSIONS.to_frame()
    bills: pl.DataFrame = BILLS.to_frame()
    spans: pl.DataFrame = SPANS.to_frame()


def batch_of(
    manifest: Manifest,
    records: Sequence[pl.DataFrame],
    now: datetime,
    rest: Rest | None = None,
) -> Batch:
    """Rows of a source as a commit takes them; the `rest` of what it gave ends it."""
    at = pl.lit(now.replace(tzinfo=None), pl.Datetime("us"))
    known = [at.alias("ingested_at"), pl.lit(manifest.source).alias("source_file")]
    rejects, versions, bills, spans = rest or Rest()
    rows = [frame.with_columns(known).select(RECORDS.names()) for frame in records]
    if rest is not None:
        bills = bills.with_columns(known).select(BILLS.names())
        rejects = rejects.with_columns(known[1], at.alias("rejected_at")).select(REJECTS.names())
    return Batch(
        records=pl.concat([RECORDS.to_frame(), *rows]),
        rejects=rejects,
        prompt_versions=versions,
        source=None if rest is None else manifest.position,
        source_file=manifest.source,
        format=manifest.format,
        bytes=0 if rest is None else manifest.stamp.size,
        reads_on=rest is not None,
        set_aside=0 if rest is None else manifest.set_aside,
        doubt=manifest.doubt,
        bills=bills,
        spans=spans,
    )
