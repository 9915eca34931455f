"""LiteLLM's usage: in OpenAI's shape the cache is inside the input, in Anthropic's it stands beside it."""

from __future__ import annotations

import pytest

from collector.formats import FORMATS
from ledger.types import Usage


def usage(call_type: str = "anthropic_messages", **found: object) -> Usage | None:
    record = {
        "startTime": 1772440000,
        "call_type": call_type,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "metadata": {"usage_object": found},
    }
    return FORMATS["litellm"].read(record).usage


def test_anthropics_own_usage_has_the_cache_beside_the_input():
    found = usage(
        input_tokens=10, output_tokens=5, cache_read_input_tokens=1500, cache_creation_input_tokens=20
    )
    assert found == Usage(input_tokens=10, output_tokens=5, cache_read_tokens=1500, cache_write_tokens=20)


def test_anthropics_own_usage_splits_its_writes_by_lifetime():
    split = {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 16}
    found = usage(input_tokens=1, output_tokens=2, cache_creation_input_tokens=20, cache_creation=split)
    assert found is not None
    assert (found.cache_write_tokens, found.cache_write_1h_tokens) == (4, 16)


@pytest.mark.parametrize("call_type", ["completion", "aanthropic_messages", "responses"])
def test_anthropics_shape_decides_whatever_the_call_type(call_type):
    found = usage(call_type, input_tokens=10, output_tokens=5, cache_read_input_tokens=8)
    assert found == Usage(input_tokens=10, output_tokens=5, cache_read_tokens=8)


def test_a_usage_that_is_all_cache_is_known():
    found = usage(input_tokens=0, output_tokens=0, cache_read_input_tokens=1500)
    assert found == Usage(input_tokens=0, output_tokens=0, cache_read_tokens=1500)


def test_responses_usage_has_the_cache_inside_the_input():
    found = usage("responses", input_tokens=10, output_tokens=5, input_tokens_details={"cached_tokens": 8})
    assert found == Usage(input_tokens=2, output_tokens=5, cache_read_tokens=8)


def test_a_total_with_the_cache_says_that_the_input_excludes_it():
    found = usage(prompt_tokens=100, completion_tokens=5, total_tokens=185, cache_read_input_tokens=80)
    assert found == Usage(input_tokens=100, output_tokens=5, cache_read_tokens=80)


def test_a_total_without_the_cache_says_that_the_input_includes_it():
    found = usage(prompt_tokens=100, completion_tokens=5, total_tokens=105, cache_read_input_tokens=80)
    assert found == Usage(input_tokens=20, output_tokens=5, cache_read_tokens=80)


def test_a_cache_larger_than_the_input_cannot_be_inside_it():
    found = usage(prompt_tokens=10, completion_tokens=5, total_tokens=15, cache_read_input_tokens=1500)
    assert found == Usage(input_tokens=10, output_tokens=5, cache_read_tokens=1500)


def test_what_is_written_for_an_hour_keeps_its_lifetime_beside_the_input():
    found = usage(
        prompt_tokens=10,
        completion_tokens=5,
        prompt_tokens_details={
            "cached_tokens": 70,
            "cache_creation_tokens": 30,
            "cache_creation_token_details": {"ephemeral_1h_input_tokens": 10},
        },
    )
    assert found == Usage(
        input_tokens=10,
        output_tokens=5,
        cache_read_tokens=70,
        cache_write_tokens=20,
        cache_write_1h_tokens=10,
    )


def test_the_chat_api_keeps_its_cache_inside_whatever_the_total():
    with pytest.raises(ValueError, match="on top of the input"):
        usage(
            "completion", prompt_tokens=100, completion_tokens=5, total_tokens=185, cache_read_input_tokens=80
        )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("litellm", "the record has no startTime, call_type, prompt_tokens: it is of another format"),
        ("pair", "the record has no request, response: it is of another format"),
        ("tollbook", "the record has no tollbook: it is of another format"),
    ],
)
def test_a_record_of_another_format_is_refused(name, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        FORMATS[name].read({"model": "gpt-4o", "messages": []})
