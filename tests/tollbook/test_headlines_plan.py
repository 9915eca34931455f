"""The daily report's figures are held against the plan of those it is for, and say what is beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import store
from reports.daily import Daily
from tollbook import jobs
from tollbook.config import load

MORNING = datetime(2026, 10, 7, 7, tzinfo=UTC)
TUESDAY = date(2026, 10, 6)


@pytest.fixture
def visit(folder: Path):
    return lambda: store.open(folder / "tollbook.duckdb")


def _daily(folder: Path, visit, now: datetime = MORNING, day: date = TUESDAY) -> Daily:
    config = load(folder / "tollbook.toml")
    jobs.ingest_sources(config, visit, MORNING)
    with visit() as ledger:
        return jobs.daily_of(ledger, config, day, now)


def test_a_budget_of_one_tenant_is_no_plan_for_the_others(folder: Path, visit):
    # acme's four calls cost $16.00; fabrikam's $0.80 and nobody's $1.00 have no budget.
    daily = _daily(folder, visit)
    spent = daily.headlines[0]
    # $5 a month is $5 ÷ 31 a day.
    assert spent.plan_usd == (Decimal(5) / 31).quantize(Decimal("1e-12"))
    assert spent.over
    assert spent.note == "booked, $1.80 of tenants without a budget"
    assert "$1.80 is of those without" in daily.sentence
    assert set(daily.days["plan_usd"]) == {None}


def test_a_budget_of_all_spend_is_the_plan_of_every_day(folder: Path, visit):
    with (folder / "tollbook.toml").open("a") as config:
        config.write("\n[[budget]]\nsoft_usd = 620\n")
    daily = _daily(folder, visit)
    spent, month, ahead, _ = daily.headlines
    assert (spent.plan_usd, spent.over, spent.note) == (Decimal(20), False, "booked")
    assert (month.plan_usd, ahead.plan_usd) == (Decimal(620), Decimal(620))
    assert set(daily.days["plan_usd"]) == {Decimal(20)}


def test_a_day_that_still_runs_is_told_so_far_beside_the_same_hours(folder: Path, visit):
    # Until 11:00 UTC three of Tuesday's calls at $4.00; Monday's one call at 9:00 was $2.00.
    daily = _daily(folder, visit, datetime(2026, 10, 6, 11, 7, tzinfo=UTC))
    spent = daily.headlines[0]
    assert (spent.value_usd, spent.change_usd, spent.plan_usd) == (12, 10, None)
    assert (spent.versus, spent.note) == ("Mon 5 Oct until 11:00", "booked so far, until 11:00")
    assert daily.sentence.startswith(
        "Tue 6 Oct 2026 so far, until 11:00, cost $12.00, $10.00 (500 %) more than Mon 5 Oct until 11:00."
    )
    assert daily.days["complete"].to_list()[-2:] == [True, False]


def test_the_hours_of_the_day_before_end_at_the_same_time(folder: Path, visit):
    # At 8:30 on Tuesday its call of 8:10 is in the books, and Monday's of 9:00 had not been made.
    spent = _daily(folder, visit, datetime(2026, 10, 6, 8, 30, tzinfo=UTC)).headlines[0]
    assert (spent.value_usd, spent.change_usd) == (4, None)
