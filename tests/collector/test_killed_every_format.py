"""Killed while it reads every format there is, with steps, parts and bills, an ingest ends as in one go."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = "from tollbook.cli import main; main()"
KILLS = int(os.environ.get("TOLLBOOK_TEST_KILLS", "4"))
# When something was done, not what came of it.
MOMENTS = {
    "ingested_at",
    "read_at",
    "rejected_at",
    "first_seen",
    "last_seen",
    "added_at",
    "used_at",
    "kept_at",
}
WRITTEN = 1_791_200_000
TABLES = [
    "requests",
    "record_parts",
    "spans",
    "bills",
    "rejects",
    "sources",
    "newer_records",
    "prompt_versions",
]


def run(folder: Path, ledger: str) -> subprocess.Popen[bytes]:
    words = ["ingest", "--quiet", "--ledger", ledger, "logs", "--as-of", "2026-11-01T00:00:00Z"]
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        cwd=folder,
        env={**os.environ, "TOLLBOOK_KEY": "00" * 32},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def folder(tmp_path, samples) -> Path:
    """Every sample eight times, so that there are files enough to be killed between."""
    for turn in range(8):
        place = tmp_path / "logs" / str(turn)
        shutil.copytree(samples / "formats", place)
        for path in place.iterdir():
            os.utime(path, (WRITTEN, WRITTEN))
    return tmp_path


def contents(path: Path) -> dict[str, list[str]]:
    from ledger import store

    found = {}
    with store.open(path) as ledger:
        for table in TABLES:
            frame = ledger.frame(f"SELECT * FROM {table}")
            kept = frame.drop([name for name in frame.columns if name in MOMENTS])
            found[table] = sorted(map(repr, kept.rows()))
    return found


def test_every_format_killed_at_random_moments_gives_the_ledger_of_one_go(folder):
    started = time.monotonic()
    run(folder, "whole.duckdb").wait(60)
    took_s = time.monotonic() - started
    dice = random.Random(5)
    for _ in range(KILLS):
        process = run(folder, "killed.duckdb")
        time.sleep(dice.uniform(0.3, 1) * min(took_s, 8))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(folder, "killed.duckdb").wait(60)
    whole, killed = contents(folder / "whole.duckdb"), contents(folder / "killed.duckdb")
    assert len(whole["requests"]) > 100
    assert all(whole[table] for table in ("spans", "bills", "record_parts"))
    for table in TABLES:
        assert killed[table] == whole[table], table
