"""Parts are made on a real cluster of processes; what goes wrong there is a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

pytest.importorskip("distributed")

from collector import cluster, rollups
from collector.cluster import Described, Target, make_all, target
from collector.ingest import Intake
from collector.part_loading import load_parts
from collector.parts import Order, make_parts
from collector.rollup_loading import load_sums
from collector.sources import SourceError
from ledger.keys import key_id

KEY = bytes(32)
NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)
SOURCES = 8


def orders(logs, place) -> list[Order]:
    return [Order(str(log), str(place), Intake(), NOW, key_id(KEY)) for log in logs]


@pytest.fixture
def logs(books, chat_record, as_lines) -> list[Path]:
    """Sources of enough records to be caught while they are read."""
    return [
        books.file(
            f"{n}.jsonl", as_lines([chat_record(1000 * n + i, text=f"{n} {i} " * 40) for i in range(100)])
        )
        for n in range(SOURCES)
    ]


def started(*command: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TOLLBOOK_KEY": KEY.hex()}
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


@pytest.fixture
def scheduler(tmp_path) -> Iterator[tuple[Target, subprocess.Popen[bytes], list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers without nannies, each a process of its own."""
    told = tmp_path / "scheduler.json"
    flags = ("--scheduler-file", str(told), "--no-dashboard")
    with ExitStack() as stack:
        head = ended(
            stack, started("distributed.cli.dask_scheduler", *flags, "--host", "127.0.0.1", "--port", "0")
        )
        while not told.exists() or not told.read_text():
            time.sleep(0.05)
        worker = (
            "distributed.cli.dask_worker",
            *flags,
            "--nthreads",
            "1",
            "--no-nanny",
            "--host",
            "127.0.0.1",
        )
        hands = [ended(stack, started(*worker, "--local-directory", str(tmp_path))) for _ in range(2)]
        import json

        yield Target(json.loads(told.read_text())["address"]), head, hands


def ended(stack: ExitStack, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def test_a_local_cluster_makes_what_one_process_makes(logs, tmp_path):
    told: list[str] = []
    wanted = [*logs[:3], tmp_path / "gone.jsonl"]
    found = make_all(
        orders(wanted, tmp_path / "far"), Target(workers=2), KEY, lambda made: told.append(made.source)
    )
    near = [make_parts(order, KEY) for order in orders(wanted, tmp_path / "near")]
    assert found == near
    assert sorted(told) == sorted(str(path) for path in wanted)
    assert found[3].problem == f"cannot read {wanted[3]}: No such file or directory"


def test_sums_made_on_a_cluster_are_those_made_here(books, open_books, logs, tmp_path):
    place = str(tmp_path / "parts")
    for order in orders(logs[:2], place):
        make_parts(order, KEY)
    here = open_books()
    for found, each in ((books, cluster.on_cluster(Target(workers=1), KEY)), (here, rollups.here)):
        assert load_sums(place, found.visit, (), NOW + timedelta(days=9), each).calls == 200
    assert books.rows("SELECT * FROM rollup ORDER BY ALL") == here.rows("SELECT * FROM rollup ORDER BY ALL")


def test_a_killed_worker_and_a_killed_scheduler_change_nothing(books, open_books, logs, tmp_path, scheduler):
    where, head, hands = scheduler
    place = tmp_path / "parts"

    def strike(made) -> None:
        if hands[0].poll() is None:
            hands[0].send_signal(signal.SIGKILL)
        elif head.poll() is None:
            head.send_signal(signal.SIGKILL)

    with pytest.raises(SourceError, match=f"went away; after [0-9]+ of {SOURCES} sources"):
        make_all(orders(logs, place), where, KEY, strike)
    again = make_all(orders(logs, place), Target(workers=2), KEY)
    assert any(made.kept for made in again)
    assert [made.problem for made in again] == [None] * SOURCES
    load_parts(str(place), books.visit, (), NOW)
    read = open_books()
    read.ingest(*logs)
    assert books.requests() == read.requests()


def test_no_scheduler_is_a_sentence_within_the_time_given(monkeypatch, logs, tmp_path):
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with pytest.raises(SourceError, match="no Dask scheduler answers at tcp://127.0.0.1:9 "):
        make_all(orders(logs, tmp_path), Target("tcp://127.0.0.1:9"), KEY)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("local:3", Target(None, 3)),
        ("dask://local:2", Target(None, 2)),
        ("local", Target(None, os.cpu_count())),
        ("dask://10.0.0.4:8786", Target("tcp://10.0.0.4:8786")),
        ("dask://books.example", Target("tcp://books.example:8786")),
        ("dask://[::1]", Target("tcp://[::1]:8786")),
        ("dask+tls://books.example:9000", Target("tls://books.example:9000")),
    ],
)
def test_on_names_a_cluster(text, meant):
    assert target(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "local:0",
        "local:x",
        "spark://host",
        "dask://",
        "tcp://host:1",
        "dask://host:99999",
        "dask://host:0",
        "dask://host:port",
        "dask://[::1",
        "dask://host:1/folder",
        "dask://host:1?a=b",
    ],
)
def test_what_names_no_cluster_is_refused(text):
    with pytest.raises(SourceError, match="names no cluster"):
        target(text)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(SourceError, match="…@host:1' names no cluster") as refused:
        target("dask://user:secret@host:1")
    assert "secret" not in str(refused.value)


def test_a_server_that_is_no_scheduler_is_a_sentence(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_S", 1)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        where = Target(f"tcp://127.0.0.1:{server.server_port}")
        with pytest.raises(SourceError, match="no Dask scheduler answers at"):
            make_all([], where, KEY)


def test_a_worker_that_joined_late_sums_up_only_where_it_is_like_the_others():
    assert cluster.alike(len, "four", cluster.versions()) == 4
    with pytest.raises(SourceError, match="joined late is not like the others: tollbook is"):
        cluster.alike(len, "four", (*cluster.versions()[:3], ("tollbook", "0.0")))


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("tcp://127.0.0.1:8786", True),
        ("tcp://[::1]:8786", True),
        ("tls://10.0.0.4:8786", True),
        ("tcp://10.0.0.4:8786", False),
        ("tcp://books.example:8786", False),
    ],
)
def test_the_key_is_lent_only_where_nobody_else_can_read_it(address, private):
    assert cluster.is_private(address) is private


def test_a_worker_with_other_counting_rules_is_refused_by_name():
    expected = cluster.versions()
    other = (("counting rules", "1999-01.1"), *expected[1:])
    with pytest.raises(
        SourceError, match="tcp://w:1 is not like this machine: counting rules is 1999-01.1 there"
    ):
        cluster.check_alike("tcp://w:1", Described(other, None), expected)


def test_a_worker_without_tollbook_is_refused_by_name():
    with pytest.raises(SourceError, match="tcp://w:1 cannot run tollbook .No module named 'collector'."):
        cluster.check_alike(
            "tcp://w:1", ModuleNotFoundError("No module named 'collector'"), cluster.versions()
        )


def test_a_worker_without_the_key_is_refused_on_an_open_connection():
    with pytest.raises(SourceError, match="has no key, the ledger's is .* TOLLBOOK_KEY_FILE"):
        cluster.check_key("tcp://w:1", None, key_id(KEY))


def test_the_lent_key_does_not_show_in_a_plugin_listing():
    assert KEY.hex() not in repr(cluster.KeyPlugin("run", KEY))
