"""Records of each format become Requests; the samples are invented."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.formats import FORMATS, sniff
from ledger.types import Api, PartKind, Request, Status, Usage


@pytest.fixture(scope="module")
def read(samples):
    def by_id(name: str, call_id: str) -> Request:
        records = [
            json.loads(line) for line in (samples / "formats" / f"{name}.jsonl").read_text().splitlines()
        ]
        (found,) = [
            FORMATS[name].read(r)
            for r in records
            if call_id in (r.get("id"), r.get("litellm_call_id"), r.get("call_id"))
        ]
        return found

    return by_id


def pair(**record) -> Request:
    body = {"request": {"model": "gpt-4o", "messages": []}, "response": {"model": "gpt-4o", "choices": []}}
    return FORMATS["pair"].read(body | record)


def flat(**record) -> Request:
    return FORMATS["tollbook"].read({"tollbook": 1} | record)


def refused(read, **record) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        read(**record)
    return str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_every_sample_is_sniffed_as_its_own_format(name, samples):
    records = [json.loads(line) for line in (samples / "formats" / f"{name}.jsonl").read_text().splitlines()]
    assert sniff(records) == name


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_one_name_and_a_line_about_it(name):
    assert FORMATS[name].name == name
    assert FORMATS[name].doc


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_object_belongs_to_no_format(name):
    assert not FORMATS[name].matches({})


def test_strangers_have_no_format():
    assert sniff([]) is None
    assert sniff([{"hello": 1}]) is None


def test_the_majority_decides_the_format():
    record = {"request": {}, "response": {}}
    assert sniff([record, {"tollbook": 1}, record]) == "pair"


def test_a_tie_goes_to_the_first_in_the_registry():
    assert sniff([{"request": {}, "response": {}}, {"tollbook": 1}]) == "tollbook"


def test_a_chat_pair_is_read_whole(read):
    found = read("pair", "gw-1")
    assert (found.api, found.provider, found.operation) == (Api.OPENAI_CHAT, "openai", "chat")
    assert found.model == "gpt-4.1-mini-2025-04-14"
    assert (found.call_id, found.response_id) == ("gw-1", "chatcmpl-Q1w2E3r4T5y6U7i8O9p0AsDfGh")
    assert found.ts == datetime(2026, 3, 2, 8, 15, tzinfo=UTC)
    assert (found.latency_ms, found.http_status, found.status) == (640, 200, Status.OK)
    assert (found.end_user, found.max_output_tokens, found.temperature) == ("visitor-7", 60, 0.2)
    assert (found.streamed, found.service_tier) == (False, "standard")
    assert found.usage == Usage(input_tokens=276, cache_read_tokens=1024, output_tokens=4, reasoning_tokens=0)
    assert found.attributes["metadata.tenant"] == "northwind"


def test_a_stream_without_usage_has_none(read):
    found = read("pair", "gw-2")
    assert (found.streamed, found.usage, found.usage_json) == (True, None, None)
    assert found.answer is not None
    assert found.answer.tool_calls[0].text == '{"city":"Oslo"}'


def test_an_anthropic_stream_splits_its_cache_writes(read):
    found = read("pair", "gw-3")
    assert found.usage == Usage(
        input_tokens=12,
        cache_read_tokens=40,
        cache_write_tokens=500,
        cache_write_1h_tokens=200,
        output_tokens=9,
    )
    assert (found.provider, found.end_user) == ("anthropic", "u-31")
    assert found.ts == datetime(2026, 3, 2, 7, 20, tzinfo=UTC)


def test_a_gemini_pair_adds_thoughts_and_tool_use(read):
    found = read("pair", "gw-4")
    assert found.usage == Usage(input_tokens=36, cache_read_tokens=64, output_tokens=23, reasoning_tokens=20)
    assert (found.provider, found.response_id) == ("google", "zYxWvU987")
    assert found.ts == datetime(2026, 3, 2, 8, 18, 20, 123000, tzinfo=UTC)


def test_a_responses_pair_names_its_hidden_history(read):
    found = read("pair", "gw-5")
    assert found.prompt is not None
    assert found.prompt.hidden == ("previous_response_id",)
    assert found.usage == Usage(input_tokens=30, cache_read_tokens=0, output_tokens=70, reasoning_tokens=64)


def test_an_embedding_has_its_own_operation(read):
    assert read("pair", "gw-6").operation == "embedding"


def test_an_error_pair_has_no_usage_but_a_kind(read):
    found = read("pair", "gw-8")
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, 429, "rate_limit_exceeded")
    assert (found.usage, found.answer) == (None, None)


def test_a_body_that_says_error_is_an_error_whatever_the_status():
    found = pair(status=200, response={"error": {"code": "server_error"}})
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, 200, "server_error")


def test_a_cut_stream_is_cancelled_only_where_the_record_says_so():
    chunks = [{"choices": [{"index": 0, "delta": {"content": "ha"}}]}]
    assert pair(response=chunks).status is Status.OK
    assert pair(response=chunks, cancelled=True).status is Status.CANCELLED


def test_status_words_are_understood():
    assert pair(status="timeout").status is Status.ERROR
    assert pair(status="aborted").status is Status.CANCELLED
    assert pair(status="success").status is Status.OK


def test_numeric_text_is_a_status():
    assert pair(status="503").http_status == 503


def test_the_answer_time_stands_in_for_a_missing_time():
    assert pair(response={"created": 1767225600, "choices": []}).ts == datetime(2026, 1, 1, tzinfo=UTC)


def test_no_time_at_all_stays_unknown():
    assert pair().ts is None


def test_latency_comes_from_start_and_end():
    assert pair(started_at=1767225600, ended_at=1767225601.5).latency_ms == 1500


@pytest.mark.parametrize(
    "written",
    [
        1767225600,
        1767225600.0,
        1767225600000,
        1767225600000000,
        1767225600000000000,
        "1767225600",
        "2026-01-01T00:00:00Z",
        "2026-01-01 00:00:00",
        "2026-01-01T02:00:00+02:00",
    ],
)
def test_times_of_every_spelling_are_utc(written):
    assert pair(ts=written).ts == datetime(2026, 1, 1, tzinfo=UTC)
    assert pair(ts=written).ts.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("ts", "2014-12-31T00:00:00Z", "ts is 2014-12-31, before 2015"),
        ("ts", float("inf"), "ts is inf, expected a finite number"),
        ("ts", "yesterday", "ts is text of 9 characters, expected an ISO time or epoch number"),
        ("ts", True, "ts is true, expected a time"),
        ("model", "m" * 300, "model has 300 characters, expected at most 256"),
        ("request", 5, "request is 5, expected an object"),
        ("response", False, "response is false, expected an object or a list of chunks"),
    ],
)
def test_a_bad_field_is_refused_by_name_and_value(field, value, reason):
    bare = {"request": {}, "response": {}}
    assert refused(pair, **(bare | {field: value})) == reason


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [
        ("status", 42, "http_status"),
        ("status_code", "4O4", "http_status"),
        ("latency_ms", -1, "latency_ms"),
        ("latency_ms", "fast", "latency_ms"),
        ("duration", 1e9, "latency_ms"),
        ("ended_at", "soon", "latency_ms"),
        ("ended_at", 1767225599, "latency_ms"),
        ("ttft_ms", "NaN", "ttft_ms"),
        ("attempt", "two", "attempt"),
        ("attempt", -1, "attempt"),
        ("cost_usd", "N/A", "reported_cost_usd"),
        ("response_cost", -0.5, "reported_cost_usd"),
    ],
)
def test_a_side_field_that_cannot_be_true_is_unknown_and_costs_no_call(field, value, column):
    assert getattr(pair(started_at=1767225600, **{field: value}), column) is None


@pytest.mark.parametrize("limit", ["many", -1, 10**30, [1]])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", lambda limit: {"max_tokens": limit, "temperature": "hot"}),
        ("/v1/messages", lambda limit: {"max_tokens": limit, "temperature": "hot"}),
        (
            "/v1beta/models/g:generateContent",
            lambda limit: {"generationConfig": {"maxOutputTokens": limit, "temperature": "hot"}},
        ),
    ],
)
def test_an_impossible_limit_in_a_request_is_unknown(path, body, limit):
    found = pair(url_path=path, request=body(limit))
    assert (found.max_output_tokens, found.temperature) == (None, None)


def test_an_overlong_provider_is_passed_over():
    assert pair(provider="p" * 300).provider == "openai"


def test_the_end_is_the_first_spelling_that_is_a_time():
    assert pair(started_at=1767225600, ended_at="soon", end_time=1767225602).latency_ms == 2000


@pytest.mark.parametrize(
    "written", ["1767225600", "1767225600.0", "1767225600000", "1767225600000000", "1767225600."]
)
def test_digits_alone_are_an_epoch_number(written):
    assert pair(ts=written).ts == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("written", ["20260101", "2026"])
def test_digits_alone_are_no_date(written):
    with pytest.raises(ValueError, match="^ts is 1970-"):
        pair(ts=written)


def test_a_raw_event_stream_is_read():
    raw = (
        'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hey"}}]}\n\n'
        'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n'
    )
    found = pair(response=raw)
    assert found.answer is not None
    assert found.answer.texts == ("hey",)
    assert found.usage == Usage(input_tokens=3, output_tokens=1)


def test_bodies_logged_as_text_are_read():
    found = pair(
        request='{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}',
        response='{"id":"r","choices":[]}',
    )
    assert found.prompt is not None
    assert found.prompt.messages[0].parts[0].text == "hi"
    assert found.response_id == "r"


def test_an_error_page_is_no_body():
    found = pair(status=502, response="<html>Bad gateway</html>")
    assert (found.status, found.answer, found.usage) == (Status.ERROR, None, None)


def test_http_envelopes_are_unwrapped():
    found = FORMATS["pair"].read(
        {
            "request": {
                "method": "POST",
                "url": "https://api.anthropic.com/v1/messages",
                "headers": {"X-Tenant": "a", "x-api-key": "k", "Authorization": "Bearer b"},
                "body": {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "hi"}]},
            },
            "response": {"status": 529, "body": {"type": "error", "error": {"type": "overloaded_error"}}},
        }
    )
    assert (found.api, found.provider, found.http_status) == (Api.ANTHROPIC_MESSAGES, "anthropic", 529)
    assert found.error_type == "overloaded_error"
    assert found.attributes == {"method": "POST", "status": "529", "headers.x-tenant": "a"}


def test_an_unread_api_has_neither_prompt_nor_usage():
    found = pair(url_path="/v1/audio/speech", request={"model": "tts-1", "input": "hello"}, response={})
    assert (found.operation, found.prompt, found.answer, found.usage) == ("audio", None, None, None)


def test_content_and_secrets_never_become_attributes():
    found = pair(
        question="what is my diagnosis?",
        api_key="abc",
        metadata={
            "team": "t",
            "prompt": "p",
            "auth_token": "x",
            "key": "sk-123",
            "nested": {"cookie": "c", "ok": 1},
        },
    )
    assert found.attributes == {"metadata.team": "t", "metadata.nested.ok": "1"}


def test_attributes_are_bounded_in_length_and_number():
    found = pair(metadata={f"k{i}": "x" * 500 for i in range(3_000)})
    assert len(found.attributes) == 2_000
    assert set(map(len, found.attributes.values())) == {200}


def test_a_dimension_behind_hundreds_of_others_is_found():
    crowd = {f"k{i}": i for i in range(500)}
    found = pair(extra=crowd, tags=[f"t{i}:x" for i in range(500)], metadata={**crowd, "tenant": "acme"})
    assert found.attributes["metadata.tenant"] == "acme"


def test_a_dimension_six_objects_deep_is_found():
    deep = {"a": {"b": {"c": {"d": {"e": {"tenant": "acme", "f": {"below": 1}}}}}}}
    found = pair(metadata=deep)
    assert found.attributes == {"metadata.a.b.c.d.e.tenant": "acme"}


def test_tags_are_read_from_lists_and_objects():
    assert pair(tags=["env:prod", "team=blue", "beta"]).tags == {
        "env": "prod",
        "team": "blue",
        "beta": "true",
    }
    assert pair(tags={"env": "prod"}).attributes["tags.env"] == "prod"


def test_a_litellm_payload_is_read_whole(read):
    found = read("litellm", "c-100")
    assert (found.api, found.provider, found.model) == (Api.OPENAI_CHAT, "openai", "gpt-4.1-2025-04-14")
    assert (found.call_id, found.response_id) == ("c-100", "chatcmpl-L1")
    assert found.ts == datetime(2026, 3, 2, 8, 26, 40, 250000, tzinfo=UTC)
    assert (found.latency_ms, found.ttft_ms, found.streamed) == (2500, 500, True)
    assert found.usage == Usage(input_tokens=52, cache_read_tokens=2048, output_tokens=50, reasoning_tokens=0)
    assert found.reported_cost_usd == Decimal("0.000916")
    assert found.tags == {"env": "staging", "beta": "true"}
    assert found.end_user == "eu-4"
    assert found.attributes["metadata.user_api_key_team_alias"] == "contoso"
    assert "metadata.user_api_key_hash" not in found.attributes
    assert (found.max_output_tokens, found.temperature) == (64, 0.0)


def test_a_litellm_cache_hit_without_content(read):
    found = read("litellm", "c-101")
    assert (found.cache_hit, found.prompt, found.answer) == (True, None, None)
    assert (found.provider, found.model, found.api) == ("google", "gemini-2.5-flash", Api.GEMINI_GENERATE)
    assert found.usage == Usage(input_tokens=15, output_tokens=5)
    assert (found.ttft_ms, found.latency_ms) == (None, 100)


def test_a_litellm_failure_knows_no_usage(read):
    found = read("litellm", "c-102")
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, 500, "InternalServerError")
    assert (found.usage, found.operation) == (None, "embedding")
    assert found.prompt is not None
    assert [part.kind for message in found.prompt.messages for part in message.parts] == [PartKind.TEXT] * 2


def test_a_litellm_payload_with_more_cache_than_input_is_refused():
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 6}}
    record = {
        "startTime": 1772440000,
        "call_type": "completion",
        "prompt_tokens": 5,
        "metadata": {"usage_object": usage},
    }
    with pytest.raises(ValueError, match="6 cached"):
        FORMATS["litellm"].read(record)


def test_a_litellm_payload_with_bad_side_fields_is_read():
    found = FORMATS["litellm"].read(
        {
            "startTime": 1772440000,
            "endTime": 1772439999,
            "completionStartTime": "soon",
            "response_time": -1,
            "call_type": "completion",
            "prompt_tokens": 5,
            "stream": True,
            "status": ["x"],
            "custom_llm_provider": 7,
            "response_cost": "N/A",
            "error_information": {"error_code": "none"},
            "model_parameters": {"max_tokens": "many", "temperature": "hot"},
        }
    )
    assert found.usage == Usage(input_tokens=5)
    assert (found.latency_ms, found.ttft_ms, found.http_status) == (None, None, None)
    assert (found.reported_cost_usd, found.max_output_tokens, found.temperature) == (None, None, None)
    assert (found.status, found.provider) == (Status.OK, None)


def test_a_flat_record_is_read_whole(read):
    found = read("tollbook", "job-1")
    assert found.usage == Usage(
        input_tokens=10,
        cache_read_tokens=20,
        cache_write_tokens=30,
        cache_write_1h_tokens=40,
        output_tokens=50,
        reasoning_tokens=5,
    )
    assert found.reported_cost_usd == Decimal("0.0012")
    assert (found.service_tier, found.operation, found.streamed, found.attempt) == ("batch", "chat", True, 1)
    assert found.attributes == {
        "tenant": "fabrikam",
        "workflow": "digest",
        "environment": "prod",
        "tags.squad": "blue",
        "region": "eu",
    }


def test_a_flat_record_may_carry_bodies(read):
    found = read("tollbook", "job-2")
    assert found.usage == Usage(input_tokens=8, output_tokens=1)
    assert found.prompt is not None
    assert found.answer is not None
    assert found.answer.texts == ("ho",)


def test_a_flat_record_without_buckets_has_unknown_usage():
    assert flat(model="m").usage is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"tollbook": 2}, "tollbook is 2, expected version 1"),
        ({"tollbook": True}, "tollbook is true, expected version 1"),
        ({"tenant": ["a"]}, "tenant is a list of 1 entries, expected text"),
        (
            {"service_tier": "gold"},
            "service_tier is text of 4 characters, expected one of standard, batch, flex, priority",
        ),
        ({"input_tokens": -1}, "usage.input_tokens is -1, expected 0 to 1000000000"),
        (
            {"input_tokens": "7"},
            "usage.input_tokens is text of 1 characters, expected a whole number of tokens",
        ),
        ({"model": "m" * 300}, "model has 300 characters, expected at most 256"),
        (
            {"output_tokens": 1, "reasoning_tokens": 2},
            "usage has 2 reasoning_tokens in output_tokens of 1: a part cannot exceed its whole",
        ),
    ],
)
def test_a_bad_flat_field_is_refused_by_name_and_value(record, reason):
    assert refused(flat, **record) == reason


@pytest.mark.parametrize(
    ("record", "column"),
    [
        ({"streamed": "no"}, "streamed"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
        ({"http_status": "none"}, "http_status"),
        ({"latency_ms": "12"}, "latency_ms"),
        ({"ttft_ms": -3}, "ttft_ms"),
        ({"attempt": 1.5}, "attempt"),
        ({"reported_cost_usd": "N/A"}, "reported_cost_usd"),
        ({"provider": ["x"]}, "provider"),
    ],
)
def test_a_bad_side_field_of_a_flat_record_is_unknown(record, column):
    assert getattr(flat(**record), column) is None


def test_a_flat_status_is_known_by_other_words_too():
    assert flat(status="timeout").status is Status.ERROR
    assert flat(status="canceled").status is Status.CANCELLED
    assert flat(status="fine").status is Status.OK
    assert flat(status="fine", http_status=500).status is Status.ERROR


def test_flat_tags_of_another_type_are_none():
    assert flat(tags=3).tags == {}
