"""Booking: expected amounts are worked out by hand from the public prices named in each test."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.booking import apportion_rows, book
from ledger.prices import Contract, Meter
from ledger.shares import apportion
from ledger.types import SEGMENTS

PICO = Decimal("1e-12")


def usd(frame: pl.DataFrame, column: str) -> Decimal | None:
    value = frame[column][0]
    return None if value is None else value * PICO


def test_each_meter_is_charged_at_its_own_price(records):
    # gpt-4.1-mini: $0.40 input, $0.10 cached input, $1.60 output a million.
    row, _ = book(records({"input_tokens": 1000, "cache_read_tokens": 500, "output_tokens": 200}), [])
    assert usd(row, "input_cost_usd") == Decimal("0.0004")
    assert usd(row, "cache_read_cost_usd") == Decimal("0.00005")
    assert usd(row, "output_cost_usd") == Decimal("0.00032")
    assert usd(row, "cost_usd") == Decimal("0.00077")
    assert row["usage_source"][0] == "reported"


def test_anthropic_cache_writes_of_an_hour_cost_more_than_those_of_five_minutes(records):
    # claude-sonnet-4-5: $3 input, $3.75 five-minute write, $6 one-hour write, $0.30 read, $15 output.
    frame = records(
        {
            "provider": "anthropic",
            "model": "claude-sonnet-4-5",
            "input_tokens": 10,
            "cache_write_tokens": 1000,
            "cache_write_1h_tokens": 1000,
            "cache_read_tokens": 1000,
            "output_tokens": 0,
        }
    )
    row, _ = book(frame, [])
    assert usd(row, "cache_write_cost_usd") == Decimal("0.00975")
    assert usd(row, "cost_usd") == Decimal("0.00003") + Decimal("0.00975") + Decimal("0.0003")


def test_a_long_prompt_is_charged_at_the_long_price_for_all_of_it(records):
    # gemini-2.5-pro: $1.25 a million up to 200,000 input tokens, $2.50 past that.
    base = {"provider": "google", "model": "gemini-2.5-pro", "output_tokens": 0}
    short, _ = book(records({**base, "input_tokens": 200_000}), [])
    long, _ = book(records({**base, "input_tokens": 200_001}), [])
    assert usd(short, "cost_usd") == Decimal("0.25")
    assert usd(long, "cost_usd") == Decimal("0.5000025")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"model": "house-llama-70b", "input_tokens": 5}, "model not in the price book"),
        ({"provider": None, "input_tokens": 5}, "provider unknown"),
        ({"model": None, "input_tokens": 5}, "no model name"),
        ({}, "no usage in the log and nothing to count"),
        ({"input_tokens": 5, "service_tier": "batch"}, "no batch price in the book for that day"),
        ({"input_tokens": 5, "output_tokens": 5, "audio_output_tokens": 5}, "no price for audio_output"),
    ],
)
def test_what_cannot_be_priced_is_unpriced_and_says_why(records, row, reason):
    booked, _ = book(records(row), [])
    assert booked["cost_usd"][0] is None
    assert booked["unpriced_reason"][0] == reason


def test_a_batch_call_is_charged_at_the_batch_price_from_its_day_on(records):
    booked, _ = book(
        records({"input_tokens": 1000, "service_tier": "batch", "ts": datetime(2026, 10, 14, 0, 0)}), []
    )
    assert usd(booked, "cost_usd") == Decimal("0.0002")


def test_an_error_without_usage_costs_nothing(records):
    booked, _ = book(records({"status": "error", "http_status": 429}), [])
    assert usd(booked, "cost_usd") == 0
    assert booked["usage_source"][0] == "none"
    assert booked["input_tokens"][0] is None


def test_a_gateways_cached_answer_costs_nothing_and_keeps_its_tokens(records):
    booked, _ = book(records({"cache_hit": True, "input_tokens": 100, "output_tokens": 10}), [])
    assert usd(booked, "cost_usd") == 0
    assert booked["input_tokens"][0] == 100


@pytest.mark.parametrize(("method", "source"), [("exact", "counted"), ("calibrated", "estimated")])
def test_our_own_count_stands_in_for_missing_usage_and_says_so(records, method, source):
    frame = records({"counted_input_tokens": 1000, "counted_output_tokens": 100, "count_method": method})
    booked, _ = book(frame, [])
    assert booked["usage_source"][0] == source
    assert usd(booked, "cost_usd") == Decimal("0.00056")


def test_a_discount_leaves_the_list_cost_and_lowers_the_effective_one(records):
    contract = Contract(model="gpt-4.1*", tenant="acme", discount=Decimal("0.25"))
    booked, prices = book(records({"input_tokens": 1000, "output_tokens": 0}), [contract])
    assert usd(booked, "list_cost_usd") == Decimal("0.0004")
    assert usd(booked, "contracted_cost_usd") == Decimal("0.0003")
    assert usd(booked, "cost_usd") == Decimal("0.0003")
    assert {p.kind for p in prices} == {"list", "contract"}


def test_a_tenants_own_contract_wins_over_one_for_all(records):
    contracts = [
        Contract(model="*", discount=Decimal("0.5")),
        Contract(model="*", tenant="acme", discount=Decimal("0.1")),
    ]
    booked, _ = book(records({"input_tokens": 1000, "output_tokens": 0}), contracts)
    assert usd(booked, "cost_usd") == Decimal("0.00036")


def test_a_contract_ends_on_the_day_it_says(records):
    contract = Contract(model="*", discount=Decimal("0.5"), since=date(2026, 10, 1), until=date(2026, 10, 5))
    booked, _ = book(records({"input_tokens": 1000, "output_tokens": 0}), [contract])
    assert usd(booked, "cost_usd") == Decimal("0.0004")


def test_a_model_of_ones_own_is_priced_by_the_contract_and_has_no_list_cost(records):
    rates = {Meter.INPUT: Decimal("0.2"), Meter.OUTPUT: Decimal("0.6")}
    contract = Contract(model="house-*", usd_per_million=rates)
    booked, _ = book(
        records({"model": "house-llama-70b", "provider": None, "input_tokens": 1000, "output_tokens": 1000}),
        [contract],
    )
    assert usd(booked, "cost_usd") == Decimal("0.0008")
    assert booked["list_cost_usd"][0] is None


def test_half_a_picodollar_is_rounded_to_even(records):
    # $0.0000005 a million tokens is half a picodollar a token.
    contract = Contract(
        model="*", usd_per_million={Meter.INPUT: Decimal("0.0000005"), Meter.OUTPUT: Decimal(0)}
    )
    amounts = [
        book(records({"input_tokens": n, "output_tokens": 0}), [contract])[0]["cost_usd"][0]
        for n in (1, 3, 5)
    ]
    assert amounts == [0, 2, 2]


def test_cached_money_covers_the_head_of_the_prompt(records):
    frame = records(
        {
            "input_tokens": 100,
            "cache_read_tokens": 300,
            "output_tokens": 0,
            "segments": {"tools": 200, "system": 150, "user": 50},
            "counted_input_tokens": 400,
            "count_method": "exact",
        }
    )
    booked, _ = book(frame, [])
    assert usd(booked, "cost_tools_usd") == Decimal("0.00002")  # 200 cached
    assert usd(booked, "cost_system_usd") == Decimal("0.00001") + Decimal("0.00002")  # 100 cached, 50 not
    assert usd(booked, "cost_user_usd") == Decimal("0.00002")


def test_a_partial_count_leaves_the_rest_unexplained(records):
    frame = records(
        {
            "input_tokens": 1000,
            "output_tokens": 0,
            "segments": {"user": 100},
            "counted_input_tokens": 100,
            "count_method": "partial",
        }
    )
    booked, _ = book(frame, [])
    assert (booked["seg_user"][0], booked["seg_unexplained"][0]) == (100, 900)


@pytest.mark.parametrize(
    ("method", "error", "billed", "visible", "unexplained"),
    [
        ("exact", 0.0, 1031, 35, 996),  # what a gateway put in is no text of the user's
        ("exact", 0.0, 34, 34, 0),  # a shortfall is scaled
        ("calibrated", 0.02, 102, 102, 0),  # 2 % of 100 is what the estimate may be off
        ("calibrated", 0.02, 150, 102, 48),
        ("calibrated", 0.02, 90, 90, 0),
        ("calibrated", None, 200, 200, 0),
        ("calibrated", None, 1031, 200, 831),
    ],
)
def test_what_no_text_accounts_for_is_not_laid_on_the_text(
    records, method, error, billed, visible, unexplained
):
    counted = 35 if method == "exact" else 100
    frame = records(
        {
            "input_tokens": billed,
            "segments": {"user": counted},
            "counted_input_tokens": counted,
            "count_method": method,
            "count_error": error,
        }
    )
    booked, _ = book(frame, [])
    assert (booked["seg_user"][0], booked["seg_unexplained"][0]) == (visible, unexplained)


@pytest.mark.parametrize(("billed", "user", "unexplained"), [(560, 55, 505), (555, 55, 500), (60, 55, 5)])
def test_what_a_count_itself_calls_unexplained_takes_surplus_and_shortfall_first(
    records, billed, user, unexplained
):
    frame = records(
        {
            "input_tokens": billed,
            "segments": {"user": 55, "unexplained": 500},
            "counted_input_tokens": 555,
            "count_method": "exact",
            "count_error": 0.0,
        }
    )
    booked, _ = book(frame, [])
    assert (booked["seg_user"][0], booked["seg_unexplained"][0]) == (user, unexplained)


counts = st.integers(0, 3_000_000)


@given(
    st.fixed_dictionaries(
        {
            "input_tokens": counts,
            "cache_read_tokens": counts,
            "cache_write_tokens": counts,
            "cache_write_1h_tokens": counts,
            "output_tokens": counts,
        }
    ),
    st.lists(st.integers(0, 50_000), min_size=len(SEGMENTS), max_size=len(SEGMENTS)),
    st.tuples(counts, counts, counts),
    st.sampled_from(["exact", "calibrated", "partial"]),
)
def test_segments_and_output_sum_to_the_bill(records_factory, usage, segments, outputs, method):
    answer, calls, reasoning = outputs
    frame = records_factory(
        {
            **usage,
            "provider": "anthropic",
            "model": "claude-sonnet-4-5",
            "reasoning_tokens": min(reasoning, usage["output_tokens"]),
            "counted_answer_tokens": answer,
            "counted_tool_call_tokens": calls,
            "counted_input_tokens": sum(segments),
            "segments": dict(zip(SEGMENTS, segments, strict=True)),
            "count_method": method,
        }
    )
    booked, _ = book(frame, [])
    row = booked.row(0, named=True)
    billed_input = sum(v for k, v in usage.items() if k != "output_tokens")
    assert sum(row[f"seg_{name}"] for name in SEGMENTS) == billed_input
    input_money = sum(row[f"cost_{name}_usd"] for name in SEGMENTS)
    output_money = sum(row[f"cost_{name}_usd"] for name in ("answer", "tool_calls", "reasoning"))
    assert input_money == row["input_cost_usd"] + row["cache_read_cost_usd"] + row["cache_write_cost_usd"]
    assert output_money == row["output_cost_usd"]
    assert input_money + output_money == row["cost_usd"]
    assert all(row[f"cost_{name}_usd"] >= 0 for name in SEGMENTS)


@given(st.lists(st.integers(0, 10_000), min_size=3, max_size=3), st.integers(0, 10_000_000))
def test_many_rows_are_apportioned_as_one_is(weights, total):
    many = apportion_rows(np.array([weights], dtype=np.int64), np.array([total], dtype=np.int64))
    assert tuple(many[0]) == apportion(weights, total)


def test_no_column_of_a_record_is_lost_in_booking(records):
    frame = records({"end_user": "hash", "input_tokens": 5, "output_tokens": 1, "segments": {"user": 5}})
    booked, _ = book(frame, [])
    unchanged = [name for name in frame.columns if name not in ("input_tokens", "output_tokens")]
    assert booked.select(unchanged).equals(frame.select(unchanged))


def test_segments_of_an_absurdly_long_prompt_still_sum_to_it(records):
    buckets = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    frame = records({**dict.fromkeys(buckets, 10**9), "segments": {"user": 10**9}, "count_method": "partial"})
    row = book(frame, [])[0].row(0, named=True)
    assert [row["seg_user"], row["seg_unexplained"]] == [10**9, 3 * 10**9]


def test_a_contract_names_a_model_as_asked_for_or_as_listed(records):
    contract = Contract(model="gpt-4.1-mini", discount=Decimal("0.5"))
    frame = records({"model": "gpt-4.1-mini-2025-04-14", "input_tokens": 1000, "output_tokens": 0})
    assert usd(book(frame, [contract])[0], "cost_usd") == Decimal("0.0002")


def test_the_narrower_contract_holds_though_a_wider_one_is_later(records):
    contracts = [
        Contract(model="*", discount=Decimal("0.1"), since=date(2026, 9, 1)),
        Contract(model="gpt-4.1-mini", discount=Decimal("0.5")),
    ]
    booked, _ = book(records({"input_tokens": 1000, "output_tokens": 0}), contracts)
    assert usd(booked, "cost_usd") == Decimal("0.0002")


def test_cached_tokens_go_by_ones_own_input_price_where_no_other_is_named(records):
    own = Contract(model="*", usd_per_million={Meter.INPUT: Decimal("0.05"), Meter.OUTPUT: Decimal("1")})
    booked, _ = book(records({"input_tokens": 0, "cache_read_tokens": 1000, "output_tokens": 0}), [own])
    assert usd(booked, "cost_usd") == Decimal("0.00005")


def test_ones_own_unit_prices_are_for_the_tier_they_name(records):
    own = Contract(model="*", usd_per_million={Meter.INPUT: Decimal("1"), Meter.OUTPUT: Decimal("1")})
    batch = {"input_tokens": 1000, "output_tokens": 0, "service_tier": "batch", "ts": datetime(2026, 10, 20)}
    assert usd(book(records(batch), [own])[0], "cost_usd") == Decimal("0.0002")  # list, halved for batch
