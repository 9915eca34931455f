"""Every sample of other tools' logs ends as the rows one would expect, each value derived by hand.

The tokens are those of the samples with the cache taken out of inputs that include it. The costs are the list
prices of the day in dollars per million tokens (input, cache read, cache write 5 min, 1 h, output): gpt-4o
2.50/1.25/-/-/10, gpt-4 30/-/-/-/60, gpt-5 1.25/0.125/-/-/10, gpt-5.2-codex and gpt-5.3-codex
1.75/0.175/-/-/14, Claude Sonnet 4 and 4.5 3/0.30/3.75/6/15, Opus 4 15/1.50/18.75/30/75, Opus 4.5
5/0.50/6.25/10/25, Gemini 2.5 Pro 1.25/0.125/-/-/10, gpt-3.5-turbo-0613 1.50/-/-/-/2, Llama 3 8B on Bedrock
0.30/-/-/-/0.60, Sonnet 4.5
and Opus 4.5 on Bedrock in one region a tenth more, text-embedding-3-small 0.02.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

pytestmark = pytest.mark.shared

LATER = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """What a row of `requests` is to say; None where the log does not."""

    ts: str | None
    model: str | None
    input: int | None = None
    read: int | None = None
    write: int | None = None
    write_1h: int | None = None
    output: int | None = None
    usd: str | None = None
    tenant: str | None = None
    workflow: str | None = None
    environment: str | None = None
    status: str = "ok"
    usage: str = "reported"
    said: str | None = None  # what the log says the call cost


ASKED = """
    SELECT CASE WHEN ts_estimated THEN NULL ELSE strftime(ts, '%Y-%m-%d %H:%M:%S') END,
        model, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
        cost_usd, tenant, workflow, environment, status, usage_source, reported_cost_usd
    FROM requests
