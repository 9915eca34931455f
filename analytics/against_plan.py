"""Spend held against what the budgets allow for the same days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.attribution import within
from analytics.period import Period, local_days
from analytics.plan import EACH, Budget, day_plan
from ledger.frames import PLAN_VARIANCE, checked

_ZERO = Decimal(0)


def against_plan(
    rollup: pl.DataFrame, budgets: Sequence[Budget], span: Period, zone: ZoneInfo
) -> pl.DataFrame:
    """Each tenant with a plan, then those without one together, as PLAN_VARIANCE, largest gap first.

    The span is whole days. A budget of all spend is the plan where there is one: then there is one line for
    all. Empty where nothing was planned.
    """
    plans = _plans(budgets, span, zone)
    rows = within(rollup, span)
    spent = dict(rows.group_by("tenant").agg(pl.col("cost_usd").sum()).iter_rows())
    found: list[tuple[str | None, Decimal | None, Decimal, Decimal]] = []
    if None in plans:
        found.append(_row(None, plans[None], sum(spent.values(), _ZERO)))
    elif plans:
        planned = [_row(tenant, usd, spent.pop(tenant, _ZERO)) for tenant, usd in plans.items()]
        found.extend(sorted(planned, key=lambda row: -abs(row[3])))
        if rest := sum(spent.values(), _ZERO):
            found.append((None, None, rest, rest))
    return checked(pl.DataFrame(found, PLAN_VARIANCE, orient="row"), PLAN_VARIANCE, "plan variance")


def _row(tenant: str | None, plan: Decimal, usd: Decimal) -> tuple[str | None, Decimal, Decimal, Decimal]:
    return tenant, plan, usd, usd - plan


def _plans(budgets: Sequence[Budget], span: Period, zone: ZoneInfo) -> dict[str | None, Decimal]:
    """What the days allow together: to each tenant, or to None where a budget of all spend says so."""
    overall = [each for each in budgets if each.dimension is None]
    own = {each.value for each in budgets if each.dimension == "tenant" and each.value != EACH}
    groups = {None} if overall else own
    found: dict[str | None, Decimal] = {}
    for value in groups:
        mine = overall if value is None else [each for each in budgets if each.value == value]
        allowed = [plan.usd for day in _days(span, zone) if (plan := day_plan(mine, day, zone)) is not None]
        if allowed:
            found[value] = sum(allowed, _ZERO)
    return found


def _days(span: Period, zone: ZoneInfo) -> Iterator[date]:
    first, after = local_days(span, zone)
    return (first + timedelta(days=number) for number in range((after - first).days))
