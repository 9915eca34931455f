"""A full disk, a missing permission, a file that changes: a sentence, and nothing lost or doubled."""

from __future__ import annotations

import ctypes
import gzip
import json
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")
_DROP_CAPABILITY, _OVERRIDE, _READ_SEARCH = 24, 1, 2


def _call(number: int) -> str:
    return json.dumps(
        {
            "tollbook": 1,
            "ts": "2026-10-06T09:00:00Z",
            "call_id": f"damage-{number:08d}",
            "tenant": f"tenant-{number % 7}",
            "model": "gpt-4.1",
            "input_tokens": 1000 + number,
        }
    )


def _calls(first: int, count: int) -> str:
    return "".join(_call(number) + "\n" for number in range(first, first + count))


def _as_others() -> None:
    """In the child: have root keep to the permissions of files, as everybody else does."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (_OVERRIDE, _READ_SEARCH):
        prctl(_DROP_CAPABILITY, capability, 0, 0, 0)


@pytest.fixture
def run_as(spawn, folder: Path) -> Callable[..., tuple[int, str, str]]:
    """Run the command under a limit or without root's privileges."""

    def run(*args: str, before: Callable[[], None] = _as_others) -> tuple[int, str, str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": before}
        with spawn(folder, *args, **options) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    return run


@pytest.fixture
def logs(folder: Path) -> Iterator[Path]:
    (folder / "logs" / "two-days.jsonl").unlink()
    yield folder / "logs"
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)


def booked(tollbook, *more: str) -> list[object]:
    query = "SELECT count(*), count(DISTINCT request_id), sum(input_tokens)::BIGINT FROM requests"
    return json.loads(tollbook("sql", query, "--json", *more).out)["rows"][0]


def _sum(first: int, count: int) -> int:
    return sum(1000 + number for number in range(first, first + count))


@pytest.mark.parametrize("most", [200_000, 1_500_000])
def test_a_disk_that_is_full_at_any_moment_costs_nothing_but_another_run(logs, run_as, tollbook, most):
    (logs / "a.jsonl").write_text(_calls(0, 12_000))
    code, _, err = run_as(
        "ingest", *AS_OF, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    )
    assert (code, len(err.splitlines())) == (2, 1), err
    assert "make room" in err
    assert tollbook("ingest", *AS_OF).code == 0
    assert booked(tollbook) == [12_000, 12_000, _sum(0, 12_000)]
    assert tollbook("doctor", *AS_OF).code == 0


def test_one_file_without_permission_is_named_and_the_others_go_in(logs, run_as, tollbook):
    for name, first in (("a", 0), ("b", 10), ("c", 20)):
        (logs / f"{name}.jsonl").write_text(_calls(first, 10))
    (logs / "b.jsonl").chmod(0)
    code, out, err = run_as("ingest", *AS_OF)
    assert (code, err) == (2, f"tollbook: cannot read {logs}/b.jsonl: Permission denied\n")
    assert "20 calls added" in out
    (logs / "b.jsonl").chmod(0o644)
    assert run_as("ingest", *AS_OF)[0] == 0
    assert booked(tollbook) == [30, 30, _sum(0, 30)]


def test_a_folder_that_cannot_take_a_ledger_is_a_sentence(logs, run_as, folder):
    (logs / "a.jsonl").write_text(_calls(0, 3))
    (folder / "closed").mkdir(mode=0o555)
    code, _, err = run_as("ingest", "--ledger", "closed/books.duckdb", *AS_OF)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert "closed" in err
    assert "ermission denied" in err


def test_a_ledger_that_cannot_be_written_can_be_read_and_says_so(logs, run_as, tollbook, folder):
    (logs / "a.jsonl").write_text(_calls(0, 3))
    tollbook("ingest", *AS_OF)
    (logs / "b.jsonl").write_text(_calls(3, 3))
    (folder / "tollbook.duckdb").chmod(0o444)
    folder.chmod(0o555)
    code, _, err = run_as("ingest", *AS_OF)
    assert (code, len(err.splitlines())) == (2, 1), err
    assert "tollbook.duckdb" in err
    code, out, _ = run_as("sql", "SELECT count(*) AS n FROM requests", "--json")
    assert (code, json.loads(out)["rows"]) == (0, [[3]])
    folder.chmod(0o755)
    (folder / "tollbook.duckdb").chmod(0o644)
    tollbook("ingest", *AS_OF)
    assert booked(tollbook) == [6, 6, _sum(0, 6)]


def test_a_file_written_on_while_it_is_read_is_booked_to_the_last_line(logs, tollbook, spawn, folder):
    log = logs / "a.jsonl"
    log.write_text(_calls(0, 8_000))
    stop, written = threading.Event(), [8_000]

    def write_on() -> None:
        with log.open("a") as out:
            while not stop.is_set():
                line = _call(written[0]) + "\n"
                for half in (line[:40], line[40:]):
                    out.write(half)
                    out.flush()
                    time.sleep(0.0005)
                written[0] += 1

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        for _ in range(2):
            assert tollbook("ingest", *AS_OF).code == 0
    finally:
        stop.set()
        writer.join()
    tollbook("ingest", *AS_OF)
    count = written[0]
    assert booked(tollbook) == [count, count, _sum(0, count)]
    assert json.loads(tollbook("rejects", "--json").out)["total"] == 0


def test_a_file_cut_short_while_it_is_read_loses_and_doubles_nothing(logs, tollbook, spawn, folder):
    log = logs / "a.jsonl"
    log.write_text(_calls(0, 20_000))
    with spawn(folder, "ingest", *AS_OF, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        time.sleep(0.5)
        with gzip.open(logs / "a.jsonl.1.gz", "wt") as packed:
            packed.write(_calls(0, 20_000))
        log.write_text(_calls(20_000, 50))
    (folder / "tollbook.toml").write_text('[[source]]\npath = "logs/a.jsonl*"\n')
    tollbook("ingest", *AS_OF)
    assert booked(tollbook) == [20_050, 20_050, _sum(0, 20_050)]
