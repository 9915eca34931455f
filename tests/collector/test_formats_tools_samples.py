"""Samples of other tools' logs, each read into a ledger: the row that one derives by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

pytestmark = pytest.mark.shared

NOW = datetime(2026, 11, 23, tzinfo=UTC)

# File and line -> model; tokens uncached, read, written, output; tenant, workflow, environment; cost; what
# the log says it cost. Prices a million tokens: claude-sonnet-4-5 3, 0.30, 15; gpt-4o 2.50, 10; gpt-4 30, 60;
# gpt-3.5-turbo 1.50, 2; gemini-2.5-pro 1.25, 0.125, 10; claude-opus-4-5 in a region of Bedrock 5.50, 0.55,
# 6.875, 27.50.
ROWS = [
    (
        ("langfuse_observations_v2.json", 1),
        ("claude-sonnet-4-5", 86, 17817, 0, 120),
        ("acme", "ticket-triage", "production"),
        ("0.0074031", "0.0074031"),
    ),
    (
        ("langsmith_run.json", 1),
        ("gpt-4o", 1117, 0, 0, 46),
        ("acme", "ticket-triage", "production"),
        ("0.0032525", "0.0032525"),
    ),
    (
        ("llamaindex_token_counting_event.json", 1),
        (None, 21, None, None, 3),
        (None, None, None),
        (None, None),
    ),
    (
        ("vercel_ai_gateway_generation.json", 1),
        ("gpt-4", 100, 0, 0, 50),
        (None, None, None),
        ("0.006", "0.00123"),
    ),
    (
        ("litellm_standard_logging_payload.jsonl", 1),
        ("gpt-4o", 10, None, None, 20),
        (None, None, None),
        ("0.000225", "0.000225"),
    ),
    (
        ("litellm_standard_logging_payload.jsonl", 2),
        ("anthropic.claude-opus-4-5-20251101-v1:0", 10, 66360, 32435, 5120),
        ("acme", "ticket-triage", "production"),
        ("0.400343625", "0.04708"),
    ),
    (
        ("litellm_standard_logging_payload.jsonl", 3),
        ("gpt-4o", None, None, None, None),
        (None, None, None),
        ("0", "0"),
    ),
    (
        ("helicone_requests.jsonl", 1),
        ("gpt-4o-2024-08-06", 1117, None, None, 46),
        ("acme", "ticket-triage", "production"),
        ("0.0032525", "0.0032525"),
    ),
    (
        ("portkey_metric_export.jsonl", 1),
        ("gpt-4", 150, None, None, 200),
        (None, None, "production"),
        ("0.0165", "0.0105"),
    ),
    (
        ("openinference_spans.jsonl", 1),
        ("gpt-3.5-turbo-0613", 229, None, None, 21),
        (None, None, None),
        ("0.0003855", None),
    ),
    (
        ("openinference_spans.jsonl", 2),
        ("claude-sonnet-4-5", 3, 7917, 350, 442),
        ("acme", None, None),
        (None, "0.0103"),
    ),
    (
        ("vertex_request_response_log.jsonl", 1),
        ("gemini-2.5-pro", 476, 1024, None, 250),
        ("acme", "ticket-triage", None),
        ("0.003223", None),
    ),
]


def amount(value: object) -> str | None:
    return None if value is None else format(Decimal(str(value)).normalize(), "f")


@pytest.mark.parametrize(("place", "tokens", "owner", "costs"), ROWS, ids=lambda value: str(value[0]))
def test_a_sample_ends_as_the_row_that_its_numbers_say(books, shared, place, tokens, owner, costs):
    name, line = place
    books.ingest(shared / "formats" / name, now=NOW)
    (row,) = books.rows(
        "SELECT model, input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, tenant, workflow, "
        f"environment, cost_usd, reported_cost_usd FROM requests WHERE source_line = {line}"
    )
    assert row[:5] == tokens
    assert row[5:8] == owner
    assert tuple(map(amount, row[8:])) == costs


@pytest.mark.parametrize("name", sorted({place[0] for place, *_ in ROWS}))
def test_every_record_of_a_sample_is_a_row(books, shared, name):
    books.ingest(shared / "formats" / name, now=NOW)
    expected = len([place for place, *_ in ROWS if place[0] == name])
    assert books.rows("SELECT count(*) FROM requests") == [(expected,)]
    assert books.reasons() == []
