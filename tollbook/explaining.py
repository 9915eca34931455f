"""How calls came to their tenant, workflow and so on: of one call, or of all in some files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from collector import sources
from collector.attribution import RULED, Rules
from collector.batches import Unreadable
from collector.calls import ReadCall, calls, found_again
from collector.identity import request_id
from collector.sources import SourceError
from collector.tracing import Trace, trace
from collector.work import Intake
from ledger import booked_calls
from ledger.booked_calls import BookedCall, Place
from ledger.keys import keyed
from ledger.store import Ledger
from ledger.types import Api, Request

_PLACE = re.compile(r"(?P<file>.+):(?P<line>\d+)")
_PERSON = RULED[-1]
_MOST_VALUES = 5
_NO_CALL = "no call can be read there; where its record was rejected, `tollbook rejects --list` says why"


@dataclass(frozen=True, slots=True)
class Explained:
    """A record of a call and how it is attributed now; `problem` says why it cannot be read again."""

    place: Place
    request_id: str | None = None
    traces: tuple[Trace, ...] = ()
    problem: str | None = None


def place_in(text: str) -> tuple[str, int] | None:
    """The file and line that a text names, None where it names none."""
    found = _PLACE.fullmatch(text)
    return (found["file"], int(found["line"])) if found else None


def booked(ledger: Ledger, text: str) -> list[BookedCall]:
    """The calls whose id is or begins with the text, or that have it as their provider's id."""
    if booked_calls.is_id(text):
        return booked_calls.begin_with(ledger, text)
    identity, kind = request_id(Request(api=Api.OTHER, model=None, response_id=text), "", b"")
    return booked_calls.begin_with(ledger, identity) if kind == "response" else []


def of_call(call: BookedCall, intake: Intake, now: datetime, key: bytes) -> list[Explained]:
    """How each record of a booked call is attributed by the rules of today."""
    return [_of_record(place, intake, now, key) for place in call.places]


def _of_record(place: Place, intake: Intake, now: datetime, key: bytes) -> Explained:
    found = of_line(place.source_file, place.line, replace(intake, format=place.form), now, key)
    same = next((each for each in found if each.request_id == place.known_as), None)
    if same is not None:
        return same
    other = found_again(place.source_file, place.digest, replace(intake, format=place.form), now, key)
    if other is not None:
        path, call = other
        explained = _explained(call, intake.rules, key)
        return replace(explained, place=replace(explained.place, source_file=path))
    problem = next((each.problem for each in found if each.problem), None)
    return Explained(place, problem=problem or "another record stands there by now")


def of_line(file: str, line: int, intake: Intake, now: datetime, key: bytes | None) -> list[Explained]:
    """How the calls in one line of a file are attributed."""
    place = Place(file, line, intake.format, "")
    if not (sources.is_url(file) or Path(file).is_file()):
        return [Explained(place, problem="the file is there no more")]
    try:
        found = [
            _explained(call, intake.rules, key) for call in calls(file, intake, now, {line}, key=key or b"")
        ]
    except (SourceError, *sources.DAMAGE) as error:
        return [Explained(place, problem=str(error))]
    return found or [Explained(place, problem=_NO_CALL)]


def _explained(call: ReadCall, rules: Rules, key: bytes | None) -> Explained:
    traces = trace(rules, call.request, call.source_file)
    shown = tuple(_veiled(each, key) if each.dimension == _PERSON else each for each in traces)
    return Explained(Place(call.source_file, call.line, call.form, call.request_id), call.request_id, shown)


def _veiled(of_person: Trace, key: bytes | None) -> Trace:
    """A person is shown as the ledger knows them, or not at all."""
    asked = (replace(each, found=_hashed(each.found, key), value=None) for each in of_person.asked)
    return replace(of_person, value=_hashed(of_person.value, key), asked=tuple(asked))


def _hashed(person: str | None, key: bytes | None) -> str | None:
    if person is None:
        return None
    return "not shown" if key is None else keyed(key, person.encode("utf-8", "replace")).hex()


@dataclass(slots=True)
class Share:
    """Of a dimension: calls that each rule gave a value, and the most frequent values, but no people."""

    dimension: str
    by: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)

    @property
    def attributed(self) -> int:
        """The calls that have a value."""
        return self.by.total()

    @property
    def most(self) -> list[tuple[str, int]]:
        """The most frequent values."""
        return self.values.most_common(_MOST_VALUES)


@dataclass(slots=True)
class Tested:
    """How files would be attributed; records that are no use yet are counted only."""

    calls: int = 0
    unreadable: Unreadable = field(default_factory=Unreadable)
    shares: dict[str, Share] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def try_on(paths: Sequence[str], intake: Intake, now: datetime) -> Tested:
    """Attribute every call of these files by the rules of today; books nothing."""
    tested = Tested()
    for call in _all(paths, intake, now, tested):
        tested.calls += 1
        _tally(trace(intake.rules, call.request, call.source_file), tested.shares)
    return tested


def _all(paths: Iterable[str], intake: Intake, now: datetime, tested: Tested) -> Iterator[ReadCall]:
    for path in paths:
        try:
            yield from calls(path, intake, now, unreadable=tested.unreadable)
        except SourceError as error:
            tested.problems.append(str(error))
        except sources.DAMAGE as error:
            tested.problems.append(f"cannot read {path} to its end: {error}")


def _tally(traces: Iterable[Trace], shares: dict[str, Share]) -> None:
    for each in traces:
        share = shares.setdefault(each.dimension, Share(each.dimension))
        if each.value is not None and each.by is not None:
            share.by[each.by] += 1
            if each.dimension != _PERSON:
                share.values[each.value] += 1
