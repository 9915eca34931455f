"""The ledger file: short visits, its key, its version, who holds it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time

import duckdb
import pytest

from ledger import keys, migrate, store

HOLD = """
import sys, time
from ledger import store
with store.open(sys.argv[1]):
    print("open", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def holder(ledger_path):
    """A second process that keeps the ledger open for some seconds."""
    started = []

    def hold(seconds: float) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(ledger_path), str(seconds)], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_visit_waits_its_turn(ledger_path, holder):
    holder(0.6)
    before = time.monotonic()
    with store.open(ledger_path, wait_s=20):
        assert time.monotonic() - before > 0.2


def test_past_the_wait_the_holder_is_named(ledger_path, holder):
    process = holder(30)
    with (
        pytest.raises(
            store.LedgerHeldError, match=rf"process {process.pid}\) and did not come free in 0.2 s"
        ),
        store.open(ledger_path, wait_s=0.2),
    ):
        pass


def test_a_ledger_open_another_way_in_this_process_is_waited_for(ledger_path):
    with store.open(ledger_path):
        with pytest.raises(store.LedgerHeldError, match="held by another process"):
            with store.open(ledger_path, wait_s=0.1, read_only=True):
                pass


def test_a_newer_ledger_is_refused_with_what_to_do(ledger_path):
    with store.open(ledger_path) as ledger:
        ledger.execute("INSERT INTO schema_version VALUES (?, now()::TIMESTAMP)", [migrate.LATEST + 1])
    with pytest.raises(store.LedgerError, match="newer tollbook .* upgrade"), store.open(ledger_path):
        pass


def test_a_database_that_is_no_ledger_is_refused(ledger_path):
    connection = duckdb.connect(str(ledger_path))
    connection.execute("CREATE TABLE mine (a INT)")
    connection.close()
    (ledger_path.with_suffix(".key")).write_text("00" * 32)
    with pytest.raises(store.LedgerError, match="is a DuckDB file but no ledger"):
        with store.open(ledger_path):
            pass


def test_a_file_that_is_no_database_is_refused(ledger_path):
    ledger_path.write_text("hello, this is not a database " * 400)
    with pytest.raises(store.LedgerError, match="cannot open .* as a ledger"), store.open(ledger_path):
        pass


def test_the_key_is_made_with_the_ledger_and_for_its_owner_only(ledger_path, monkeypatch):
    monkeypatch.delenv("TOLLBOOK_KEY")
    with store.open(ledger_path) as ledger:
        key = ledger.key
    file = ledger_path.with_suffix(".key")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes.fromhex(file.read_text().strip()) == key


def test_another_key_is_refused(ledger_path, monkeypatch):
    with store.open(ledger_path):
        pass
    monkeypatch.setenv("TOLLBOOK_KEY", "11" * 32)
    with pytest.raises(store.LedgerError, match="does not belong to"), store.open(ledger_path):
        pass


def test_a_lost_key_is_named(ledger_path, monkeypatch):
    with store.open(ledger_path):
        pass
    monkeypatch.delenv("TOLLBOOK_KEY")
    with pytest.raises(keys.KeyFileError, match="put the key made with"), store.open(ledger_path):
        pass


def test_a_read_only_visit_can_write_nothing_and_read_no_file(ledger_path, tmp_path):
    with store.open(ledger_path):
        pass
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with store.open(ledger_path, read_only=True) as ledger:
        with pytest.raises(duckdb.Error):
            ledger.execute("DELETE FROM audit")
        with pytest.raises(store.QueryError):
            ledger.frame(f"SELECT * FROM read_csv('{tmp_path}/secret.csv')")


def test_extensions_are_never_fetched(ledger_path):
    with store.open(ledger_path) as ledger:
        found = ledger.rows(
            "SELECT name, value FROM duckdb_settings() WHERE name IN "
            "('autoinstall_known_extensions', 'autoload_known_extensions') ORDER BY name"
        )
    assert found == [("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false")]


def test_a_migration_copies_the_ledger_aside_and_says_how_to_go_back(ledger_path, monkeypatch, tmp_path):
    with store.open(ledger_path) as ledger:
        ledger.execute("INSERT INTO audit VALUES (TIMESTAMP '2026-10-01', 'kept', '')")
    monkeypatch.setattr(migrate, "LATEST", migrate.LATEST + 1)
    monkeypatch.setattr(
        migrate, "steps", lambda version: [(version + 1, "ALTER TABLE audit ADD COLUMN who VARCHAR;")]
    )
    said: list[str] = []
    with store.open(ledger_path, notice=said.append) as ledger:
        assert ledger.rows("SELECT action, who FROM audit") == [("kept", None)]
    copy = ledger_path.with_name(ledger_path.name + f".v{migrate.LATEST - 1}.bak")
    assert copy.exists()
    assert "to go back" in said[0]
    assert str(copy) in said[0]


def test_a_command_ends_without_a_word_from_the_database(ledger_path):
    script = (
        "from ledger import store\n"
        "def main():\n"
        f"    with store.open({str(ledger_path)!r}) as ledger:\n"
        "        ledger.append('audit', ledger.frame('SELECT * FROM audit'))\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
