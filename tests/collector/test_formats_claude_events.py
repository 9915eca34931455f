"""Claude Code's OpenTelemetry events, and the sessions that its own files tell too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.formats import FORMATS
from ledger.types import Api, Status, Usage

SAID = {
    "event.name": "api_request",
    "event.sequence": 3,
    "session.id": "5f0c1a2b-session",
    "user.email": "dev@example.com",
    "organization.id": "org-1",
    "model": "claude-opus-4-5",
    "cost_usd": 0.25,
    "duration_ms": "4200",
    "input_tokens": "10",
    "output_tokens": 159,
    "cache_read_tokens": 66360,
    "cache_creation_tokens": 32435,
}


def value(each: object) -> dict[str, object]:
    if isinstance(each, float):
        return {"doubleValue": each}
    return {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}


def export(*, body: str = "claude_code.api_request", **changed: object) -> dict[str, object]:
    said = {**SAID, **{key.replace("__", "."): each for key, each in changed.items()}}
    log = {
        # 2026-10-05 12:00:04.200 UTC
        "timeUnixNano": "1791201604200000000",
        "body": {"stringValue": body},
        "attributes": [{"key": key, "value": value(each)} for key, each in said.items()],
    }
    resource = {"attributes": [{"key": "deployment.environment", "value": value("laptop")}]}
    scope = {"name": "com.anthropic.claude_code.events"}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [log]}]}]}


def read(**changed: object):
    (item,) = FORMATS["otlp"].items(export(**changed))
    return FORMATS["otlp"].read(item)


def test_an_api_request_is_a_call_that_ends_when_its_event_was_written():
    found = read()
    assert (found.api, found.provider, found.model) == (
        Api.ANTHROPIC_MESSAGES,
        "anthropic",
        "claude-opus-4-5",
    )
    assert (found.ts, found.latency_ms) == (datetime(2026, 10, 5, 12, tzinfo=UTC), 4200)
    assert found.call_id == "claude_code.5f0c1a2b-session:3"
    assert (found.end_user, found.reported_cost_usd) == ("dev@example.com", Decimal("0.25"))
    assert found.attributes["organization.id"] == "org-1"
    assert found.around["resource.deployment.environment"] == "laptop"


def test_the_cache_stands_beside_the_input():
    assert read().usage == Usage(
        input_tokens=10, cache_read_tokens=66360, cache_write_tokens=32435, output_tokens=159
    )


def test_an_api_error_is_a_failed_call():
    failed = read(
        body="claude_code.api_error", event__name="api_error", status_code="529", error="Overloaded"
    )
    assert (failed.status, failed.http_status, failed.usage) == (Status.ERROR, 529, None)
    assert "error" not in failed.attributes


def test_other_events_of_a_session_are_no_calls():
    assert (
        list(FORMATS["otlp"].items(export(body="claude_code.user_prompt", event__name="user_prompt"))) == []
    )


def test_a_count_that_is_none_is_refused_by_name():
    with pytest.raises(ValueError, match=r"usage\.input_tokens is text of 4 characters"):
        read(input_tokens="some")


def test_events_of_one_sequence_number_are_one_call(books):
    again = [json.dumps(export()).encode(), json.dumps(export(event__sequence=4)).encode()]
    books.ingest(books.file("a.jsonl", b"\n".join([*again, again[0]])))
    # 10 × 5 + 66,360 × 0.50 + 32,435 × 6.25 + 159 × 25 dollars a million
    assert books.rows("SELECT cost_usd FROM requests") == [(Decimal("0.23992375"),)] * 2


def test_a_session_told_by_its_file_too_has_the_same_name_there(books):
    line = {
        "type": "assistant",
        "sessionId": SAID["session.id"],
        "requestId": "req_011AbCdEfGh",
        "timestamp": "2026-10-05T12:00:04Z",
        "message": {
            "id": "msg_01Ab2Cd3Ef4Gh5Ij6Kl7Mn8Op",
            "role": "assistant",
            "model": "claude-opus-4-5",
            "usage": {"input_tokens": 10, "output_tokens": 159},
        },
    }
    books.ingest(books.file("a.jsonl", json.dumps(line).encode() + b"\n"))
    books.ingest(books.file("b.jsonl", json.dumps(export()).encode() + b"\n"))
    found = books.rows("SELECT count(DISTINCT source), count(DISTINCT parent_span) FROM requests")
    assert found == [(2, 1)]
