"""Claude Code's OpenTelemetry events, and the sessions that its own files tell too."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

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


REQUEST_ID = "req_011CaXk3vTn7QpWz5RmYdLs8"


def line(number: int = 1, request_id: str = REQUEST_ID, **usage: int) -> bytes:
    """A line of the session file, of the call that `export` tells unless it is numbered otherwise."""
    told = {
        "input_tokens": 10,
        "output_tokens": 159,
        "cache_read_input_tokens": 66360,
        "cache_creation_input_tokens": 32435,
    }
    said = {
        "type": "assistant",
        "sessionId": SAID["session.id"],
        "requestId": request_id,
        "timestamp": "2026-10-05T12:00:04Z",
        "message": {
            "id": f"msg_01Ab2Cd3Ef4Gh5Ij6Kl7Mn8O{number}",
            "role": "assistant",
            "model": "claude-opus-4-5",
            "usage": {**told, **usage},
        },
    }
    return json.dumps(said).encode() + b"\n"


def event(**changed: object) -> bytes:
    return json.dumps(export(**changed)).encode() + b"\n"


def test_a_session_told_by_its_file_too_has_the_same_name_there(books):
    books.ingest(books.file("a.jsonl", line()))
    books.ingest(books.file("b.jsonl", event()))
    found = books.rows("SELECT count(DISTINCT source), count(DISTINCT parent_span) FROM requests")
    assert found == [(2, 1)]


# 10 × 5 + 66,360 × 0.50 + 32,435 × 6.25 + 159 × 25 dollars a million
ONE = Decimal("0.23992375")
KNOWN = "SELECT id_kind, latency_ms, output_tokens, cost_usd, reported_cost_usd FROM requests"
TOTALS = "SELECT sum(requests)::BIGINT, sum(cost_usd) FROM rollup"


@pytest.mark.parametrize("order", ["se", "es", "ses", "ese", "eess", "sese"])
def test_a_call_told_by_its_session_and_by_its_event_is_one_row_in_any_order(books, order):
    told = {"s": line(), "e": event(request_id=REQUEST_ID)}
    for number, name in enumerate(order):
        books.ingest(books.file(f"{number}.jsonl", told[name]))
    assert books.rows(KNOWN) == [("response", 4200, 159, ONE, Decimal("0.25"))]
    assert books.rows(TOTALS) == [(1, ONE)]


def test_an_event_that_no_session_file_tells_is_a_row_once(books):
    for name in ("a.jsonl", "b.jsonl"):
        books.ingest(books.file(name, event(request_id=REQUEST_ID)))
    assert books.rows(KNOWN) == [("echo", 4200, 159, ONE, Decimal("0.25"))]


def test_a_session_without_events_has_its_rows(books):
    books.ingest(books.file("a.jsonl", line()))
    assert books.rows(KNOWN) == [("response", None, 159, ONE, None)]


def test_calls_of_equal_usage_in_one_session_stay_two(books):
    other = "req_011CaXk3vTn7QpWz5RmYdLs9"
    books.ingest(books.file("a.jsonl", line() + line(2, other)))
    books.ingest(
        books.file("b.jsonl", event(request_id=REQUEST_ID) + event(request_id=other, event__sequence=4))
    )
    assert books.rows(TOTALS) == [(2, 2 * ONE)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_what_only_one_of_the_two_tells_of_a_session_stays_a_row(books, order):
    lonely = event(request_id="req_011CaTitleTitleTitle0", event__sequence=9, output_tokens=3)
    told = [
        line(),
        line(2, "req_011CaOnlyInTheFileXy", output_tokens=7),
        event(request_id=REQUEST_ID) + lonely,
    ]
    for number in order:
        books.ingest(books.file(f"{number}.jsonl", told[number]))
    found = books.rows("SELECT source, output_tokens FROM requests ORDER BY 2")
    assert found == [("otlp", 3), ("claude_code", 7), ("claude_code", 159)]
    assert books.rows("SELECT sum(requests)::BIGINT FROM rollup") == [(3,)]


def test_the_event_tells_the_output_that_a_session_file_cut_short(books):
    books.ingest(books.file("a.jsonl", line(output_tokens=9)))
    books.ingest(books.file("b.jsonl", event(request_id=REQUEST_ID)))
    assert books.rows("SELECT output_tokens, cost_usd FROM requests") == [(159, ONE)]


def test_a_made_up_id_of_a_request_links_nothing(books):
    books.ingest(books.file("a.jsonl", line(request_id="req_test")))
    books.ingest(books.file("b.jsonl", event(request_id="req_test")))
    assert books.rows("SELECT count(*) FROM requests") == [(2,)]
