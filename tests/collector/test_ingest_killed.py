"""An ingest that is killed at any moment and run again loses and doubles nothing."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN = "from tollbook.cli import main; main()"
KILLS = int(os.environ.get("TOLLBOOK_TEST_KILLS", "5"))


def started(ledger: Path, logs: list[Path]) -> subprocess.Popen[bytes]:
    words = ["ingest", "--quiet", "--ledger", str(ledger), *map(str, logs)]
    # Without a key in the environment, so that making the key file can be hit as well.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLBOOK")}
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def logs(books, chat_record, as_lines) -> list[Path]:
    """Records enough for several commits, plain and compressed, with twins and broken lines."""
    records = [as_lines([chat_record(number)]) for number in range(5_600)]
    records[100:100] = [b"broken\n", records[3]]
    return [
        books.file("a.jsonl", b"".join(records[:5_300])),
        books.file("b.jsonl.gz", gzip.compress(b"".join(records[5_000:]), 1)),
        books.file("c.jsonl", b"".join(records[:40])),
    ]


def test_killed_at_random_moments_it_ends_as_if_never_killed(books, logs, monkeypatch):
    dice = random.Random(7)
    for _ in range(KILLS):
        process = started(books.ledger, logs)
        time.sleep(dice.uniform(0.5, 3.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = started(books.ledger, logs)
    _, complaint = last.communicate(timeout=60)
    assert (last.returncode, complaint) == (0, b"")
    monkeypatch.delenv("TOLLBOOK_KEY")
    assert books.rows("SELECT count(*), count(DISTINCT request_id) FROM requests") == [(5_600, 5_600)]
    assert books.rows("SELECT sum(input_tokens)::BIGINT FROM requests") == [(sum(range(60, 5_660)),)]
    assert [reason for _, reason in books.reasons()] == [
        "invalid JSON: JSON is malformed: invalid character (byte 0)"
    ]
    assert books.rows("SELECT count(*) FROM sources") == [(3,)]


def test_two_ingests_at_once_take_turns(books, logs, monkeypatch):
    both = [started(books.ledger, logs) for _ in range(2)]
    complaints = [process.communicate(timeout=90)[1] for process in both]
    assert ([process.returncode for process in both], complaints) == ([0, 0], [b"", b""])
    monkeypatch.delenv("TOLLBOOK_KEY")
    assert books.rows("SELECT count(*), count(DISTINCT request_id) FROM requests") == [(5_600, 5_600)]
