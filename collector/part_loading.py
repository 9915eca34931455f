"""Book the parts of sources into the ledger, as `ingest` would book the sources themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from collector import places
from collector.parts import Manifest, PartFile, Rest, batch_of, manifests, read_part
from collector.places import Place
from collector.sources import SourceError
from ledger import derived
from ledger.frames import BILLS, SPANS
from ledger.keys import key_id
from ledger.posting import Batch, Outcome, post_all, total
from ledger.prices import Contract
from ledger.store import Ledger

_COMMIT_ROWS = 50_000

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: `known` sources were booked before; problems name parts that are not as made.

    `doubts` say what workers found of the fast counter.
    """

    sources: int = 0
    known: int = 0
    parts: int = 0
    size: int = 0
    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)
    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def load_parts(
    url: str,
    visit: Visit,
    contracts: Sequence[Contract],
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Loaded:
    """Book every part at a place that was not booked before. Raises SourceError where there are none.

    A part that is gone or damaged is told, and its source stays to be loaded when it was made anew.
    """
    place, found = made_at(url)
    with visit() as ledger:
        check_key(found, ledger.key)
        known = booked_names(ledger)
    return load(place, found, known, visit, contracts, now, progress)


def made_at(url: str) -> tuple[Place, list[Manifest]]:
    """A place and the manifests there. Raises SourceError where there are none."""
    place = places.at(url)
    found = manifests(place)
    if not found:
        raise SourceError(
            f"no manifests at {url}: make parts there with `tollbook ingest --on … --parts {url}`"
        )
    return place, found


def load(
    place: Place,
    found: Sequence[Manifest],
    known: frozenset[str],
    visit: Visit,
    contracts: Sequence[Contract],
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Loaded:
    """Book these sources' parts but those known by name."""
    started = time.perf_counter()
    fresh = [manifest for manifest in found if mark(manifest) not in known]
    problems: list[str] = []
    outcomes: list[Outcome] = []
    names: list[str] = []
    for together in _commits(_batches(place, fresh, known, now, problems)):
        with visit() as ledger:
            outcomes += post_all(ledger, together, contracts, now)
        names += [name for batch in together for name in batch.parts]
        progress(sum(batch.bytes for batch in together))
    if outcomes:
        with visit() as ledger:
            derived.settle(ledger)
    return Loaded(
        sources=len(fresh) - len(problems),
        known=len(found) - len(fresh),
        parts=len(set(names) - {mark(manifest) for manifest in fresh}),
        size=sum(manifest.stamp.size for manifest in fresh),
        seconds=time.perf_counter() - started,
        outcome=total(outcomes),
        problems=tuple(problems),
        doubts=tuple(sorted({each.doubt for each in fresh if each.doubt})),
    )


def mark(manifest: Manifest) -> str:
    """The name by which a source is known to be booked whole: with other settings it is another."""
    return f"{manifest.name}#{manifest.settings}"


def booked_names(ledger: Ledger) -> frozenset[str]:
    """The parts, and the marks of sources, that are booked."""
    return frozenset(ledger.frame("SELECT name FROM loaded_parts")["name"])


def check_key(found: Sequence[Manifest], key: bytes) -> None:
    """Raise SourceError for parts that were made with another key than the ledger's."""
    own = key_id(key)
    others = [manifest for manifest in found if manifest.key_id != own]
    if others:
        raise SourceError(
            f"the parts of {others[0].source} were made with key {others[0].key_id}, the ledger has {own}: "
            f"give the workers the ledger's key (TOLLBOOK_KEY_FILE) and make them again; where that source "
            f"is no more, delete {others[0].name}"
        )


def damaged(part: PartFile, manifest: Manifest) -> str:
    """What to do about a part that is not as it was made."""
    return (
        f"{part.name}, a part of {manifest.source}, is gone or damaged: delete what is left of it, run "
        f"`tollbook ingest --on` again to make it anew, then load the parts again; where that source is no "
        f"more, delete {manifest.name}"
    )


def _batches(
    place: Place, fresh: Sequence[Manifest], known: frozenset[str], now: datetime, problems: list[str]
) -> Iterator[Batch]:
    for manifest in fresh:
        try:
            yield from _of_source(place, manifest, known, now)
        except _DamagedError as found:
            problems.append(damaged(found.part, manifest))


class _DamagedError(Exception):
    """A part is not what its manifest says."""

    def __init__(self, part: PartFile) -> None:
        super().__init__(part.name)
        self.part = part


def _of_source(place: Place, manifest: Manifest, known: frozenset[str], now: datetime) -> Iterator[Batch]:
    frames: list[pl.DataFrame] = []
    names: list[str] = []
    for part in manifest.parts:
        if part.name in known:
            continue
        frames.append(_frame(place, part))
        names.append(part.name)
        if sum(map(len, frames)) >= _COMMIT_ROWS:
            yield replace(batch_of(manifest, frames, now), parts=tuple(names))
            frames, names = [], []
    bills = BILLS.to_frame() if manifest.bills is None else _frame(place, manifest.bills)
    spans = SPANS.to_frame() if manifest.spans is None else _frame(place, manifest.spans)
    rest = Rest(_frame(place, manifest.rejects), _frame(place, manifest.prompt_versions), bills, spans)
    yield replace(batch_of(manifest, frames, now, rest), parts=(*names, mark(manifest)))


def _frame(place: Place, part: PartFile) -> pl.DataFrame:
    found = read_part(place, part)
    if found is None:
        raise _DamagedError(part)
    return found


def _commits(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    waiting: list[Batch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(each.records) for each in waiting) >= _COMMIT_ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
