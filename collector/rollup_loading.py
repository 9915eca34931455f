"""Book the sums of parts in place of their calls, and close their days."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from collector import places
from collector.part_loading import Loaded, booked_names, check_key, load, remember
from collector.parts import Manifest, manifests, read_part
from collector.places import Place
from collector.rollups import Each, Sums, here, sum_up
from collector.sources import SourceError
from ledger import derived
from ledger.prices import Contract
from ledger.store import Ledger

# A day is summed up when the day after it is over too: by then its calls have been told.
SETTLED_AFTER = timedelta(days=2)
DROPPED = "dropped"

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class SummedUp:
    """What was booked as sums: `calls` of `days`; `late` are records of days that were closed before."""

    days: tuple[date, ...]
    calls: int
    late: int
    waiting: tuple[date, ...]
    seconds: float
    rest: Loaded


def load_sums(
    url: str, visit: Visit, contracts: Sequence[Contract], now: datetime, each: Each = here
) -> SummedUp:
    """Book the sums of every day that is over, and close it: its calls are in no row of the ledger.

    Raises SourceError where a day has calls in the ledger already, or a part is not as it was made.
    """
    started = time.perf_counter()
    place = places.at(url)
    found = manifests(place)
    if not found:
        raise SourceError(
            f"no manifests at {url}: make parts there with `tollbook ingest --on … --parts {url}`"
        )
    with visit() as ledger:
        check_key(found, ledger.key)
        known = booked_names(ledger)
        closed = closed_days(ledger)
        fresh = {
            part.day for manifest in found for part in manifest.parts if part.day and part.name not in known
        }
        days, waiting = over(fresh - closed, now)
        _check_unbooked(ledger, days)
    sums = sum_up(url, found, days, tuple(contracts), now, each) if days else []
    with visit() as ledger:
        late = _book(ledger, place, found, known, sums, days, closed, now)
        known = booked_names(ledger)
    whole = [each for each in found if all(part.name in known for part in each.parts)]
    rest = load(place, whole, known, visit, contracts, now)
    return SummedUp(
        days=tuple(sorted(days)),
        calls=sum(each.calls for each in sums),
        late=late,
        waiting=tuple(sorted(waiting)),
        seconds=time.perf_counter() - started,
        rest=rest,
    )


def over(days: set[date], now: datetime) -> tuple[frozenset[date], frozenset[date]]:
    """The days that are over, and those that have to wait."""
    last = (now.astimezone(UTC) - SETTLED_AFTER).date()
    ended = frozenset(day for day in days if day <= last)
    return ended, frozenset(days) - ended


def closed_days(ledger: Ledger) -> set[date]:
    """The days that take no more calls."""
    found = ledger.frame("SELECT period_start::DATE AS day, period_end::DATE AS until FROM sealed")
    return {
        day + timedelta(days=number)
        for day, until in found.iter_rows()
        for number in range(max((until - day).days, 1))
    }


def _check_unbooked(ledger: Ledger, days: frozenset[date]) -> None:
    with ledger.scanning("days", pl.DataFrame({"day": sorted(days)}, schema={"day": pl.Date})):
        booked = ledger.frame(
            "SELECT DISTINCT ts::DATE AS day FROM requests SEMI JOIN days ON ts::DATE = day"
        )
    if len(booked):
        names = ", ".join(str(day) for day in booked["day"].sort())
        raise SourceError(
            f"calls of {names} are in the ledger one by one: load their parts without --rollup-only, or name "
            f"another ledger with --ledger"
        )


def _book(
    ledger: Ledger,
    place: Place,
    found: Sequence[Manifest],
    known: frozenset[str],
    sums: Sequence[Sums],
    days: frozenset[date],
    closed: set[date],
    now: datetime,
) -> int:
    """All sums and the closing of their days in one transaction; how many records came too late for one."""
    fresh = [part for manifest in found for part in manifest.parts if part.name not in known]
    late = {part.name: part.rows for part in fresh if part.day in closed}
    with ledger.transaction():
        for each in sums:
            _add(ledger, place, each)
        at = now.astimezone(UTC).replace(tzinfo=None)
        for day in sorted(days):
            ledger.execute(
                "INSERT INTO sealed VALUES (?, ?, ?, ?)", [day, day + timedelta(days=1), DROPPED, at]
            )
        names = {part.name for part in fresh if part.day in days} | set(late)
        remember(ledger, sorted(names), now)
        if days or late:
            told = f"{len(days)} days summed up, {sum(late.values())} records of closed days refused"
            ledger.execute("INSERT INTO audit VALUES (?, 'parts.summed', ?)", [at, told])
    derived.settle(ledger)
    return sum(late.values())


def _add(ledger: Ledger, place: Place, sums: Sums) -> None:
    for name, part in sums.tables.items():
        frame = read_part(place, part)
        if frame is None:
            raise SourceError(f"{part.name} was damaged before it was booked: run the same command again")
        if name == "prices":
            with ledger.scanning("used", frame):
                ledger.execute(
                    "INSERT INTO prices BY NAME SELECT * FROM used "
                    "WHERE price_id NOT IN (SELECT price_id FROM prices)"
                )
            continue
        ledger.append(name, frame)
        if name == "rollup":
            derived.unsettle(ledger, frame["bucket"])
