"""LangSmith's runs: every value of the sample as its documentation says it is to be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.attribution import DEFAULT_RULES, attribute
from collector.formats import FORMATS, sniff
from ledger.types import Api, Request, Span, Status, Usage


@pytest.fixture(scope="module")
def found(samples) -> dict[int, Request | Span]:
    """Every run of the sample, by the number its id ends in."""
    lines = (samples / "formats" / "langsmith.jsonl").read_text(encoding="utf-8").splitlines()
    items = [item for line in lines for item in FORMATS["langsmith"].items(json.loads(line))]
    return {int(item["id"][-12:]): FORMATS["langsmith"].read(item) for item in items}


def run_id(number: int) -> str:
    return f"7c1d0000-0000-4000-8000-{number:012d}"


def run(**more: object) -> dict[str, object]:
    bare = {"id": run_id(1), "run_type": "llm", "start_time": "2026-09-01T08:00:00", "trace_id": run_id(1)}
    return {**bare, **more}


def read(**more: object) -> Request:
    return FORMATS["langsmith"].read(run(**more))


def at(minute: int, micro: int = 0) -> datetime:
    return datetime(2026, 9, 1, 8, minute, 0, micro, tzinfo=UTC)


def test_an_llm_run_is_read_whole(found):
    call = found[1]
    assert (call.api, call.provider, call.model) == (Api.OPENAI_CHAT, "openai", "gpt-4.1-mini-2025-04-14")
    assert (call.ts, call.latency_ms, call.ttft_ms, call.streamed) == (at(1), 2000, 500, True)
    assert call.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40, reasoning_tokens=0)
    assert (call.call_id, call.response_id) == (run_id(1), "chatcmpl-Dq0Zy1Xw2Vu3Ts4Rq5Po6Nm7")
    assert (call.reported_cost_usd, call.end_user) == (Decimal("0.0003568"), "person-4")
    assert (call.max_output_tokens, call.temperature, call.service_tier) == (64, 0.2, "standard")
    assert call.tags == {"beta": "true", "team": "blue"}
    assert [message.role for message in call.prompt.messages] == ["system", "user"]
    assert [tool.name for tool in call.prompt.tools] == ["hours"]
    assert call.answer.texts == ("At nine.",)


def test_a_chain_is_a_step_above_its_calls_and_its_totals_are_no_call(found):
    step = found[101]
    assert isinstance(step, Span)
    assert (step.span, step.parent) == (run_id(101), None)
    assert found[1].parent_span == step.span
    assert step.attributes["metadata.tenant"] == "northwind"


def test_cache_writes_are_split_by_their_lifetime(found):
    call = found[2]
    assert call.usage == Usage(
        input_tokens=300,
        cache_read_tokens=4000,
        cache_write_tokens=500,
        cache_write_1h_tokens=200,
        output_tokens=60,
    )
    owner = attribute(DEFAULT_RULES, call)
    assert (owner.tenant, owner.workflow, owner.environment) == ("contoso", "orders", "staging")
    assert (call.response_id, call.reported_cost_usd) == ("msg_01AbCdEfGhJkMnPqRsTuVwXy", None)


def test_a_tool_call_that_a_message_says_twice_is_one(found):
    assert found[2].answer.texts == ("One moment.",)
    assert [each.name for each in found[2].answer.tool_calls] == ["hours"]


def test_counts_of_the_run_stand_where_its_outputs_have_none(found):
    call = found[3]
    assert call.usage == Usage(input_tokens=200, cache_read_tokens=100, output_tokens=90, reasoning_tokens=70)
    assert (call.provider, call.api, call.prompt) == ("google", Api.GEMINI_GENERATE, None)
    assert call.reported_cost_usd == Decimal("0.000282")


def test_a_wrapped_client_logs_bodies_as_they_are(found):
    call = found[4]
    assert (call.usage, call.response_id) == (
        Usage(input_tokens=11, output_tokens=3),
        "chatcmpl-Eq0Zy1Xw2Vu3Ts4Rq5Po6Nm7",
    )
    assert call.prompt.messages[0].parts[0].text == "Name a bread."
    assert call.answer.texts == ("Rye.",)


def test_of_an_error_only_its_class_is_kept(found):
    call = found[5]
    assert (call.status, call.error_type, call.usage) == (Status.ERROR, "RateLimitError", None)
    assert call.latency_ms == 100
    assert not [value for value in call.attributes.values() if "Ann" in value]


def test_the_names_of_the_details_tell_the_service_tier(found):
    call = found[6]
    assert call.service_tier == "flex"
    assert call.usage == Usage(
        input_tokens=150, cache_read_tokens=50, output_tokens=120, reasoning_tokens=100
    )


def test_a_row_of_the_bulk_export_holds_objects_as_text(found):
    call = found[7]
    assert (call.ts, call.latency_ms, call.provider) == (at(7, 250000), 750, "azure")
    assert call.usage == Usage(input_tokens=21, output_tokens=4)
    assert (call.reported_cost_usd, call.status) == (Decimal("0.0000925"), Status.OK)
    assert call.tags == {"env": "prod"}
    assert attribute(DEFAULT_RULES, call).tenant == "fabrikam"
    assert len(call.prompt.messages) == 2


def test_a_completion_has_its_prompt_as_text(found):
    call = found[8]
    assert call.prompt.messages[0].parts[0].text == "Name a bread."
    assert (call.api, call.operation) == (Api.OPENAI_COMPLETIONS, "completion")
    assert (call.answer.texts, call.max_output_tokens, call.temperature) == (("Rye.",), 256, 0.7)


def test_an_embedding_is_one_without_an_answer(found):
    call = found[9]
    assert (call.operation, call.answer) == ("embedding", None)
    assert call.usage == Usage(input_tokens=2, output_tokens=0)
    assert len(call.prompt.messages) == 2


def test_times_may_be_epoch_milliseconds_and_usage_unknown(found):
    call = found[10]
    assert (call.ts, call.latency_ms) == (at(10), 1500)
    assert (call.usage, call.provider) == (None, "mistral")
    assert call.answer.texts == ("Bonjour !",)


def test_a_time_without_an_offset_is_utc():
    assert read().ts == at(0)
    assert read().ts.utcoffset() == timedelta(0)


def test_runs_inside_a_run_are_read_as_well():
    items = FORMATS["langsmith"].items({**run(run_type="chain"), "child_runs": [run(id=run_id(2))]})
    assert [type(FORMATS["langsmith"].read(item)) for item in items] == [Span, Request]


def test_a_page_of_runs_is_known():
    assert sniff([{"runs": [run()], "cursors": {}}]) == "langsmith"


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("id", 7, "id is a whole number, expected text"),
        ("run_type", None, "run_type is null, expected text"),
        ("extra", "words", "extra is text, expected an object"),
        ("start_time", "soon", "start_time is text of 4 characters, expected an ISO time or epoch number"),
        (
            "prompt_tokens",
            "7",
            "usage.input_tokens is text of 1 characters, expected a whole number of tokens",
        ),
        ("prompt_token_details", [1], "prompt_token_details is a list, expected an object"),
    ],
)
def test_a_booked_field_of_another_type_is_refused_by_its_name(field, value, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        read(**{field: value})


def test_more_cache_than_input_is_refused():
    with pytest.raises(ValueError, match="9 cached"):
        read(prompt_tokens=5, completion_tokens=1, prompt_token_details={"cache_read": 9})


@pytest.mark.parametrize(
    "field", ["end_time", "first_token_time", "total_cost", "tags", "inputs", "outputs", "status"]
)
def test_a_side_field_of_another_type_costs_no_call(field):
    assert read(prompt_tokens=5, completion_tokens=1, **{field: [["x"]]}).usage == Usage(5, output_tokens=1)
