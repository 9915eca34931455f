"""Each daily report is made once, also across clock changes, absences and failures."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from ledger import store
from tollbook import jobs, schedule
from tollbook.config import Configuration, load

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def config(folder: Path, monkeypatch) -> Configuration:
    monkeypatch.setenv("TOLLBOOK_REPORT__TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("TOLLBOOK_REPORT__DAILY__AT", "02:30")
    return load(folder / "tollbook.toml")


@pytest.fixture
def visit(folder: Path):
    return lambda: store.open(folder / "tollbook.duckdb")


def _local(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


def _days(reports: list[jobs.DailyReport]) -> list[str]:
    return [str(report.daily.day) for report in reports]


def test_the_first_run_reports_the_last_whole_day_only(config, visit):
    assert _days(schedule.due_reports(config, visit, _local(2026, 10, 7, 2, 30))) == ["2026-10-06"]


def test_missed_days_are_made_up_from_the_first_one_ever_reported(config, visit):
    schedule.due_reports(config, visit, _local(2026, 10, 7, 2, 30))
    made = _days(schedule.due_reports(config, visit, _local(2026, 10, 10, 9, 0)))
    assert made == ["2026-10-07", "2026-10-08", "2026-10-09"]
    assert schedule.due_reports(config, visit, _local(2026, 10, 10, 9, 5)) == []


def test_after_a_long_absence_only_the_last_week_is_made_up(config, visit):
    schedule.due_reports(config, visit, _local(2026, 10, 7, 2, 30))
    made = _days(schedule.due_reports(config, visit, _local(2026, 12, 1, 9, 0)))
    assert made == [f"2026-11-{day}" for day in range(24, 31)]


def test_a_report_made_while_its_day_still_ran_is_made_again(config, visit, folder: Path):
    evening = _local(2026, 10, 6, 20, 0)
    jobs.report_daily(config, visit, evening.astimezone(BERLIN).date(), folder / "out", evening)
    assert _days(schedule.due_reports(config, visit, _local(2026, 10, 7, 2, 30))) == ["2026-10-06"]


def test_a_late_call_has_its_day_reported_again(config, visit, folder: Path):
    jobs.ingest_sources(config, visit, _local(2026, 10, 7, 2, 20))
    schedule.due_reports(config, visit, _local(2026, 10, 7, 2, 30))
    with (folder / "logs" / "late.jsonl").open("w") as log:
        log.write('{"tollbook": 1, "ts": "2026-10-06T09:00:00Z", "call_id": "late", "input_tokens": 5}\n')
    jobs.ingest_sources(config, visit, _local(2026, 10, 7, 3, 0))
    again = schedule.due_reports(config, visit, _local(2026, 10, 7, 3, 10))
    assert _days(again) == ["2026-10-06"]
    assert again[0].daily.health.late_requests == 1
    assert schedule.due_reports(config, visit, _local(2026, 10, 7, 3, 20)) == []


def _fired(config: Configuration, start: datetime, times: int) -> list[datetime]:
    trigger, fired = schedule.report_trigger(config), []
    for _ in range(times):
        fired.append(trigger.get_next_fire_time(fired[-1] if fired else None, fired[-1] if fired else start))
    return [moment.astimezone(UTC) for moment in fired]


def test_the_report_hour_comes_once_in_the_night_on_which_clocks_go_back(config):
    assert _fired(config, _local(2026, 10, 24, 12, 0), 3) == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
        datetime(2026, 10, 27, 1, 30, tzinfo=UTC),
    ]


def test_the_report_hour_comes_an_hour_later_where_clocks_skip_it(config):
    assert _fired(config, _local(2027, 3, 27, 12, 0), 2) == [
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 29, 0, 30, tzinfo=UTC),
    ]


def test_the_doubled_half_past_two_of_autumn_renders_once(config, visit):
    twice = [_local(2026, 10, 25, 2, 30), _local(2026, 10, 25, 2, 30, fold=1)]
    assert [_days(schedule.due_reports(config, visit, moment)) for moment in twice] == [["2026-10-24"], []]


def test_each_day_of_a_clock_change_has_its_own_length(config, visit):
    autumn = schedule.due_reports(config, visit, _local(2026, 10, 26, 2, 30))[0].daily
    spring = schedule.due_reports(config, visit, _local(2027, 3, 29, 2, 30))[-1].daily
    assert autumn.period_end - autumn.period_start == timedelta(hours=25)
    assert spring.period_end - spring.period_start == timedelta(hours=23)


def _shift(config: Configuration, visit, now: datetime) -> schedule.Shift:
    return schedule.Shift(config, visit, lambda: now, threading.Event(), BackgroundScheduler())


def test_a_report_that_could_not_be_had_is_tried_again_within_minutes(config, folder: Path):
    def held():
        raise store.LedgerHeldError("held by somebody")

    shift = _shift(config, held, _local(2026, 10, 7, 2, 30))
    schedule.work("report", shift)
    assert [job.id for job in shift.scheduler.get_jobs()] == ["report again"]


def test_a_bug_is_recorded_and_raised(config, visit, monkeypatch):
    def broken(_: schedule.Shift) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(schedule, "JOBS", {"check": broken})
    with pytest.raises(ZeroDivisionError):
        schedule.work("check", _shift(config, visit, _local(2026, 10, 7, 2, 30)))
    with visit() as ledger:
        assert ledger.rows("SELECT job, outcome, detail FROM job_runs") == [
            ("check", "failed", "ZeroDivisionError: a bug")
        ]


def test_a_long_ingest_stops_at_its_next_commit_when_told_to(config, visit, folder: Path):
    shift = _shift(config, visit, _local(2026, 10, 7, 2, 30))
    shift.stopping.set()
    with (folder / "logs" / "more.jsonl").open("w") as log:
        log.write('{"tollbook": 1, "ts": "2026-10-06T09:00:00Z", "call_id": "more", "input_tokens": 5}\n')
    schedule.work("ingest", shift)
    jobs.ingest_sources(config, visit, _local(2026, 10, 7, 2, 40))
    with visit() as ledger:
        assert ledger.rows("SELECT count(*), count(DISTINCT request_id) FROM requests") == [(10, 10)]
