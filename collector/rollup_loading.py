"""Book the sums of parts in place of their calls, and close their days."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from collector import places
from collector.late_records import refuse_late
from collector.part_loading import Loaded, booked_names, check_key, load, made_at
from collector.parts import Manifest, read_part
from collector.places import Place
from collector.rollups import Each, Sums, Terms, here, sum_up
from collector.sources import SourceError
from ledger import derived, rows
from ledger.posting import Outcome, post_run, remember, total
from ledger.prices import Contract
from ledger.resources import USUAL, Resources
from ledger.retention import dropped_days, seal
from ledger.store import Ledger

WORK = "work"
# A day can be summed up when the day after it is over too: by then its calls have been told.
SETTLED_AFTER = timedelta(days=2)
# Where no log of a later day was made into parts, they may yet come: a day more is given to them.
QUIET_AFTER = timedelta(days=3)

Visit = Callable[[], AbstractContextManager[Ledger]]


@dataclass(frozen=True, slots=True)
class SummedUp:
    """What was booked as sums: `calls` of `days`.

    `waiting` are days that are not over yet, `apart` those whose calls are in the ledger one by one; `late`
    are records of days closed before, told by `late_sources`; those `told_before` are in the sums.
    """

    days: tuple[date, ...]
    calls: int
    waiting: tuple[date, ...]
    apart: tuple[date, ...]
    late: int
    told_before: int
    late_sources: tuple[str, ...]
    seconds: float
    rest: Loaded
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Which days are summed up now, which wait, and which are left out; `parts` are those of the first."""

    days: frozenset[date]
    waiting: frozenset[date]
    apart: frozenset[date]
    parts: tuple[tuple[str, str], ...]


def load_sums(
    url: str,
    visit: Visit,
    contracts: Sequence[Contract],
    now: datetime,
    each: Each = here,
    resources: Resources = USUAL,
) -> SummedUp:
    """Book the sums of every day that is over, and close it: its calls are in no row of the ledger.

    A day with calls in the ledger is left out and told. Raises SourceError where a part is not as it was
    made, or where the ledger changed meanwhile.
    """
    started = time.perf_counter()
    place, found = made_at(url)
    with visit() as ledger:
        check_key(found, ledger.key)
        plan = _plan(ledger, found, now)
    if plan.days:
        places.check_writable(url)
    with _work(place) as work:
        terms = Terms(tuple(contracts), now, resources)
        sums = sum_up(url, work, found, plan.days, terms, each) if plan.days else []
        with visit() as ledger:
            _book(ledger, place, found, plan, sums, now)
    late = refuse_late(place, found, visit, now)
    with visit() as ledger:
        known = booked_names(ledger)
    whole = [each for each in found if all(part.name in known for part in each.parts)]
    rest = load(place, whole, known, visit, contracts, now)
    return SummedUp(
        days=tuple(sorted(plan.days)),
        calls=sum(each.calls for each in sums),
        waiting=tuple(sorted(plan.waiting)),
        apart=tuple(sorted(plan.apart)),
        late=late.refused,
        told_before=late.told_before,
        late_sources=late.sources,
        seconds=time.perf_counter() - started,
        rest=rest,
        problems=(*_apart(plan.apart), *late.problems, *rest.problems),
    )


def _plan(ledger: Ledger, found: Sequence[Manifest], now: datetime) -> Plan:
    known, closed = booked_names(ledger), set(dropped_days(ledger))
    dated = [(part.day, part.name, manifest.source) for manifest in found for part in manifest.parts]
    fresh = {day for day, name, _ in dated if day is not None and name not in known} - closed
    ended, waiting = over(fresh, max((day for day, *_ in dated if day is not None), default=date.min), now)
    apart = _days_with_calls(ledger, ended) | _closed(ledger, ended)
    days = ended - apart
    summed = tuple((name, source) for day, name, source in dated if day in days and name not in known)
    return Plan(days, waiting, apart, summed)


