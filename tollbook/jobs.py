"""The jobs of the product, each a plain function of configuration, ledger and now."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from alerts import book
from alerts.channels import build
from alerts.evaluation import Evaluation, Policy, evaluate
from alerts.incidents import ChangeKind, advance
from alerts.outbox import DeliveryReport, deliver
from analytics import attribution, budget, explain, period, prompts, variance
from analytics.books import Books
from analytics.counters import burn_starts, quarter
from analytics.detectors import DETECTORS
from analytics.period import Period
from analytics.plan import day_plan
from ledger import count_days, queries, rows, spans
from ledger.derived import settle
from ledger.figures import DataHealth, Finding, Incident, IncidentState
from ledger.prices import book_date, book_version
from ledger.prompt_reviews import Verdict, reviews
from ledger.retention import Drop, drop
from ledger.samples import delete_before
from ledger.store import Ledger
from reports.daily import Daily
from reports.registry import REPORTS
from tollbook import parts
from tollbook.config import Configuration
from tollbook.headlines import Facts, headlines, plan_of_all, spent_in, standing_of_day
from tollbook.tables import SourceTable

# What reads logs is loaded by the jobs that do: a report is made without it.
if TYPE_CHECKING:
    from collector.ingest import Summary

Visit = Callable[[], AbstractContextManager[Ledger]]

BREAKDOWNS = ("tenant", "workflow", "model_tier", "environment", "status")
_TREND_DAYS = 30
# A detector compares with 28 days before the longest window, and with its own worst of 7 days.
_HISTORY = timedelta(days=36)
# What is asked for now takes a moment to answer; earlier than that is a replay.
_REPLAY_FROM = timedelta(minutes=1)
_DAY = timedelta(days=1)
_LOCAL = frozenset({"stdout", "file"})


def ingest_sources(
    config: Configuration,
    visit: Visit,
    now: datetime,
    progress: Callable[[int], None] = lambda _: None,
    *,
    workers: int | None = None,
    undisturbed: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Summary:
    """Read every [[source]], and what was ahead of the clock. Raises SourceError where none is declared."""
    from collector.ingest import FileSummary, Summary, ingest
    from collector.sources import SourceError
    from tollbook.retry import retry_due

    _need_sources(config)
    record_configuration(config, visit, now)
    retry_due(visit, parts.intake(config), now)
    readers = workers or parts.workers(config.settings)
    summaries = []
    for source in config.settings.source:
        try:
            files = _files(config, source)
        except SourceError as error:
            # A store that cannot be reached keeps no other source from being read.
            summaries.append(Summary((FileSummary(source.path, problem=str(error)),), 0))
            continue
        intake = replace(
            parts.intake(config, source.format), samples=parts.sample_rules(config.settings, now)
        )
        summaries.append(
            ingest(files, visit, intake, now, progress, workers=readers, undisturbed=undisturbed)
        )
    return _together(summaries)


def _need_sources(config: Configuration) -> None:
    from collector.sources import SourceError

    if not config.settings.source:
        raise SourceError(
            "no [[source]] in the configuration: name one there, or give paths to `tollbook ingest`"
        )


def examine(config: Configuration, visit: Visit, now: datetime) -> None:
    """Raise what would make every later job fail: no source, a channel without its secret, no ledger."""
    _need_sources(config)
    build(parts.channels(config))
    record_configuration(config, visit, now)


def source_files(config: Configuration) -> list[str]:
    """The files that the declared sources name now."""
    from collector.sources import SourceError

    found: list[str] = []
    for source in config.settings.source:
        with suppress(SourceError):
            found += _files(config, source)
    return found


def _files(config: Configuration, source: SourceTable) -> list[str]:
    """A log that is not written yet is nothing wrong; `doctor` names sources without files."""
    from collector.places import find
    from collector.sources import NothingThereError

    try:
        return find([source.path], config.base)
    except NothingThereError:
        return []


def _together(summaries: Sequence[Summary]) -> Summary:
    from collector.ingest import Summary

    formats: dict[str, int] = {}
    for summary in summaries:
        for name, count in summary.formats.items():
            formats[name] = formats.get(name, 0) + count
    files = tuple(file for summary in summaries for file in summary.files)
    doubts = dict.fromkeys(doubt for summary in summaries for doubt in summary.doubts)
    return Summary(files, sum(summary.seconds for summary in summaries), formats, tuple(doubts))


def record_configuration(config: Configuration, visit: Visit, now: datetime) -> None:
    """Keep the configuration in force, by digest, and say in the audit when it changed.

    A replay of a moment before the newest one kept is no change.
    """
    at = now.astimezone(UTC).replace(tzinfo=None)
    with visit() as ledger:
        last = ledger.rows(
            "SELECT digest, in_force_from > ? FROM config_versions "
            "ORDER BY in_force_from DESC, rowid DESC LIMIT 1",
            [at],
        )
        if last and (last[0][0] == config.digest or last[0][1]):
            return
        with ledger.transaction():
            ledger.execute("INSERT INTO config_versions VALUES (?, ?, ?)", [config.digest, config.text, at])
            before = last[0][0] if last else "none"
            ledger.execute(
                "INSERT INTO audit VALUES (?, 'config.changed', ?)", [at, f"from {before} to {config.digest}"]
            )


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was put in order: calls made one that were booked twice, rows and samples dropped by age."""

    united: int
    dropped: Drop
    samples: int = 0