"""
TICKETS = ("acme", "ticket-triage")

EXPECTED: dict[str, list[Row]] = {
    "azure_apim_llm_log.jsonl": [
        Row("2026-11-20 10:00:00", "gpt-4o-2024-08-06", 1117, output=46, usd="0.0032525")
    ],
    "bedrock_model_invocation.jsonl": [
        Row(
            "2024-01-15 12:00:00",
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            1500,
            13216,
            25,
            None,
            500,
            "0.017664405",
            *TICKETS,
        ),
        Row("2024-01-15 12:01:00", "meta.llama3-8b-instruct-v1:0", 15, output=12, usd="0.0000117"),
    ],
    # An event of 16:00:01.25 that ends a call of 4.2 s.
    "claude_code_otel_logs.json": [
        Row(
            "2025-11-24 15:59:57", "claude-opus-4-5", 10, 66360, 32435, None, 159, "0.23992375", said="0.0471"
        )
    ],
    "claude_code_session.jsonl": [
        Row(
            "2026-01-09 10:00:00",
            "claude-sonnet-4-20250514",
            100,
            10,
            25,
            None,
            50,
            "0.00114675",
            said="0.12",
        ),
        Row("2026-01-09 12:30:00", "claude-opus-4-20250514", 200, 20, 50, None, 75, "0.0095925", said="0.34"),
        Row(
            "2026-01-10 09:15:00", "claude-sonnet-4-20250514", 300, 40, 0, None, 125, "0.002787", said="0.56"
        ),
    ],
    "claude_code_streaming_duplicates.jsonl": [
        Row("2026-09-01 10:00:00", "claude-sonnet-4-5", 3, 2800, 0, 5050, 159, "0.033534")
    ],
    "codex_exec_json.jsonl": [Row(None, None, 250, 750, output=120)],
    "codex_rollout.jsonl": [
        Row("2026-05-13 09:01:00", "gpt-5.2-codex", 750, 250, output=125, usd="0.00310625"),
        Row("2026-05-14 10:00:00", "gpt-5.3-codex", 2000, 500, output=300, usd="0.0077875"),
    ],
    "helicone_requests.jsonl": [
        Row(
            "2026-11-20 10:00:00",
            "gpt-4o-2024-08-06",
            1117,
            output=46,
            usd="0.0032525",
            tenant="acme",
            workflow="ticket-triage",
            environment="production",
            said="0.0032525",
        )
    ],
    "langfuse_observations_v2.json": [
        Row(
            "2026-11-20 10:00:00",
            "claude-sonnet-4-5",
            86,
            17817,
            0,
            None,
            120,
            "0.0074031",
            *TICKETS,
            "production",
            said="0.0074031",
        )
    ],
    "langsmith_run.json": [
        Row(
            "2026-11-20 10:00:00",
            "gpt-4o",
            1117,
            0,
            0,
            None,
            46,
            "0.0032525",
            *TICKETS,
            "production",
            said="0.0032525",
        )
    ],
    "litellm_standard_logging_payload.jsonl": [
        Row("2025-01-24 09:20:46", "gpt-4o", 10, output=20, usd="0.000225", said="0.000225"),
        Row("2025-01-24 09:20:46", "gpt-4o", usd="0", status="error", usage="none", said="0"),
        Row(
            "2026-01-19 10:00:00",
            "anthropic.claude-opus-4-5-20251101-v1:0",
            10,
            66360,
            32435,
            None,
            5120,
            "0.400343625",
            *TICKETS,
            "production",
            said="0.04708",
        ),
    ],
    "llamaindex_token_counting_event.json": [Row(None, None, 21, output=3, usage="estimated")],
    "openai_chat_completion.json": [
        Row("2025-03-10 01:31:23", "gpt-4o-2024-08-06", 1117, 0, output=46, usd="0.0032525")
    ],
    "openai_stored_completions_list.json": [
        Row("2025-02-07 20:36:50", "gpt-4o-2024-08-06", 13, output=18, usd="0.0002125")
    ],
    "openinference_spans.jsonl": [
        Row("2024-01-11 23:45:17", "gpt-3.5-turbo-0613", 229, output=21, usd="0.0003855"),
        Row(
            "2026-11-20 10:00:00", "claude-sonnet-4-5", 3, 7917, 350, None, 442, tenant="acme", said="0.0103"
        ),  # where?
    ],
    # The event of the same answer as the first spans of the traces.
    "otel_genai_otlp_logs.json": [
        Row(
            "2025-11-24 16:00:01",
            "gpt-4-0613",
            52,
            0,
            output=47,
            usd="0.00438",
            tenant="acme",
            workflow="ticket-triage",
            environment="production",
        )
    ],
    "portkey_metric_export.jsonl": [
        Row(
            "2024-08-28 10:30:45",
            "gpt-4",
            150,
            output=200,
            usd="0.0165",
            environment="production",
            said="0.0105",
        )
    ],
    "vercel_ai_gateway_generation.json": [
        Row("2024-01-01 00:00:00", "gpt-4", 100, 0, 0, None, 50, "0.006", said="0.00123")
    ],
    "vertex_request_response_log.jsonl": [
        Row(
            "2026-11-20 10:00:00",
            "gemini-2.5-pro",
            476,
            1024,
            output=250,
            usd="0.003223",
            tenant="acme",
            workflow="ticket-triage",
        )
    ],
    # The events have no time, but ids of runs that begin with one (UUID version 7).
    "captured/langchain_callback_events.json": [
        Row(
            "2026-11-22 06:16:00",
            "gpt-4o-2024-08-06",
            176,
            1024,
            output=42,
            usd="0.00214",
            tenant="acme",
            workflow="answer_ticket",
        ),
        # A stream through another address carries no usage: our own count stands in for it.
        Row("2026-11-22 06:16:00", "gpt-4o-2024-08-06", 9, output=4, usd="0.0000625", usage="counted"),
    ],
    "captured/llamaindex_instrumentation_events.json": [
        Row("2026-11-22 06:16:10", "gpt-4o-2024-08-06", 176, 1024, output=42, usd="0.00214")
    ],
    "captured/openai_completion_model_dump.json": [
        Row("2026-11-22 06:15:57", "gpt-4o-2024-08-06", 176, 1024, output=42, usd="0.00214")
    ],
    "captured/openai_http_genaiopenai__01.json": [
        Row("2026-11-22 06:14:09", "gpt-4o-2024-08-06", 176, 1024, output=42, usd="0.00214")
    ],
    "captured/openai_http_genaiopenai__05.json": [
        Row("2026-11-22 06:14:09", "gpt-5", 176, 1024, output=42, usd="0.000768")
    ],
    "captured/openai_http_genaiopenai__06.json": [Row(None, "text-embedding-3-small", 14, usd="0.00000028")],
    "captured/otlp_json_metrics_08.json": [],
    "captured/otlp_json_traces_07.json": [
        *(
            Row(
                "2026-11-22 06:19:08",
                model,
                176,
                1024,
                output=42,
                usd=usd,
                tenant="acme",
                workflow="answer_ticket",
                environment="prod",
            )
            for model, usd in [*[("gpt-4o-2024-08-06", "0.00214")] * 3, ("gpt-5", "0.000768")]
        ),
        # The stream that was not asked for its usage.
        Row(
            "2026-11-22 06:19:08",
            "gpt-4o-2024-08-06",
            8,
            output=4,
            usd="0.00006",
            tenant="acme",
            workflow="answer_ticket",
            environment="prod",
            usage="counted",
        ),
        Row(
            "2026-11-22 06:19:08",
            "text-embedding-3-small",
            14,
            usd="0.00000028",
            tenant="acme",
            workflow="answer_ticket",
            environment="prod",
        ),
    ],
    # Three spans of one answer, of which the later two tell of 25 tokens written to a cache; GPT-4 has no
    # price for that, so they cost as input. Then two without an id of their answer, and one that failed.
    "otel_genai_otlp_traces.json": [
        Row(
            "2025-11-24 16:00:00",
            "gpt-4-0613",
            27,
            0,
            25,
            output=47,
            usd="0.00438",
            tenant="acme",
            workflow="ticket-triage",
            environment="production",
        ),
        *[
            Row(
                "2025-11-24 16:00:00",
                "gpt-4",
                52,
                output=47,
                usd="0.00438",
                tenant="acme",
                workflow="ticket-triage",
                environment="production",
            )
        ]
        * 2,
        Row(
            "2025-11-24 16:00:00",
            "gpt-4",
            usd="0",
            tenant="acme",
            workflow="ticket-triage",
            environment="production",
            status="error",
            usage="none",
        ),
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_sample_becomes_the_rows_one_would_expect(name, shared, books):
    summary = books.ingest(shared / "formats" / name, now=LATER)
    assert summary.problems == ()
    assert books.reasons() == []
    found = sorted((_row(row) for row in books.rows(ASKED)), key=repr)
    assert found == sorted((_row(astuple(row)) for row in EXPECTED[name]), key=repr)


def _row(values: tuple[object, ...]) -> Row:
    return Row(*values[:7], _plain(values[7]), *values[8:13], said=_plain(values[13]))


# Provider, first day, last day, model, meter, quantity, dollars.
BILLS: dict[str, list[tuple[object, ...]]] = {
    "anthropic_cost_report.json": [  # "123.45" cents
        ("anthropic", "2026-11-20", "2026-11-21", "claude-sonnet-4-5-20250929", "input", None, "1.2345")
    ],
    "anthropic_usage_report_messages.json": [
        ("anthropic", "2026-11-20", "2026-11-21", "claude-sonnet-4-5-20250929", meter, quantity, None)
        for meter, quantity in (
            ("input", "1500"),
            ("cache_read", "200"),
            ("cache_write", "500"),
            ("cache_write_1h", "1000"),
            ("output", "500"),
            ("web_search", "10"),
        )
    ],
    "openai_costs.json": [("openai", "2024-11-01", "2024-11-02", None, "input_tokens", "10000", "0.06")],
    "openai_usage_completions.json": [
        ("openai", "2024-11-01", "2024-11-02", "gpt-4o-mini-2024-07-18", meter, quantity, None)
        for meter, quantity in (
            ("input", "3000"),
            ("cache_read", "1800"),
            ("cache_write", "200"),
            ("output", "1000"),
            ("requests", "5"),
            ("audio_input", "300"),
            ("audio_output", "100"),
            ("image_input", "200"),
            ("image_output", "100"),
        )
    ],
    "openrouter_activity.json": [
        ("openrouter", "2025-08-24", "2025-08-25", "openai/gpt-4.1-2025-04-14", meter, quantity, usd)
        for meter, quantity, usd in (
            ("requests", "5", None),
            ("input", "50", None),
            ("output", "125", None),
            ("reasoning", "25", None),
            ("cost", None, "0.015"),
            ("byok_inference", "0.012", None),
        )
    ],
    "vercel_ai_gateway_report.json": [
        ("vercel", "2026-11-20", "2026-11-21", None, meter, quantity, usd)
        for meter, quantity, usd in (
            ("requests", "420", None),
            ("input", "800000", None),  # a million with the cached ones
            ("cache_read", "200000", None),
            ("cache_write", "0", None),
            ("output", "50000", None),
            ("reasoning", "1000", None),
            ("cost", None, "12.5"),
        )
    ],
    # The specification's own worked example: $33.90.
    "focus_ai_prompt_caching_a.csv": [
        ("Solora AI", "2025-01-01", "2025-02-01", "solora-reasoning-pro", meter, quantity, usd)
        for meter, quantity, usd in (
            ("input", "500000", "1.5"),
            ("cache_write", "2000000", "7.5"),
            ("cache_read", "8000000", "2.4"),
            ("output", "1500000", "22.5"),
        )
    ],
}
BILLED = """
    SELECT provider, strftime(period_start, '%Y-%m-%d'), strftime(period_end, '%Y-%m-%d'), model, meter,
        quantity, cost_usd
    FROM bills
