from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analytics import budget
from analytics.counters import burn_starts
from analytics.plan import Budget, Increase
from ledger.figures import Scope, Severity

ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 10, 16, tzinfo=UTC)


def acme(soft: str | None, hard: str | None, **more: str) -> Budget:
    limits = [None if amount is None else Decimal(amount) for amount in (soft, hard)]
    return Budget(
        "acme-month", "tenant", "acme", more.get("period", "month"), *limits, more.get("unit", "usd")
    )


def states(rollup: pl.DataFrame, *budgets: Budget, last_data: datetime | None = NOW) -> pl.DataFrame:
    return budget.states(rollup, budgets, NOW, ZONE, last_data)


def spent(usd: str, hours_ago: float = 200, **more: object) -> dict:
    return {"bucket": NOW - timedelta(hours=hours_ago), "cost_usd": usd, **more}


@pytest.mark.parametrize(
    ("usd", "state"),
    [("10", "ok"), ("80", "warn"), ("100", "soft"), ("150", "soft"), ("200", "hard")],
)
def test_the_gravest_limit_reached_names_the_state(rollup_frame, usd: str, state: str) -> None:
    # All of it on the first day of the month, so that the forecast stays below the hard limit.
    rollup = rollup_frame([spent("0", 24 * 15), spent(usd, 24 * 14)])
    frame = states(rollup, acme("100", "100000" if state != "hard" else "200"))
    assert frame["state"].item() == state


def test_a_forecast_beyond_the_hard_limit_is_projected(rollup_frame) -> None:
    # $60 in half of the month: about $124 at its end.
    rollup = rollup_frame([spent("4", 24 * day - 1) for day in range(1, 16)])
    row = states(rollup, acme(None, "100")).row(0, named=True)
    assert row["state"] == "projected"
    assert row["forecast"] > 120


def test_used_share_is_of_the_hard_limit(rollup_frame) -> None:
    assert states(rollup_frame([spent("50")]), acme("100", "200"))["used_share"].item() == 0.25


def test_burn_compares_an_hour_with_what_the_budget_allows_for_it(rollup_frame) -> None:
    # October has 744 hours: $744 allow one dollar an hour.
    rollup = rollup_frame([spent("15", 0.5), spent("9", 5)])
    row = states(rollup, acme(None, "744")).row(0, named=True)
    assert (row["burn_1h"], row["burn_6h"], row["burn_24h"]) == (15.0, 4.0, 1.0)


def test_burn_longer_than_the_period_is_unknown(rollup_frame) -> None:
    row = states(rollup_frame([spent("15", 0.5)]), acme(None, "10", period="day")).row(0, named=True)
    assert row["burn_72h"] is None


def test_a_star_counts_each_value_but_those_with_a_budget_of_their_own(rollup_frame) -> None:
    rollup = rollup_frame([spent("1", tenant=name) for name in ("b", "acme", "a", None)])
    each = Budget("each", "tenant", "*", "month", None, Decimal(5))
    frame = states(rollup, each, acme(None, "9"))
    assert frame.select("budget", "value").rows() == [("each", "a"), ("each", "b"), ("acme-month", "acme")]


def test_a_budget_of_all_spend_counts_the_unattributed_too(rollup_frame) -> None:
    rollup = rollup_frame([spent("1", tenant=None), spent("2")])
    frame = states(rollup, Budget("all", None, None, "month", None, Decimal(9)))
    assert frame["spent"].to_list() == [3]


def test_stale_books_without_rows_are_unknown_not_zero(rollup_frame) -> None:
    row = states(rollup_frame([]), acme("1", "2"), last_data=NOW - timedelta(hours=27)).row(0, named=True)
    assert (row["spent"], row["used_share"], row["stale"], row["state"]) == (None, None, True, "ok")


def test_fresh_books_without_rows_are_zero(rollup_frame) -> None:
    row = states(rollup_frame([]), acme("1", "2")).row(0, named=True)
    assert (row["spent"], row["stale"]) == (0, False)


