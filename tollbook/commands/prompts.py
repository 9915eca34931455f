"""`tollbook prompts` shows what prompts cost; `approve` and `reject` keep what a person decided about one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk, at_group_desk

if TYPE_CHECKING:
    from ledger.prompt_reviews import Verdict
    from ledger.store import Ledger

_BEFORE = timedelta(days=7)
By = Annotated[str, typer.Option("--by", help="Who decided.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the decision.")]
Version = Annotated[str, typer.Argument(help="The version, or its beginning.")]
Alone = Annotated[
    bool, typer.Option("--alone", help="Only this version, not those of the same day with other tenants.")
]


@at_group_desk
def prompts(
    desk: Desk,
    days: Annotated[int, typer.Option("--days", min=1, help="How far back to look.")] = 28,
) -> None:
    """Show new prompts with their cost and review, repeats that a cache would save, and context in use."""
    from analytics.period import Period
    from analytics.prompts import changes
    from ledger import prompt_costs, queries
    from ledger.prompt_reviews import reviews
    from tollbook import prompt_screen

    desk.need_ledger()
    span = Period(desk.now - timedelta(days=days), desk.now)
    with desk.look() as ledger:
        used = queries.prompt_use(ledger, span.start - _BEFORE, span.end)
        decided = reviews(ledger, desk.now)
        repeated = prompt_costs.repeats(ledger, span.start, span.end)
        context = prompt_costs.context_use(ledger, span.start, span.end)
    found = sorted(changes(used, span), key=lambda change: change.seen, reverse=True)
    desk.say(
        prompt_screen.prompts(found, decided, repeated, context, days, desk.config.zone),
        days=days,
        changes=[prompt_screen.change_fields(change, decided) for change in found],
        repeats=repeated.to_dicts(),
        context=context.to_dicts(),
    )


@at_desk
def approve(desk: Desk, version: Version, by: By, note: Note, alone: Alone = False) -> None:
    """Approve a prompt version: it is worth what it costs."""
    from ledger.prompt_reviews import Verdict

    _decide(desk, version, Verdict.APPROVED, by, note, alone=alone)


@at_desk
def reject(desk: Desk, version: Version, by: By, note: Note, alone: Alone = False) -> None:
    """Reject a prompt version: it stays a finding while it is in use."""
    from ledger.prompt_reviews import Verdict

    _decide(desk, version, Verdict.REJECTED, by, note, alone=alone)


def _decide(desk: Desk, prefix: str, verdict: Verdict, by: str, note: str, *, alone: bool) -> None:
    from ledger.prompt_reviews import Review, alike, record

    desk.need_ledger()
    with desk.visit() as ledger:
        version = _one(ledger, prefix)
        versions = [version] if alone else alike(ledger, version)
        for each in versions:
            record(ledger, Review(each, verdict, by, note, desk.now))
    named = version[:12] + (f" and {len(versions) - 1} of the same day" if len(versions) > 1 else "")
    desk.say(f"{named} {verdict} by {by}: {note}", versions=versions, verdict=verdict, by=by, note=note)


def _one(ledger: Ledger, prefix: str) -> str:
    from ledger.prompt_reviews import matching

    found = matching(ledger, prefix)
    if not found or not prefix:
        raise UsageError(f"no prompt version begins with {prefix!r}: `tollbook prompts` lists them")
    if len(found) > 1:
        raise UsageError(f"{prefix!r} begins {', '.join(each[:16] for each in found)}: give more of it")
    return found[0]
