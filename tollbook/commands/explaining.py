"""`tollbook explain` says why spend moved between two periods, or against plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk

if TYPE_CHECKING:
    import polars as pl

    from analytics.period import Period

_WEEK_S = 7 * 86_400


@at_desk
def explain(
    desk: Desk,
    current: Annotated[
        str,
        typer.Option("--period", help="2026-10-30, 2026-W44, 2026-10, A..B, or the last day."),
    ] = "day",
    versus: Annotated[str, typer.Option("--versus", help="previous, week-before, or a period.")] = "previous",
    against: Annotated[str | None, typer.Option("--against", help="plan: what the budgets allow.")] = None,
    by: Annotated[
        str, typer.Option("--by", help="Rank by dimensions, with commas between them.")
    ] = "tenant,workflow,model",
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Only spend of tenant=acme, and so on.")
    ] = None,
    most: Annotated[int, typer.Option("--top", min=1, help="How many lines are ranked.")] = 10,
) -> None:
    """Say why spend moved between two periods: by factor, by part of the prompt, by who."""
    from analytics.counters import quarter
    from tollbook.spans import compared, so_far, span

    desk.need_ledger()
    zone = desk.config.zone
    wanted = span(current, "--period", desk.now, zone)
    if against is not None:
        if against != "plan" or versus != "previous":
            raise UsageError("--against takes `plan`, and no --versus beside it")
        _against_plan(desk, wanted)
        return
    other = compared(wanted, versus, desk.now, zone)
    _explained(desk, *so_far(wanted, other, quarter(desk.now)), _dimensions(by), where or [], most)


def _dimensions(text: str) -> tuple[str, ...]:
    from ledger.frames import ROLLUP_KEYS

    named = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [name for name in named if name not in ROLLUP_KEYS]
    if unknown:
        raise UsageError(f"--by {unknown[0]!r} is no dimension: there are {', '.join(ROLLUP_KEYS)}")
    return named


def _only(rollup: pl.DataFrame, where: list[str]) -> pl.DataFrame:
    """The rows of the values asked for; an empty one is Unattributed."""
    import polars as pl

    for condition in where:
        name, equals, value = condition.partition("=")
        if not equals:
            raise UsageError(f"--where {condition!r} is no condition: write it as tenant=acme")
        rollup = rollup.filter(pl.col(_dimensions(name)[0]).eq_missing(pl.lit(value or None, pl.String)))
    return rollup


def _explained(
    desk: Desk, current: Period, versus: Period, by: tuple[str, ...], where: list[str], most: int
) -> None:
    from datetime import timedelta

    from analytics import explain as spend
    from analytics import movers
    from analytics.attribution import total_usd
    from analytics.factors import CELL, Factor
    from ledger import queries
    from tollbook import explain_screen

    edges = [current.start, current.end, versus.start, versus.end]
    whole = [(versus.start, versus.end), (current.start, current.end)]
    with desk.look() as ledger:
        rollup = _only(queries.rollup(ledger, min(edges), max(edges), edges, whole), where)
        used = queries.prompt_use(ledger, current.start - timedelta(days=8), current.end)
    factors = spend.factors(rollup, current, versus)
    segments = movers.by_segment(rollup, current, versus, spend.amount_of(factors, Factor.INPUT_TOKENS))
    if by == CELL:
        ranked = explain_screen.as_movers(spend.contributors(rollup, current, versus, used, most))
    else:
        ranked = movers.movers(rollup, current, versus, by)
    now_usd, before_usd = total_usd(rollup, current), total_usd(rollup, versus)
    told = explain_screen.Explained(
        current, versus, desk.config.zone, now_usd, before_usd, factors, segments, ranked.head(most)
    )
    desk.say(
        explain_screen.explained(told),
        period={"start": current.start, "end": current.end},
        versus={"start": versus.start, "end": versus.end},
        cost_usd=now_usd,
        previous_cost_usd=before_usd,
        change_usd=now_usd - before_usd,
        sentence=explain_screen.sentence(told),
        factors=factors.to_dicts(),
        input_by_segment=segments.to_dicts(),
        by=list(by),
        movers=ranked.head(most).to_dicts(),
    )


def _against_plan(desk: Desk, current: Period) -> None:
    from analytics.against_plan import against_plan
    from ledger import queries
    from tollbook import explain_screen, parts

    with desk.look() as ledger:
        rollup = queries.rollup(ledger, current.start, current.end, [current.start], [])
    held = against_plan(rollup, parts.budgets(desk.config.settings), current, desk.config.zone)
    desk.say(
        explain_screen.held_against_plan(held, current, desk.config.zone),
        period={"start": current.start, "end": current.end},
        cost_usd=held["cost_usd"].sum() if held.height else None,
        plan_usd=held["plan_usd"].sum() if held.height else None,
        change_usd=held["change_usd"].sum() if held.height else None,
        rows=held.to_dicts(),
    )
