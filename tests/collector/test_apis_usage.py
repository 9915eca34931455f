"""Each API's usage object becomes disjoint buckets, with its own cache semantics."""

from __future__ import annotations

import json

import pytest

from collector.apis import APIS
from ledger.types import Api, Usage


def buckets(api: Api, usage: dict, key: str = "usage") -> Usage:
    found = APIS[api].usage({key: usage})
    assert found is not None
    return found[0]


def refusal(api: Api, usage: dict, key: str = "usage") -> str:
    with pytest.raises(ValueError, match="usage") as caught:
        APIS[api].usage({key: usage})
    return str(caught.value)


def test_openai_input_includes_cached_tokens():
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 896}}
    assert buckets(Api.OPENAI_CHAT, usage) == Usage(input_tokens=104, cache_read_tokens=896, output_tokens=10)


def test_openai_cache_writes_are_inside_the_input_too():
    usage = {
        "prompt_tokens": 1220,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1217},
    }
    found = buckets(Api.OPENAI_CHAT, usage)
    assert (found.input_tokens, found.cache_read_tokens, found.cache_write_tokens) == (3, 0, 1217)


def test_absent_details_stay_unknown():
    assert buckets(Api.OPENAI_CHAT, {"prompt_tokens": 5, "completion_tokens": 2}) == Usage(
        input_tokens=5, output_tokens=2
    )


def test_null_details_stay_unknown():
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": None}
    assert buckets(Api.OPENAI_CHAT, usage).cache_read_tokens is None


def test_deepseek_cache_hits_are_cache_reads():
    usage = {"prompt_tokens": 50, "completion_tokens": 2, "prompt_cache_hit_tokens": 32}
    found = buckets(Api.OPENAI_CHAT, usage)
    assert (found.input_tokens, found.cache_read_tokens) == (18, 32)


def test_groq_streams_keep_their_usage_apart():
    found = APIS[Api.OPENAI_CHAT].usage({"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}})
    assert found is not None
    assert found[0] == Usage(input_tokens=3, output_tokens=4)


def test_audio_tokens_are_parts_of_input_and_output():
    usage = {
        "prompt_tokens": 30,
        "completion_tokens": 40,
        "prompt_tokens_details": {"audio_tokens": 12},
        "completion_tokens_details": {"audio_tokens": 33},
    }
    found = buckets(Api.OPENAI_CHAT, usage)
    assert (found.input_tokens, found.audio_input_tokens) == (30, 12)
    assert (found.output_tokens, found.audio_output_tokens) == (40, 33)


def test_reasoning_beside_the_completion_is_folded_into_the_output():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 115,
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    found = buckets(Api.OPENAI_CHAT, usage)
    assert (found.output_tokens, found.reasoning_tokens) == (105, 100)


def test_embeddings_have_no_output():
    assert buckets(Api.OPENAI_EMBEDDINGS, {"prompt_tokens": 9, "total_tokens": 9}) == Usage(input_tokens=9)


def test_responses_usage_names_are_read():
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 70,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 170,
    }
    assert buckets(Api.OPENAI_RESPONSES, usage) == Usage(
        input_tokens=36, cache_read_tokens=64, output_tokens=70, reasoning_tokens=64
    )


def test_anthropic_input_excludes_the_cache():
    usage = {
        "input_tokens": 12,
        "cache_read_input_tokens": 900,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
        "output_tokens": 8,
    }
    assert buckets(Api.ANTHROPIC_MESSAGES, usage) == Usage(
        input_tokens=12,
        cache_read_tokens=900,
        cache_write_tokens=100,
        cache_write_1h_tokens=200,
        output_tokens=8,
    )


def test_anthropic_writes_of_later_turns_are_five_minute_writes():
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 800,
        "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 8,
    }
    found = buckets(Api.ANTHROPIC_MESSAGES, usage)
    assert (found.cache_write_tokens, found.cache_write_1h_tokens) == (800, 0)


def test_anthropic_writes_below_their_parts_are_refused():
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
    }
    assert "less than its parts" in refusal(Api.ANTHROPIC_MESSAGES, usage)


def test_anthropic_thinking_is_a_part_of_the_output():
    usage = {"input_tokens": 1, "output_tokens": 90, "output_tokens_details": {"thinking_tokens": 60}}
    found = buckets(Api.ANTHROPIC_MESSAGES, usage)
    assert (found.output_tokens, found.reasoning_tokens) == (90, 60)


def test_gemini_thoughts_stand_beside_the_candidates():
    usage = {
        "promptTokenCount": 90,
        "cachedContentTokenCount": 64,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 20,
    }
    assert buckets(Api.GEMINI_GENERATE, usage, "usageMetadata") == Usage(
        input_tokens=36, cache_read_tokens=64, output_tokens=23, reasoning_tokens=20
    )


def test_gemini_audio_comes_from_the_modality_lists():
    usage = {
        "promptTokenCount": 40,
        "candidatesTokenCount": 1,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 8},
            {"modality": "AUDIO", "tokenCount": 32},
        ],
    }
    assert buckets(Api.GEMINI_GENERATE, usage, "usageMetadata").audio_input_tokens == 32


def test_gemini_audio_is_read_in_the_spelling_of_the_sdks():
    usage = {
        "prompt_token_count": 40,
        "candidates_token_count": 9,
        "prompt_tokens_details": [{"modality": "AUDIO", "token_count": 32}],
        "candidates_tokens_details": [{"modality": "AUDIO", "token_count": 7}],
    }
    found = buckets(Api.GEMINI_GENERATE, usage, "usage_metadata")
    assert (found.audio_input_tokens, found.audio_output_tokens) == (32, 7)


