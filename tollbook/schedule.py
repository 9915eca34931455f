"""Run the jobs on schedule until told to stop: at most one at a time, every period once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, timedelta
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from analytics import period
from collector.ingest import Summary
from ledger.store import Ledger
from tollbook import jobs, logs, metrics
from tollbook.config import Configuration

Visit = Callable[[], AbstractContextManager[Ledger]]
Clock = Callable[[], datetime]

_GRACE_S = 6 * 3600
# After a longer absence the days before are history: `tollbook report daily --date` makes them.
_CATCH_UP_DAYS = 7


def once(
    config: Configuration, visit: Visit, now: datetime, clock: Clock
) -> tuple[Summary, jobs.Check, list[jobs.DailyReport]]:
    """Do everything the configuration asks for, once: ingest, check, and the daily reports that are due."""
    summary = jobs.ingest_sources(config, visit, now)
    checked = jobs.check(config, visit, now, clock)
    return summary, checked, due_reports(config, visit, now)


def due_reports(config: Configuration, visit: Visit, now: datetime) -> list[jobs.DailyReport]:
    """Render the daily reports of the last days that have data and were not rendered after they ended.

    The newest whole day is rendered even without data: an empty page is news.
    """
    out = config.path(config.settings.report.daily.out)
    newest = jobs.last_whole_day(config, now)
    return [jobs.report_daily(config, visit, day, out, now) for day in _missing_days(config, visit, newest)]


def _missing_days(config: Configuration, visit: Visit, newest: date) -> list[date]:
    days = [newest - timedelta(days=back) for back in range(_CATCH_UP_DAYS - 1, -1, -1)]
    with visit() as ledger:
        reported_before = ledger.rows("SELECT count(*) FROM report_runs WHERE report = 'daily'") != [(0,)]
        # The first run reports the newest day only: what came before is history, not an absence.
        wanted = days if reported_before else days[-1:]
        return [day for day in wanted if not _is_reported(ledger, config, day)]


def _is_reported(ledger: Ledger, config: Configuration, day: date) -> bool:
    span = period.day(day, config.zone)
    start, end = period.naive(span.start), period.naive(span.end)
    done = ledger.rows(
        "SELECT count(*) FROM report_runs WHERE report = 'daily' AND period_start = ? AND rendered_at >= ?",
        [start, end],
    )
    return done != [(0,)]


@contextmanager
def _recorded(job: str, visit: Visit, clock: Clock) -> Iterator[None]:
    """Keep each run of a job in the ledger and the log, whatever becomes of it."""
    log = logs.get().bind(job=job)
    started = clock()
    try:
        yield
    except Exception as error:
        log.error("job failed", error=str(error), seconds=_seconds(started, clock()))
        _note(visit, job, started, clock(), "failed", f"{type(error).__name__}: {error}")
        raise
    _note(visit, job, started, clock(), "ok", "")


def _note(visit: Visit, job: str, started: datetime, finished: datetime, outcome: str, detail: str) -> None:
    with visit() as ledger:
        ledger.execute(
            "INSERT INTO job_runs VALUES (?, ?, ?, ?, ?)",
            [job, period.naive(started), period.naive(finished), outcome, detail],
        )


def _seconds(started: datetime, finished: datetime) -> float:
    return round((finished - started).total_seconds(), 3)


def ingest_job(config: Configuration, visit: Visit, clock: Clock) -> None:
    """Read what is new; silent in the ledger where nothing is."""
    summary = jobs.ingest_sources(config, visit, clock())
    for problem in summary.problems:
        logs.get().warning("source not read", problem=problem)
    if summary.total("read"):
        logs.get().info(
            "ingested",
            read=summary.total("read"),
            added=summary.total("added"),
            rejected=summary.total("rejected"),
        )


def check_job(config: Configuration, visit: Visit, clock: Clock) -> None:
    """Look for what is wrong, tell whom it concerns, leave the metrics."""
    with _recorded("check", visit, clock):
        checked = jobs.check(config, visit, clock(), clock)
    for sentence in checked.delivery.given_up:
        logs.get().error("notification given up", why=sentence)
    logs.get().info(
        "checked", findings=len(checked.findings), open=len(checked.incidents), sent=checked.delivery.sent
    )
    if config.settings.run.metrics_file is not None:
        with visit() as ledger:
            metrics.write(ledger, config.path(config.settings.run.metrics_file), clock())


def report_job(config: Configuration, visit: Visit, clock: Clock) -> None:
    """Render every daily report that is due."""
    with _recorded("report", visit, clock):
        reports = due_reports(config, visit, clock())
    for report in reports:
        logs.get().info("reported", day=str(report.daily.day), path=str(report.path))


def run(config: Configuration, visit: Visit, clock: Clock) -> None:
    """Run until SIGTERM or SIGINT; the job at work then ends at its commit, and nothing is lost."""
    stopping = threading.Event()

    def stop(signum: int, _: FrameType | None) -> None:
        logs.get().info("stopping after the job at work", signal=signal.Signals(signum).name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    scheduler = _scheduler(config, visit, clock)
    scheduler.start()
    logs.get().info("running", pid=os.getpid(), ledger=config.settings.ledger.path)
    stopping.wait()
    scheduler.shutdown(wait=True)
    logs.get().info("stopped")


def _scheduler(config: Configuration, visit: Visit, clock: Clock) -> BackgroundScheduler:
    settings = config.settings
    hour, minute = settings.report.daily.at.split(":")
    # One worker: jobs share one ledger file, and a report should follow the ingest it waits for.
    scheduler = BackgroundScheduler(
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": _GRACE_S},
        timezone=config.zone,
    )
    at_once = datetime.now(UTC)
    triggers = {
        ingest_job: IntervalTrigger(seconds=int(settings.run.ingest_every.total_seconds())),
        check_job: IntervalTrigger(seconds=int(settings.run.check_every.total_seconds())),
        report_job: CronTrigger(hour=int(hour), minute=int(minute), timezone=config.zone),
    }
    for job, trigger in triggers.items():
        first = None if job is report_job and not _report_is_due_today(config, clock()) else at_once
        options = {} if first is None else {"next_run_time": first}
        scheduler.add_job(job, trigger, args=[config, visit, clock], id=job.__name__, **options)
    return scheduler


def _report_is_due_today(config: Configuration, now: datetime) -> bool:
    """Whether today's report hour has passed: then a run that starts now makes what is missing at once."""
    return f"{now.astimezone(config.zone):%H:%M}" >= config.settings.report.daily.at
