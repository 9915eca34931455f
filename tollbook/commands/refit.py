"""`tollbook counts refit` learns from bills how estimated counts are off."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tollbook.desk import Desk, at_desk

if TYPE_CHECKING:
    from ledger.types import Calibration


@at_desk
def refit(desk: Desk) -> None:
    """Learn from the bills of the last 28 days how estimated counts are off, and correct them from now on."""
    from tollbook.refit import refit as learn

    desk.need_ledger()
    found = learn(desk.visit, desk.now)
    news = [*map(_line, found.learned), *map(_dropped, found.dropped)]
    dropped = f"{len(found.dropped)} dropped, " if found.dropped else ""
    held = f"{len(found.learned)} new, {dropped}{len(found.in_force)} in force"
    said = [f"{found.pairs:,} pairs of count and bill; calibrations: {held}."]
    desk.say(
        "\n".join([*said, *news]),
        pairs=found.pairs,
        learned=[asdict(one) for one in found.learned],
        dropped=[asdict(one) for one in found.dropped],
        in_force=[asdict(one) for one in found.in_force],
    )


def _line(one: Calibration) -> str:
    return (
        f"{one.model}, {one.category}: {one.factor:.3f} × count {one.intercept:+.1f},"
        f" within {one.error:.1%} of the bill (version {one.version}, {one.evidence:,} calls"
        f" of {one.least:,.0f} to {one.greatest:,.0f} tokens)"
    )


def _dropped(one: Calibration) -> str:
    return f"{one.model}, {one.category}: the plain count again (version {one.version} is not borne out)"
