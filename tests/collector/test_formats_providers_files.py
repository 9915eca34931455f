"""Files as the providers' own tools leave them: their rows in the ledger, every value derived by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.shared

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ROW = (
    "SELECT ts::VARCHAR, tenant, workflow, provider, model, status, input_tokens, cache_read_tokens, "
    "cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_usd::VARCHAR "
    "FROM requests ORDER BY ts, source_line"
)
SONNET_4 = "claude-sonnet-4-20250514"
BEDROCK_SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
FILES = {
    # 1117 at 2.50 and 46 at 10 a million.
    "azure_apim_llm_log.jsonl": [
        (
            ("2026-11-20 10:00:00", None, None, "azure", "gpt-4o-2024-08-06", "ok"),
            (1117, None, None, None, 46, None, "0.003252500000"),
        ),
    ],
    # 1500 at 3.30, 13216 at 0.33, 25 at 4.125 and 500 at 16.50, a tenth more for the region; 15 at 0.30,
    # 12 at 0.60.
    "bedrock_model_invocation.jsonl": [
        (
            ("2024-01-15 12:00:00", "acme", "ticket-triage", "aws", BEDROCK_SONNET, "ok"),
            (1500, 13216, 25, None, 500, None, "0.017664405000"),
        ),
        (
            ("2024-01-15 12:01:00", None, None, "aws", "meta.llama3-8b-instruct-v1:0", "ok"),
            (15, None, None, None, 12, None, "0.000011700000"),
        ),
    ],
    # 100 at 3, 10 at 0.30, 25 at 3.75, 50 at 15; Opus: 200 at 15, 20 at 1.50, 50 at 18.75, 75 at 75.
    "claude_code_session.jsonl": [
        (
            ("2026-01-09 10:00:00", None, None, "anthropic", SONNET_4, "ok"),
            (100, 10, 25, None, 50, None, "0.001146750000"),
        ),
        (
            ("2026-01-09 12:30:00", None, None, "anthropic", "claude-opus-4-20250514", "ok"),
            (200, 20, 50, None, 75, None, "0.009592500000"),
        ),
        (
            ("2026-01-10 09:15:00", None, None, "anthropic", SONNET_4, "ok"),
            (300, 40, 0, None, 125, None, "0.002787000000"),
        ),
    ],
    # Three lines of one answer, the last with all its output: 3 at 3, 2800 at 0.30, 5050 at 6 (kept for an
    # hour), 159 at 15.
    "claude_code_streaming_duplicates.jsonl": [
        (
            ("2026-09-01 10:00:00", None, None, "anthropic", "claude-sonnet-4-5", "ok"),
            (3, 2800, 0, 5050, 159, None, "0.033534000000"),
        ),
    ],
    # 750 at 1.75, 250 at 0.175, 125 at 14; 3500 - 1000 in, 750 - 250 of them cached, 425 - 125 out.
    "codex_rollout.jsonl": [
        (
            ("2026-05-13 09:01:00", None, None, "openai", "gpt-5.2-codex", "ok"),
            (750, 250, None, None, 125, 75, "0.003106250000"),
        ),
        (
            ("2026-05-14 10:00:00", None, None, "openai", "gpt-5.3-codex", "ok"),
            (2000, 500, None, None, 300, 200, "0.007787500000"),
        ),
    ],
    # 13 at 2.50 and 18 at 10.
    "openai_stored_completions_list.json": [
        (
            ("2025-02-07 20:36:50", None, None, "openai", "gpt-4o-2024-08-06", "ok"),
            (13, None, None, None, 18, None, "0.000212500000"),
        ),
    ],
    "openai_chat_completion.json": [
        (
            ("2025-03-10 01:31:23", None, None, "openai", "gpt-4o-2024-08-06", "ok"),
            (1117, 0, None, None, 46, 0, "0.003252500000"),
        ),
    ],
    # 476 at 1.25, 1024 at 0.125 and 250 (40 said, 210 thought) at 10.
    "vertex_request_response_log.jsonl": [
        (
            ("2026-11-20 10:00:00", "acme", "ticket-triage", "google", "gemini-2.5-pro", "ok"),
            (476, 1024, None, None, 250, 210, "0.003223000000"),
        ),
    ],
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_as_its_program_leaves_it_gives_these_rows(shared, books, name):
    books.ingest(shared / "formats" / name, now=NOW)
    assert [(row[:6], row[6:]) for row in books.rows(ROW)] == FILES[name]
    assert books.reasons() == []


def test_an_exec_turn_without_a_model_or_a_time_has_no_price(shared, books):
    books.ingest(shared / "formats" / "codex_exec_json.jsonl", now=NOW)
    buckets = "input_tokens, cache_read_tokens, output_tokens, reasoning_tokens"
    assert books.rows(f"SELECT model, {buckets}, cost_usd, ts_estimated FROM requests") == [
        (None, 250, 750, 120, 40, None, True)
    ]


def test_the_gateways_row_completes_the_call_of_its_log(shared, books):
    books.ingest(shared / "formats" / "azure_apim_llm_log.jsonl", now=NOW)
    found = "SELECT http_status, latency_ms, streamed, count_method FROM requests"
    assert books.rows(found) == [(200, 1800, False, "partial")]
