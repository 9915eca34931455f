"""Rows of LiteLLM's spend logs are read as the payload of the same call, and are one call with it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.attribution import DEFAULT_RULES, attribute
from collector.formats import FORMATS
from ledger.types import Request, Status, Usage


@pytest.fixture(scope="module")
def rows(samples) -> list[dict[str, object]]:
    """The rows of the sample: row(1) to row(7)."""
    lines = (samples / "formats" / "litellm.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for line in lines if "spend" in (record := json.loads(line))]


@pytest.fixture(scope="module")
def found(rows) -> list[Request]:
    return [FORMATS["litellm"].read(row) for row in rows]


def payload(row: dict[str, object], **more: object) -> dict[str, object]:
    """What LiteLLM's loggers write of the call of a row."""
    metadata = json.loads(row["metadata"]) if isinstance(row["metadata"], str) else row["metadata"]
    same = (
        "call_type",
        "startTime",
        "endTime",
        "model",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
    )
    return {
        **{key: row[key] for key in same},
        "id": row["request_id"],
        "litellm_call_id": "0c1e0000-0000-4000-8000-000000000001",
        "custom_llm_provider": row["custom_llm_provider"],
        "response_cost": row["spend"],
        "metadata": metadata,
        "status": row["status"],
        "cache_hit": None,
        "messages": "redacted-by-litellm",
        "response": {"text": "redacted-by-litellm"},
        **more,
    }


def test_a_row_is_read_whole(found):
    call = found[0]
    assert (call.provider, call.model) == ("openai", "gpt-4.1-mini-2025-04-14")
    assert (call.ts, call.latency_ms) == (datetime(2026, 9, 1, 10, 1, 0, 500000, tzinfo=UTC), 1000)
    assert call.usage == Usage(input_tokens=476, cache_read_tokens=1024, output_tokens=40, reasoning_tokens=8)
    assert call.response_id == call.call_id == "chatcmpl-Fq0Zy1Xw2Vu3Ts4Rq5Po6N01"
    assert (call.reported_cost_usd, call.end_user) == (Decimal("0.0002"), "person-4")
    assert call.tags == {"env": "prod", "beta": "true"}
    assert (call.max_output_tokens, call.temperature, call.cache_hit) == (64, 0.1, False)
    assert call.prompt.messages[0].parts[0].text == "When do you open?"
    assert call.answer.texts == ("At nine.",)
    owner = attribute(DEFAULT_RULES, call)
    assert (owner.tenant, owner.workflow, owner.environment) == ("northwind", "faq", "prod")


def test_older_rows_keep_the_cache_beside_the_columns(found):
    assert found[1].usage == Usage(
        input_tokens=500, cache_read_tokens=4000, cache_write_tokens=500, output_tokens=60
    )


def test_the_team_of_the_row_is_the_tenant_where_nothing_names_it(found):
    assert attribute(DEFAULT_RULES, found[4]).tenant == "team-7"


def test_an_answer_of_litellms_own_cache_is_a_hit(found):
    assert [call.cache_hit for call in found[:4]] == [False, False, True, False]


def test_a_failure_has_its_class_and_nothing_of_its_words(found):
    call = found[3]
    assert (call.status, call.http_status, call.error_type) == (Status.ERROR, 429, "RateLimitError")
    assert call.usage is None
    assert not [value for value in call.attributes.values() if "Ann" in value]


def test_a_body_that_was_cut_for_the_table_is_not_counted(found):
    assert found[4].prompt is None
    assert found[4].usage == Usage(input_tokens=100, output_tokens=10)


def test_the_id_of_a_stored_response_is_unpacked(found):
    assert found[5].response_id == "resp_00112233445566778899aabbccddeeff"
    assert found[5].usage == Usage(
        input_tokens=30, cache_read_tokens=0, output_tokens=70, reasoning_tokens=64
    )


def test_an_embedding_has_its_own_operation(found):
    assert (found[6].operation, found[6].usage) == ("embedding", Usage(input_tokens=9, output_tokens=0))


def test_neither_key_hash_nor_request_body_becomes_an_attribute(found):
    said = found[0].attributes
    assert "api_key" not in said
    assert not [value for value in said.values() if "open?" in value]


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 6])
def test_row_and_payload_of_a_call_are_one_row_of_the_ledger(books, rows, as_lines, number):
    row = rows[number]
    own = {"litellm_call_id": row["request_id"]} if row["request_id"][0] in "56" else {}
    books.ingest(books.file("payloads.jsonl", as_lines([payload(row, **own)])))
    books.ingest(books.file("rows.jsonl", as_lines([row])))
    assert books.rows("SELECT count(*), max(source) FROM requests") == [(1, "litellm")]


def test_which_of_the_two_is_read_first_changes_nothing(open_books, rows, as_lines):
    ways = [("row", "payload"), ("payload", "row")]
    told = {"row": as_lines([rows[0]]), "payload": as_lines([payload(rows[0])])}
    seen = []
    for way in ways:
        books = open_books()
        for name in way:
            books.ingest(books.file(f"{name}.jsonl", told[name]))
        seen.append(books.requests())
    assert seen[0] == seen[1]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gz"])
def test_a_batch_file_is_an_array_of_payloads(books, rows, indent, pack):
    batch = json.dumps([payload(row) for row in rows[:2]], indent=indent).encode()
    name = "batch.json" if pack is bytes else "batch.json.gz"
    books.ingest(books.file(name, pack(batch)))
    assert books.rows("SELECT count(*) FROM requests") == [(2,)]
    assert books.reasons() == []
