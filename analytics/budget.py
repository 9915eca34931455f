"""The state of each budget counter, and what about it somebody must hear of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from analytics import period as calendar
from analytics.attribution import ZERO
from analytics.counters import BURN_HOURS, Tally, amounts, crossed_at, risen_at, tallies
from analytics.forecast import NOTHING
from analytics.period import Period, aware, naive
from analytics.plan import EACH, Budget, BudgetUnit
from ledger import units
from ledger.figures import Finding, Scope, Severity
from ledger.frames import BUDGETS, checked

STALE_AFTER = timedelta(hours=26)
_WARN_AT = Decimal("0.8")
# Below this much of the budget a burst is not worth waking anybody, whatever its rate.
_BURN_FROM_SHARE = 0.05
_SCALE = Decimal("1e-12")
_UTC = ZoneInfo("UTC")
_HOW_OFTEN = {"day": "daily", "week": "weekly", "month": "monthly"}


class BudgetState(StrEnum):
    """How a counter stands against its limits, the gravest that holds."""

    HARD = "hard"
    SOFT = "soft"
    PROJECTED = "projected"
    WARN = "warn"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class BurnRule:
    """A rate of spend over some hours, in multiples of what the budget allows for them."""

    hours: int
    rate: float
    severity: Severity
    only_if_projected: bool = False


BURN_RULES = (
    BurnRule(1, 14.4, Severity.PAGE),
    BurnRule(6, 6.0, Severity.PAGE),
    BurnRule(24, 3.0, Severity.TICKET),
    BurnRule(72, 1.5, Severity.TICKET, only_if_projected=True),
)


@dataclass(frozen=True, slots=True)
class _Counter:
    """One budget on one value of its dimension."""

    budget: Budget
    value: str | None
    tally: Tally


def is_stale(last_data: datetime | None, now: datetime, stale_after: timedelta = STALE_AFTER) -> bool:
    """Nothing has come in for so long that the books cannot be trusted to be complete."""
    return last_data is None or now - last_data > stale_after


def states(
    rollup: pl.DataFrame,
    budgets: Sequence[Budget],
    now: datetime,
    zone: ZoneInfo,
    last_data: datetime | None,
    stale_after: timedelta = STALE_AFTER,
) -> pl.DataFrame:
    """One row per counter of the period that `now` lies in, as BUDGETS, in the order of the budgets.

    A budget for `*` has a counter for each value in the rollup that has no budget of its own for the same
    period and unit. A temporary increase that is in force is in the limits. `spent` is NULL where
    the data is stale and the period has no rows: no confident zero.
    Burn is spend over the last N hours ÷ what the limit allows for N hours, NULL where a period is shorter.
    """
    stale = is_stale(last_data, now, stale_after)
    past = rollup.filter(pl.col("bucket") < naive(now))
    today = now.astimezone(zone).date()
    in_force = [each.on(today) for each in budgets]
    rows = [_state(counter, now, zone, stale) for counter in _counters(past, in_force, now, zone)]
    return checked(pl.DataFrame(rows, schema=BUDGETS, orient="row"), BUDGETS, "budgets")


def _counters(
    rollup: pl.DataFrame, budgets: Sequence[Budget], now: datetime, zone: ZoneInfo
) -> Iterator[_Counter]:
    today = now.astimezone(zone).date()
    kinds = {(b.dimension, b.unit, b.period) for b in budgets}
    held = {
        (dimension, unit, period): tallies(
            amounts(rollup, dimension, unit), calendar.of(period, today, zone), now, zone
        )
        for dimension, unit, period in kinds
    }
    own = {(b.dimension, b.value, b.period, b.unit) for b in budgets}
    for budget in budgets:
        by_value = held[budget.dimension, budget.unit, budget.period]
        if budget.value != EACH or budget.dimension is None:
            value = budget.value if budget.dimension else None
            yield _Counter(budget, value, by_value.get(value, Tally()))
            continue
        for value in sorted(name for name in by_value if name is not None):
            if (budget.dimension, value, budget.period, budget.unit) not in own:
                yield _Counter(budget, value, by_value[value])


def _state(counter: _Counter, now: datetime, zone: ZoneInfo, stale: bool) -> dict[str, object]:
    budget, tally = counter.budget, counter.tally
    span = calendar.of(budget.period, now.astimezone(zone).date(), zone)
    spent = None if stale and not tally.buckets else tally.spent
    ahead = NOTHING if spent is None else tally.ahead
    return {
        "budget": budget.name,
        "dimension": budget.dimension,
        "value": counter.value,
        "period": budget.period,
        "period_start": naive(span.start),
        "period_end": naive(span.end),
        "unit": str(budget.unit),
        "spent": spent,
        "soft": budget.soft,
        "hard": budget.hard,
        "increase": None if budget.increase is None else budget.increase.amount,
        "planned": _planned(budget.limit, tally.due_share),
        "used_share": _ratio(spent, budget.limit),
        "forecast": ahead.value,
        "forecast_low": ahead.low,
        "forecast_high": ahead.high,
        **{f"burn_{hours}h": _burn(tally, budget, span, hours) for hours in BURN_HOURS},
        "state": _verdict(budget, spent, ahead.value).value,
        "stale": stale,
        "unpriced_requests": tally.unpriced,
    }


def _planned(limit: Decimal | None, due_share: float | None) -> Decimal | None:
    if limit is None or due_share is None:
        return None
    return (limit * Decimal(due_share)).quantize(_SCALE)


def _ratio(part: Decimal | None, whole: Decimal | None) -> float | None:
    return None if part is None or not whole else float(part / whole)


def _burn(tally: Tally, budget: Budget, span: Period, hours: int) -> float | None:
    if budget.limit is None or span.hours < hours:
        return None
    return _ratio(tally.recent.get(hours, ZERO), budget.limit * hours / Decimal(span.hours))


def _verdict(budget: Budget, spent: Decimal | None, ahead: Decimal | None) -> BudgetState:
    if spent is None:
        return BudgetState.OK
    first_limit = budget.soft if budget.soft is not None else budget.hard
    reached = {
        BudgetState.HARD: _reached(spent, budget.hard),
        BudgetState.SOFT: _reached(spent, budget.soft),
        BudgetState.PROJECTED: budget.hard is not None and ahead is not None and ahead > budget.hard,
        BudgetState.WARN: first_limit is not None and spent >= _WARN_AT * first_limit,
    }
    return next((state for state, holds in reached.items() if holds), BudgetState.OK)


def _reached(spent: Decimal, limit: Decimal | None) -> bool:
    return limit is not None and spent >= limit


def findings(
    states: pl.DataFrame, now: datetime, rollup: pl.DataFrame | None = None, zone: ZoneInfo = _UTC
) -> list[Finding]:
    """What the counters' states call for: pages for a hard limit and fast burn, tickets for soft and slow.

    The rules are `budget_hard`, `budget_soft` and `budget_burn`, each followed by the counter's period and
    unit, `budget_hard_month` or `budget_soft_day_tokens`: two counters of one scope are two findings. A hard
    limit reached mutes the counter's other findings. With the rollup, `since` is when the limit was crossed
    or the burn began; without it, when the period or the burn's hours did. Of several budgets on one counter
    the fullest speaks. `zone` is for the times in texts.
    """
    found = [finding for row in _rows(states, zone) for finding in _of_counter(row, now, rollup)]
    kept: dict[tuple[str, Scope], tuple[float, Finding]] = {}
    for fullness, finding in found:
        key = (finding.rule, finding.scope)
        if key not in kept or kept[key][0] < fullness:
            kept[key] = (fullness, finding)
    return [finding for _, finding in kept.values()]


@dataclass(frozen=True, slots=True)
class _Standing:
    """One row of BUDGETS, typed."""

    budget: str
    dimension: str | None
    value: str | None
    period: str
    start: datetime
    end: datetime
    unit: str
    spent: Decimal
    soft: Decimal | None
    hard: Decimal | None
    used_share: float
    forecast: Decimal | None
    burns: Mapping[int, float]
    unpriced: int
    zone: ZoneInfo

    @property
    def often(self) -> str:
        """The period as people say it."""
        return _HOW_OFTEN[self.period]

    def rule(self, kind: str) -> str:
        """The name of what is found about this counter; dollars, the usual unit, are not named."""
        unit = "" if self.unit == BudgetUnit.USD else f"_{self.unit}"
        return f"budget_{kind}_{self.period}{unit}"

    @property
    def limit(self) -> Decimal:
        return self.hard if self.hard is not None else (self.soft or ZERO)

    def written(self, amount: Decimal | None) -> str:
        """An amount in the budget's unit."""
        if self.unit == BudgetUnit.TOKENS:
            return f"{units.tokens(None if amount is None else int(amount))} tokens"
        return units.money(amount)


