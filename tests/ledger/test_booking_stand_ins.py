"""Where our count stands in for usage that was not reported, and how the row says so."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ledger import store
from ledger.booking import book
from ledger.posting import post
from ledger.prices import Contract, Meter

NOW = datetime(2026, 10, 6, tzinfo=UTC)
COUNTED = {"counted_input_tokens": 90, "counted_output_tokens": 4, "count_method": "exact"}
CUT_STREAM = {
    "id": "x",
    "provider": "anthropic",
    "model": "claude-sonnet-4-5",
    "input_tokens": 50,
    "cache_read_tokens": 30,
    "usage_json": "{}",
    "streamed": True,
    "counted_input_tokens": 70,
    "counted_output_tokens": 12,
    "count_method": "calibrated",
}


def booked(records, row: dict[str, object]) -> dict[str, object]:
    frame, _ = book(records(row), [])
    return frame.row(0, named=True)


@pytest.mark.parametrize(
    ("model", "source"),
    [
        ("gpt-4.1-mini", "counted"),
        ("gpt-5-chat-latest", "counted"),
        ("gpt-5-mini-2025-08-07", "estimated"),
        ("gpt-5.2", "estimated"),
        ("o4-mini", "estimated"),
        ("openai/o3", "estimated"),
        ("codex-mini-latest", "estimated"),
        ("gpt-4o", "counted"),
    ],
)
def test_a_count_is_the_bill_only_where_the_answer_hides_no_reasoning(records, model, source):
    row = booked(records, {**COUNTED, "model": model})
    assert (row["usage_source"], row["input_tokens"], row["output_tokens"]) == (source, 90, 4)


def test_a_count_without_the_answer_is_an_estimate(records):
    row = booked(records, {**COUNTED, "counted_output_tokens": None})
    assert (row["usage_source"], row["output_tokens"]) == ("estimated", None)


def test_an_embedding_has_no_answer_to_miss(records):
    row = booked(
        records,
        {
            **COUNTED,
            "counted_output_tokens": None,
            "model": "text-embedding-3-small",
            "operation": "embedding",
        },
    )
    assert row["usage_source"] == "counted"


def test_the_output_of_a_cut_stream_is_estimated_and_paid(records):
    row = booked(records, CUT_STREAM)
    assert (row["usage_source"], row["input_tokens"], row["output_tokens"]) == ("estimated", 50, 12)
    # 50 × $3 + 30 × $0.30 + 12 × $15 a million.
    assert row["cost_usd"] == int((Decimal("0.00015") + Decimal("0.000009") + Decimal("0.00018")) * 10**12)


def test_a_stream_cut_before_its_first_word_is_never_told_as_reported(records):
    row = booked(records, {**CUT_STREAM, "counted_output_tokens": None})
    assert (row["usage_source"], row["output_tokens"]) == ("estimated", None)


def test_a_stream_that_failed_half_way_costs_what_it_had_said(records):
    failed = {
        "status": "error",
        "counted_input_tokens": 1000,
        "counted_output_tokens": 200,
        "count_method": "exact",
    }
    row = booked(records, failed)
    # gpt-4.1-mini: 1000 × $0.40 + 200 × $1.60 a million.
    assert (row["usage_source"], row["cost_usd"]) == ("counted", int(Decimal("0.00072") * 10**12))


def test_a_refused_call_costs_nothing_whatever_its_body_says(records):
    refused = {"status": "error", "http_status": 429, "counted_input_tokens": 9, "counted_output_tokens": 9}
    row = booked(records, {**refused, "count_method": "exact"})
    assert (row["usage_source"], row["cost_usd"]) == ("none", 0)


def test_a_whole_answer_without_an_output_count_stays_as_reported(records):
    row = booked(records, {**CUT_STREAM, "streamed": False})
    assert (row["usage_source"], row["output_tokens"]) == ("reported", None)


def test_an_output_without_its_input_is_completed_by_the_count(records):
    row = booked(records, {**COUNTED, "output_tokens": 6})
    assert (row["usage_source"], row["input_tokens"], row["output_tokens"]) == ("estimated", 90, 6)


def test_a_cost_past_what_a_row_can_hold_is_unpriced_with_its_reason(records):
    dear = Contract(model="*", usd_per_million={Meter.INPUT: Decimal(2_000_000), Meter.OUTPUT: Decimal(1)})
    frame, _ = book(records({"input_tokens": 10**6, "output_tokens": 1}), [dear])
    row = frame.row(0, named=True)
    assert (row["cost_usd"], row["unpriced_reason"]) == (None, "the cost is over a million dollars")


WHOLE = {**CUT_STREAM, "output_tokens": 40, "digest": "whole"}
TAGGED = {
    **CUT_STREAM,
    "input_tokens": None,
    "cache_read_tokens": None,
    "count_method": "none",
    "counted_input_tokens": None,
    "counted_output_tokens": None,
    "tags": [{"key": "team", "value": "blue"}],
    "digest": "tagged",
}


@pytest.mark.parametrize("order", list(itertools.permutations([CUT_STREAM, WHOLE, TAGGED])))
def test_a_stand_in_leaves_no_trace_when_the_call_is_completed(tmp_path, records, batch, order):
    with store.open(tmp_path / "t.duckdb") as ledger:
        for row in order:
            post(ledger, batch(records(row)), [], NOW)
        found = ledger.frame(
            "SELECT usage_source, input_tokens, output_tokens, tags['team'] AS team FROM requests"
        ).rows()
    assert found == [("reported", 50, 40, "blue")]


def test_a_stand_in_survives_a_record_that_adds_only_names(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(CUT_STREAM)), [], NOW)
        outcome = post(ledger, batch(records(TAGGED)), [], NOW)
        again = post(ledger, batch(records(CUT_STREAM)), [], NOW)
        found = ledger.frame("SELECT usage_source, output_tokens, tags['team'] AS team FROM requests").rows()
    assert (outcome.updated, again.duplicate) == (1, 1)
    assert found == [("estimated", 12, "blue")]
