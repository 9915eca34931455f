"""Spans and events of LLM calls, in the names of today, of yesterday, and of two other conventions."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.attribution import DEFAULT_RULES, attribute, attribute_span
from collector.formats import FORMATS, NotACallError, genai
from ledger.types import Api, PartKind, Request, Span, Status, Usage


@pytest.fixture
def records(samples):
    def of(name: str) -> list[dict]:
        text = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    return of


@pytest.fixture
def calls(records):
    otlp = FORMATS["otlp"]
    found = [[otlp.read(item) for item in otlp.items(record)] for record in records("otlp")]
    return [[each for each in of_record if isinstance(each, Request)] for of_record in found]


@pytest.fixture
def steps(records):
    otlp = FORMATS["otlp"]
    found = (otlp.read(item) for record in records("otlp") for item in otlp.items(record))
    return {each.span: each for each in found if isinstance(each, Span)}


def span(**attributes) -> Request:
    return genai.request_of(genai.Span(attributes))


def test_only_the_inference_span_of_a_workflow_is_a_call(calls):
    (found,) = calls[0]
    assert found.call_id == "5b8aa5a2d2c872e8321cf37308d69df2:a000000000000002"
    assert found.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=20)


def test_a_call_names_the_span_above_it_and_what_holds_of_its_program(calls, steps):
    (found,) = calls[0]
    above = steps[found.parent_span]
    assert attribute_span(DEFAULT_RULES, above).workflow == "faq"
    where = attribute(DEFAULT_RULES, found)
    assert (where.tenant, where.workflow, where.environment) == (None, None, None)
    assert where.otherwise == ("northwind", None, "production", None)


def test_a_span_has_its_own_clock_and_ids(calls):
    (found,) = calls[0]
    assert found.ts == datetime(2026, 9, 1, 8, 0, 0, 100_000, tzinfo=UTC)
    assert (found.latency_ms, found.ttft_ms, found.max_output_tokens) == (1200, 250, 64)
    assert (found.response_id, found.model) == (
        "chatcmpl-Dq0Zy1Xw2Vu3Ts4Rq5Po6Nm7",
        "gpt-4.1-mini-2025-04-14",
    )


def test_typed_parts_become_messages_calls_results_and_tools(calls):
    (found,) = calls[0]
    assert [message.role for message in found.prompt.messages] == ["system", "user", "assistant", "tool"]
    assert found.prompt.messages[2].parts[-1].name == "hours"
    assert found.prompt.messages[3].parts[0].kind is PartKind.TOOL_RESULT
    assert found.prompt.messages[3].parts[0].text == "9-17"
    assert found.prompt.tools[0].description == "Opening hours"
    assert (found.answer.texts, found.answer.reasoning) == (("At nine.",), "hm")


def test_the_names_before_and_indexed_content_are_read(calls):
    (found,) = calls[1]
    assert found.usage == Usage(input_tokens=30, output_tokens=70, reasoning_tokens=64)
    assert (found.provider, found.model, found.operation) == ("openai", "gpt-5-mini", "chat")
    assert [message.parts[0].text for message in found.prompt.messages] == [
        "Answer briefly.",
        "When do you open?",
    ]
    assert (found.answer.texts, found.answer.finish_reason) == (("At nine.",), "stop")


def test_a_cache_larger_than_the_input_stands_beside_it(calls):
    (found,) = calls[2]
    assert found.usage == Usage(
        input_tokens=100, cache_read_tokens=2000, cache_write_tokens=50, output_tokens=30
    )
    assert found.api is Api.ANTHROPIC_MESSAGES


def test_a_total_that_adds_the_cache_says_that_the_input_leaves_it_out():
    names = "gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.output_tokens"
    counts = dict(zip(names, (100, 80, 30), strict=True))
    assert span(**counts, **{"gen_ai.usage.total_tokens": 210}).usage.input_tokens == 100
    assert span(**counts, **{"gen_ai.usage.total_tokens": 130}).usage.input_tokens == 20
    assert span(**counts).usage.input_tokens == 20


def test_a_failed_span_is_an_error_without_usage(calls):
    (found,) = calls[3]
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, 429, "RateLimitError")
    assert found.usage is None


def test_an_event_is_the_same_call_as_its_span_and_other_log_lines_are_none(calls):
    (event,) = calls[4]
    (call,) = calls[0]
    assert (event.response_id, event.call_id, event.usage) == (call.response_id, call.call_id, call.usage)


def test_metrics_hold_no_calls(calls):
    assert calls[5] == []


def test_content_never_becomes_an_attribute(calls):
    told = "\n".join(
        f"{path}={value}" for group in calls for call in group for path, value in call.attributes.items()
    )
    assert "When do you open" not in told
    assert "At nine" not in told
    assert "Opening hours" not in told


def test_an_openinference_span_is_read_with_flattened_content(records):
    found = FORMATS["openinference"].read(records("openinference")[0])
    assert found.usage == Usage(input_tokens=40, output_tokens=4)
    assert (found.ts, found.latency_ms) == (datetime(2026, 9, 1, 8, tzinfo=UTC), 800)
    assert (found.max_output_tokens, found.temperature) == (64, 0.2)
    assert found.prompt.messages[0].parts[0].text == "When do you open?"
    assert (found.prompt.tools[0].name, found.answer.texts) == ("hours", ("At nine.",))
    where = attribute(DEFAULT_RULES, found)
    assert (where.tenant, where.workflow, where.end_user) == ("northwind", "faq", "person-4")
    assert (found.reported_cost_usd, found.tags) == (Decimal("0.0000224"), {"beta": "true"})


def test_an_openinference_span_is_read_with_nested_content(records):
    found = FORMATS["openinference"].read(records("openinference")[1])
    assert found.usage == Usage(input_tokens=10, cache_read_tokens=500, output_tokens=5)
    assert (found.provider, found.api) == ("aws", Api.ANTHROPIC_MESSAGES)
    assert found.answer.tool_calls[0].name == "hours"


def test_an_agent_span_is_a_step_above_calls(records):
    found = FORMATS["openinference"].read(records("openinference")[2])
    assert isinstance(found, Span)


def test_an_agent_span_without_an_id_is_set_aside(records):
    record = {**records("openinference")[2], "context": {}}
    with pytest.raises(NotACallError, match="kind agent"):
        FORMATS["openinference"].read(record)


@pytest.mark.parametrize("kind", ["invoke_agent", "execute_tool", "create_agent", "invoke_workflow"])
def test_a_span_that_may_hold_its_childrens_totals_is_no_call(kind):
    assert genai.operation({"gen_ai.operation.name": kind, "gen_ai.usage.input_tokens": 5}) is None


def test_a_count_that_is_no_number_is_refused_by_name():
    with pytest.raises(ValueError, match=r"gen_ai\.usage\.input_tokens is text of 4 characters"):
        span(**{"gen_ai.usage.input_tokens": "many"})