def _rows(states: pl.DataFrame, zone: ZoneInfo) -> Iterator[_Standing]:
    """The counters whose spend is known and limited."""
    for row in states.iter_rows(named=True):
        if row["spent"] is not None and row["used_share"] is not None:
            yield _standing(row, zone)


def _standing(row: Mapping[str, Any], zone: ZoneInfo) -> _Standing:
    burns = {hours: row[f"burn_{hours}h"] for hours in BURN_HOURS}
    return _Standing(
        budget=row["budget"],
        dimension=row["dimension"],
        value=row["value"],
        period=row["period"],
        start=aware(row["period_start"]),
        end=aware(row["period_end"]),
        unit=row["unit"],
        spent=row["spent"],
        soft=row["soft"],
        hard=row["hard"],
        used_share=row["used_share"],
        forecast=row["forecast"],
        burns={hours: burn for hours, burn in burns.items() if burn is not None},
        unpriced=row["unpriced_requests"],
        zone=zone,
    )


def _of_counter(row: _Standing, now: datetime, rollup: pl.DataFrame | None) -> list[tuple[float, Finding]]:
    if _reached(row.spent, row.hard):
        return [(row.used_share, _limit_finding(row, "hard", row.hard or ZERO, now, rollup))]
    found = []
    if _reached(row.spent, row.soft):
        found.append((row.used_share, _limit_finding(row, "soft", row.soft or ZERO, now, rollup)))
    burning = next((rule for rule in BURN_RULES if _burns(row, rule)), None)
    if burning is not None:
        found.append((row.burns[burning.hours], _burn_finding(row, burning, now, rollup)))
    return found


