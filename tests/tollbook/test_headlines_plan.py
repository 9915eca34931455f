"""The daily report's figures are held against the plan of those it is for, and say what is beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from ledger import store
from reports.daily import Daily
from tollbook import jobs
from tollbook.config import Configuration, load

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
