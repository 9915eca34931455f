"""`tollbook envelopes` holds requests against their envelopes; `suggest` proposes envelopes from the past."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk, at_group_desk

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.suggest import Disturbance
    from ledger.store import Ledger

# Rules that say requests were not as usual; a budget that is spent says nothing of their size.
_UNUSUAL = frozenset({"dollar_excess", "envelope", "retry_storm"})


@at_group_desk
def envelopes(
    desk: Desk,
    period: Annotated[
        str, typer.Option("--period", help="2026-10-30, 2026-W44, 2026-10, A..B, or the last day.")
    ] = "day",
) -> None:
    """Hold what requests used against their envelopes."""
    from analytics import variance
    from ledger import queries
    from tollbook import envelope_screen, parts
    from tollbook.spans import span

    desk.need_ledger()
    wanted = span(period, "--period", desk.now, desk.config.zone)
    declared = parts.envelopes(desk.config.settings)
    with desk.look() as ledger:
        workflows = parts.covered_workflows(desk.config.settings)
        bins = queries.size_bins(ledger, wanted.start, wanted.end, workflows)
        rollup = queries.rollup(ledger, wanted.start, wanted.end, [wanted.start], [])
    held = variance.envelopes(bins, declared)
    covered, uncovered = variance.coverage(rollup, declared)
    desk.say(
        envelope_screen.envelopes(held, covered, uncovered),
        period={"start": wanted.start, "end": wanted.end},
        outside_usd=variance.outside_usd(held),
        covered_usd=covered,
        uncovered_usd=uncovered,
        envelopes=held.to_dicts(),
    )


@at_desk
def suggest(
    desk: Desk,
    days: Annotated[int, typer.Option("--days", min=1, help="How far back the evidence reaches.")] = 28,
    every: Annotated[
        bool, typer.Option("--every", help="Workflows that have an envelope already, too.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the TOML to this file.")] = None,
) -> None:
    """Propose envelopes from the past as TOML for a person to accept; incidents and errors have no say."""
    from analytics.suggest import suggestions
    from ledger import queries
    from tollbook import envelope_screen, parts

    desk.need_ledger()
    start = desk.now - timedelta(days=days)
    covered = set() if every else set(parts.covered_workflows(desk.config.settings))
    with desk.look() as ledger:
        workflows = [name for name in queries.workflows(ledger, start, desk.now) if name not in covered]
        bins = queries.size_bins(ledger, start, desk.now, workflows, by_time=True)
        disturbed = _disturbances(ledger, start, desk.now)
    found, scarce = suggestions(bins, disturbed, desk.config.zone)
    text = envelope_screen.toml(found, scarce, days, sorted(covered))
    if out is not None:
        _write(out, text)
    desk.say(
        text
        if out is None
        else f"{len(found)} envelopes proposed in {out}: read them, then add what you accept",
        days=days,
        suggestions=[asdict(each) for each in found],
        too_few=[{"workflow": name, "requests": count} for name, count in scarce],
        toml=text,
    )


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error


def _disturbances(ledger: Ledger, start: datetime, now: datetime) -> list[Disturbance]:
    """The incidents about requests of a workflow; what a person called expected is usual."""
    from alerts import book
    from analytics.suggest import Disturbance
    from ledger.figures import IncidentState

    return [
        Disturbance(each.scope.workflow, each.scope.tenant, each.since, each.resolved_at or now)
        for each in book.load_all(ledger, start)
        if each.rule in _UNUSUAL and each.scope.workflow and each.state is not IncidentState.EXPECTED
    ]
