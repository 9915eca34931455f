"""Delete what the ledger holds of people: samples, hashes and tags go, tokens and money stay booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.keys import keyed
from ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class Purge:
    """Whose traces are to go: of a tenant, an end user or both, of calls that began before a time."""

    before: datetime
    tenant: str | None = None
    end_user: str | None = None


@dataclass(frozen=True, slots=True)
class Purged:
    """What goes: samples, and of so many `calls` the hashes of end users and of prompts, and the tags."""

    samples: int = 0
    calls: int = 0
    end_users: int = 0
    prompt_hashes: int = 0
    tagged: int = 0


_TRACES = "(end_user IS NOT NULL OR prompt_hash IS NOT NULL OR cardinality(tags) > 0)"
# The fourth that a row takes where nothing else says it is the end user.
_CLEARED = """
    end_user = NULL, prompt_hash = NULL, tags = MAP([]::VARCHAR[], []::VARCHAR[]), otherwise = otherwise[1:3]
"""


def find(ledger: Ledger, purge: Purge) -> Purged:
    """What a purge would delete."""
    where, given = _where(ledger, purge)
    ((samples,),) = ledger.rows(f"SELECT count(*) FROM samples WHERE {where}", given)
    ((calls, people, prompts, tagged),) = ledger.rows(
        "SELECT count(*), count(end_user), count(prompt_hash), count(*) FILTER (cardinality(tags) > 0) "
        f"FROM requests WHERE {_TRACES} AND {where}",
        given,
    )
    return Purged(*(int(str(each)) for each in (samples, calls, people, prompts, tagged)))


def carry_out(ledger: Ledger, purge: Purge, now: datetime) -> Purged:
    """Delete it, in one transaction, and write down in the audit that it was; no sum changes."""
    found = find(ledger, purge)
    where, given = _where(ledger, purge)
    at = now.astimezone(UTC).replace(tzinfo=None)
    with ledger.transaction():
        ledger.execute(f"DELETE FROM samples WHERE {where}", given)
        for name in ("request_id", "span"):
            ledger.execute(
                f"UPDATE record_parts SET {_CLEARED} WHERE request_id IN "
                f"(SELECT {name} FROM requests WHERE {where})",
                given,
            )
        # Parts without their call, and calls that came late for a closed period, have no row.
        ledger.execute(f"UPDATE record_parts SET {_CLEARED} WHERE {_TRACES} AND {where}", given)
        ledger.execute(
            "UPDATE spans SET end_user = NULL "
            f"WHERE end_user IN (SELECT end_user FROM requests WHERE {where})",
            given,
        )
        ledger.execute(f"UPDATE spans SET end_user = NULL WHERE end_user IS NOT NULL AND {where}", given)
        ledger.execute(
            "UPDATE corrections SET old_value = NULL, new_value = NULL WHERE column_name = 'end_user' "
            f"AND request_id IN (SELECT request_id FROM requests WHERE {where})",
            given,
        )
        ledger.execute(f"UPDATE requests SET {_CLEARED} WHERE {_TRACES} AND {where}", given)
        ledger.execute("INSERT INTO audit VALUES (?, 'purged', ?)", [at, _told(purge, found)])
    ledger.execute("CHECKPOINT")
    return found


def _where(ledger: Ledger, purge: Purge) -> tuple[str, list[object]]:
    conditions, given = ["ts < ?"], [_naive(purge.before)]
    if purge.tenant is not None:
        conditions.append("tenant = ?")
        given.append(purge.tenant)
    if purge.end_user is not None:
        conditions.append("end_user = ?")
        given.append(keyed(ledger.key, purge.end_user.encode("utf-8", "replace")).hex())
    return " AND ".join(conditions), given


def _told(purge: Purge, found: Purged) -> str:
    """What was done, without the name of the end user, who is to be forgotten."""
    whose = [] if purge.tenant is None else [f"tenant {purge.tenant!r}"]
    whose += [] if purge.end_user is None else ["one end user"]
    return (
        f"{' and '.join(whose)} before {purge.before:%Y-%m-%d %H:%M} UTC: "
        f"{found.samples} samples, {found.calls} calls"
    )


def _naive(moment: datetime) -> object:
    return moment.astimezone(UTC).replace(tzinfo=None)
