"""Run the jobs on schedule until told to stop: at most one at a time, every period once."""

from __future__ import annotations

import os
import signal
import threading
import time as timing
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import FrameType
from typing import cast
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from analytics import period
from collector.ingest import Summary
from collector.sources import SourceError
from ledger.store import Ledger, LedgerError, LedgerHeldError
from tollbook import jobs, logs, metrics
from tollbook.config import ConfigError, Configuration
from tollbook.refit import refit

Visit = Callable[[], AbstractContextManager[Ledger]]
Clock = Callable[[], datetime]

_GRACE_S = 6 * 3600
# After a longer absence the days before are history: `tollbook report daily --date` makes them.
_CATCH_UP_DAYS = 7
_REPORT_AGAIN = timedelta(minutes=1)
_AWAKE_S = 0.5
_AT_LEAST_S = 1
_TIDY_EVERY = timedelta(days=1)
_REFIT_EVERY = timedelta(days=1)
_TURN_S = 0.5


def once(
    config: Configuration, visit: Visit, now: datetime, clock: Clock
) -> tuple[Summary, jobs.Check, list[jobs.DailyReport]]:
    """Do everything the configuration asks for, once: ingest, check, and the daily reports that are due."""
    summary = jobs.ingest_sources(config, visit, now)
    checked = jobs.check(config, visit, now, clock)
    return summary, checked, due_reports(config, visit, now)


def due_reports(config: Configuration, visit: Visit, now: datetime) -> list[jobs.DailyReport]:
    """Render the daily reports of the last days that were not rendered after they ended, or lack a late call.

    A day before the first one ever reported is history, not an absence.
    """
    out = config.path(config.settings.report.daily.out)
    newest = jobs.last_whole_day(config, now)
    return [jobs.report_daily(config, visit, day, out, now) for day in _missing_days(config, visit, newest)]


def _missing_days(config: Configuration, visit: Visit, newest: date) -> list[date]:
    days = [newest - timedelta(days=back) for back in range(_CATCH_UP_DAYS - 1, -1, -1)]
    with visit() as ledger:
        first = _first_reported(ledger, config) or newest
        return [day for day in days if day >= min(first, newest) and not _is_reported(ledger, config, day)]


def _first_reported(ledger: Ledger, config: Configuration) -> date | None:
    start = ledger.rows("SELECT min(period_start) FROM report_runs WHERE report = 'daily'")[0][0]
    return None if start is None else period.aware(cast("datetime", start)).astimezone(config.zone).date()


def _is_reported(ledger: Ledger, config: Configuration, day: date) -> bool:
    """Whether the day was rendered after its end, and nothing of it came in since."""
    span = period.day(day, config.zone)
    start, end = period.naive(span.start), period.naive(span.end)
    rendered = ledger.rows(
        "SELECT max(rendered_at) FROM report_runs"
        " WHERE report = 'daily' AND period_start = ? AND rendered_at >= ?",
        [start, end],
    )[0][0]
    if rendered is None:
        return False
    since = ledger.rows(
        "SELECT count(*) FROM requests WHERE ts >= ? AND ts < ? AND ingested_at > ?", [start, end, rendered]
    )
    return since == [(0,)]


class StoppedError(Exception):
    """The run was told to stop; raised between two commits, so that nothing is lost."""


@dataclass(frozen=True, slots=True)
class Shift:
    """What the jobs of a run share."""

    config: Configuration
    visit: Visit
    clock: Clock
    stopping: threading.Event
    scheduler: BackgroundScheduler

    def go_on(self, _: int) -> None:
        """Told of each commit of a long ingest; raises StoppedError when it is time to leave."""
        if self.stopping.is_set():
            raise StoppedError


def ingest_job(shift: Shift) -> None:
    """Read what is new; silent where nothing is."""
    summary = jobs.ingest_sources(shift.config, shift.visit, shift.clock(), shift.go_on)
    for problem in summary.problems:
        logs.get().warning("source not read", problem=problem)
    for doubt in summary.doubts:
        logs.get().warning("fast counter switched off", doubt=doubt)
    if summary.total("read"):
        logs.get().info(
            "ingested",
            read=summary.total("read"),
            added=summary.total("added"),
            rejected=summary.total("rejected"),
        )


