"""Learn calibrations from the ledger's own pairs of count and bill."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from analytics import calibration
from collector.counting import RULES_VERSION
from ledger import calibrations
from ledger.store import Ledger
from ledger.types import Calibration

Visit = Callable[[], AbstractContextManager[Ledger]]
WINDOW: Final = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Refit:
    """What a refit learned and dropped, and what holds from now on; `pairs` is what it learned from."""

    pairs: int
    learned: tuple[Calibration, ...]
    dropped: tuple[Calibration, ...]
    in_force: tuple[Calibration, ...]


def refit(visit: Visit, now: datetime) -> Refit:
    """Learn from the last 28 days; what is learned is used by every ingest from now on."""
    with visit() as ledger:
        known = _of_these_rules(ledger)
        pairs = calibrations.pairs(ledger, now - WINDOW, now, RULES_VERSION)
        version = calibrations.next_version(ledger)
        since, until = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (now - WINDOW, now))
        learned = calibration.refit(pairs, known, version, since, until, until)
        if not learned.is_empty():
            calibrations.keep(ledger, learned)
        in_force = _of_these_rules(ledger)
    news = tuple(one for one in in_force if one not in known)
    held = {one.key for one in in_force}
    return Refit(pairs.height, news, tuple(one for one in known if one.key not in held), in_force)


def _of_these_rules(ledger: Ledger) -> tuple[Calibration, ...]:
    return tuple(one for one in calibrations.in_force(ledger) if one.rules == RULES_VERSION)
