"""A new key is the ledger's or is not, wherever the change is killed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from ledger import keys, store
from ledger.key_change import rotate

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def own_key(ledger_path, monkeypatch):
    """A ledger whose key is a file beside it."""
    monkeypatch.delenv("TOLLBOOK_KEY")
    with store.open(ledger_path) as ledger:
        ledger.execute("INSERT INTO token_cache VALUES ('\\x01'::BLOB, 7, TIMESTAMP '2026-10-01')")
        return ledger.key


def test_the_ledger_takes_the_new_key_and_knows_the_former_by_its_id(ledger_path, own_key):
    with store.open(ledger_path) as ledger:
        change = rotate(ledger, NOW)
    with store.open(ledger_path) as ledger:
        assert ledger.key != own_key
        assert keys.key_id(ledger.key) == change.new_id
        facts = ledger.rows("SELECT value FROM ledger_facts WHERE name = 'former_key_id'")
        audit = ledger.rows("SELECT action, detail FROM audit")
        assert ledger.rows("SELECT count(*) FROM token_cache") == [(0,)]
    assert facts == [(keys.key_id(own_key),)]
    assert audit == [("key.rotated", f"from {change.former_id} to {change.new_id}")]
    assert (change.former_id, change.remembered_counts) == (keys.key_id(own_key), 1)


def test_both_key_files_are_for_their_owner_only(ledger_path, own_key):
    with store.open(ledger_path) as ledger:
        change = rotate(ledger, NOW)
    for file in (ledger_path.with_suffix(".key"), change.kept):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert bytes.fromhex(change.kept.read_text().strip()) == own_key


def test_a_copy_of_before_opens_with_the_kept_key(ledger_path, own_key, tmp_path, monkeypatch):
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(ledger_path.read_bytes())
    with store.open(ledger_path) as ledger:
        change = rotate(ledger, NOW)
    monkeypatch.setenv("TOLLBOOK_KEY_FILE", str(change.kept))
    with store.open(copy) as ledger:
        assert ledger.key == own_key


KILLED = """
import os, sys
from datetime import UTC, datetime
from ledger import keys, store
from ledger.key_change import rotate
def die(*args): os._exit(9)
if sys.argv[2] == "before":
    store.Ledger.transaction = die
else:
    keys.put_in_place = die
with store.open(sys.argv[1]) as ledger:
    rotate(ledger, datetime(2026, 11, 1, tzinfo=UTC))
"""


@pytest.mark.parametrize(("moment", "changed"), [("before", False), ("after", True)])
def test_killed_before_or_after_its_commit_the_ledger_has_one_key(ledger_path, own_key, moment, changed):
    done = subprocess.run([sys.executable, "-c", KILLED, str(ledger_path), moment], env=os.environ)
    assert done.returncode == 9
    with store.open(ledger_path) as ledger:
        assert (ledger.key != own_key) is changed
    with store.open(ledger_path) as ledger:
        change = rotate(ledger, NOW)
    with store.open(ledger_path, read_only=True) as ledger:
        assert keys.key_id(ledger.key) == change.new_id


def test_a_key_in_the_environment_is_not_rotated(ledger_path):
    with store.open(ledger_path) as ledger:
        with pytest.raises(keys.KeyFileError, match="name that with TOLLBOOK_KEY_FILE"):
            rotate(ledger, NOW)
