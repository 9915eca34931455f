"""Generations of OpenRouter and Vercel: every value of the samples as their documentation says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.formats import FORMATS, sniff
from ledger.types import Request, Status, Usage


@pytest.fixture(scope="module")
def found(samples):
    def every(name: str) -> list[Request]:
        lines = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return [FORMATS[name].read(item) for line in lines for item in FORMATS[name].items(json.loads(line))]

    return {name: every(name) for name in ("openrouter", "vercel")}


@pytest.fixture(scope="module")
def routed(found):
    return found["openrouter"]


@pytest.fixture(scope="module")
def gated(found):
    return found["vercel"]


def test_an_openrouter_generation_is_read_whole(routed):
    call = routed[0]
    assert (call.provider, call.model, call.operation) == ("openrouter", "openai/gpt-4.1-mini", "chat")
    assert (call.ts, call.latency_ms) == (datetime(2026, 9, 1, 8, 1, 0, 250000, tzinfo=UTC), 900)
    assert call.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40, reasoning_tokens=0)
    assert call.response_id == call.call_id == "gen-1788250001-AbCdEfGhJkMnPqRsTu01"
    assert (call.end_user, call.service_tier, call.streamed) == ("person-4", "flex", True)
    assert (call.http_status, call.status) == (200, Status.OK)
    assert call.reported_cost_usd == Decimal("0.000357")
    assert call.attributes["app_id"] == "7"


def test_reasoning_is_inside_the_completion(routed):
    assert routed[1].usage == Usage(input_tokens=12, cache_read_tokens=0, output_tokens=6, reasoning_tokens=4)


def test_with_a_key_of_ones_own_the_cost_is_fee_and_bill(routed):
    assert routed[2].reported_cost_usd == Decimal("0.00042")
    assert routed[3].reported_cost_usd is None


def test_a_generation_ends_as_it_says(routed):
    assert routed[4].status is Status.CANCELLED
    assert (routed[5].status, routed[5].http_status, routed[5].usage) == (Status.ERROR, 502, None)


def test_openrouters_own_count_is_not_the_providers(routed):
    assert routed[6].usage is None


def test_the_type_of_the_api_is_the_operation(routed):
    assert (routed[7].operation, routed[7].usage.input_tokens) == ("embedding", 12)


def test_a_cache_larger_than_the_input_cannot_be_inside_it(routed, gated):
    assert routed[8].usage == Usage(
        input_tokens=20, cache_read_tokens=4000, output_tokens=30, reasoning_tokens=0
    )
    assert gated[1].usage == Usage(
        input_tokens=40, cache_read_tokens=3000, cache_write_tokens=500, output_tokens=50, reasoning_tokens=0
    )


def test_a_list_of_generations_gives_each(routed, gated):
    assert (len(routed), len(gated)) == (11, 11)
    assert (routed[10].ts.minute, gated[10].ts.minute) == (11, 11)


def test_a_vercel_generation_is_read_whole(gated):
    call = gated[0]
    assert (call.provider, call.model) == ("openai", "gpt-4.1-mini")
    assert (call.ts, call.latency_ms, call.ttft_ms) == (datetime(2026, 9, 1, 9, 1, tzinfo=UTC), 1500, 200)
    assert call.usage == Usage(
        input_tokens=476,
        cache_read_tokens=1024,
        cache_write_tokens=0,
        output_tokens=90,
        reasoning_tokens=60,
    )
    assert (call.call_id, call.response_id) == ("gen_01KA0000000000000000000001", None)
    assert (call.reported_cost_usd, call.streamed) == (Decimal("0.0002"), True)


def test_a_cache_inside_the_input_is_taken_out_of_it(gated):
    assert gated[2].usage == Usage(
        input_tokens=500,
        cache_read_tokens=3000,
        cache_write_tokens=500,
        output_tokens=50,
        reasoning_tokens=0,
    )


def test_vercels_provider_is_who_served_the_call(gated):
    assert [gated[index].provider for index in (1, 2, 4, 6)] == ["aws", "anthropic", "openai", "google"]
    assert (gated[1].model, gated[4].model) == ("claude-sonnet-4.5", "gpt-4.1-mini")


def test_what_vercel_says_it_cost(gated):
    said = [gated[index].reported_cost_usd for index in (3, 7, 8)]
    assert said == [Decimal("0.0003"), None, Decimal("0.0202")]
    assert (gated[5].status, gated[5].usage) == (Status.ERROR, None)


@pytest.mark.parametrize("name", ["openrouter", "vercel"])
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", 7, "id is a whole number, expected text"),
        ("model", ["x"], "model is a list, expected text"),
        ("native_tokens_prompt", -1, "usage.native_tokens_prompt is -1, expected 0 to 1000000000"),
        ("created_at", "soon", "created_at is text of 4 characters, expected an ISO time or epoch number"),
    ],
)
def test_a_booked_field_that_cannot_be_right_is_refused_by_name(samples, name, field, value, reason):
    line = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()[1]
    with pytest.raises(ValueError, match=f"^{reason}$"):
        FORMATS[name].read({**json.loads(line), field: value})


def test_the_two_are_told_apart(samples):
    for name in ("openrouter", "vercel"):
        for line in (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            assert sniff([json.loads(line)]) == name
