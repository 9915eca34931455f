"""Give a ledger a new key: from then on nothing hashed before can be compared with what is hashed after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ledger import keys
from ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change of keys, and how much of the ledger was hashed with the former one.

    `kept` is the former key's file, which copies of the ledger from before still need.
    """

    former_id: str
    new_id: str
    kept: Path
    prompt_versions: int
    end_users: int
    remembered_counts: int


def rotate(ledger: Ledger, now: datetime) -> KeyChange:
    """Make a new key and have the ledger belong to it. Raises KeyFileError where the key is in no file.

    The new key is written beside its place first, the ledger's word for it is the moment of the change, and
    the next visit to the ledger puts the file in place where this process was killed before it could.
    """
    place = keys.file_of(ledger.path)
    former_id = keys.key_id(ledger.key)
    fresh = keys.draft(place)
    change = KeyChange(former_id, keys.key_id(fresh), keys.kept_at(place, former_id), *_hashed(ledger))
    at = now.astimezone(UTC).replace(tzinfo=None)
    with ledger.transaction():
        ledger.execute("UPDATE ledger_facts SET value = ? WHERE name = 'key_id'", [change.new_id])
        ledger.execute("INSERT INTO ledger_facts VALUES ('former_key_id', ?)", [former_id])
        ledger.execute("DELETE FROM token_cache")
        ledger.execute(
            "INSERT INTO audit VALUES (?, 'key.rotated', ?)", [at, f"from {former_id} to {change.new_id}"]
        )
    keys.put_in_place(place, former_id)
    return change


def _hashed(ledger: Ledger) -> tuple[int, int, int]:
    """How many prompt versions, end users and remembered counts the ledger has under its key."""
    ((versions, people, counts),) = ledger.rows(
        "SELECT (SELECT count(DISTINCT prompt_version) FROM prompt_versions), "
        "(SELECT count(DISTINCT end_user) FROM requests), (SELECT count(*) FROM token_cache)"
    )
    return int(str(versions)), int(str(people)), int(str(counts))
