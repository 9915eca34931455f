"""Vertex AI's rows as exports write them: whole, streamed, as text, cut to fit, and of a partner's model."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from ledger.types import Api, Request, Usage

# 400 of 600 were cached; 5 said and 35 thought.
USAGE = Usage(input_tokens=200, cache_read_tokens=400, output_tokens=40, reasoning_tokens=35)


@pytest.fixture
def row(samples) -> dict:
    return json.loads((samples / "formats" / "vertex.jsonl").read_text(encoding="utf-8").splitlines()[0])


def read(record: dict) -> Request:
    return FORMATS["vertex"].read(record)


def test_a_streams_list_gives_what_the_whole_answer_gives(row):
    whole = row["full_response"]
    first = {"candidates": [{"content": {"role": "model", "parts": [{"text": "At "}]}}]}
    last = {**whole, "candidates": [{"content": {"role": "model", "parts": [{"text": "nine."}]}}]}
    found = read(row | {"full_response": [first, last]})
    assert (found.usage, found.answer.texts, found.streamed) == (USAGE, ("At nine.",), True)
    assert found.ts == read(row).ts


def test_columns_written_as_text_say_the_same(row):
    columns = ("full_request", "full_response", "metadata")
    found, plain = read(row | {key: json.dumps(row[key]) for key in columns}), read(row)
    assert (found.usage, found.tags, found.latency_ms, found.ts) == (USAGE, plain.tags, 1400, plain.ts)
    assert found.prompt == plain.prompt


def test_a_cut_request_costs_the_text_but_not_the_call(row):
    found = read(row | {"full_request": json.dumps(row["full_request"])[:40]})
    assert (found.prompt, found.usage, found.tags) == (None, USAGE, {})


def test_a_cut_response_leaves_the_usage_unknown(row):
    found = read(row | {"full_response": json.dumps(row["full_response"])[:40]})
    assert (found.usage, found.answer) == (None, None)
    assert found.prompt is not None
    # Logged at 02.5 after 1.4 seconds.
    assert found.ts == datetime(2026, 9, 1, 8, 0, 1, 100_000, tzinfo=UTC)


def test_a_partners_model_is_read_in_its_own_shape(row):
    asked = {"anthropic_version": "vertex-2023-10-16", "messages": [{"role": "user", "content": "Open?"}]}
    said = {"id": "msg_vrtx_01Ka2Lb3Mc4Nd5Oe6Pf7Qg8R", "type": "message", "role": "assistant"}
    said |= {"model": "claude-sonnet-4-5-20250929", "content": [{"type": "text", "text": "At nine."}]}
    said |= {"usage": {"input_tokens": 9, "cache_read_input_tokens": 50, "output_tokens": 6}}
    endpoint = "projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929"
    found = read(
        row | {"full_request": asked, "full_response": said, "api_method": "rawPredict", "endpoint": endpoint}
    )
    assert (found.api, found.provider) == (Api.ANTHROPIC_MESSAGES, "google")
    assert found.usage == Usage(input_tokens=9, cache_read_tokens=50, output_tokens=6)
    assert found.model == "claude-sonnet-4-5-20250929"
