"""Which configuration was in force at a moment: those that were are kept in the ledger."""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.store import Ledger
from tollbook.config import Configuration, of_text


def in_force(ledger: Ledger, current: Configuration, at: datetime) -> tuple[Configuration, datetime | None]:
    """The configuration in force at a moment, and from when on; the current one before any was kept."""
    found = ledger.rows(
        "SELECT digest, body, in_force_from FROM config_versions WHERE in_force_from <= ? "
        "ORDER BY in_force_from DESC, rowid DESC LIMIT 1",
        [at.astimezone(UTC).replace(tzinfo=None)],
    )
    if not found:
        return current, None
    digest, body, since = found[0]
    begun = datetime.fromisoformat(str(since)).replace(tzinfo=UTC)
    if digest == current.digest:
        return current, begun
    return of_text(str(body), current, f"the configuration in force from {begun:%Y-%m-%d %H:%M} UTC"), begun
