"""What the user must change is one sentence on standard error and exit code 2, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

MISTAKES = {
    "an unknown option": (("check", "--nope"), "No such option"),
    "an unknown command": (("chek",), "No such command"),
    "a bad date": (("report", "daily", "--date", "30.10.2026"), "'30.10.2026' is no day"),
    "a bad moment": (("check", "--as-of", "yesterday"), "--as-of 'yesterday' is no time"),
    "a bad assumed time": (("ingest", "logs", "--assume-time", "noon"), "--assume-time 'noon' is no time"),
    "an unknown format": (("ingest", "logs", "--format", "csv"), "there are auto, tollbook, table"),
    "a format without paths": (("ingest", "--format", "pair"), "are for paths"),
    "a missing file": (("ingest", "nowhere.jsonl"), "nothing to read at 'nowhere.jsonl'"),
    "a missing configuration": (("doctor", "--config", "no.toml"), "`tollbook init`"),
    "a missing ledger": (("check", "--ledger", "none.duckdb"), "no ledger at none.duckdb"),
    "a folder as ledger": (("check", "--ledger", "logs"), "is a folder"),
    "a text file as ledger": (
        ("check", "--ledger", "tollbook.toml"),
        "cannot open tollbook.toml as a ledger",
    ),
    "an unknown incident": (("incidents", "ack", "zz"), "no incident 'zz'"),
    "a silence without an end": (("incidents", "silence", "zz"), "--for 4h"),
    "a bad span": (("incidents", "silence", "zz", "--for", "long"), "write it as 30m, 4h or 2d"),
    "an option before the subcommand": (("incidents", "--ledger", "x", "ack", "zz"), "go after it"),
    "a running replay": (("run", "--as-of", "2026-10-07"), "use it with --once"),
    "a folder that cannot be": (("report", "daily", "--out", "tollbook.toml/x"), "cannot write a report"),
    "no query": (("sql", ""), "no query"),
    "a wrong query": (("sql", "SELECT nothing FROM requests"), '"nothing" not found'),
    "two queries": (("sql", "SELECT 1; SELECT 2"), "one query at a time"),
}


@pytest.mark.parametrize(("arguments", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_a_sentence_and_exit_code_2(desk_of_morning, arguments, sentence):
    done = desk_of_morning(*arguments)
    assert done.code == 2
    assert sentence in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err
    assert done.out == ""


def test_one_unreadable_file_does_not_keep_out_the_others(tollbook, folder: Path):
    (folder / "logs" / "noise.jsonl").write_text("this is no log\nat all\n")
    done = tollbook("ingest")
    assert done.code == 2
    assert "9 calls added" in done.out
    assert "noise.jsonl" in done.err


def test_a_ledger_held_too_long_names_its_holder(desk_of_morning, morning: Path):
    copy = Path(desk_of_morning("doctor").out.split("tollbook.duckdb")[0].split()[-1] + "tollbook.duckdb")
    code = (
        f"import duckdb, time; c = duckdb.connect({str(copy)!r}); print('held', flush=True); time.sleep(30)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout.readline() == b"held\n"
            started = time.monotonic()
            done = desk_of_morning("check", TOLLBOOK_LEDGER__WAIT="1s")
            assert time.monotonic() - started < 10
        finally:
            holder.kill()
    assert done.code == 2
    assert f"process {holder.pid}" in done.err
    assert "did not come free in 1 s" in done.err


def test_a_ledger_held_for_a_moment_is_waited_for(desk_of_morning):
    copy = Path(desk_of_morning("doctor").out.split("tollbook.duckdb")[0].split()[-1] + "tollbook.duckdb")
    code = f"import duckdb, time; c = duckdb.connect({str(copy)!r}); print('held', flush=True); time.sleep(2)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        assert desk_of_morning("incidents").code == 0


def test_a_ledger_of_a_newer_version_is_refused(desk_of_morning):
    copy = Path(desk_of_morning("doctor").out.split("tollbook.duckdb")[0].split()[-1] + "tollbook.duckdb")
    with duckdb.connect(str(copy)) as connection:
        connection.execute("INSERT INTO schema_version VALUES (999, current_timestamp)")
    done = desk_of_morning("check")
    assert done.code == 2
    assert "newer tollbook (ledger version 999" in done.err


def test_another_ledgers_key_is_refused(desk_of_morning):
    done = desk_of_morning("check", TOLLBOOK_KEY="22" * 32)
    assert done.code == 2
    assert "TOLLBOOK_KEY_FILE" in done.err


def test_a_file_that_may_not_be_read_is_named(tollbook, folder: Path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    secret = folder / "logs" / "secret.jsonl"
    secret.write_text("{}")
    secret.chmod(0)
    done = tollbook("ingest")
    assert done.code == 2
    assert "secret.jsonl" in done.err


def test_a_channel_without_its_secret_is_told_before_anything_is_sent(tollbook, folder: Path):
    tollbook("ingest")
    with (folder / "tollbook.toml").open("a") as config:
        config.write('\n[[channel]]\nname = "oncall"\ntype = "webhook"\nurl_env = "ONCALL_URL"\n')
    for command in (("check",), ("run",)):
        done = tollbook(*command)
        assert done.code == 2
        assert "ONCALL_URL is not set" in done.err