def tidy(config: Configuration, visit: Visit, now: datetime) -> Tidied:
    """Make one row of calls whose records came days apart, add up the sums, drop rows past their time."""
    keep_days = config.settings.ledger.keep_raw_days
    with visit() as ledger:
        united = rows.unite(ledger, parts.contracts(config.settings), now)
        settle(ledger)
        spans.prune(ledger)
        dropped = Drop() if keep_days is None else drop(ledger, keep_days, now)
        old = delete_before(ledger, now - timedelta(days=config.settings.samples.days))
        record_job(ledger, "tidy", now, now)
    return Tidied(united, dropped, old)


@dataclass(frozen=True, slots=True)
class Check:
    """What a check found, changed and delivered, and the incidents open after it.

    One of a moment before the newest check (`is_past`) only looks: its incidents are what would be open.
    """

    findings: tuple[Finding, ...]
    evaluation: Evaluation
    delivery: DeliveryReport
    incidents: tuple[Incident, ...]
    is_past: bool = False

    @property
    def changed(self) -> int:
        """How many incidents opened, changed or were resolved."""
        return sum(
            change.kind not in (ChangeKind.UNCHANGED, ChangeKind.HELD) for change in self.evaluation.changes
        )


def check(
    config: Configuration,
    visit: Visit,
    now: datetime,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
) -> Check:
    """Evaluate envelopes, budgets and anomalies as of `now`; keep incidents; deliver what is due.

    `clock` tells the real time for retries, which a replay of a past moment must not confuse. A replay of
    a moment before the newest check changes nothing and tells nobody; one of long ago tells no other machine.
    """
    channels = build(parts.channels(config))
    record_configuration(config, visit, now)
    is_replay = clock() - now > _REPLAY_FROM
    with visit() as ledger:
        books = _books(ledger, config, now)
    findings = tuple(finding for detect in DETECTORS.values() for finding in detect(books))
    if is_replay and books.last_check is not None and now < books.last_check:
        return _looked(findings, now)
    policy = parts.policy(config)
    if clock() - now > policy.backfill_older_than:
        policy = only_to(policy, local_channels(config))
    with visit() as ledger:
        evaluation = evaluate(ledger, findings, policy, now, books.last_data)
        record_job(ledger, "check", now, clock())
    delivery = deliver(visit, channels, clock, worker=worker_name(), stopping=stopping)
    with visit() as ledger:
        incidents = tuple(book.load_open(ledger))
    return Check(findings, evaluation, delivery, incidents)


def _looked(findings: tuple[Finding, ...], now: datetime) -> Check:
    seen = tuple(change.incident for change in advance([], findings, now))
    return Check(findings, Evaluation((), ()), DeliveryReport(), seen, is_past=True)


def local_channels(config: Configuration) -> frozenset[str]:
    """The channels that stay on this machine, by name."""
    return frozenset(each.name for each in parts.channels(config) if each.type in _LOCAL)


def only_to(policy: Policy, channels: frozenset[str]) -> Policy:
    """The policy with every other channel left out; what matches a route still goes nowhere else."""
    routes = (
        replace(route, channels=tuple(name for name in route.channels if name in channels))
        for route in policy.routes
    )
    own = tuple(name for name in policy.channels if name in channels)
    return replace(policy, channels=own, routes=tuple(routes))


