"""The large figures at the top of a daily report, each beside its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics import attribution, forecast, period, variance
from analytics.period import Period
from analytics.plan import DayPlan, Envelope, Standing
from ledger.figures import Headline
from ledger.units import money


@dataclass(frozen=True, slots=True)
class Facts:
    """What the figures are read off: the books, the reported day, the one before it, the day's plan.

    `clock` is the time up to which a day that still runs is told; None for a day that is over.
    """

    rollup: pl.DataFrame
    today: Period
    before: Period
    plan: DayPlan | None
    zone: ZoneInfo
    clock: str | None = None


def headlines(
    facts: Facts, outside: pl.DataFrame, versus: str, envelopes: Sequence[Envelope]
) -> tuple[Headline, ...]:
    """The day, the month so far, its forecast, and what lay outside the envelopes."""
    return (_day(facts, versus), *_month(facts), _outside(facts, outside, envelopes))


def spent_in(rollup: pl.DataFrame, span: Period) -> Decimal | None:
    """The spend of a span, None where it has no request."""
    return attribution.total_usd(rollup, span) if attribution.within(rollup, span).height else None


def standing(facts: Facts, span: Period, days: int = 1) -> Standing | None:
    """The spend of a span beside the plan of so many days; None where nothing was planned."""
    if facts.plan is None:
        return None
    planned = attribution.total_usd(facts.plan.covered(facts.rollup), span)
    return Standing(facts.plan.usd * days, planned, attribution.total_usd(facts.rollup, span) - planned)


def standing_of_day(facts: Facts) -> Standing | None:
    """The day beside its plan; a part of a day is not held against the plan of a whole one."""
    return standing(facts, facts.today) if facts.clock is None else None


def plan_of_all(facts: Facts, first: date) -> Decimal | None:
    """A day's plan where it is for all that was spent since the first day; None where it is for a part."""
    since = Period(period.midnight(first, facts.zone), facts.today.end)
    stood = standing(facts, since)
    return None if stood is None or stood.unplanned else stood.allowed


def _day(facts: Facts, versus: str) -> Headline:
    spent, earlier = spent_in(facts.rollup, facts.today), spent_in(facts.rollup, facts.before)
    change = None if spent is None or earlier is None else spent - earlier
    figure = Headline(
        label="Spent",
        value_usd=spent,
        change_usd=change,
        change_share=float(change / earlier) if change is not None and earlier else None,
        versus=versus,
        note="booked" if facts.clock is None else f"booked so far, until {facts.clock}",
    )
    return _beside(figure, standing_of_day(facts))


def _beside(figure: Headline, stood: Standing | None) -> Headline:
    """The figure with its plan; what tenants without a budget spent is in the figure, not held against it."""
    if stood is None:
        return figure
    rest = f", {money(stood.unplanned)} of tenants without a budget" if stood.unplanned else ""
    over = figure.value_usd is not None and stood.over
    return replace(figure, plan_usd=stood.allowed, over=over, note=figure.note + rest)


def _month(facts: Facts) -> tuple[Headline, ...]:
    """Month to date, and its forecast, as they stood at the end of what is reported."""
    local = facts.today.start.astimezone(facts.zone).date()
    month = period.month(local, facts.zone)
    to_date = replace(month, end=min(month.end, facts.today.end))
    first, after = period.local_days(month, facts.zone)
    days, done = (after - first).days, (local - first).days + 1
    ahead = _ahead(facts, facts.rollup, month)
    return (
        _beside(
            Headline(
                label="Month to date",
                value_usd=spent_in(facts.rollup, to_date),
                versus="budget of the month",
                note=f"day {done} of {days}",
            ),
            standing(facts, to_date, days),
        ),
        _beside(
            Headline(
                label="Month forecast",
                value_usd=ahead.value,
                versus="budget of the month",
                low_usd=ahead.low,
                high_usd=ahead.high,
                note=f"forecast, {ahead.method}",
            ),
            _standing_ahead(facts, month, days, ahead.value),
        ),
    )


def _ahead(facts: Facts, rollup: pl.DataFrame, month: Period) -> forecast.Forecast:
    return forecast.to_period_end(rollup, month, facts.today.end, facts.zone)


def _standing_ahead(facts: Facts, month: Period, days: int, whole: Decimal | None) -> Standing | None:
    if facts.plan is None:
        return None
    planned = _ahead(facts, facts.plan.covered(facts.rollup), month).value or Decimal(0)
    rest = Decimal(0) if facts.plan.tenants is None else max(Decimal(0), (whole or Decimal(0)) - planned)
    return Standing(facts.plan.usd * days, planned, rest)


def _outside(facts: Facts, outside: pl.DataFrame, declared: Sequence[Envelope]) -> Headline:
    _, uncovered = variance.coverage(attribution.within(facts.rollup, facts.today), declared)
    return Headline(
        label="Outside envelopes",
        value_usd=variance.outside_usd(outside) if declared else None,
        note=f"{money(uncovered)} of spend has no envelope" if declared else "no envelope declared",
    )
