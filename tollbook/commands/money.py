"""`tollbook forecast` tells where spend will stand; `tollbook budgets` how it stands against its limits."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, at_desk

if TYPE_CHECKING:
    import polars as pl

    from analytics.period import Period
    from ledger.store import Ledger

# Four weeks tell how the hours of a week differ; the day more is for the hours since a midnight.
_HISTORY = timedelta(days=29)


class By(StrEnum):
    """The dimensions whose values can be told apart."""

    TENANT = "tenant"
    WORKFLOW = "workflow"
    MODEL_TIER = "model_tier"
    ENVIRONMENT = "environment"


class Length(StrEnum):
    """The periods a forecast or a budget can be for."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@at_desk
def forecast(
    desk: Desk,
    by: Annotated[By | None, typer.Option("--by", help="Each value of a dimension.")] = None,
    length: Annotated[Length, typer.Option("--period", help="To the end of which period.")] = Length.MONTH,
) -> None:
    """Tell where spend will stand at the end of the period, and how far that was off before."""
    from analytics import period as calendar
    from analytics.outlook import outlook
    from ledger import queries
    from tollbook import money_screen

    desk.need_ledger()
    zone = desk.config.zone
    span = calendar.of(length, desk.now.astimezone(zone).date(), zone)
    with desk.look() as ledger:
        rollup = _hourly(ledger, span, desk.now)
        last = queries.last_data(ledger, desk.now)
    whole = outlook(rollup, None, span, desk.now, zone)
    parts = None if by is None else outlook(rollup, by, span, desk.now, zone)
    desk.say(
        money_screen.forecasts(whole, parts, span, desk.now, zone),
        period=length,
        period_start=span.start,
        period_end=span.end,
        as_of=desk.now,
        last_data=last,
        total=whole.to_dicts()[0] if whole.height else None,
        rows=[] if parts is None else parts.to_dicts(),
    )


def _hourly(ledger: Ledger, span: Period, now: datetime) -> pl.DataFrame:
    """The sums of every hour, counted back from now, that a forecast of the span needs."""
    from analytics.counters import burn_starts, quarter
    from ledger import queries

    end = quarter(now + timedelta(microseconds=1))
    start = min(span.start, end - _HISTORY)
    count = int((end - start) / timedelta(hours=1)) + 2
    hours = [end - number * timedelta(hours=1) for number in range(count)]
    return queries.rollup_to(ledger, start, now, [*hours, span.start, span.end, *burn_starts(now)])


@at_desk
def budgets(desk: Desk) -> None:
    """Tell how each budget stands: spent, planned by now, forecast, burn; with --as-of as it stood then."""
    from analytics import budget
    from analytics import period as calendar
    from ledger import queries
    from tollbook import money_screen, parts
    from tollbook.versions import in_force

    desk.need_ledger()
    with desk.look() as ledger:
        config, since = in_force(ledger, desk.config, desk.now) if desk.is_replay else (desk.config, None)
        today = desk.now.astimezone(config.zone).date()
        rollup = _hourly(ledger, calendar.month(today, config.zone), desk.now)
        last = queries.last_data(ledger, desk.now)
    states = budget.states(
        rollup,
        parts.budgets(config.settings),
        desk.now,
        config.zone,
        last,
        config.settings.anomaly.stale_after,
    )
    desk.say(
        money_screen.budgets(states, last, desk.now, config.zone),
        as_of=desk.now,
        last_data=last,
        configuration_since=since,
        budgets=states.to_dicts(),
    )
