from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from analytics.plan import Budget, DayPlan, day_plan

UTC = ZoneInfo("UTC")
OCTOBER = date(2026, 10, 30)


def budget(
    dimension: str | None, value: str | None, soft: str | None, hard: str | None, **more: str
) -> Budget:
    limits = [None if amount is None else Decimal(amount) for amount in (soft, hard)]
    return Budget("b", dimension, value, more.get("period", "month"), *limits, more.get("unit", "usd"))


def test_a_monthly_soft_limit_of_all_spend_is_shared_by_its_days() -> None:
    assert day_plan([budget(None, None, "310", "400")], OCTOBER, UTC) == DayPlan(Decimal(10))


def test_a_month_of_28_days_allows_more_each_day() -> None:
    assert day_plan([budget(None, None, "280", None)], date(2027, 2, 3), UTC) == DayPlan(Decimal(10))


def test_the_hard_limit_is_the_plan_without_a_soft_one() -> None:
    assert day_plan([budget(None, None, None, "70", period="week")], OCTOBER, UTC) == DayPlan(Decimal(10))


def test_tenants_budgets_add_up_where_all_spend_has_none() -> None:
    given = [budget("tenant", "acme", "310", None), budget("tenant", "zeta", "5", None, period="day")]
    assert day_plan(given, OCTOBER, UTC) == DayPlan(Decimal(15), frozenset({"acme", "zeta"}))


def test_of_two_budgets_of_one_tenant_the_tighter_counts() -> None:
    given = [budget("tenant", "acme", "310", None), budget("tenant", "acme", "4", None, period="day")]
    assert day_plan(given, OCTOBER, UTC) == DayPlan(Decimal(4), frozenset({"acme"}))


def test_a_ceiling_for_each_tenant_is_no_plan() -> None:
    assert day_plan([budget("tenant", "*", "310", None)], OCTOBER, UTC) is None


def test_token_budgets_are_no_plan_in_dollars() -> None:
    assert day_plan([budget(None, None, "310", None, unit="tokens")], OCTOBER, UTC) is None


def test_a_plan_for_some_tenants_is_held_against_their_spend_alone(rollup_frame) -> None:
    rows = rollup_frame([{"tenant": name, "cost_usd": "3"} for name in ("acme", "zeta", None)])
    assert DayPlan(Decimal(1), frozenset({"acme"})).covered(rows)["tenant"].to_list() == ["acme"]
    assert DayPlan(Decimal(1)).covered(rows).height == 3
