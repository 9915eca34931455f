"""Killed at any moment and started again, the ledger is the one made in one go."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from collector.ingest import Intake, ingest
from collector.sources import discover
from ledger import store

RECORDS = 4_000
KILLS = 10
_START = datetime(2026, 10, 5, tzinfo=UTC)


def _lines(name: str) -> list[str]:
    chance = random.Random(name)
    return [_line(name, number, chance) for number in range(RECORDS)]


def _line(name: str, number: int, chance: random.Random) -> str:
    if number % 997 == 0:
        return '{"tollbook":1,"ts":"broken"\n'
    record = {
        "tollbook": 1,
        "ts": (_START + timedelta(seconds=10 * number)).isoformat(),
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
    for name in "abc":
        (folder / "logs" / f"{name}.jsonl").write_text("".join(_lines(name)))
    with gzip.open(folder / "logs" / "d.jsonl.gz", "wt") as packed:
        packed.writelines(_lines("d"))


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


def _in_one_go(folder: Path) -> dict[str, pl.DataFrame]:
    path = folder / "whole.duckdb"
    files = discover(["logs/*"], folder)
    ingest(files, lambda: store.open(path), Intake(), datetime(2026, 10, 7, tzinfo=UTC))
    return _contents(path)


@pytest.mark.parametrize("seed", [11, 29])
def test_ten_kills_of_ingest_and_run_lose_and_double_nothing(tmp_path: Path, spawn, seed: int):
    _write_logs(tmp_path)
    (tmp_path / "tollbook.toml").write_text(
        '[[source]]\npath = "logs/*"\n[run]\ningest_every = "1s"\ncheck_every = "1s"\n'
        '[report]\ndaily = {at = "00:00"}\n[[budget]]\nhard_usd = 1\n'
        '[[channel]]\nname = "notes"\ntype = "file"\npath = "notes.jsonl"\n'
    )
    chance = random.Random(seed)
    for kill in range(KILLS):
        command = "ingest" if kill % 2 else "run"
        with spawn(tmp_path, command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.5, 1.6))
            process.kill()
    with spawn(tmp_path, "ingest", stdout=subprocess.PIPE) as process:
        assert process.wait(60) == 0
    found, expected = _contents(tmp_path / "tollbook.duckdb"), _in_one_go(tmp_path)
    for name in expected:
        assert found[name].equals(expected[name]), name
