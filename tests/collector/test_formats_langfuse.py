"""Langfuse's observations: every value of the sample as its documentation says it is to be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.attribution import DEFAULT_RULES, attribute
from collector.formats import FORMATS, NotACallError, sniff
from ledger.types import Api, Request, Span, Status, Usage


@pytest.fixture(scope="module")
def found(samples) -> dict[str, Request | Span]:
    """Everything in the sample but its score, by its id."""
    lines = (samples / "formats" / "langfuse.jsonl").read_text(encoding="utf-8").splitlines()
    items = [item for line in lines for item in FORMATS["langfuse"].items(json.loads(line))]
    return {item["id"]: FORMATS["langfuse"].read(item) for item in items if "score" not in item["id"]}


def observation(**more: object) -> dict[str, object]:
    bare = {"id": "obs-2026-900000", "traceId": "t-1", "type": "GENERATION"}
    return {**bare, "startTime": "2026-09-01T08:00:00Z", "providedModelName": "gpt-4.1-mini", **more}


def usage(**details: object) -> Usage | None:
    return FORMATS["langfuse"].read(observation(usageDetails=details)).usage


def at(minute: int, micro: int = 0) -> datetime:
    return datetime(2026, 9, 1, 8, minute, 0, micro, tzinfo=UTC)


def test_a_generation_of_the_second_api_is_read_whole(found):
    call = found["obs-2026-000001"]
    assert (call.api, call.provider, call.model) == (
        Api.ANTHROPIC_MESSAGES,
        "anthropic",
        "claude-sonnet-4-5",
    )
    assert (call.ts, call.latency_ms, call.ttft_ms) == (at(1), 2500, 600)
    assert call.usage == Usage(
        input_tokens=120, cache_read_tokens=4000, cache_write_tokens=300, output_tokens=80
    )
    assert (call.call_id, call.response_id) == ("obs-2026-000001", None)
    assert (call.reported_cost_usd, call.end_user) == (Decimal("0.003885"), "person-4")
    assert (call.max_output_tokens, call.temperature) == (256, 0.2)
    assert call.tags == {"beta": "true", "team": "blue"}
    assert (call.attributes["promptName"], call.attributes["promptVersion"]) == ("opening", "3")
    assert (call.span, call.parent_span) == ("trace-000001:obs-2026-000001", "trace-000001:obs-2026-000101")
    assert [message.role for message in call.prompt.messages] == ["system", "user"]
    assert call.answer.texts == ("At nine.",)


def test_tenant_workflow_and_environment_are_found_by_the_default_rules(found):
    owner = attribute(DEFAULT_RULES, found["obs-2026-000001"])
    assert (owner.tenant, owner.workflow, owner.environment) == ("northwind", "faq", "production")


def test_a_step_above_the_calls_names_itself_and_its_trace(found):
    step = found["obs-2026-000101"]
    assert isinstance(step, Span)
    assert (step.span, step.parent) == ("trace-000001:obs-2026-000101", "trace-000001:")
    assert step.attributes["metadata.workflow"] == "faq"


def test_a_total_of_input_and_output_alone_says_that_the_cache_is_inside(found):
    call = found["obs-2026-000002"]
    assert call.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40)
    assert (call.model, call.provider) == ("gpt-4.1-mini-2025-04-14", "openai")
    assert (call.latency_ms, call.ttft_ms) == (1000, 250)
    assert (call.max_output_tokens, call.temperature) == (64, 0.0)
    assert call.reported_cost_usd == Decimal("0.0003565")
    assert [tool.name for tool in call.prompt.tools] == ["hours"]
    assert [each.name for each in call.answer.tool_calls] == ["hours"]


def test_the_environment_default_is_one_that_was_never_set(found):
    assert "environment" not in found["obs-2026-000002"].attributes


def test_reasoning_stands_beside_the_output(found):
    call = found["obs-2026-000003"]
    assert call.usage == Usage(input_tokens=200, output_tokens=500, reasoning_tokens=450)
    assert call.answer.texts == ("Rye, oat and spelt.",)


def test_without_a_total_the_cache_stands_beside_the_input(found):
    call = found["obs-2026-000004"]
    assert call.usage == Usage(input_tokens=10, cache_read_tokens=90, output_tokens=5)
    assert call.prompt.messages[0].parts[0].text == "Hello"


def test_an_embedding_is_one_without_an_answer(found):
    call = found["obs-2026-000005"]
    assert (call.operation, call.api, call.answer) == ("embedding", Api.OPENAI_EMBEDDINGS, None)
    assert call.usage == Usage(input_tokens=5)
    assert [part.text for message in call.prompt.messages for part in message.parts] == [
        "rye bread",
        "oat bread",
    ]


def test_an_error_has_no_usage_and_its_words_go_nowhere(found):
    call = found["obs-2026-000006"]
    assert (call.status, call.usage, call.reported_cost_usd) == (Status.ERROR, None, None)
    assert "429 Too Many Requests" not in call.attributes.values()


def test_a_row_of_the_export_says_the_same_in_other_names(found):
    call = found["obs-2026-000007"]
    assert (call.ts, call.latency_ms, call.ttft_ms) == (at(7, 250000), 1000, 200)
    assert call.usage == Usage(input_tokens=300, output_tokens=20)
    assert (call.reported_cost_usd, call.end_user) == (Decimal("0.000152"), "person-9")
    assert (call.max_output_tokens, call.tags) == (32, {"env": "staging"})
    owner = attribute(DEFAULT_RULES, call)
    assert (owner.tenant, owner.workflow, owner.environment) == ("fabrikam", "digest", "staging")
    assert (call.span, call.parent_span) == ("trace-000007:obs-2026-000007", "trace-000007:")


def test_characters_are_no_tokens(found):
    call = found["obs-2026-000008"]
    assert (call.usage, call.provider) == (None, "google")
    assert call.prompt is not None


def test_writes_for_an_hour_are_told_from_those_for_five_minutes(found):
    assert found["obs-2026-000009"].usage == Usage(
        input_tokens=50, cache_write_tokens=20, cache_write_1h_tokens=30, output_tokens=7
    )


def test_a_trace_is_the_step_above_all_of_its_own(found):
    trace = found["trace-000009"]
    assert isinstance(trace, Span)
    assert (trace.span, trace.parent, trace.end_user) == ("trace-000009:", None, "person-2")
    assert found["obs-2026-000009"].parent_span == trace.span
    assert trace.attributes["traceName"] == "digest"


def test_a_cost_of_nothing_is_a_price_that_langfuse_does_not_know(found):
    call = found["obs-2026-000012"]
    assert call.reported_cost_usd is None
    assert call.usage == Usage(input_tokens=11, cache_read_tokens=0, output_tokens=3)


def test_a_score_is_set_aside(samples):
    line = (samples / "formats" / "langfuse.jsonl").read_text(encoding="utf-8").splitlines()[10]
    with pytest.raises(NotACallError, match="a score"):
        FORMATS["langfuse"].read(json.loads(line))


def test_a_total_that_no_reading_of_the_parts_gives_is_refused():
    with pytest.raises(ValueError, match="usage.total is 999"):
        usage(input=100, input_cached_tokens=40, output=10, total=999)


def test_a_cache_larger_than_the_input_it_should_be_in_is_refused():
    with pytest.raises(ValueError, match="the input count must include them"):
        usage(input=100, input_cached_tokens=400, output=10, total=110)


def test_a_total_that_langfuse_added_up_from_every_entry_is_understood():
    found = usage(input=100, input_cached_tokens=40, output=10, web_searches=3, total=153)
    assert found == Usage(input_tokens=100, cache_read_tokens=40, output_tokens=10)


def test_a_kind_of_input_without_a_bucket_is_input():
    found = usage(input=4, input_modality_image=258, output=10, total=272)
    assert found == Usage(input_tokens=262, output_tokens=10)


def test_cache_inside_the_input_and_reasoning_beside_the_output_are_told_by_the_total():
    found = usage(input=100, input_cached_tokens=40, output=10, output_reasoning=25, total=135)
    assert found == Usage(input_tokens=60, cache_read_tokens=40, output_tokens=35, reasoning_tokens=25)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", None, "id is null, expected text"),
        ("providedModelName", 7, "providedModelName is a whole number, expected text"),
        ("usageDetails", [1], "usageDetails is a list, expected an object"),
        ("usageDetails", {"input": -1}, "usage.input is -1, expected 0 to 1000000000"),
        ("startTime", True, "startTime is true, expected a time"),
        ("userId", ["x"], "userId is a list, expected a whole number or text"),
    ],
)
def test_a_booked_field_of_another_type_is_refused_by_its_name(field, value, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        FORMATS["langfuse"].read(observation(**{field: value}))


@pytest.mark.parametrize("field", ["latency", "level", "modelParameters", "tags", "metadata", "totalCost"])
def test_a_side_field_of_another_type_costs_no_call(field):
    assert FORMATS["langfuse"].read(observation(usageDetails={"input": 3}, **{field: [["x"]]})).usage


def test_an_empty_page_is_known():
    page = {"data": [], "meta": {"cursor": None}}
    assert sniff([page]) == "langfuse"
    assert list(FORMATS["langfuse"].items(page)) == []


def test_the_observations_inside_a_trace_are_read():
    trace = {"id": "t-9", "timestamp": "2026-09-01T08:00:00Z", "sessionId": None, "userId": None}
    inside = list(FORMATS["langfuse"].items({**trace, "observations": [observation()]}))
    assert [type(FORMATS["langfuse"].read(item)) for item in inside] == [Span, Request]
