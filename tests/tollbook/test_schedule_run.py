"""`tollbook run` in a process of its own: it follows a growing log, waits its turn, and leaves when told."""

from __future__ import annotations

import json
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger import store

QUICK = '\n[run]\ningest_every = "1s"\ncheck_every = "1s"\nmetrics_file = "tollbook.prom"\n'


@pytest.fixture
def running(folder: Path, spawn) -> Iterator[subprocess.Popen[str]]:
    with (folder / "tollbook.toml").open("a") as config:
        config.write(QUICK)
    with (folder / "log").open("w") as log:
        with spawn(folder, "run", "--log-json", stdout=subprocess.DEVNULL, stderr=log) as process:
            yield process
            process.kill()


def _until(holds: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.1)


def _count(folder: Path) -> object:
    with store.open(folder / "tollbook.duckdb") as ledger:
        return ledger.rows("SELECT count(*) FROM requests")[0][0]


def _events(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log").read_text().splitlines()]


def _stop(process: subprocess.Popen[str]) -> float:
    started = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    return time.monotonic() - started


def test_lines_written_while_it_runs_are_booked_and_nothing_is_lost_at_the_end(folder: Path, running):
    _until(lambda: (folder / "tollbook.prom").exists())
    line = (folder / "logs" / "two-days.jsonl").read_text().splitlines()[0]
    with (folder / "logs" / "live.jsonl").open("a") as log:
        for number in range(30):
            log.write(line.replace("mon-1", f"live-{number}") + "\n")
            log.flush()
            time.sleep(0.05)
    _until(lambda: _count(folder) == 39)
    assert _stop(running) < 10
    assert running.returncode == 0
    events = _events(folder)
    assert events[-1]["event"] == "stopped"
    assert sum(int(str(each["added"])) for each in events if each["event"] == "ingested") == 39
    assert {each["level"] for each in events} == {"info"}


def test_a_half_written_line_waits_for_its_end(folder: Path, running):
    line = (folder / "logs" / "two-days.jsonl").read_text().splitlines()[0].replace("mon-1", "half") + "\n"
    with (folder / "logs" / "live.jsonl").open("a") as log:
        log.write(line[:60])
        log.flush()
        _until(lambda: _count(folder) == 9)
        time.sleep(2)
        log.write(line[60:])
        log.flush()
        _until(lambda: _count(folder) == 10)
    _stop(running)
    with store.open(folder / "tollbook.duckdb") as ledger:
        assert ledger.rows("SELECT count(*) FROM rejects WHERE source_file LIKE '%live%'") == [(0,)]


def test_a_ledger_held_by_another_process_is_waited_for(folder: Path, running):
    _until(lambda: (folder / "tollbook.prom").exists())
    with _Holder(folder):
        line = (folder / "logs" / "two-days.jsonl").read_text().splitlines()[0]
        with (folder / "logs" / "live.jsonl").open("a") as log:
            log.write(line.replace("mon-1", "while-held") + "\n")
        time.sleep(2)
        assert running.poll() is None
    _until(lambda: _count(folder) == 10)
    assert _stop(running) < 10
    assert running.returncode == 0


def test_a_run_that_waits_for_a_held_ledger_leaves_at_once_when_told_to(folder: Path, running):
    _until(lambda: (folder / "tollbook.prom").exists())
    with _Holder(folder):
        time.sleep(2)
        assert _stop(running) < 4
    assert running.returncode == 0


class _Tarpit(socketserver.ThreadingTCPServer):
    """A web address that takes connections and never answers."""

    daemon_threads = True
    block_on_close = False
    met: threading.Event


class _Silent(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.server.met.set()
        time.sleep(60)


def test_a_channel_that_never_answers_holds_up_no_stop(folder: Path, spawn):
    line = (folder / "logs" / "two-days.jsonl").read_text().splitlines()[0]
    now = datetime.now(UTC)
    with (folder / "logs" / "now.jsonl").open("w") as log:
        for tenant in "abcd":
            call = line.replace("mon-1", tenant).replace("2026-10-05T09:00:00Z", f"{now:%Y-%m-%dT%H:%M:%SZ}")
            log.write(call.replace("acme", tenant) + "\n")
    with _Tarpit(("127.0.0.1", 0), _Silent) as pit:
        pit.met = threading.Event()
        thread = threading.Thread(target=pit.serve_forever, args=[0.05], daemon=True)
        thread.start()
        (folder / "url").write_text(f"http://127.0.0.1:{pit.server_address[1]}/hook")
        with (folder / "tollbook.toml").open("a") as config:
            config.write('\n[[budget]]\ntenant = "*"\nperiod = "day"\nhard_usd = 0.01\n')
            config.write('\n[[channel]]\nname = "pit"\ntype = "webhook"\nurl_file = "url"\n' + QUICK)
        with spawn(folder, "run", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            assert pit.met.wait(20)
            assert _stop(process) < 8
            assert process.returncode == 0
        pit.shutdown()
        thread.join()


class _Holder:
    """Another process with the ledger open: DuckDB lets only one in, so it waits its turn like everybody."""

    code = (
        "import duckdb, time; held = duckdb.connect('tollbook.duckdb'); "
        "print('held', flush=True); time.sleep(60)"
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self._process = subprocess.Popen(
                [sys.executable, "-c", self.code],
                cwd=self._folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if self._process.stdout.readline() == b"held\n":
                return
            self.__exit__()
        raise AssertionError("the ledger was never free")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def test_a_run_without_a_source_is_refused_at_once(tollbook, folder: Path):
    (folder / "tollbook.toml").write_text("")
    refused = tollbook("run")
    assert refused.code == 2
    assert "no [[source]]" in refused.err


def test_the_metrics_file_says_what_is_in_the_ledger(folder: Path, running):
    place = folder / "tollbook.prom"
    _until(lambda: place.exists() and 'job="check"' in place.read_text())
    _stop(running)
    lines = place.read_text().splitlines()
    assert "tollbook_requests 9.0" in lines
    assert "tollbook_rejects 2.0" in lines
    assert "tollbook_unpriced_requests 1.0" in lines