def _burns(row: _Standing, rule: BurnRule) -> bool:
    projected = row.forecast is not None and row.forecast > row.limit
    if rule.only_if_projected and not projected:
        return False
    return row.burns.get(rule.hours, 0.0) >= rule.rate and (projected or row.used_share >= _BURN_FROM_SHARE)


def _limit_finding(
    row: _Standing, kind: str, limit: Decimal, now: datetime, rollup: pl.DataFrame | None
) -> Finding:
    beyond = row.spent - limit
    return replace(
        _finding(row, now, Period(row.start, now), row.spent, limit),
        rule=row.rule(kind),
        since=_crossed(rollup, row, limit) or row.start,
        severity=Severity.PAGE if kind == "hard" else Severity.TICKET,
        summary=(
            f"{row.written(row.spent)} spent of the {kind} {row.often} budget of {row.written(limit)}"
            f" ({row.written(beyond)} over)"
        ),
        why=_why(row),
    )


def _burn_finding(row: _Standing, rule: BurnRule, now: datetime, rollup: pl.DataFrame | None) -> Finding:
    start = now - timedelta(hours=rule.hours)
    burn = row.burns[rule.hours]
    allowed = row.limit * rule.hours / Decimal((row.end - row.start) / timedelta(hours=1))
    spent = (allowed * Decimal(burn)).quantize(_SCALE)
    last = "hour" if rule.hours == 1 else f"{rule.hours} hours"
    return replace(
        _finding(row, now, Period(start, now), spent, allowed.quantize(_SCALE)),
        rule=row.rule("burn"),
        since=_risen(rollup, row, now, allowed * Decimal(rule.rate) / rule.hours) or start,
        severity=rule.severity,
        summary=f"{burn:.1f}× the rate of the {row.often} budget over the last {last}",
        why=(f"{units.share(row.used_share)} of {row.written(row.limit)} used", *_why(row)),
    )


def _finding(row: _Standing, now: datetime, span: Period, spent: Decimal, expected: Decimal) -> Finding:
    """The parts all budget findings share; dollars are None for a budget of tokens."""
    in_usd = row.unit == BudgetUnit.USD
    return Finding(
        rule="budget",
        scope=_scope(row),
        severity=Severity.TICKET,
        found_at=now,
        since=span.start,
        window_start=span.start,
        window_end=span.end,
        observed_usd=spent if in_usd else None,
        expected_usd=expected if in_usd else None,
        excess_usd=spent - expected if in_usd else None,
        summary="",
    )


def _scope(row: _Standing) -> Scope:
    return Scope(**{row.dimension: row.value}) if row.dimension else Scope()


def _why(row: _Standing) -> tuple[str, ...]:
    ahead = () if row.forecast is None else (f"forecast for the {row.period}: {row.written(row.forecast)}",)
    blind = (f"{row.unpriced} unpriced requests are not in it",) if row.unpriced else ()
    start = f"{units.instant(row.start, row.zone)} ({row.zone})"
    return (f"{row.often} budget of {row.budget}: counted since {start}", *ahead, *blind)


def _crossed(rollup: pl.DataFrame | None, row: _Standing, limit: Decimal) -> datetime | None:
    return None if rollup is None else crossed_at(_own_amounts(rollup, row), row.start, limit)


def _risen(rollup: pl.DataFrame | None, row: _Standing, now: datetime, per_hour: Decimal) -> datetime | None:
    """When spending began to run above the rate, be it before the hours over which it was measured."""
    if rollup is None:
        return None
    return risen_at(_own_amounts(rollup, row), now - timedelta(hours=max(BURN_HOURS)), per_hour)


def _own_amounts(rollup: pl.DataFrame, row: _Standing) -> pl.DataFrame:
    own = rollup.filter(pl.col(row.dimension) == row.value) if row.dimension else rollup
    return amounts(own, None, row.unit)
