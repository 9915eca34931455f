"""What is configured, reachable, stale, unpriced and unattributed, and whether the books tie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from alerts import book
from collector import fast, open_vocabularies
from collector.places import find
from collector.sources import NothingThereError, SourceError
from ledger import loose_ends, newer_records, queries, trust, units
from ledger.merges import merged_sources
from ledger.prices import book_date, book_version
from ledger.store import Ledger
from tollbook import parts, proposals, self_checks
from tollbook.config import ConfigError, Configuration

Visit = Callable[[], AbstractContextManager[Ledger]]
_NOTED_SHARE = 0.02
_SHOWN_NEWER = 10


class Verdict(StrEnum):
    """How a point of the examination came out; only FAIL makes doctor exit with 1."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Point:
    """One thing looked at."""

    verdict: Verdict
    about: str
    text: str


def examine(
    config: Configuration, ledger_path: Path, visit: Visit, now: datetime, *, deep: bool = False
) -> list[Point]:
    """Look at everything, with `deep` at every row; never writes."""
    points = [_configuration(config), *_sources(config), *_channels(config), _counter(), _vocabularies()]
    if not ledger_path.exists():
        return [*points, Point(Verdict.NOTE, "ledger", f"none at {ledger_path} yet: run `tollbook ingest`")]
    with visit() as ledger:
        points += [*_ledger(ledger, now, config), *_books(ledger, deep=deep)]
    return [*points, *_proposals(config, visit, now)]


def _configuration(config: Configuration) -> Point:
    if config.file is None:
        return Point(
            Verdict.NOTE, "configuration", "none found, defaults in force: `tollbook init` writes one"
        )
    return Point(Verdict.OK, "configuration", f"{config.file} (digest {config.digest})")


def _sources(config: Configuration) -> Iterator[Point]:
    if not config.settings.source:
        yield Point(Verdict.NOTE, "sources", "none declared: `tollbook ingest PATH` reads what you name")
    for source in config.settings.source:
        try:
            count = len(find([source.path], config.base))
            yield Point(Verdict.OK, "source", f"{source.path}: {_count(count, 'file')}")
        except SourceError as error:
            if not isinstance(error, NothingThereError):
                yield Point(Verdict.FAIL, "source", str(error))
                continue
            yield Point(Verdict.NOTE, "source", f"{source.path}: no file matches")


def _counter() -> Point:
    """What texts are counted with."""
    found = fast.name()
    if found is None:
        return Point(Verdict.OK, "counter", "tiktoken; the extra `fast` counts several times as fast")
    one_in = f"one text in {fast.CHECKED_ONE_IN:,}"
    return Point(Verdict.OK, "counter", f"{found} for much text, {one_in} held against tiktoken")


def _vocabularies() -> Point:
    """Which optional vocabularies are here."""
    found = [
        one.extra for name, one in open_vocabularies.VOCABULARIES.items() if open_vocabularies.path(name)
    ]
    rest = [f"`{one.extra}`" for one in open_vocabularies.VOCABULARIES.values() if one.extra not in found]
    texts = ["OpenAI's and Claude's", *(f"that of the extra `{extra}`" for extra in found)]
    more = f"; the extras {' and '.join(rest)} would add theirs" if rest else ""
    return Point(Verdict.OK, "vocabularies", f"{', '.join(texts)}{more}")


def _channels(config: Configuration) -> Iterator[Point]:
    try:
        names = ", ".join(f"{channel.name} ({channel.type})" for channel in parts.channels(config))
        yield Point(Verdict.OK, "channels", names)
    except ConfigError as error:
        yield Point(Verdict.FAIL, "channels", str(error))


def _ledger(ledger: Ledger, now: datetime, config: Configuration) -> Iterator[Point]:
    count, first, last = ledger.rows(
        "SELECT coalesce(sum(requests), 0), min(bucket), max(bucket) FROM rollup WHERE requests > 0"
    )[0]
    size = units.size(ledger.path.stat().st_size)
    yield Point(Verdict.OK, "ledger", f"{ledger.path}, {size}, {_count(count, 'request')}")
    newest = queries.last_data(ledger, now)
    if first is not None and newest is not None:
        age = now - newest
        verdict = Verdict.NOTE if age > config.settings.anomaly.stale_after else Verdict.OK
        yield Point(
            verdict,
            "data",
            f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}, the newest call {units.duration(age)} ago",
        )
    yield Point(Verdict.OK, "prices", f"{book_version()}, of {units.day(book_date(now))}")
    yield from _gaps(ledger, now, bool(config.settings.tiers))
    for reason in trust.distrusted(ledger):
        text = f"switched off: {reason}; counts made with it before may be off"
        yield Point(Verdict.NOTE, "counter", text)
    yield from _newer(ledger)
    yield from _merged(ledger, now)
    yield from _loose_ends(ledger, now)
    yield from _notifications(ledger, now)
    rejected = int(str(ledger.rows("SELECT count(*) FROM rejects")[0][0]))
    if rejected:
        yield Point(Verdict.NOTE, "rejects", f"{_count(rejected, 'record')}: `tollbook rejects` lists them")


