"""A report of a moment tells what was known at it, and tells late what changed a published number."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from alerts import book
from ledger import store
from tollbook import jobs, parts
from tollbook.config import Configuration, load

MORNING = datetime(2026, 10, 7, 7, tzinfo=UTC)
TUESDAY = date(2026, 10, 6)


@pytest.fixture
def visit(folder: Path):
    return lambda: store.open(folder / "tollbook.duckdb")


@pytest.fixture
def booked(folder: Path, visit) -> Configuration:
    config = load(folder / "tollbook.toml")
    jobs.ingest_sources(config, visit, MORNING)
    return config


def _daily(config: Configuration, visit, now: datetime):
    with visit() as ledger:
        return jobs.daily_of(ledger, config, TUESDAY, now)


def _hard(incidents) -> list[str]:
    return [each.state for each in incidents if each.rule.startswith("budget_hard")]


def test_an_incident_of_the_future_is_in_no_report(booked, visit):
    jobs.check(booked, visit, MORNING, lambda: MORNING)
    assert _hard(_daily(booked, visit, MORNING).incidents) == ["firing"]
    assert _daily(booked, visit, MORNING - timedelta(minutes=1)).incidents == ()


def test_an_incident_resolved_later_was_open_then(booked, visit):
    from alerts.evaluation import act

    jobs.check(booked, visit, MORNING, lambda: MORNING)
    later = MORNING + timedelta(hours=1)
    with visit() as ledger:
        found = next(each for each in book.load_open(ledger) if each.rule.startswith("budget_hard"))
        act(ledger, found.incident_id, book.Verb.RESOLVE, parts.policy(booked), later)
    assert _hard(_daily(booked, visit, MORNING).incidents) == ["firing"]
    assert _hard(_daily(booked, visit, later).incidents) == ["resolved"]


def test_a_commit_of_the_future_is_not_the_last(booked, visit):
    assert _daily(booked, visit, MORNING).health.last_commit == MORNING
    assert _daily(booked, visit, MORNING - timedelta(hours=1)).health.last_commit is None


def _late(config: Configuration, visit, folder: Path, rendered: datetime) -> int:
    """How many rows are late after a report at that time and one more call of the day on the next morning."""
    jobs.report_daily(config, visit, TUESDAY, folder / "out", rendered)
    with (folder / "logs" / "late.jsonl").open("w") as log:
        log.write('{"tollbook": 1, "ts": "2026-10-06T09:00:00Z", "call_id": "late", "input_tokens": 5}\n')
    now = MORNING + timedelta(hours=2)
    jobs.ingest_sources(config, visit, now)
    return _daily(config, visit, now).health.late_requests


def test_what_comes_after_the_report_of_its_whole_day_is_late(booked, visit, folder: Path):
    assert _late(booked, visit, folder, MORNING) == 1


def test_nothing_is_late_for_a_report_of_a_day_that_still_ran(booked, visit, folder: Path):
    assert _late(booked, visit, folder, datetime(2026, 10, 6, 20, tzinfo=UTC)) == 0