def check_job(shift: Shift) -> None:
    """Look for what is wrong, tell whom it concerns, leave the metrics."""
    started = shift.clock()
    checked = jobs.check(shift.config, shift.visit, started, shift.clock, shift.stopping.is_set)
    for sentence in checked.delivery.errors:
        logs.get().warning("notification not delivered yet", why=sentence)
    for sentence in checked.delivery.given_up:
        logs.get().error("notification given up", why=sentence)
    logs.get().info(
        "checked", findings=len(checked.findings), open=len(checked.incidents), sent=checked.delivery.sent
    )
    if shift.config.settings.run.metrics_file is not None:
        with shift.visit() as ledger:
            metrics.write(ledger, shift.config.path(shift.config.settings.run.metrics_file), shift.clock())


def report_job(shift: Shift) -> None:
    """Render every daily report that is due."""
    started = shift.clock()
    reports = due_reports(shift.config, shift.visit, started)
    _record(shift, "report", started)
    for report in reports:
        logs.get().info("reported", day=str(report.daily.day), path=str(report.path))


def tidy_job(shift: Shift) -> None:
    """Put the ledger in order, and drop rows past their time."""
    tidied = jobs.tidy(shift.config, shift.visit, shift.clock())
    if tidied.united or tidied.dropped.days:
        logs.get().info(
            "tidied", united=tidied.united, days=tidied.dropped.days, requests=tidied.dropped.requests
        )


def refit_job(shift: Shift) -> None:
    """Learn from bills how estimated counts are off; silent where there is nothing new."""
    found = refit(shift.visit, shift.clock())
    for one in found.learned:
        logs.get().info(
            "calibrated", model=one.model, category=one.category, factor=round(one.factor, 3), error=one.error
        )
    for one in found.dropped:
        logs.get().info("calibration dropped", model=one.model, category=one.category, version=one.version)


JOBS: Mapping[str, Callable[[Shift], None]] = {
    "ingest": ingest_job,
    "check": check_job,
    "report": report_job,
    "tidy": tidy_job,
    "refit": refit_job,
}


def work(name: str, shift: Shift) -> None:
    """Run one job and outlive it: what the user must change or wait for is a sentence in the log.

    A bug is recorded and raised. A report that failed is tried again soon, not only on the next morning.
    Nothing begins once the run was told to stop.
    """
    if shift.stopping.is_set():
        return
    started = shift.clock()
    try:
        JOBS[name](shift)
    except StoppedError:
        logs.get().info("stopped with nothing half done", job=name)
    except (LedgerError, ConfigError, SourceError, OSError) as error:
        logs.get().warning("job failed, will be tried again", job=name, why=str(error))
        _record_failure(shift, name, started, str(error))
        _try_again(shift, name)
    except Exception as error:
        _record_failure(shift, name, started, f"{type(error).__name__}: {error}")
        raise


def _try_again(shift: Shift, name: str) -> None:
    if name == "report" and not shift.stopping.is_set():
        trigger = DateTrigger(datetime.now(UTC) + _REPORT_AGAIN)
        shift.scheduler.add_job(work, trigger, args=[name, shift], id="report again", replace_existing=True)


def _record(shift: Shift, job: str, started: datetime, outcome: str = "ok", detail: str = "") -> None:
    with shift.visit() as ledger:
        jobs.record_job(ledger, job, started, shift.clock(), outcome, detail)


def _record_failure(shift: Shift, job: str, started: datetime, why: str) -> None:
    """Keep the failure in the ledger, unless it is the ledger that cannot be had."""
    with suppress(LedgerError, StoppedError):
        _record(shift, job, started, "failed", why)


def unless_stopping(
    open_for: Callable[[float], AbstractContextManager[Ledger]], wait_s: float, stopping: threading.Event
) -> Visit:
    """Visits that wait for a held ledger as long as they may, but leave at once when told to stop."""

    @contextmanager
    def visit() -> Iterator[Ledger]:
        with ExitStack() as stack:
            yield _entered(stack, open_for, wait_s, stopping)

    return visit