def test_a_budget_of_tokens_counts_every_bucket(rollup_frame) -> None:
    rollup = rollup_frame([spent("1", input_tokens=10, cache_read_tokens=20, output_tokens=5)])
    row = states(rollup, acme(None, "70", unit="tokens")).row(0, named=True)
    assert (row["spent"], row["unit"], row["used_share"]) == (35, "tokens", 0.5)


def test_days_end_at_the_zones_midnight(rollup_frame) -> None:
    rollup = rollup_frame([spent("1", 2), spent("5", 20)])
    kolkata = budget.states(rollup, [acme(None, "9", period="day")], NOW, ZoneInfo("Asia/Kolkata"), NOW)
    # Midnight in Kolkata was 18:30 UTC.
    assert kolkata["spent"].item() == 1


def found(rollup: pl.DataFrame, *budgets: Budget) -> list:
    return budget.findings(states(rollup, *budgets), NOW, rollup)


def test_a_hard_limit_pages_and_mutes_the_soft_one(rollup_frame) -> None:
    (finding,) = found(rollup_frame([spent("300", 48), spent("5", 24)]), acme("100", "200"))
    assert (finding.rule, finding.severity, finding.scope) == (
        "budget_hard_month",
        Severity.PAGE,
        Scope(tenant="acme"),
    )
    assert (finding.observed_usd, finding.expected_usd, finding.excess_usd) == (305, 200, 105)
    assert finding.since == NOW - timedelta(hours=48)


def test_a_soft_limit_is_a_ticket(rollup_frame) -> None:
    (finding,) = found(rollup_frame([spent("110")]), acme("100", "2000"))
    assert (finding.rule, finding.severity) == ("budget_soft_month", Severity.TICKET)
    assert finding.summary == "$110.00 spent of the soft monthly budget of $100.00 ($10.00 over)"


def test_a_fast_burn_pages_before_any_limit(rollup_frame) -> None:
    (finding,) = found(rollup_frame([spent("50", 0.5)]), acme(None, "744"))
    assert (finding.rule, finding.severity) == ("budget_burn_month", Severity.PAGE)
    assert finding.summary == "50.0× the rate of the monthly budget over the last hour"
    assert (finding.observed_usd, finding.expected_usd, finding.excess_usd) == (50, 1, 49)


def test_a_slow_burn_is_a_ticket(rollup_frame) -> None:
    (finding,) = found(rollup_frame([spent("80", 20)]), acme(None, "744"))
    assert (finding.rule, finding.severity) == ("budget_burn_month", Severity.TICKET)


@pytest.mark.parametrize(
    ("hours_ago", "usd"),
    # $744 allow a dollar an hour: a burst in the middle of a day that was quiet before and after, one that
    # goes on, and one in the last hour alone.
    [((9, 8.75, 8.5), "40"), ((5, 4, 3, 2, 1), "20"), ((0.5, 0.25), "30")],
)
def test_a_burn_began_with_the_quarter_that_began_to_run_above_its_rate(rollup_frame, hours_ago, usd) -> None:
    quiet = [spent("0.1", hours) for hours in (23.5, 20, 15, 12)]
    (finding,) = found(rollup_frame([*quiet, *(spent(usd, ago) for ago in hours_ago)]), acme(None, "744"))
    assert finding.since == NOW - timedelta(hours=hours_ago[0])


def test_without_the_rollup_a_burn_began_with_its_hours(rollup_frame) -> None:
    (finding,) = budget.findings(states(rollup_frame([spent("50", 0.5)]), acme(None, "744")), NOW)
    assert finding.since == NOW - timedelta(hours=1)


def test_a_burst_that_hardly_touches_the_budget_is_not_told(rollup_frame) -> None:
    rollup = rollup_frame([*(spent("0.01", 24 * day) for day in range(1, 29)), spent("20", 0.5)])
    assert found(rollup, acme(None, "744")) == []


