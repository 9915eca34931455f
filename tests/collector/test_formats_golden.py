"""Ten records of each older format: what their numbers say, derived by hand from the documentation."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from collector.formats import FORMATS
from ledger.types import Request, Usage

# Format -> number of the line -> provider, model, usage, status, what the log says it cost.
GOLDEN = {
    "portkey": {
        4: ("anthropic", "claude-sonnet-4-5", Usage(500, output_tokens=20), "ok", "0.0018"),
        5: ("aws", "anthropic.claude-haiku-4-5-20251001-v1:0", Usage(40, output_tokens=8), "ok", "0.00008"),
        6: ("google", "gemini-2.5-flash", Usage(60, output_tokens=30), "ok", "0.000093"),
        7: ("azure", "gpt-4o", Usage(90, output_tokens=9), "ok", "0.000315"),
        8: ("openai", "text-embedding-3-small", Usage(12, output_tokens=0), "ok", "0.00000024"),
        9: ("mistral", "mistral-small-latest", None, "error", "0"),
        10: ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", Usage(33, output_tokens=3), "ok", None),
    },
    "vertex": {
        3: ("google", "gemini-2.5-flash", None, "error", None),
        # Anthropic's usage has the cache beside the input.
        4: ("google", "claude-sonnet-4-5-20250929", Usage(30, 500, 0, output_tokens=6), "ok", None),
        5: ("google", "gemini-2.5-flash", Usage(112, output_tokens=10), "ok", None),
        6: ("google", "gemini-2.5-flash", None, "ok", None),
        7: ("google", "gemini-2.5-flash", Usage(20, output_tokens=4), "ok", None),
        8: ("google", "gemini-2.5-flash", Usage(0, 900, output_tokens=4), "ok", None),
        9: ("google", "gemini-2.5-flash", Usage(8, output_tokens=203, reasoning_tokens=200), "ok", None),
        10: ("google", "text-embedding-005", None, "ok", None),
    },
    "openinference": {
        4: (
            "google",
            "gemini-2.5-flash",
            Usage(100, 200, output_tokens=80, reasoning_tokens=60),
            "ok",
            None,
        ),
        5: ("openai", "text-embedding-3-small", Usage(7), "ok", None),
        6: ("openai", "gpt-4.1-mini", None, "error", None),
        7: ("anthropic", "claude-sonnet-4-5", Usage(100, 600, 300, output_tokens=20), "ok", None),
        # The total counts the cache on top of the input.
        8: (
            "aws",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            Usage(1000, 600, output_tokens=20),
            "ok",
            None,
        ),
        9: (
            "openai",
            "gpt-4o-audio-preview",
            Usage(90, output_tokens=40, audio_input_tokens=70, audio_output_tokens=30),
            "ok",
            None,
        ),
        10: ("openai", "gpt-4.1-mini", Usage(40, output_tokens=5), "ok", "0.0001"),
    },
    "pair": {
        9: (
            "aws",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            Usage(12, 300, 0, output_tokens=4),
            "ok",
            None,
        ),
        10: ("openrouter", "openai/gpt-4.1-mini", Usage(12, output_tokens=4), "ok", "0.0000112"),
    },
    "tollbook": {
        3: ("openai", "gpt-4.1", Usage(100, output_tokens=7), "ok", None),
        4: ("openai", "gpt-4.1", None, "error", None),
        5: ("openai", "gpt-4.1", Usage(output_tokens=12), "cancelled", None),
        6: ("anthropic", "claude-sonnet-4-5", Usage(5, 900, 60, output_tokens=30), "ok", None),
        7: ("openai", "text-embedding-3-small", Usage(33), "ok", None),
        8: ("openai", "gpt-4.1", Usage(10, output_tokens=2), "ok", "0"),
        9: ("openai", "gpt-4.1", Usage(1800, 1024, output_tokens=120), "ok", None),
        10: (
            "openai",
            "gpt-4o-audio-preview",
            Usage(90, output_tokens=40, audio_input_tokens=70, audio_output_tokens=30),
            "ok",
            None,
        ),
    },
}
CASES = [(name, number) for name, rows in GOLDEN.items() for number in rows]


@pytest.fixture
def read(samples):
    def nth(name: str, number: int) -> Request:
        lines = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        return FORMATS[name].read(json.loads(lines[number - 1]))

    return nth


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_golden_record_says_what_its_documentation_says(read, name, number):
    found = read(name, number)
    provider, model, usage, status, cost = GOLDEN[name][number]
    assert (found.provider, found.model, found.usage, found.status) == (provider, model, usage, status)
    assert found.reported_cost_usd == (None if cost is None else Decimal(cost))


def test_an_error_of_vertex_is_named_by_its_status(read):
    assert read("vertex", 3).error_type == "RESOURCE_EXHAUSTED"


def test_bodies_that_vertex_gives_as_text_are_read(read):
    found = read("vertex", 7)
    assert found.prompt.messages[0].parts[0].text == "When do you open?"
    assert found.answer.texts == ("At nine.",)


def test_metadata_of_a_span_may_be_an_object(read):
    assert read("openinference", 10).attributes["metadata.tenant"] == "contoso"


def test_a_second_attempt_of_a_flat_record_is_told_as_one(read):
    found = read("tollbook", 9)
    assert (found.attempt, found.service_tier, found.tags) == (2, "flex", {"squad": "blue"})
    assert read("tollbook", 8).cache_hit
