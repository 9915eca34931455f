"""Logs of gateways and hosts: every value of the samples as their documentation says it is to be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.attribution import DEFAULT_RULES, attribute
from collector.formats import FORMATS
from ledger.types import Api, Request, Status, Usage


@pytest.fixture
def read(samples):
    def nth(name: str, index: int) -> Request:
        lines = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return FORMATS[name].read(json.loads(lines[index]))

    return nth


def at(hour: int, minute: int, second: int = 0, micro: int = 0) -> datetime:
    return datetime(2026, 9, 1, hour, minute, second, micro, tzinfo=UTC)


def owner(request: Request) -> tuple[str | None, str | None, str | None]:
    found = attribute(DEFAULT_RULES, request)
    return found.tenant, found.workflow, found.end_user


def test_a_helicone_row_is_read_by_its_bodies_and_columns(read):
    found = read("helicone", 0)
    assert (found.api, found.provider, found.model) == (
        Api.OPENAI_CHAT,
        "openai",
        "gpt-4.1-mini-2025-04-14",
    )
    assert (found.ts, found.latency_ms, found.ttft_ms) == (at(8, 0), 3000, 700)
    assert found.usage == Usage(input_tokens=12, output_tokens=4)
    assert (found.call_id, found.response_id) == ("hel-00000001", "chatcmpl-Bq0Zy1Xw2Vu3Ts4Rq5Po6Nm7")
    assert owner(found) == ("northwind", "faq", "person-4")
    assert found.reported_cost_usd == Decimal("0.0000112")
    assert found.prompt is not None
    assert found.max_output_tokens == 64


def test_helicone_columns_of_anthropic_leave_the_cache_out_of_the_input(read):
    found = read("helicone", 1)
    assert found.usage == Usage(
        input_tokens=100, cache_read_tokens=2000, cache_write_tokens=50, output_tokens=30
    )
    assert (found.provider, found.model) == ("anthropic", "claude-sonnet-4-5")
    assert found.reported_cost_usd == Decimal("0.00153")


def test_a_failed_helicone_call_has_no_usage_for_its_zeros(read):
    found = read("helicone", 2)
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, 429, "rate_limit_error")
    assert found.usage is None


def test_a_helicone_call_that_the_caller_left_is_cancelled(read):
    assert (read("helicone", 3).status, read("helicone", 3).http_status) == (Status.CANCELLED, None)


def test_a_helicone_answer_from_its_cache_is_a_hit(read):
    assert read("helicone", 4).cache_hit
    assert not read("helicone", 0).cache_hit


def test_helicone_columns_of_today_leave_cache_reads_and_reasoning_beside(read):
    found = read("helicone", 5)
    assert found.usage == Usage(
        input_tokens=476,
        cache_read_tokens=1024,
        cache_write_tokens=0,
        output_tokens=76,
        reasoning_tokens=64,
    )
    assert (found.model, found.provider, found.api) == ("gpt-4.1-mini", "openai", Api.OPENAI_CHAT)
    assert not found.cache_hit


def test_helicone_columns_of_today_leave_anthropics_cache_writes_beside_too(read):
    assert read("helicone", 6).usage == Usage(
        input_tokens=50,
        cache_read_tokens=3000,
        cache_write_tokens=700,
        output_tokens=10,
        reasoning_tokens=0,
    )


def test_a_body_that_helicone_keeps_elsewhere_is_none(read):
    for index in (5, 6):
        assert (read("helicone", index).prompt, read("helicone", index).answer) == (None, None)


def test_a_body_that_helicone_cut_short_costs_no_call(read):
    found = read("helicone", 7)
    assert found.usage == Usage(
        input_tokens=100, cache_read_tokens=0, cache_write_tokens=0, output_tokens=10, reasoning_tokens=0
    )
    assert (found.prompt, found.reported_cost_usd) == (None, Decimal("0.00008"))


def test_a_negative_helicone_status_is_an_error_of_helicones_own(read):
    found = read("helicone", 8)
    assert (found.status, found.http_status, found.usage) == (Status.ERROR, None, None)


def test_a_helicone_call_without_an_answer_yet_is_no_error(read):
    found = read("helicone", 9)
    assert (found.status, found.http_status, found.usage) == (Status.OK, None, None)
    assert found.prompt is not None


def test_a_vertex_row_has_cached_tokens_inside_its_input_and_thoughts_beside_its_answer(read):
    found = read("vertex", 0)
    assert found.usage == Usage(
        input_tokens=200, cache_read_tokens=400, output_tokens=40, reasoning_tokens=35
    )
    assert (found.provider, found.model, found.api) == ("google", "gemini-2.5-flash", Api.GEMINI_GENERATE)
    assert (found.ts, found.latency_ms) == (at(8, 0, 1), 1400)
    assert owner(found)[:2] == ("northwind", "faq")
    assert (found.call_id, found.response_id) == ("900000000001", "vx-1")


def test_a_streamed_vertex_answer_is_put_together_and_began_when_logged_less_its_latency(read):
    found = read("vertex", 1)
    assert found.answer is not None
    assert "".join(found.answer.texts) == "At nine."
    assert found.ts == at(8, 1)
    assert found.streamed


def test_vertex_bodies_never_become_attributes(read):
    assert not [path for path in read("vertex", 0).attributes if path.startswith("full_")]


def test_a_portkey_row_gives_counts_and_its_metadata_lists(read):
    found = read("portkey", 0)
    assert found.usage == Usage(input_tokens=1200, output_tokens=80)
    assert owner(found) == ("northwind", "faq", "someone@example.org")
    assert found.attributes["environment"] == "production"
    assert (found.latency_ms, found.http_status, found.prompt) == (950, 200, None)
    assert found.reported_cost_usd == Decimal("0.000608")


def test_a_failed_portkey_call_has_no_usage_and_no_cost_in_another_currency(read):
    found = read("portkey", 1)
    assert (found.status, found.http_status) == (Status.ERROR, 503)
    assert (found.usage, found.reported_cost_usd) == (None, None)


def test_a_portkey_cost_in_cents_is_not_taken_for_dollars(read):
    assert read("portkey", 2).reported_cost_usd is None
    assert read("portkey", 2).cache_hit


def test_a_stored_completion_is_booked_by_its_usage_without_a_prompt(read):
    found = read("openai", 0)
    assert found.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=20)
    assert (found.service_tier, found.prompt) == ("flex", None)
    assert owner(found) == ("northwind", "faq", "person-4")
    assert found.ts == datetime(2026, 9, 1, 8, tzinfo=UTC)


def test_a_response_object_is_read_as_the_responses_api(read):
    found = read("openai", 1)
    assert (found.api, found.model) == (Api.OPENAI_RESPONSES, "gpt-5-mini-2025-08-07")
    assert found.usage == Usage(input_tokens=30, cache_read_tokens=0, output_tokens=70, reasoning_tokens=64)


def test_a_response_beside_its_request_is_a_pair():
    answer = {"object": "chat.completion", "id": "x", "model": "gpt-4o", "choices": []}
    assert not FORMATS["openai"].matches({"request": {}, "response": answer})
