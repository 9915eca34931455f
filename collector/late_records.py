"""Tell records of closed days that come too late from those that are in the days' sums already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from collector.part_loading import damaged
from collector.parts import Manifest, PartFile, batch_of, read_part
from collector.places import Place
from ledger.posting import post
from ledger.retention import dropped_days
from ledger.store import Ledger

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class Late:
    """How many records were refused, of which sources, and how many had been told before."""

    refused: int = 0
    told_before: int = 0
    sources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def refuse_late(place: Place, found: Sequence[Manifest], visit: Visit, now: datetime) -> Late:
    """Put records of closed days among the rejects, but those that an earlier part of their source had told.

    A source that grew, or was made anew by other rules, tells its old records again.
    """
    with visit() as ledger:
        booked = ledger.frame("SELECT name, source FROM loaded_parts WHERE name LIKE 'rows/%'")
        closed = frozenset(dropped_days(ledger))
    names = frozenset(booked["name"])
    refused, told_before, sources, problems = 0, 0, set(), []
    for manifest in found:
        for part in manifest.parts:
            if part.day not in closed or part.name in names:
                continue
            records = read_part(place, part)
            if records is None:
                problems.append(damaged(part, manifest))
                continue
            late = records.join(_told(place, part, manifest, booked), on="record_digest", how="anti")
            _post(visit, manifest, part, late, len(records) - len(late), now)
            refused, told_before = refused + len(late), told_before + len(records) - len(late)
            sources |= {manifest.source} if len(late) else set()
    return Late(refused, told_before, tuple(sorted(sources)), tuple(problems))


def _told(place: Place, part: PartFile, manifest: Manifest, booked: pl.DataFrame) -> pl.DataFrame:
    """The digests of what earlier parts of the source, or of the same bytes elsewhere, told of the day."""
    folder = part.name.rpartition("/")[0]
    earlier = booked.filter(
        pl.col("name").str.starts_with(f"{folder}/")
        & ((pl.col("source") == manifest.source) | pl.col("name").str.starts_with(manifest.stem_in(folder)))
    )
    kept = (_digests(place.read(name)) for name in earlier["name"])
    return pl.concat([pl.DataFrame(schema={"record_digest": pl.Binary()}), *kept])


def _digests(content: bytes | None) -> pl.DataFrame:
    if content is None:
        return pl.DataFrame(schema={"record_digest": pl.Binary()})
    return pl.read_parquet(content, columns=["record_digest"])


def _post(
    visit: Visit, manifest: Manifest, part: PartFile, late: pl.DataFrame, told_before: int, now: datetime
) -> None:
    batch = replace(batch_of(manifest, [late], now), parts=(part.name,), told_before=told_before)
    with visit() as ledger:
        post(ledger, batch, (), now)
