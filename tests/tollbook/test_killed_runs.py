"""Killed at any moment and started again, the ledger and what was told are those of one go."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import polars as pl
import pytest

from alerts import messages, outbox
from collector.ingest import Intake, ingest
from collector.sources import discover
from ledger import store
from tollbook import jobs
from tollbook.config import Configuration, load

RECORDS = 4_000
KILLS = 10
# The last hour: old calls would be a backfill, of which nobody is told.
_START = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=RECORDS)
# A claim of a killed worker is taken over when its lease is over.
_LEASE_OVER = outbox.LEASE + timedelta(minutes=1)


def _lines(name: str) -> list[str]:
    chance = random.Random(name)
    return [_line(name, number, chance) for number in range(RECORDS)]


def _line(name: str, number: int, chance: random.Random) -> str:
    if number % 997 == 0:
        return '{"tollbook":1,"ts":"broken"\n'
    record = {
        "tollbook": 1,
        "ts": (_START + timedelta(seconds=number)).isoformat(),
        "call_id": f"killed-{name}-{number - number % 7 if number % 50 == 0 else number}",
        "tenant": chance.choice(["acme", "fabrikam", None]),
        "workflow": chance.choice(["digest", "search"]),
        "model": chance.choice(["gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5", "house-llama-9"]),
        "input_tokens": chance.randrange(1, 9000),
        "cache_read_tokens": chance.randrange(0, 3000),
        "output_tokens": chance.randrange(1, 900),
    }
    return json.dumps(record) + "\n"


def _write_logs(folder: Path) -> None:
    (folder / "logs").mkdir(parents=True)
    _grow_logs(folder, RECORDS)
    with gzip.open(folder / "logs" / "d.jsonl.gz", "wt") as packed:
        packed.writelines(_lines("d"))


def _grow_logs(folder: Path, records: int) -> None:
    """The plain logs as they are after so many records each."""
    for name in "abc":
        (folder / "logs" / f"{name}.jsonl").write_text("".join(_lines(name)[:records]))


def _contents(ledger_path: Path) -> dict[str, pl.DataFrame]:
    queries = {
        "requests": "SELECT * EXCLUDE (ingested_at) FROM requests ORDER BY request_id",
        "parts": "SELECT * EXCLUDE (ingested_at) FROM record_parts ORDER BY request_id, record_digest",
        "rejects": "SELECT * EXCLUDE (rejected_at) FROM rejects ORDER BY source_file, source_line",
        "positions": "SELECT path, position, lines, digest FROM sources ORDER BY path",
        "counts": "SELECT sum(added), sum(updated), sum(rejected) FROM ingest_runs",
    }
    with store.open(ledger_path) as ledger:
        return {name: ledger.frame(query) for name, query in queries.items()}


def _in_one_go(folder: Path) -> tuple[dict[str, pl.DataFrame], float]:
    """What nobody interrupted comes to, and the seconds that took."""
    path = folder / "whole.duckdb"
    files = discover(["logs/*"], folder)
    started = time.monotonic()
    ingest(files, lambda: store.open(path), Intake(), datetime.now(UTC))
    return _contents(path), time.monotonic() - started


def _check(config: Configuration, ledger_path: Path) -> None:
    """A last check, when no claim of a killed worker holds any more."""
    now = datetime.now(UTC)
    jobs.check(config, lambda: store.open(ledger_path), now, lambda: now + _LEASE_OVER)


def _incidents(ledger_path: Path) -> list[tuple[object, ...]]:
    """What is wrong at the end; what is wrong with half of the calls only is no longer found."""
    with store.open(ledger_path) as ledger:
        newest = "updated_at = (SELECT max(updated_at) FROM incidents)"
        return ledger.rows(
            f"SELECT rule, tenant, workflow, severity, state FROM incidents WHERE {newest} ORDER BY ALL"
        )


def _rows(ledger_path: Path) -> int:
    with store.open(ledger_path) as ledger:
        return cast("int", ledger.rows("SELECT count(*) FROM requests")[0][0])


def _state(ledger_path: Path) -> list[tuple[int, int]]:
    found = [path.stat() for path in ledger_path.parent.glob(f"{ledger_path.name}*")]
    return [(each.st_size, each.st_mtime_ns) for each in found]


def _kill_at_work(process: subprocess.Popen[str], ledger_path: Path, pause_s: float) -> None:
    """Kill a process so long after it has begun to write, unless it has ended."""
    before, latest = _state(ledger_path), time.monotonic() + 20
    while _state(ledger_path) == before and process.poll() is None and time.monotonic() < latest:
        time.sleep(0.01)
    with suppress(subprocess.TimeoutExpired):
        process.wait(pause_s)
    process.kill()


def _killed(folder: Path, spawn, seed: int, in_one_go_s: float) -> list[int]:
    """How many rows each kill left behind, of logs that grow from kill to kill.

    What waits is booked in one commit: the moments spread over it, however slow the machine is.
    """
    chance, left, path = random.Random(seed), [], folder / "tollbook.duckdb"
    for kill in range(KILLS):
        _grow_logs(folder, RECORDS * (kill + 1) // KILLS)
        command = "ingest" if kill % 2 else "run"
        with spawn(folder, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _kill_at_work(process, path, chance.uniform(0, min(in_one_go_s, 3)))
        left.append(_rows(path))
    with spawn(folder, "ingest", stdout=subprocess.PIPE) as process:
        assert process.wait(60) == 0
    return left


def _told(folder: Path) -> list[str]:
    """The dedup keys of all whole lines that were sent; a kill may leave half a line, sent again after it."""
    keys = []
    for line in (folder / "notes.jsonl").read_text().splitlines():
        with suppress(ValueError):
            keys.append(messages.decode(line).dedup_key)
    return keys


@pytest.mark.parametrize("seed", [29])
def test_ten_kills_of_ingest_and_run_lose_and_double_nothing(tmp_path: Path, spawn, seed: int):
    _write_logs(tmp_path)
    (tmp_path / "tollbook.toml").write_text(
        '[[source]]\npath = "logs/*"\n[run]\ningest_every = "1s"\ncheck_every = "1s"\n'
        '[report]\ndaily = {at = "00:00"}\n[[budget]]\nhard_usd = 1\n'
        '[[channel]]\nname = "notes"\ntype = "file"\npath = "notes.jsonl"\n'
    )
    expected, took_s = _in_one_go(tmp_path)
    left = _killed(tmp_path, spawn, seed, took_s)
    killed, config = tmp_path / "tollbook.duckdb", load(tmp_path / "tollbook.toml")
    found = _contents(killed)
    for name in expected:
        assert found[name].equals(expected[name]), name
    assert any(0 < rows < expected["requests"].height for rows in left), left
    _check(config, killed)
    told = _told(tmp_path)
    _check(config, tmp_path / "whole.duckdb")
    assert _incidents(killed) == _incidents(tmp_path / "whole.duckdb")
    with store.open(killed) as ledger:
        lives = ledger.rows("SELECT count(*), count(DISTINCT fingerprint) FROM incidents")
        queued = ledger.rows("SELECT dedup_key, state FROM notifications ORDER BY 1")
        hard = ledger.rows("SELECT count(*) FROM incidents WHERE rule = 'budget_hard_month'")
    assert (hard, len(set(lives[0]))) == ([(1,)], 1)
    assert queued == [(key, "sent") for key in sorted(set(told))]