def record_job(
    ledger: Ledger, job: str, started: datetime, finished: datetime, outcome: str = "ok", detail: str = ""
) -> None:
    """Keep that a job ran, as of when, and how it ended."""
    ledger.execute(
        "INSERT INTO job_runs VALUES (?, ?, ?, ?, ?)",
        [job, _naive(started), _naive(finished), outcome, detail],
    )


def worker_name() -> str:
    """A name no other run of the outbox has: in containers the process id is the same in all."""
    return f"tollbook-{os.getpid()}-{secrets.token_hex(4)}"


def _books(ledger: Ledger, config: Configuration, now: datetime) -> Books:
    settings = config.settings
    covered = parts.covered_workflows(settings)
    cuts = [
        *_hours(quarter(now), now - _HISTORY),
        *burn_starts(now),
        *_midnights(now - _HISTORY, now, config.zone),
    ]
    whole = _compared(now, settings.anomaly.windows_h)
    mixed = queries.has_estimated_times(ledger, now - _HISTORY, now)
    return Books(
        rollup=queries.rollup(ledger, now - _HISTORY, now, cuts, whole),
        timed=queries.rollup(ledger, now - _HISTORY, now, cuts, whole, timed=True) if mixed else None,
        sizes=queries.size_bins(ledger, quarter(now) - _DAY, quarter(now), covered, by_time=True),
        prompts=queries.prompt_use(ledger, quarter(now) - 15 * _DAY, quarter(now)),
        now=now,
        zone=config.zone,
        envelopes=parts.envelopes(settings),
        budgets=parts.budgets(settings),
        last_data=queries.last_data(ledger, now),
        floor_usd=settings.anomaly.floor_usd,
        windows_h=settings.anomaly.windows_h,
        stale_after=settings.anomaly.stale_after,
        last_check=queries.last_check(ledger),
        counts=count_days.read(ledger, now - _HISTORY, now),
        exact_share_fall=settings.anomaly.exact_share_fall,
        approvals={
            version: review.verdict is Verdict.APPROVED for version, review in reviews(ledger, now).items()
        },
        review_from_usd=settings.prompts.review_from_usd_per_month,
    )


def _compared(now: datetime, windows_h: Sequence[int]) -> list[tuple[datetime, datetime]]:
    """The hours that a finding can be about, and the same a week before, which its reasons compare with."""
    end = quarter(now)
    first = end - timedelta(hours=max(24, *windows_h))
    return [(first, now), (first - 7 * _DAY, end - 7 * _DAY)]


def _hours(end: datetime, first: datetime) -> list[datetime]:
    """The hours up to `end`, counted back from it: what windows of whole hours begin and end at."""
    count = int((end - first) / timedelta(hours=1)) + 2
    return [end - number * timedelta(hours=1) for number in range(count)]


def _midnights(first: datetime, after: datetime, zone: ZoneInfo) -> list[datetime]:
    """What calendar days, weeks and months of a zone begin and end at."""
    day = first.astimezone(zone).date()
    count = (after.astimezone(zone).date() - day).days + 2
    return [period.midnight(day + timedelta(days=number), zone) for number in range(count)]


@dataclass(frozen=True, slots=True)
class DailyReport:
    """The daily report as a value, and the file it was written to."""

    daily: Daily
    path: Path


def last_whole_day(config: Configuration, now: datetime) -> date:
    """The day a morning report is about."""
    return now.astimezone(config.zone).date() - timedelta(days=1)


def report_daily(config: Configuration, visit: Visit, day: date, out: Path, now: datetime) -> DailyReport:
    """Render a day's report to `out`/daily-YYYY-MM-DD.html and record that it was."""
    with visit() as ledger:
        daily = daily_of(ledger, config, day, now)
    page = REPORTS["daily"].html(daily)
    path = out / f"daily-{day:%Y-%m-%d}.html"
    _write(path, page)
    digest = hashlib.sha256(page.encode()).hexdigest()[:16]
    with visit() as ledger:
        ledger.execute(
            "INSERT INTO report_runs VALUES ('daily', ?, ?, ?, ?, ?)",
            [*map(_naive, (daily.period_start, daily.period_end, now)), str(path), digest],
        )
    return DailyReport(daily, path)