def over(days: set[date], newest: date, now: datetime) -> tuple[frozenset[date], frozenset[date]]:
    """The days that are over, and those that have to wait; `newest` is the last day that has parts.

    Parts of a later day show that the logs were made into parts since: a call told again after midnight is
    among them.
    """
    today = now.astimezone(UTC)
    settled, quiet = (today - SETTLED_AFTER).date(), (today - QUIET_AFTER).date()
    ended = frozenset(day for day in days if day <= quiet or (day <= settled and day < newest))
    return ended, frozenset(days) - ended


def _days_with_calls(ledger: Ledger, days: frozenset[date]) -> frozenset[date]:
    with ledger.scanning("days", pl.DataFrame({"day": sorted(days)}, schema={"day": pl.Date})):
        booked = ledger.frame(
            "SELECT DISTINCT ts::DATE AS day FROM requests SEMI JOIN days ON ts::DATE = day"
        )
    return frozenset(booked["day"])


def _closed(ledger: Ledger, days: frozenset[date]) -> frozenset[date]:
    """The days of which finance has closed some or all."""
    with ledger.scanning("days", pl.DataFrame({"day": sorted(days)}, schema={"day": pl.Date})):
        shut = ledger.frame(
            "SELECT DISTINCT day FROM days JOIN sealed ON kind = 'closed' "
            "AND day < period_end AND day + INTERVAL 1 DAY > period_start"
        )
    return frozenset(shut["day"])


def _apart(days: frozenset[date]) -> Iterator[str]:
    if days:
        names = ", ".join(str(day) for day in sorted(days))
        yield (
            f"left out, as calls of them are in the ledger one by one, or they are closed: {names}; load "
            f"their parts without --rollup-only, or name another ledger with --ledger"
        )


@contextmanager
def _work(place: Place) -> Iterator[str]:
    """A folder of the place for files that are worth nothing once the sums are booked."""
    folder = f"{WORK}/{secrets.token_hex(4)}"
    try:
        yield folder
    finally:
        with suppress(SourceError):
            for name in place.names(folder):
                place.drop(name)


def _book(
    ledger: Ledger,
    place: Place,
    found: Sequence[Manifest],
    plan: Plan,
    sums: Sequence[Sums],
    now: datetime,
) -> None:
    """All sums and the closing of their days, in one transaction."""
    if not plan.days:
        return
    with ledger.transaction():
        _check_unchanged(ledger, plan)
        for each in sums:
            _add(ledger, place, each)
        seal(ledger, pl.Series("period_start", sorted(plan.days), pl.Date).cast(pl.Datetime("us")), now)
        remember(ledger, plan.parts, now)
        _note_runs(ledger, found, sums, now)
        told = f"{len(plan.days)} days summed up: {sum(each.calls for each in sums)} calls"
        ledger.execute("INSERT INTO audit VALUES (?, 'parts.summed', ?)", [_naive(now), told])
    derived.settle(ledger)


def _check_unchanged(ledger: Ledger, plan: Plan) -> None:
    """Raise SourceError where another command booked any of it since the plan was made."""
    booked = booked_names(ledger)
    if (
        any(name in booked for name, _ in plan.parts)
        or plan.days & set(dropped_days(ledger))
        or _days_with_calls(ledger, plan.days)
    ):
        raise SourceError(
            "another command booked calls of the same days while they were summed up, so nothing of them is "
            "booked by this one: run it again"
        )


def _note_runs(ledger: Ledger, found: Sequence[Manifest], sums: Sequence[Sums], now: datetime) -> None:
    forms = {manifest.source: manifest.format for manifest in found}
    by_source: dict[str, list[Outcome]] = defaultdict(list)
    for each in sums:
        for source, outcome in each.outcomes:
            by_source[source].append(outcome)
    for source, outcomes in sorted(by_source.items()):
        post_run(ledger, source, forms.get(source, ""), 0, total(outcomes), now)


def _add(ledger: Ledger, place: Place, sums: Sums) -> None:
    for name, part in sums.tables.items():
        frame = read_part(place, part)
        if frame is None:
            raise SourceError(f"{part.name} was damaged before it was booked: run the same command again")
        if name == "prices":
            rows.keep_prices(ledger, frame)
            continue
        ledger.append(name, frame)
        if name == "rollup":
            derived.unsettle(ledger, frame["bucket"])


def _naive(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(tzinfo=None)
