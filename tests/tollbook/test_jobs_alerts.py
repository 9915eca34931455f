"""Checks over a real ledger and a real web server: told once, replayed quietly, nothing from a backfill."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ledger import store
from tollbook import jobs
from tollbook.config import Configuration, load

MORNING = datetime(2026, 10, 7, 7, tzinfo=UTC)


class Receiver(HTTPServer):
    """A web address that keeps what it is sent; the first `refusals` posts are turned away."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, object]]] = []
        self.refusals = 0


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refusals:
            self.server.refusals -= 1
            self.send_response(503)
        else:
            self.server.received.append((self.headers["Idempotency-Key"], body))
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def config(folder: Path, receiver: Receiver, monkeypatch) -> Configuration:
    monkeypatch.setenv("ONCALL_URL", f"http://127.0.0.1:{receiver.server_port}/hook")
    with (folder / "tollbook.toml").open("a") as file:
        file.write('\n[[channel]]\nname = "oncall"\ntype = "webhook"\nurl_env = "ONCALL_URL"\n')
        file.write('\n[[route]]\nmatch = {severity = "page"}\nchannels = ["oncall"]\n')
        file.write("\n[[route]]\nmatch = {}\nchannels = []\n")
    return load(folder / "tollbook.toml")


@pytest.fixture
def visit(folder: Path):
    return lambda: store.open(folder / "tollbook.duckdb")


@pytest.fixture
def booked(config: Configuration, visit) -> Configuration:
    jobs.ingest_sources(config, visit, MORNING)
    return config


def _check(config: Configuration, visit, now: datetime, clock: datetime | None = None) -> jobs.Check:
    return jobs.check(config, visit, now, lambda: clock or now)


def test_each_incident_is_posted_once_however_often_it_is_checked(booked, visit, receiver):
    for minutes in (0, 5, 10):
        _check(booked, visit, MORNING + timedelta(minutes=minutes))
    assert len(receiver.received) == 1
    key, body = receiver.received[0]
    assert "$18.00 spent of the hard monthly budget" in json.dumps(body)
    assert key


def test_a_post_that_failed_is_tried_again_under_the_same_key_later(booked, visit, receiver):
    receiver.refusals = 1
    first = _check(booked, visit, MORNING)
    assert (first.delivery.sent, first.delivery.failed) == (0, 1)
    assert receiver.received == []
    second = _check(booked, visit, MORNING + timedelta(minutes=5))
    assert second.delivery.sent == 1
    assert len(receiver.received) == 1


def test_a_month_after_the_books_were_filled_only_their_age_is_news(booked, visit, receiver):
    done = _check(booked, visit, datetime(2026, 12, 10, tzinfo=UTC))
    assert {finding.rule for finding in done.findings} == {"collector_stale"}
    assert receiver.received == []


def test_the_configuration_in_force_is_kept_once_and_its_change_is_audited(booked, visit, folder: Path):
    _check(booked, visit, MORNING)
    with (folder / "tollbook.toml").open("a") as file:
        file.write('\n[[envelope]]\nworkflow = "digest"\ninput = {p95 = 10}\n')
    changed = load(folder / "tollbook.toml")
    _check(changed, visit, MORNING + timedelta(hours=1))
    with visit() as ledger:
        kept = ledger.rows("SELECT digest FROM config_versions ORDER BY in_force_from")
        audited = ledger.rows("SELECT detail FROM audit WHERE action = 'config.changed' ORDER BY happened_at")
    assert kept == [(booked.digest,), (changed.digest,)]
    assert audited == [(f"from none to {booked.digest}",), (f"from {booked.digest} to {changed.digest}",)]


def test_a_report_says_when_the_price_book_is_of(booked, visit):
    with visit() as ledger:
        health = jobs.daily_of(ledger, booked, jobs.last_whole_day(booked, MORNING), MORNING).health
    assert health.price_book.startswith("genai-prices ")
    assert health.price_book_date is not None
    assert health.price_book_date <= MORNING.date()


def test_a_budget_is_named_by_whom_it_is_for(booked):
    from tollbook import parts

    assert [budget.name for budget in parts.budgets(booked.settings)] == ["acme"]


def test_the_last_whole_day_is_that_of_the_reporting_zone(folder: Path, monkeypatch):
    monkeypatch.setenv("TOLLBOOK_REPORT__TIMEZONE", "Pacific/Auckland")
    config = load(folder / "tollbook.toml")
    # 12:30 UTC on 6 October is 01:30 on 7 October in Auckland.
    assert str(jobs.last_whole_day(config, datetime(2026, 10, 6, 12, 30, tzinfo=UTC))) == "2026-10-06"


def _kept(visit) -> list[list[tuple[object, ...]]]:
    with visit() as ledger:
        tables = ("incidents", "notifications", "controls", "config_versions", "job_runs")
        return [ledger.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]


def test_a_replay_of_a_moment_before_the_newest_check_only_looks(booked, visit, receiver):
    _check(booked, visit, MORNING)
    kept, told = _kept(visit), len(receiver.received)
    done = _check(booked, visit, MORNING - timedelta(hours=20), clock=MORNING)
    assert done.is_past
    assert [incident.rule.startswith("budget_hard") for incident in done.incidents] == [True]
    assert (done.changed, _kept(visit), len(receiver.received)) == (0, kept, told)


def test_a_replay_of_long_ago_posts_nothing_anywhere(booked, visit, receiver):
    done = _check(booked, visit, MORNING, clock=MORNING + timedelta(hours=49))
    assert "page" in {incident.severity for incident in done.incidents}
    assert receiver.received == []


def test_a_replay_within_the_time_to_deliver_still_posts(booked, visit, receiver):
    _check(booked, visit, MORNING, clock=MORNING + timedelta(hours=47))
    assert len(receiver.received) == 1


def test_a_replay_of_long_ago_still_writes_to_files(booked, visit, folder: Path):
    settings = (folder / "tollbook.toml").read_text().replace('channels = ["oncall"]', 'channels = ["log"]')
    (folder / "tollbook.toml").write_text(
        settings + '\n[[channel]]\nname = "log"\ntype = "file"\npath = "told.jsonl"\n'
    )
    _check(load(folder / "tollbook.toml"), visit, MORNING, clock=MORNING + timedelta(days=20))
    assert len((folder / "told.jsonl").read_text().splitlines()) == 1


def test_a_replay_records_no_configuration_again(booked, visit, folder: Path):
    with (folder / "tollbook.toml").open("a") as file:
        file.write('\n[[envelope]]\nworkflow = "digest"\ninput = {p95 = 10}\n')
    changed = load(folder / "tollbook.toml")
    jobs.record_configuration(changed, visit, MORNING + timedelta(hours=1))
    for config in (booked, changed, booked):
        jobs.record_configuration(config, visit, MORNING)
    with visit() as ledger:
        kept = ledger.rows("SELECT digest FROM config_versions ORDER BY in_force_from")
    assert kept == [(booked.digest,), (changed.digest,)]


def test_two_runs_of_one_process_id_are_two_workers():
    assert jobs.worker_name() != jobs.worker_name()