def daily_of(ledger: Ledger, config: Configuration, day: date, now: datetime) -> Daily:
    """Everything the daily report says, from the ledger as of `now`.

    A day that still runs is told up to the last quarter of an hour, beside the same hours of the day before.
    """
    zone, settings = config.zone, config.settings
    whole = period.day(day, zone)
    until = None if now >= whole.end else max(whole.start, quarter(now))
    today = whole if until is None else replace(whole, end=until)
    before = period.day(day - timedelta(days=1), zone) if until is None else period.days_before(today, 1)
    first = day - timedelta(days=_TREND_DAYS - 1)
    start = min(period.day(first, zone).start, period.month(day, zone).start, whole.end - _HISTORY)
    whole_spans = [(span.start, span.end) for span in (before, today)]
    # A forecast from within a day asks for the hours before it; from a midnight on, days are enough, but
    # since which hour young spend is known.
    hours_from = today.start - (4 * _DAY if until is None else _HISTORY)
    cuts = [
        *_midnights(start, today.end, zone),
        *_hours(today.end, hours_from),
        *burn_starts(_still_on(whole, now)),
        *(edge for span in whole_spans for edge in span),
    ]
    rollup = queries.rollup(ledger, start, today.end, cuts, whole_spans)
    two_weeks = queries.prompt_use(ledger, today.start - 15 * _DAY, today.end)
    sizes = queries.size_bins(ledger, today.start, today.end, parts.covered_workflows(settings))
    plan = day_plan(parts.budgets(settings), day, zone)
    clock = None if until is None else f"{until.astimezone(zone):%H:%M}"
    facts = Facts(rollup, today, before, plan, zone, clock)
    factors = explain.factors(rollup, today, before)
    contributors = explain.contributors(rollup, today, before, two_weeks)
    versus = _day_before(day, clock)
    envelopes = variance.envelopes(sizes, parts.envelopes(settings))
    states = budget.states(
        rollup,
        parts.budgets(settings),
        _still_on(whole, now),
        zone,
        queries.last_data(ledger, now),
        settings.anomaly.stale_after,
    )
    spent, earlier = spent_in(rollup, today), spent_in(rollup, before)
    changed = prompts.table(two_weeks, Period(whole.end - timedelta(days=7), today.end))
    news = changed.filter(pl.col("since") >= _naive(today.start))
    return Daily(
        day=day,
        zone=zone,
        period_start=whole.start,
        period_end=whole.end,
        as_of=now,
        sentence=explain.sentence(
            day, spent, standing_of_day(facts), earlier, versus, contributors, factors, news, clock
        ),
        headlines=headlines(facts, envelopes, versus, parts.envelopes(settings)),
        versus=versus,
        factors=factors,
        contributors=contributors,
        breakdowns=tuple(
            attribution.spend_by(rollup, name, today, before, _TREND_DAYS, zone) for name in BREAKDOWNS
        ),
        segments=attribution.segment_spend(rollup, today, before),
        days=attribution.daily(rollup, first, day, zone, now, plan_of_all(facts, first)),
        envelopes=envelopes,
        budgets=states,
        incidents=_known_at(now, book.load_all(ledger, today.start)),
        health=_health(ledger, today, now),
        prompt_changes=changed,
    )


def _health(ledger: Ledger, today: Period, now: datetime) -> DataHealth:
    waiting, given_up = book.undelivered(ledger, today.start)
    found = queries.health(ledger, today.start, today.end, now, book_version(), book_date(now))
    return replace(found, undelivered=waiting, given_up=given_up)


def _day_before(day: date, clock: str | None) -> str:
    """What a day is compared with: the day before, or its same hours."""
    before = day - timedelta(days=1)
    return f"{before:%a} {before.day} {before:%b}" + ("" if clock is None else f" until {clock}")


def _known_at(now: datetime, incidents: Sequence[Incident]) -> tuple[Incident, ...]:
    """The incidents as they stood: not those that opened later, and open what was resolved later."""
    return tuple(
        replace(each, state=IncidentState.FIRING, resolved_at=None)
        if each.resolved_at is not None and each.resolved_at > now
        else each
        for each in incidents
        if each.opened_at <= now
    )


def _still_on(today: Period, now: datetime) -> datetime:
    """Now, or the last moment of the reported day: a budget of that day, not of the next."""
    return min(now, today.end - timedelta(microseconds=1))


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)


def _write(path: Path, text: str) -> None:
    """Write whole or not at all: a reader never sees half a page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
    Path(name).chmod(0o644)
    Path(name).replace(path)
