"""The recorded calls: every one is read, and its buckets are the bill's."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import pytest

from collector.formats import FORMATS
from ledger.types import Request, Status

pytestmark = pytest.mark.shared

GIVEN = ("request", "response", "status", "url_path")
BUCKETS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)


@pytest.fixture(scope="module")
def rows(shared):
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def calls(rows) -> list[Request]:
    return [FORMATS["pair"].read({key: row[key] for key in GIVEN}) for row in rows]


def test_every_recorded_call_is_read(calls):
    assert len(calls) == 4075


def test_the_buckets_of_every_billed_call_are_the_bill(rows, calls, corrected_bill):
    billed = [(row, call) for row, call in zip(rows, calls, strict=True) if row["billed"]]
    differing = {
        row["id"]: (corrected_bill(row), call.usage)
        for row, call in billed
        if call.usage is None or any(getattr(call.usage, key) != corrected_bill(row)[key] for key in BUCKETS)
    }
    assert len(billed) == 3749
    assert differing == {}


def test_only_the_proven_rows_differ_from_the_given_bill(rows, calls):
    differing = Counter(
        tuple(key for key in BUCKETS if getattr(call.usage, key) != row["billed"][key])
        for row, call in zip(rows, calls, strict=True)
        if row["billed"]
    )
    del differing[()]
    assert differing == {("cache_write_tokens",): 12, ("reasoning_tokens",): 51}


def test_the_breakdown_of_cache_writes_leaves_out_what_it_read_back(rows):
    (row,) = [row for row in rows if row["id"] == 1845]
    usage = row["usage"]
    assert usage["cache_creation"]["ephemeral_5m_input_tokens"] == usage["cache_read_input_tokens"] == 12016
    assert usage["cache_creation_input_tokens"] == 20718


def test_calls_without_a_bill_have_no_usage(rows, calls):
    assert [
        row["id"] for row, call in zip(rows, calls, strict=True) if not row["billed"] and call.usage
    ] == []


def test_every_failed_status_is_an_error(rows, calls):
    failed = [call for row, call in zip(rows, calls, strict=True) if (row["status"] or 0) >= 400]
    assert len(failed) == 98
    assert {call.status for call in failed} == {Status.ERROR}


def test_no_answered_call_with_a_bill_is_an_error(rows, calls):
    billed = [call for row, call in zip(rows, calls, strict=True) if row["billed"]]
    assert {call.status for call in billed} == {Status.OK}


def test_litellm_samples_are_read(shared):
    lines = (shared / "formats" / "litellm_standard_logging_payload.jsonl").read_text().splitlines()
    text_times, cached, failed = (FORMATS["litellm"].read(json.loads(line)) for line in lines)
    assert (text_times.ts.isoformat(), text_times.latency_ms) == ("2025-01-24T09:20:46.847371+00:00", 5)
    assert (cached.usage.input_tokens, cached.usage.cache_read_tokens) == (10, 66360)
    assert (cached.usage.cache_write_tokens, cached.usage.reasoning_tokens) == (32435, 1710)
    assert (failed.status, failed.http_status, failed.usage) == (Status.ERROR, 429, None)


def test_captured_exchanges_are_read(shared):
    paths = sorted((shared / "formats" / "captured").glob("openai_http_*.json"))
    calls = [FORMATS["pair"].read(json.loads(path.read_text())) for path in paths]
    assert [call.operation for call in calls] == ["chat", "chat", "chat", "embedding"]
    assert [call.usage.cache_read_tokens for call in calls] == [1024, 1024, 1024, None]
