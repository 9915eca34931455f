"""Counts beside bills by UTC day: what is compared, and how far off the rest is."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from ledger import count_days, derived, store


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    monkeypatch.setenv("TOLLBOOK_KEY", "00" * 32)
    with store.open(tmp_path / "tollbook.duckdb") as opened:
        yield opened


def row(ts: str, counted: int | None, reported: int | None, **more: object) -> dict[str, object]:
    """What a comparison reads of a request; the rest of the row is of no matter here."""
    return {
        "ts": datetime.fromisoformat(ts),
        "counted_input_tokens": counted,
        "input_tokens": reported,
        "count_method": "exact",
        "count_category": "text",
        "usage_source": "reported",
        "model": "m",
        **more,
    }


def put(ledger: store.Ledger, *rows: dict[str, object]) -> None:
    filling = {
        "request_id": "00000000-0000-0000-0000-000000000000",
        "record_digest": b"",
        "id_kind": "record",
        "ts_estimated": False,
        "ingested_at": datetime(2026, 10, 1),
        "source": "pair",
        "source_file": "-",
        "source_line": 1,
        "operation": "chat",
        "api": "openai.chat",
        "status": "ok",
        "cache_hit": False,
    }
    frame = pl.DataFrame([{**filling, **each} for each in rows], infer_schema_length=None)
    ledger.append("requests", frame)
    ledger.execute("DELETE FROM count_days")
    ledger.execute(f"INSERT INTO count_days BY NAME {derived.query('count_days')}")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read(ledger: store.Ledger, start: str = "2026-10-01", end: str = "2026-10-31") -> pl.DataFrame:
    return count_days.read(ledger, at(start), at(end))


def test_equal_and_nearly_equal_calls_are_told_apart(ledger):
    put(ledger, *(row("2026-10-05T10:00", counted, 100) for counted in (100, 100, 98, 103, 50)))
    found = read(ledger)
    sums = found.select(pl.col("compared", "equal", "within_2", "reported_tokens", "counted_tokens").sum())
    assert found["day"].unique().to_list() == [date(2026, 10, 5)]
    assert sums.row(0) == (5, 2, 3, 500, 451)
    assert found["error_ppm"].sum() == 20_000 + 30_000 + 500_000


def test_errors_are_filed_by_size_and_side(ledger):
    # The bucket of 2 % goes from 1e-4 × 1.1^55 to 1e-4 × 1.1^56 (1.89 % to 2.08 %), that of 50 % from 1.1^89.
    put(ledger, *(row("2026-10-05T10:00", counted, 100) for counted in (100, 98, 150)))
    assert read(ledger).sort("bin").select("bin", "compared").rows() == [(-56, 1), (0, 1), (90, 1)]


def test_all_input_buckets_are_the_bill(ledger):
    put(ledger, row("2026-10-05T10:00", 100, 30, cache_read_tokens=50, cache_write_tokens=20))
    assert read(ledger)["equal"].to_list() == [1]


@pytest.mark.parametrize(
    "more",
    [
        {"usage_source": "counted"},
        {"usage_source": "estimated"},
        {"cache_hit": True},
        {"counted_input_tokens": None, "count_method": "none"},
        {"input_tokens": 0},
    ],
)
def test_what_has_no_bill_or_no_count_of_its_own_is_not_compared(ledger, more):
    put(ledger, {**row("2026-10-05T10:00", 100, 100), **more}, row("2026-10-05T11:00", 7, 7))
    assert read(ledger)["compared"].to_list() == [1]


def test_days_are_those_that_begin_in_the_span_and_nothing_after_its_end_is_seen(ledger):
    put(ledger, *(row(f"2026-10-0{day}T{hour}:00", 9, 9) for day in (5, 6, 7) for hour in ("01", "20")))
    # A day in Berlin: 22:00 to 22:00 UTC.
    berlin = read(ledger, "2026-10-05T22:00", "2026-10-06T22:00")
    assert berlin.select("day", "compared").rows() == [(date(2026, 10, 6), 2)]
    running = read(ledger, "2026-10-06", "2026-10-07T09:00")
    assert running.select("day", "compared").rows() == [(date(2026, 10, 6), 2), (date(2026, 10, 7), 1)]


def test_only_text_by_exact_rules_agrees_or_does_not(ledger):
    put(
        ledger,
        row("2026-10-05T10:00", 100, 100),
        row("2026-10-05T10:00", 90, 100),
        row("2026-10-05T10:00", 1, 100, count_category="tools"),
        row("2026-10-05T10:00", 1, 100, count_method="calibrated"),
    )
    found = count_days.agreement(ledger, at("2026-10-05"), at("2026-10-06"))
    assert (found.compared, found.exact_share, found.drift_share) == (2, 0.5, -0.05)


def test_nothing_to_compare_has_no_share(ledger):
    found = count_days.agreement(ledger, at("2026-10-05"), at("2026-10-06"))
    assert (found.compared, found.exact_share, found.drift_share) == (0, None, None)