def cached_audio(**details: object) -> Usage:
    """Of 10,000 tokens 9,500 are audio; 9,000 of the 10,000 came from the cache."""
    usage = {
        "promptTokenCount": 10_000,
        "cachedContentTokenCount": 9_000,
        "candidatesTokenCount": 1,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 9_500},
            {"modality": "TEXT", "tokenCount": 500},
        ],
    }
    return buckets(Api.GEMINI_GENERATE, usage | details, "usageMetadata")


def test_gemini_audio_from_the_cache_is_not_in_the_uncached_audio():
    found = cached_audio(cacheTokensDetails=[{"modality": "AUDIO", "tokenCount": 9_000}])
    assert (found.input_tokens, found.cache_read_tokens, found.audio_input_tokens) == (1_000, 9_000, 500)


def test_gemini_text_from_the_cache_leaves_all_audio_uncached():
    assert (
        cached_audio(
            cachedContentTokenCount=400, cacheTokensDetails=[{"modality": "TEXT", "tokenCount": 400}]
        ).audio_input_tokens
        == 9_500
    )


def test_gemini_audio_is_unknown_where_the_cache_does_not_say_what_it_held():
    assert cached_audio().audio_input_tokens is None


def test_gemini_cannot_have_more_cached_audio_than_audio():
    with pytest.raises(ValueError, match="9600 cached audio tokens in an audio input of 9500"):
        cached_audio(cacheTokensDetails=[{"modality": "AUDIO", "tokenCount": 9_600}])


def test_a_text_in_a_usage_is_kept_only_where_it_is_a_name():
    usage = {"prompt_tokens": 3, "service_tier": "default", "note": "Ann asked", "Ann asked": [{"n": "a b"}]}
    found = APIS[Api.OPENAI_CHAT].usage({"usage": usage})
    assert found is not None
    assert json.loads(found[1]) == {
        "prompt_tokens": 3,
        "service_tier": "default",
        "note": "…",
        "…": [{"n": "…"}],
    }


def test_converse_is_known_by_its_metrics_and_excludes_the_cache():
    body = {
        "usage": {
            "inputTokens": 11,
            "outputTokens": 4,
            "cacheReadInputTokens": 7,
            "cacheWriteInputTokens": 9,
        },
        "metrics": {"latencyMs": 20},
    }
    found = APIS[Api.OTHER].usage(body)
    assert found is not None
    assert found[0] == Usage(input_tokens=11, cache_read_tokens=7, cache_write_tokens=9, output_tokens=4)


def test_an_unknown_api_is_not_read_with_foreign_semantics():
    assert APIS[Api.OTHER].usage({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}) is None


@pytest.mark.parametrize("api", Api)
def test_no_usage_object_is_none(api):
    assert APIS[api].usage({}) is None
    assert APIS[api].usage({"usage": None, "usageMetadata": None}) is None


def test_a_usage_without_input_is_no_bill():
    assert APIS[Api.GEMINI_GENERATE].usage({"usageMetadata": {"candidatesTokenCount": 3}}) is None


def test_the_usage_is_kept_as_logged():
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "queue_time": 0.25}
    found = APIS[Api.OPENAI_CHAT].usage({"usage": usage})
    assert found is not None
    assert found[1] == '{"prompt_tokens":3,"completion_tokens":4,"queue_time":0.25}'
    assert json.loads(found[1]) == usage


def test_whole_floats_are_counts():
    assert buckets(Api.OPENAI_CHAT, {"prompt_tokens": 12.0, "completion_tokens": 1}).input_tokens == 12


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (-5, "usage.prompt_tokens is -5, expected 0 to 1000000000"),
        (10**12, "usage.prompt_tokens is 1000000000000, expected 0 to 1000000000"),
        (1.5, "usage.prompt_tokens is 1.5, expected a whole number of tokens"),
        ("12", "usage.prompt_tokens is text of 2 characters, expected a whole number of tokens"),
        (True, "usage.prompt_tokens is true, expected a whole number of tokens"),
        (float("nan"), "usage.prompt_tokens is nan, expected a whole number of tokens"),
    ],
)
def test_an_impossible_count_is_refused_by_name_and_value(count, reason):
    assert refusal(Api.OPENAI_CHAT, {"prompt_tokens": count, "completion_tokens": 1}) == reason


def test_more_cached_than_input_is_refused():
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}}
    assert "inside an input of 10" in refusal(Api.OPENAI_CHAT, usage)


def test_more_cached_than_gemini_prompt_is_refused():
    usage = {"promptTokenCount": 10, "cachedContentTokenCount": 11}
    assert "inside an input of 10" in refusal(Api.GEMINI_GENERATE, usage, "usageMetadata")


def test_more_reasoning_than_output_is_refused():
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 1,
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    assert "2 reasoning tokens in an output of 1" in refusal(Api.OPENAI_CHAT, usage)


def test_a_total_that_adds_the_cache_on_top_is_refused():
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 160,
        "prompt_tokens_details": {"cached_tokens": 50},
    }
    assert "on top of the input 100" in refusal(Api.OPENAI_CHAT, usage)


def test_an_odd_total_alone_is_no_reason_to_refuse():
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 117}
    assert buckets(Api.OPENAI_CHAT, usage) == Usage(input_tokens=100, output_tokens=10)


def test_a_breakdown_that_is_no_object_is_refused():
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": [3]}
    assert "usage.prompt_tokens_details is a list" in refusal(Api.OPENAI_CHAT, usage)
