"""Whatever is cut ties to the total, in any time zone, from ingested records to the frames of a report."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics import attribution, period
from collector.ingest import Intake, ingest
from ledger import queries, store
from tollbook import jobs

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "Pacific/Kiritimati",
    "Australia/Lord_Howe",
]
# Around the clock changes of the northern autumn and of Lord Howe's half hour.
_FIRST = datetime(2026, 10, 3, tzinfo=UTC)

calls = st.lists(
    st.fixed_dictionaries(
        {
            "minute": st.integers(0, 30 * 24 * 60),
            "tenant": st.sampled_from(["acme", "fabrikam", None]),
            "workflow": st.sampled_from(["digest", "search", None]),
            "environment": st.sampled_from(["prod", None]),
            "model": st.sampled_from(["gpt-4.1", "gpt-4.1-mini", "claude-sonnet-4-5", "house-llama-9", None]),
            "input_tokens": st.one_of(st.none(), st.integers(0, 200_000)),
            "cache_read_tokens": st.integers(0, 50_000),
            "output_tokens": st.one_of(st.none(), st.integers(0, 20_000)),
        }
    ),
    min_size=1,
    max_size=40,
)


def _write(records: list[dict[str, object]], file: Path) -> None:
    with file.open("w") as log:
        for number, record in enumerate(records):
            rest = {key: value for key, value in record.items() if key != "minute" and value is not None}
            ts = _FIRST + timedelta(minutes=int(str(record["minute"])), seconds=number % 60)
            log.write(
                json.dumps({"tollbook": 1, "call_id": str(number), "ts": ts.isoformat(), **rest}) + "\n"
            )


def _booked(records: list[dict[str, object]], folder: Path) -> tuple[pl.DataFrame, Decimal]:
    """The rollup as reports get it, and the total straight from the rows."""
    _write(records, folder / "calls.jsonl")
    path = folder / "tollbook.duckdb"
    ingest([str(folder / "calls.jsonl")], lambda: store.open(path), Intake(), _FIRST + timedelta(days=40))
    with store.open(path) as ledger:
        rollup = queries.rollup(ledger, _FIRST - timedelta(days=2), _FIRST + timedelta(days=40))
        total = ledger.rows("SELECT coalesce(sum(cost_usd), 0)::DECIMAL(38, 12) FROM requests")[0][0]
    assert isinstance(total, Decimal)
    return rollup, total


def _sum(frame: pl.DataFrame, column: str) -> Decimal:
    return sum((value for value in frame[column] if value is not None), Decimal(0))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=calls)
def test_every_cut_of_ingested_calls_ties_to_their_total_in_every_zone(records):
    with tempfile.TemporaryDirectory() as name:
        rollup, total = _booked(records, Path(name))
    requests = len(records)
    for zone in map(ZoneInfo, ZONES):
        first, last = datetime(2026, 10, 1).date(), datetime(2026, 11, 5).date()
        whole = period.between(first, last + timedelta(days=1), zone)
        before = period.previous(whole)
        assert attribution.total_usd(rollup, whole) == total
        by_day = attribution.daily(rollup, first, last, zone, _FIRST + timedelta(days=60), None)
        assert _sum(by_day, "cost_usd") == total
        assert by_day["requests"].sum() == requests
        each_day = [
            attribution.total_usd(rollup, period.day(first + timedelta(days=days), zone))
            for days in range((last - first).days + 1)
        ]
        assert sum(each_day, Decimal(0)) == total
        assert _sum(attribution.segment_spend(rollup, whole, before), "cost_usd") == total
        for dimension in (*jobs.BREAKDOWNS, "model"):
            cut = attribution.spend_by(rollup, dimension, whole, before, 30, zone)
            assert _sum(cut, "cost_usd") == total, dimension
            assert cut["requests"].sum() == requests


@pytest.mark.parametrize("zone", ZONES)
def test_midnight_of_every_zone_falls_on_a_bucket_of_the_rollup(zone: str):
    start = datetime(2026, 1, 1).date()
    for days in range(365):
        midnight = period.midnight(start + timedelta(days=days), ZoneInfo(zone))
        assert (midnight.minute % 15, midnight.second) == (0, 0)
