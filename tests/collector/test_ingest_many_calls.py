"""Records that hold many calls, and records that hold none, through the whole of ingest."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.ingest import Intake, ingest
from ledger import store

NOW = datetime(2026, 9, 2, tzinfo=UTC)


@pytest.fixture
def book(tmp_path):
    def into(*paths, form="auto"):
        path = tmp_path / "ledger.duckdb"
        summary = ingest([str(p) for p in paths], lambda: store.open(path), Intake(format=form), NOW)
        with store.open(path, read_only=True) as ledger:
            return summary, ledger.rows(
                "SELECT source_line, model, status, input_tokens, output_tokens, tenant, workflow "
                "FROM requests ORDER BY source_line, ts"
            )

    return into


def test_every_call_of_an_export_request_is_a_row_and_a_span_meets_its_event(book, samples):
    summary, rows = book(samples / "formats" / "otlp.jsonl")
    assert rows == [
        (1, "gpt-4.1-mini-2025-04-14", "ok", 476, 20, "northwind", "faq"),
        (2, "gpt-5-mini", "ok", 30, 70, "northwind", None),
        (3, "claude-sonnet-4-5", "ok", 100, 30, "northwind", None),
        (4, "gpt-4.1-mini", "error", None, None, "northwind", None),
        (7, "text-embedding-3-small", "ok", 33, None, "northwind", None),
        (8, "gemini-2.5-flash", "ok", 120, 80, "northwind", None),
        (9, "gpt-3.5-turbo-instruct", "ok", 9, 4, "fabrikam", None),
        (10, "anthropic.claude-haiku-4-5-20251001-v1:0", "ok", 40, 12, "northwind", "faq"),
    ]
    assert summary.formats == {"otlp": 10}
    assert (summary.total("added"), summary.total("updated"), summary.total("set_aside")) == (8, 1, 1)


def test_records_that_are_no_calls_are_counted_and_no_rejects(book, samples):
    summary, rows = book(samples / "formats" / "openinference.jsonl")
    assert len(rows) == 9
    totals = [summary.total(name) for name in ("read", "added", "rejected", "set_aside")]
    assert totals == [10, 9, 0, 1]


def test_reading_them_again_adds_nothing(book, samples, tmp_path):
    _, first = book(samples / "formats" / "otlp.jsonl")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes((samples / "formats" / "otlp.jsonl").read_bytes())
    summary, again = book(copy)
    assert again == first
    assert summary.total("added") == 0


def test_a_bad_call_among_many_costs_no_other(book, samples, tmp_path):
    record = json.loads((samples / "formats" / "otlp.jsonl").read_text().splitlines()[0])
    spans = record["resourceSpans"][0]["scopeSpans"][0]["spans"]
    bad = json.loads(json.dumps(spans[1]))
    bad["spanId"] = "f000000000000001"
    bad["attributes"] = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "-5"}},
    ]
    spans.insert(0, bad)
    log = tmp_path / "spans.jsonl"
    log.write_text(json.dumps(record) + "\n", encoding="utf-8")
    summary, rows = book(log)
    assert [row[3] for row in rows] == [476]
    assert (summary.total("read"), summary.total("rejected")) == (2, 1)