"""


@pytest.mark.parametrize("name", BILLS)
def test_a_bill_becomes_the_lines_one_would_expect_and_no_call(name, shared, books):
    summary = books.ingest(shared / "formats" / name, now=LATER)
    assert summary.problems == ()
    assert books.reasons() == []
    assert books.requests() == []
    found = [(*line[:5], _plain(line[5]), _plain(line[6])) for line in books.rows(BILLED)]
    assert sorted(found, key=repr) == sorted(BILLS[name], key=repr)


def _plain(amount: object) -> str | None:
    return None if amount is None else f"{Decimal(str(amount)).normalize():f}"


def test_all_samples_at_once_are_each_read_as_their_own_format(shared, books):
    books.ingest(*(shared / "formats" / name for name in [*EXPECTED, *BILLS]), now=LATER)
    assert books.reasons() == []


@pytest.mark.parametrize("order", ["reversed", "by turns"])
def test_all_samples_in_any_order_and_twice_make_the_same_ledger(order, shared, open_books):
    paths = [shared / "formats" / name for name in [*EXPECTED, *BILLS]]
    once, again = open_books(), open_books()
    once.ingest(*paths, now=LATER)
    for path in {"reversed": paths[::-1], "by turns": paths[1::2] + paths[::2]}[order]:
        again.ingest(path, now=LATER)
    again.ingest(*paths, now=LATER)
    assert again.requests() == once.requests()
    assert sorted(again.rows(BILLED), key=repr) == sorted(once.rows(BILLED), key=repr)
