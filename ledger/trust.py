"""The fast counter that was found to be wrong: not to be used again, and to be told in the data health."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from ledger.store import Ledger

_FACT: Final = "distrusted_counter"


def distrust(ledger: Ledger, why: str, now: datetime) -> None:
    """Write down why a counter is not to be trusted; the first reason stands for each counter."""
    known = distrusted(ledger)
    if not any(_counter(reason) == _counter(why) for reason in known):
        noted = f"{why} on {now.astimezone(UTC):%Y-%m-%d}"
        ledger.execute("INSERT INTO ledger_facts VALUES (?, ?)", [_FACT, noted])


def distrusted(ledger: Ledger) -> tuple[str, ...]:
    """The reasons written down, the oldest first; each begins with the counter's name and version."""
    found = ledger.rows("SELECT value FROM ledger_facts WHERE name = ? ORDER BY rowid", [_FACT])
    return tuple(str(value) for (value,) in found)


def reason_against(ledger: Ledger, counter: str | None) -> str | None:
    """Why a counter, named with its version, is not to be used with this ledger; None where it may be."""
    return against(distrusted(ledger), counter)


def against(reasons: Iterable[str], counter: str | None) -> str | None:
    """The reason among these why a counter, named with its version, is not to be used."""
    return next((reason for reason in reasons if counter and _counter(reason) == counter), None)


def _counter(reason: str) -> str:
    """The name and the version that a reason begins with: `fastokens 0.3.5`."""
    return " ".join(reason.split(" ")[:2])
