"""What was planned: envelopes of workflows and budgets, as the user declared them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import polars as pl

from analytics import period as calendar

EACH = "*"
_SCALE = Decimal("1e-12")


class BudgetUnit(StrEnum):
    """What a budget limits."""

    USD = "usd"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one request of a workflow is expected to use; None where nothing was declared.

    An envelope with a tenant goes before the one for the whole workflow.
    """

    workflow: str
    tenant: str | None = None
    input_p50: int | None = None
    input_p95: int | None = None
    output_p50: int | None = None
    output_p95: int | None = None
    max_cost_per_request_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Increase:
    """More that may be spent for a time: up to but without the day `until`, of the reporting zone."""

    amount: Decimal
    until: date
    since: date | None = None
    note: str = ""

    def holds(self, day: date) -> bool:
        """Whether it is in force on that day."""
        return (self.since is None or self.since <= day) and day < self.until


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit on one counter, or with the value `*` on a counter for each value of the dimension.

    `dimension` is tenant, workflow, model_tier or environment, None for all spend. `period` is day, week or
    month in the reporting zone. `unit` is usd or tokens.
    """

    name: str
    dimension: str | None
    value: str | None
    period: str
    soft: Decimal | None = None
    hard: Decimal | None = None
    unit: str = BudgetUnit.USD
    increase: Increase | None = None

    def on(self, day: date) -> Budget:
        """The budget with what may be spent on that day: a temporary increase in its limits, or none."""
        more = self.increase
        if more is None:
            return self
        if not more.holds(day):
            return replace(self, increase=None)
        soft, hard = (None if own is None else own + more.amount for own in (self.soft, self.hard))
        return replace(self, soft=soft, hard=hard)

    @property
    def limit(self) -> Decimal | None:
        """What spending is measured against: the hard limit, else the soft one."""
        return self.hard if self.hard is not None else self.soft


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What may be spent on one day: by these tenants together, or by all where `tenants` is None."""

    usd: Decimal
    tenants: frozenset[str] | None = None

    def covered(self, rollup: pl.DataFrame) -> pl.DataFrame:
        """The rows of spend that the plan is for."""
        return rollup if self.tenants is None else rollup.filter(pl.col("tenant").is_in(sorted(self.tenants)))


@dataclass(frozen=True, slots=True)
class Standing:
    """Spend beside its plan: what was allowed, what those it is for spent, what others spent."""

    allowed: Decimal
    planned: Decimal
    unplanned: Decimal = Decimal(0)

    @property
    def over(self) -> bool:
        """Whether those with a plan spent more than it."""
        return self.planned > self.allowed


def day_plan(budgets: Sequence[Budget], day: date, zone: ZoneInfo) -> DayPlan | None:
    """What the dollar budgets allow on one day: the budget of all spend, else that of the tenants with one.

    A soft limit is the plan where there is one. Of several budgets on the same counter the tightest counts;
    budgets with `*` are a ceiling, not a plan. None where nothing was planned.
    """
    in_usd = [each.on(day) for each in budgets if each.unit == BudgetUnit.USD and each.value != EACH]
    overall = _tightest((b for b in in_usd if b.dimension is None), day, zone)
    if overall is not None:
        return DayPlan(overall)
    tenants = sorted({b.value for b in in_usd if b.dimension == "tenant" and b.value is not None})
    allowed = {
        tenant: _tightest((b for b in in_usd if b.dimension == "tenant" and b.value == tenant), day, zone)
        for tenant in tenants
    }
    known = {tenant: usd for tenant, usd in allowed.items() if usd is not None}
    return DayPlan(sum(known.values(), Decimal(0)), frozenset(known)) if known else None


def _tightest(budgets: Iterable[Budget], day: date, zone: ZoneInfo) -> Decimal | None:
    amounts = (_per_day(budget, day, zone) for budget in budgets)
    return min((amount for amount in amounts if amount is not None), default=None)


def _per_day(budget: Budget, day: date, zone: ZoneInfo) -> Decimal | None:
    amount = budget.soft if budget.soft is not None else budget.hard
    if amount is None:
        return None
    first, after = calendar.local_days(calendar.of(budget.period, day, zone), zone)
    return (amount / (after - first).days).quantize(_SCALE)