def _newer(ledger: Ledger) -> Iterator[Point]:
    """What was read that the readers of this version do not wholly know."""
    kinds = newer_records.known(ledger)
    for each, records in kinds[:_SHOWN_NEWER]:
        version = "" if each.version is None else f" of version {each.version}"
        fields = f" with {', '.join(each.fields)}, not understood" if each.fields else ""
        told = f"{each.format}: {_count(records, 'record')}{version}{fields}"
        yield Point(Verdict.NOTE, "newer than known", f"{told}; booked by the fields that are known")
    if rest := [records for _, records in kinds[_SHOWN_NEWER:]]:
        told = f"{_count(len(rest), 'more kind')}, in {_count(sum(rest), 'record')}"
        yield Point(Verdict.NOTE, "newer than known", f"{told}: the table newer_records has them all")


def _merged(ledger: Ledger, now: datetime) -> Iterator[Point]:
    """Calls of the last 30 days that more than one source told of."""
    for each in merged_sources(ledger, now - timedelta(days=30), now):
        text = f"{_count(each.requests, 'call')} told by {each.sources}, booked once: {units.money(each.usd)}"
        yield Point(Verdict.OK, "merged", text)


def _loose_ends(ledger: Ledger, now: datetime) -> Iterator[Point]:
    """Parts whose call never came, and sessions that are counted twice, of the last 30 days."""
    since = now - timedelta(days=30)
    for source, calls in loose_ends.lonely_parts(ledger, since, now):
        text = f"{_count(calls, 'call')} of {source} begun over 2 days ago without an end: is a log missing?"
        yield Point(Verdict.NOTE, "unfinished", text)
    sessions, usd = loose_ends.sessions_told_twice(ledger, "claude_code", since)
    if sessions:
        text = (
            f"{_count(sessions, 'session')} of Claude Code told by session files and by OpenTelemetry "
            "events without a request's id to link them: the same calls are booked twice, for "
            f"{units.money(usd)} by the events; keep one source"
        )
        yield Point(Verdict.NOTE, "sessions", text)


def _notifications(ledger: Ledger, now: datetime) -> Iterator[Point]:
    """Alerts on their way, and those of the last week that reached nobody."""
    waiting, given_up = book.undelivered(ledger, now - timedelta(days=7))
    if waiting:
        yield Point(Verdict.NOTE, "notifications", f"{_count(waiting, 'message')} waiting to be sent")
    if given_up:
        lost = f"{_count(given_up, 'message')} given up in the last 7 days: check the channels"
        yield Point(Verdict.FAIL, "notifications", lost)


def _count(number: object, noun: str) -> str:
    count = int(str(number))
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _gaps(ledger: Ledger, now: datetime, has_tiers: bool) -> Iterator[Point]:
    """Unpriced models and unattributed calls of the last 30 days."""
    start = (now - timedelta(days=30)).replace(tzinfo=None)
    for model, reason, count in ledger.rows(
        "SELECT coalesce(model, 'no model'), unpriced_reason, sum(unpriced_requests) FROM rollup "
        "WHERE unpriced_requests <> 0 AND bucket >= ? GROUP BY ALL HAVING sum(unpriced_requests) > 0 "
        "ORDER BY sum(unpriced_requests) DESC, 1 LIMIT 10",
        [start],
    ):
        yield Point(Verdict.NOTE, "unpriced", f"{model}: {_count(count, 'request')}, {reason}")
    for name in ("tenant", "workflow", "environment", *(["model_tier"] if has_tiers else [])):
        missing, total, usd = ledger.rows(
            f"SELECT coalesce(sum(requests) FILTER ({name} IS NULL), 0), coalesce(sum(requests), 0), "
            f"coalesce(sum(cost_usd) FILTER ({name} IS NULL), 0) FROM rollup WHERE bucket >= ?",
            [start],
        )[0]
        share = int(str(missing)) / int(str(total)) if total else 0
        if share > 0:
            verdict = Verdict.NOTE if share > _NOTED_SHARE else Verdict.OK
            cost = units.money(Decimal(str(usd)))
            text = f"{name}: {units.share(share)} of requests, {missing:,} of {total:,}, which cost {cost}"
            yield Point(verdict, "unattributed", text)


def _proposals(config: Configuration, visit: Visit, now: datetime) -> Iterator[Point]:
    """What to write into the configuration so that less is unattributed."""
    looked = proposals.look(config, visit, now)
    if looked is None:
        return
    seen = f"by {looked.calls:,} of {_count(looked.of, 'such call')} of the last 30 days"
    for each in looked.proposals:
        values = sum(field.values for field in each.fields)
        text = (
            f"{each.dimension}: under [attribution] write {each.line} (it would attribute "
            f"{units.share(float(each.share))} of what is not, to {_count(values, 'value')}, {seen}); "
            f"`tollbook attribution apply` then does what is booked"
        )
        yield Point(Verdict.NOTE, "attribution", text)
    for name in looked.silent:
        text = (
            f"{name}: no field of these calls tells it, {seen}; a [[source]] can: "
            f'attribution = {{{name} = "…"}}'
        )
        yield Point(Verdict.NOTE, "attribution", text)


def _books(ledger: Ledger, *, deep: bool) -> Iterator[Point]:
    for checked in self_checks.check(ledger, deep=deep):
        days = self_checks.NEWEST.days
        scope = "" if checked.since is None else f", in the newest {days} days (`--deep`: in all)"
        wrong = f": not so for {checked.wrong:,} rows" if checked.wrong else ""
        yield Point(
            Verdict.FAIL if checked.wrong else Verdict.OK, "books", f"{checked.sentence}{scope}{wrong}"
        )
