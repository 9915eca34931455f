"""One day in the books, written by hand: 12.00 dollars, two tenants, one of them over its budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from ledger import frames
from ledger.figures import (
    Action,
    ControlKind,
    DataHealth,
    Headline,
    Incident,
    IncidentState,
    Scope,
    Severity,
)
from reports.daily import Daily

DAY = date(2026, 3, 18)


def usd(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def breakdown(dimension: str, rows: list[tuple[str | None, str, str | None, float]]) -> pl.DataFrame:
    """Rows of (value, cost, cost the day before, share); five requests of 100 tokens a dollar."""
    return pl.DataFrame(
        [
            {
                "dimension": dimension,
                "value": value,
                "requests": int(Decimal(cost) * 5),
                "tokens": int(Decimal(cost) * 500),
                "cost_usd": Decimal(cost),
                "share": share,
                "previous_cost_usd": usd(before),
                "change_usd": None if before is None else Decimal(cost) - Decimal(before),
                "unpriced_requests": 1 if value is None else 0,
                "estimated_cost_usd": Decimal("0.25") if value is None else Decimal(0),
                "trend": [2.0, None, 4.0],
            }
            for value, cost, before, share in rows
        ],
        schema=frames.BREAKDOWN,
    )


@pytest.fixture
def make_breakdown() -> Callable[..., pl.DataFrame]:
    return breakdown


@pytest.fixture
def days() -> pl.DataFrame:
    """Ten days to DAY; the fifth has no row at all; a plan of 10 dollars throughout."""
    costs = ["8", "9", "7.5", None, "2", "2.5", "9", "9.25", "10", "12"]
    rows = []
    for back, cost in zip(range(9, -1, -1), costs, strict=True):
        this = DAY - timedelta(days=back)
        known = cost is not None
        rows.append((this, 40 * known, 4000 * known, usd(cost), Decimal(10), this.weekday() >= 5, True))
    return pl.DataFrame(rows, schema=frames.DAILY, orient="row")


@pytest.fixture
def factors() -> pl.DataFrame:
    rows = [
        ("volume", "Number of requests", Decimal("0.5")),
        ("input", "Input tokens a request", Decimal("1.75")),
        ("output", "Output tokens a request", Decimal("-0.25")),
    ]
    return pl.DataFrame(rows, schema=frames.FACTORS, orient="row")


def contributors() -> pl.DataFrame:
    row = {
        "tenant": "acme",
        "workflow": "triage",
        "model": "gpt-4.1",
        "previous_cost_usd": Decimal(6),
        "cost_usd": Decimal(8),
        "change_usd": Decimal(2),
        "previous_requests": 30,
        "requests": 32,
        "previous_input_per_request": 900.4,
        "input_per_request": 1400.6,
        "previous_output_per_request": 90.0,
        "output_per_request": 88.0,
        "reason": "retrieved context 300 → 800 tokens a request",
    }
    return pl.DataFrame([row], schema=frames.CONTRIBUTORS)


def segments() -> pl.DataFrame:
    rows = [
        ("context", 3000, Decimal("6.5"), 0.5417, Decimal("4.5"), Decimal(2)),
        ("answer", 1000, Decimal("5.5"), 0.4583, Decimal("5.5"), Decimal(0)),
    ]
    return pl.DataFrame(rows, schema=frames.SEGMENT_SPEND, orient="row")


def envelopes() -> pl.DataFrame:
    row = (
        "triage",
        "acme",
        "input",
        900.0,
        1200.0,
        1390.0,
        1800.0,
        32,
        8,
        0.25,
        15_000,
        Decimal("1.1"),
        "over",
    )
    return pl.DataFrame([row], schema=frames.ENVELOPES, orient="row")


def budgets() -> pl.DataFrame:
    row = {
        "budget": "each tenant",
        "dimension": "tenant",
        "value": "acme",
        "period": "month",
        "period_start": datetime(2026, 2, 28, 23),
        "period_end": datetime(2026, 3, 31, 22),
        "unit": "usd",
        "spent": Decimal(130),
        "soft": Decimal(100),
        "hard": Decimal(120),
        "increase": None,
        "planned": Decimal(60),
        "used_share": 1.0833,
        "forecast": Decimal(220),
        "forecast_low": Decimal(200),
        "forecast_high": Decimal(240),
        "burn_1h": 1.0,
        "burn_6h": 1.1,
        "burn_24h": 1.2,
        "burn_72h": 1.0,
        "state": "hard",
        "stale": False,
        "unpriced_requests": 0,
    }
    tokens = row | {"budget": "all spend", "value": None, "dimension": None, "unit": "tokens", "state": "ok"}
    tokens |= {"spent": Decimal(2_500_000), "soft": None, "hard": Decimal(5_000_000), "used_share": 0.5}
    tokens |= {"forecast": None, "forecast_low": None, "forecast_high": None}
    return pl.DataFrame([row, tokens], schema=frames.BUDGETS)


def prompt_changes() -> pl.DataFrame:
    rows = [
        ("triage", "9c1f00d5", 2, datetime(2026, 3, 18, 8), 900.4, 1400.6, 40, Decimal("2.5")),
        ("summary", "0badcafe", 1, datetime(2026, 3, 13, 12), None, 310.0, 3, None),
    ]
    return pl.DataFrame(rows, schema=frames.PROMPT_CHANGES, orient="row")


def incident() -> Incident:
    return Incident(
        incident_id="inc-1",
        fingerprint="f1",
        rule="dollar_excess",
        scope=Scope(tenant="acme", workflow="triage"),
        severity=Severity.PAGE,
        state=IncidentState.FIRING,
        opened_at=datetime(2026, 3, 18, 9, 5, tzinfo=UTC),
        since=datetime(2026, 3, 18, 8, 0, tzinfo=UTC),
        updated_at=datetime(2026, 3, 19, 5, 0, tzinfo=UTC),
        resolved_at=None,
        until=None,
        observed_usd=Decimal(8),
        expected_usd=Decimal(6),
        excess_usd=Decimal(2),
        summary="$2.00 above usual in the last 24 hours",
        why=("Retrieved context grew.",),
        action=Action(
            ControlKind.COMPRESS_CONTEXT, "compress context", "tollbook policy propose", Decimal("1.1")
        ),
    )


def health() -> DataHealth:
    return DataHealth(
        ingested_since=datetime(2026, 3, 17, 23, tzinfo=UTC),
        read=70,
        added=60,
        updated=1,
        duplicate=5,
        merged_identical=2,
        rejected=2,
        reject_reasons=(("truncated JSON", 2),),
        requests=60,
        late_requests=3,
        late_usd=Decimal("0.4"),
        unpriced_requests=1,
        unpriced_tokens=800,
        unpriced_reasons=(("no price for llama-x", 1),),
        unattributed_requests=5,
        unattributed_usd=Decimal(1),
        estimated_requests=2,
        estimated_usd=Decimal("0.25"),
        cost_usd=Decimal(12),
        ts_estimated_requests=0,
        drift_share=-0.002,
        exact_share=0.97,
        comparable_requests=50,
        price_book="list prices",
        price_book_date=date(2026, 3, 1),
        last_commit=datetime(2026, 3, 19, 4, 30, tzinfo=UTC),
    )


def headlines() -> tuple[Headline, ...]:
    return (
        Headline("Spent", Decimal(12), Decimal(10), Decimal(2), 0.2, "Tue 17 Mar", note="booked", over=True),
        Headline("Month’s end", Decimal(320), Decimal(300), low_usd=Decimal(300), high_usd=Decimal(340)),
        Headline("Outside envelopes", None),
    )


@pytest.fixture
def daily(days: pl.DataFrame, factors: pl.DataFrame) -> Daily:
    return Daily(
        day=DAY,
        zone=ZoneInfo("Europe/Berlin"),
        period_start=datetime(2026, 3, 17, 23, tzinfo=UTC),
        period_end=datetime(2026, 3, 18, 23, tzinfo=UTC),
        as_of=datetime(2026, 3, 19, 6, tzinfo=UTC),
        sentence="Wednesday cost $12.00: $2.00 (20 %) over plan, all of it triage.",
        headlines=headlines(),
        versus="Tue 17 Mar 2026",
        factors=factors,
        contributors=contributors(),
        breakdowns=(
            breakdown(
                "tenant", [("acme", "8", "6", 0.6667), ("globex", "3", "3", 0.25), (None, "1", "1", 0.0833)]
            ),
            breakdown("workflow", [("triage", "12", "10", 1.0)]),
        ),
        segments=segments(),
        days=days,
        envelopes=envelopes(),
        budgets=budgets(),
        incidents=(incident(),),
        health=health(),
        prompt_changes=prompt_changes(),
    )


@pytest.fixture
def nothing(daily: Daily) -> Daily:
    """A first morning: no record, no plan, no budget, nothing to compare with."""
    zero = dataclasses.replace(
        daily.health,
        read=0,
        added=0,
        updated=0,
        duplicate=0,
        merged_identical=0,
        rejected=0,
        reject_reasons=(),
    )
    zero = dataclasses.replace(
        zero, requests=0, late_requests=0, late_usd=Decimal(0), unpriced_requests=0, unpriced_tokens=0
    )
    zero = dataclasses.replace(
        zero, unpriced_reasons=(), unattributed_requests=0, unattributed_usd=Decimal(0), estimated_requests=0
    )
    zero = dataclasses.replace(
        zero,
        estimated_usd=Decimal(0),
        cost_usd=Decimal(0),
        drift_share=None,
        exact_share=None,
        comparable_requests=0,
        price_book_date=None,
        last_commit=None,
    )
    return dataclasses.replace(
        daily,
        sentence="No records on Wed 18 Mar 2026.",
        headlines=(),
        versus="",
        factors=frames.empty(frames.FACTORS),
        contributors=frames.empty(frames.CONTRIBUTORS),
        breakdowns=(frames.empty(frames.BREAKDOWN),),
        segments=frames.empty(frames.SEGMENT_SPEND),
        days=frames.empty(frames.DAILY),
        envelopes=frames.empty(frames.ENVELOPES),
        budgets=frames.empty(frames.BUDGETS),
        incidents=(),
        health=zero,
        prompt_changes=frames.empty(frames.PROMPT_CHANGES),
    )