def _entered(
    stack: ExitStack,
    open_for: Callable[[float], AbstractContextManager[Ledger]],
    wait_s: float,
    stopping: threading.Event,
) -> Ledger:
    until = timing.monotonic() + wait_s
    while True:
        left = until - timing.monotonic()
        try:
            return stack.enter_context(open_for(min(_TURN_S, max(0.0, left))))
        except LedgerHeldError as error:
            if stopping.is_set():
                raise StoppedError from None
            if left <= _TURN_S:
                raise LedgerHeldError(f"{error} (asked again and again for {wait_s:g} s)") from error


def run(
    config: Configuration, open_for: Callable[[float], AbstractContextManager[Ledger]], clock: Clock
) -> None:
    """Run until SIGTERM or SIGINT; the job at work then ends at its next commit, and nothing is lost.

    `open_for` visits the ledger, waiting so many seconds for another process to leave it.

    Raises at once what the user must change: no source, a channel without its secret, a ledger that is none.
    """
    stopping = threading.Event()
    visit = unless_stopping(open_for, config.settings.ledger.wait.total_seconds(), stopping)
    jobs.examine(config, visit, clock())
    received: list[str] = []

    def stop(signum: int, _: FrameType | None) -> None:
        received.append(signal.Signals(signum).name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    scheduler = _scheduler()
    _add_jobs(scheduler, Shift(config, visit, clock, stopping, scheduler))
    scheduler.start()
    logs.get().info("running", pid=os.getpid(), sources=len(config.settings.source))
    # A signal may reach any thread, but its handler runs in this one, once it is awake.
    while not stopping.wait(_AWAKE_S):
        pass
    logs.get().info("stopping after the job at work", signal=received[0])
    scheduler.shutdown(wait=True)
    logs.get().info("stopped")


def _scheduler() -> BackgroundScheduler:
    # One worker: jobs share one ledger file, and a report should follow the ingest it waits for.
    return BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": _GRACE_S},
        # In a zone with clock changes, an hour of local times would come before the one it follows.
        timezone=UTC,
    )


def _add_jobs(scheduler: BackgroundScheduler, shift: Shift) -> None:
    """Everything runs once at the start, in the order of JOBS; the report only where its hour has passed."""
    run_table = shift.config.settings.run
    triggers = {
        "ingest": _every(run_table.ingest_every),
        "check": _every(run_table.check_every),
        "report": report_trigger(shift.config),
        "tidy": _every(_TIDY_EVERY),
        "refit": _every(_REFIT_EVERY),
    }
    at_once = datetime.now(UTC)
    for order, name in enumerate(JOBS):
        late = name == "report" and not _report_is_due_today(shift.config, shift.clock())
        first = {} if late else {"next_run_time": at_once + timedelta(milliseconds=order)}
        scheduler.add_job(work, triggers[name], args=[name, shift], id=name, **first)


def _every(span: timedelta) -> IntervalTrigger:
    return IntervalTrigger(seconds=max(_AT_LEAST_S, int(span.total_seconds())), timezone=UTC)


class Daily(BaseTrigger):  # type: ignore[misc]
    """Once a day at a time in a zone: the first of two where clocks go back, later where it is skipped.

    The scheduler's own cron trigger never returns in the night on which clocks go back.
    """

    def __init__(self, at: time, zone: ZoneInfo) -> None:
        self._at, self._zone = at, zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next moment after the previous one and not before now, in UTC."""
        today = now.astimezone(self._zone).date()
        days = (today + timedelta(days=count) for count in range(3))
        moments = (datetime.combine(day, self._at, self._zone).astimezone(UTC) for day in days)
        return next(each for each in moments if _is_next(each, previous, now))


def _is_next(moment: datetime, previous: datetime | None, now: datetime) -> bool:
    return moment >= now and (previous is None or moment > previous)


def report_trigger(config: Configuration) -> Daily:
    """Every day at the report's time of day in the reporting zone."""
    return Daily(time.fromisoformat(config.settings.report.daily.at), config.zone)


def _report_is_due_today(config: Configuration, now: datetime) -> bool:
    """Whether today's report hour has passed: then a run that starts now makes what is missing at once."""
    return f"{now.astimezone(config.zone):%H:%M}" >= config.settings.report.daily.at