def test_a_daily_and_a_monthly_budget_on_one_scope_both_speak(rollup_frame) -> None:
    rows = [spent("300", 3)]
    yesterday = NOW - timedelta(hours=1)
    daily = acme(None, "1", period="day")
    frame = budget.states(rollup_frame(rows), [acme(None, "200"), daily], yesterday, ZONE, NOW)
    findings = budget.findings(frame, yesterday)
    assert {each.rule: each.expected_usd for each in findings} == {
        "budget_hard_month": 200,
        "budget_hard_day": 1,
    }


def test_a_budget_of_tokens_and_one_of_dollars_both_speak(rollup_frame) -> None:
    rollup = rollup_frame([spent("300", output_tokens=900)])
    findings = found(rollup, acme(None, "200"), acme(None, "500", unit="tokens"))
    assert [each.rule for each in findings] == ["budget_hard_month", "budget_hard_month_tokens"]


def test_of_two_budgets_on_one_counter_the_fullest_speaks(rollup_frame) -> None:
    (finding,) = found(rollup_frame([spent("300")]), acme(None, "200"), acme(None, "250"))
    assert finding.expected_usd == 200


def test_unknown_spend_finds_nothing(rollup_frame) -> None:
    frame = states(rollup_frame([]), acme("0", "0"), last_data=None)
    assert budget.findings(frame, NOW) == []


def test_the_last_hours_begin_with_the_first_whole_quarter_in_them():
    now = datetime(2026, 10, 16, 10, 7, tzinfo=UTC)
    assert burn_starts(now)[:2] == [
        datetime(2026, 10, 16, 9, 15, tzinfo=UTC),
        datetime(2026, 10, 16, 4, 15, tzinfo=UTC),
    ]
    assert burn_starts(NOW)[0] == NOW - timedelta(hours=1)


def raised(until: date, since: date | None = None) -> Budget:
    return replace(acme("100", "200"), increase=Increase(Decimal(50), until, since, "a campaign"))


@pytest.mark.parametrize(
    ("until", "since", "limits"),
    [
        (date(2026, 10, 17), None, (150, 250, 50)),
        (date(2026, 10, 16), None, (100, 200, None)),
        (date(2026, 11, 1), date(2026, 10, 16), (150, 250, 50)),
        (date(2026, 11, 1), date(2026, 10, 17), (100, 200, None)),
    ],
)
def test_a_temporary_increase_is_in_the_limits_up_to_its_last_day(rollup_frame, until, since, limits) -> None:
    row = states(rollup_frame([spent("120")]), raised(until, since)).row(0, named=True)
    assert (row["soft"], row["hard"], row["increase"]) == limits


def test_the_plan_of_an_even_spender_is_the_part_of_the_month_that_is_over(rollup_frame) -> None:
    # A dollar every hour of the four weeks before, and 15 of 31 days are over.
    rollup = rollup_frame([spent("1", hour) for hour in range(1, 28 * 24 + 1)])
    assert states(rollup, acme(None, "310"))["planned"].item() == pytest.approx(150)


def test_the_plan_follows_the_hours_of_the_week(rollup_frame) -> None:
    # $1 an hour on weekdays only. 1 October 2026 is a Thursday: of 22 weekdays 11 are over on the 16th.
    hours = (NOW - timedelta(hours=hour) for hour in range(1, 28 * 24 + 1))
    rows = [{"bucket": at, "cost_usd": "1"} for at in hours if at.weekday() < 5]
    planned = states(rollup_frame(rows), acme(None, "2200"))["planned"].item()
    # One mean hour counts in each hour beside the four weeks seen: a fifth of an even plan is left in it.
    weekday, any_hour = 4 + 5 / 7 * 1, 5 / 7
    whole = 22 * weekday + 9 * any_hour
    assert float(planned) == pytest.approx(2200 * (11 * weekday + 4 * any_hour) / whole)
