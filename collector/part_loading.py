"""Book the parts of sources into the ledger, as `ingest` would book the sources themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import datetime

import polars as pl

from collector import places
from collector.parts import Manifest, PartFile, batch_of, manifests, read_part
from collector.places import Place
from collector.sources import SourceError
from ledger import derived
from ledger.keys import key_id
from ledger.posting import Batch, Outcome, post_all
from ledger.prices import Contract
from ledger.store import Ledger

_COMMIT_ROWS = 50_000

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: `known` sources were booked before; problems name parts that are not as made."""

    sources: int = 0
    known: int = 0
    parts: int = 0
    size: int = 0
    seconds: float = 0.0
    outcome: Outcome = field(default_factory=Outcome)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """A piece of one commit, and the names that are known to be booked after it."""

    batch: Batch
    names: tuple[str, ...]


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
    place = places.at(url)
    found = manifests(place)
    if not found:
        raise SourceError(
            f"no manifests at {url}: make parts there with `tollbook ingest --on … --parts {url}`"
        )
    with visit() as ledger:
        check_key(found, ledger.key)
        known = booked_names(ledger)
    return load(place, found, known, visit, contracts, now, progress)


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
    for steps in _commits(_steps(place, fresh, known, now, problems)):
        with visit() as ledger:
            outcomes += post_all(ledger, [step.batch for step in steps], contracts, now)
            names += (done := [name for step in steps for name in step.names])
            # Killed just before this, the parts are booked again, which changes nothing.
            remember(ledger, done, now)
        progress(sum(step.batch.bytes for step in steps))
    if outcomes:
        with visit() as ledger:
            derived.settle(ledger)
    return Loaded(
        sources=len(fresh) - len(problems),
        known=len(found) - len(fresh),
        parts=len(set(names) - {mark(manifest) for manifest in fresh}),
        size=sum(manifest.stamp.size for manifest in fresh),
        seconds=time.perf_counter() - started,
        outcome=_together(outcomes),
        problems=tuple(problems),
    )


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(*(sum(getattr(each, one.name) for each in outcomes) for one in fields(Outcome)))


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
            f"give the workers the ledger's key (TOLLBOOK_KEY_FILE) and make them again"
        )


def _steps(
    place: Place, fresh: Sequence[Manifest], known: frozenset[str], now: datetime, problems: list[str]
) -> Iterator[_Step]:
    for manifest in fresh:
        try:
            yield from _source_steps(place, manifest, known, now)
        except _DamagedError as damaged:
            problems.append(
                f"{damaged.part.name}, a part of {manifest.source}, is gone or damaged: run "
                f"`tollbook ingest --on` again to make it anew, then load the parts again"
            )


class _DamagedError(Exception):
    """A part is not what its manifest says."""

    def __init__(self, part: PartFile) -> None:
        super().__init__(part.name)
        self.part = part


def _source_steps(place: Place, manifest: Manifest, known: frozenset[str], now: datetime) -> Iterator[_Step]:
    frames: list[pl.DataFrame] = []
    names: list[str] = []
    for part in manifest.parts:
        if part.name in known:
            continue
        frames.append(_frame(place, part))
        names.append(part.name)
        if sum(map(len, frames)) >= _COMMIT_ROWS:
            yield _Step(batch_of(manifest, frames, now), tuple(names))
            frames, names = [], []
    rest = _frame(place, manifest.rejects), _frame(place, manifest.prompt_versions)
    yield _Step(batch_of(manifest, frames, now, rest), (*names, mark(manifest)))


def _frame(place: Place, part: PartFile) -> pl.DataFrame:
    found = read_part(place, part)
    if found is None:
        raise _DamagedError(part)
    return found


def _commits(steps: Iterable[_Step]) -> Iterator[list[_Step]]:
    waiting: list[_Step] = []
    for step in steps:
        waiting.append(step)
        if sum(len(each.batch.records) for each in waiting) >= _COMMIT_ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def remember(ledger: Ledger, names: Sequence[str], now: datetime) -> None:
    """Keep what is booked by name."""
    at = pl.lit(now.replace(tzinfo=None), pl.Datetime("us"))
    frame = pl.DataFrame({"name": list(names)}, schema={"name": pl.String}).with_columns(loaded_at=at)
    ledger.append("loaded_parts", frame)
