"""What a person wrote never reaches the ledger by way of a reject."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator

import pytest

from collector.formats.tollbook import KNOWN
from collector.masking import excerpt

CANARY = "Zebra-7 wept quietly"


def test_texts_are_masked_and_structure_is_shown():
    record = {"request": {"model": "gpt", "n": [1, True, None]}, "status": 200}
    assert excerpt(json.dumps(record).encode()) == '{"request":{"model":"…","n":[1,true,null]},"status":200}'


@pytest.mark.parametrize("key", [CANARY, "what is my diagnosis", "x" * 41, "a@b.example", "Ärger", ""])
def test_a_key_that_is_no_plain_name_is_masked(key):
    assert excerpt(json.dumps({key: 1}).encode()) == '{"…":1}'


@pytest.mark.parametrize("key", ["gen_ai.usage", "prompt-tokens", "_id", "x" * 40])
def test_a_plain_name_is_shown(key):
    assert excerpt(json.dumps({key: 1}).encode()) == f'{{"{key}":1}}'


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"Zebra-7 wept", "… (12 bytes, not JSON)"),
        (b'{"a": "Zebra', "{… (12 bytes, not JSON)"),
        (b"\xff\xfe", "… (2 bytes, not JSON)"),
        (b"", "… (0 bytes, not JSON)"),
    ],
)
def test_bytes_that_are_not_json_show_nothing(data, shown):
    assert excerpt(data) == shown


def test_a_long_record_is_cut():
    shown = excerpt(json.dumps({f"key_{n}": n for n in range(999)}).encode())
    assert (len(shown), shown[-1]) == (200, "…")


def test_numbers_of_any_size_are_no_obstacle():
    assert excerpt(b'{"n": 123456789012345678901234567890}') == '{"n":123456789012345678901234567890}'


def record() -> dict[str, object]:
    said = {"role": "user", "name": "ann", "content": [{"type": "text", "text": CANARY}]}
    schema = {"properties": {"q": {"description": CANARY}}}
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "find", "arguments": f'{{"q": "{CANARY}"}}'},
    }
    return {
        "request": {"model": "gpt-4.1", "messages": [said], "tools": [{"type": "function", "function": {
            "name": "find", "description": CANARY, "parameters": schema,
        }}]},
        "response": {
            "id": "chatcmpl-1",
            "model": "gpt-4.1",
            "created": 1_791_200_000,
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": CANARY}},
                {"index": 1, "message": {"role": "assistant", "tool_calls": [call]}},
            ],
            "usage": {"prompt_tokens": 5, "completion_tokens": 5},
        },
        "status": 200,
    }  # fmt: skip


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield from places(child, (*path, key))


def replaced(path: tuple[object, ...], value: object) -> dict[str, object]:
    changed = copy.deepcopy(record())
    target = changed
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return changed


WRONG = (CANARY, -1, 10**40, 1.5, True, None, [CANARY], {CANARY: CANARY}, [[CANARY]])
# Names are what the books are kept by: a model, a tool or a tenant is stored as it is called.
NAMES = {"model", "provider", "tenant", "workflow", "environment", "name"}


def kept_by(books) -> str:
    """Everything that every table of the ledger holds."""
    with books.visit() as ledger:
        names = [name for (name,) in ledger.rows("SELECT table_name FROM duckdb_tables()")]
        return "\n".join(str(ledger.rows(f"SELECT * FROM {name}")) for name in names)


def assert_nothing_is_quoted(books, records: list[dict[str, object]], form: str) -> None:
    content = b"".join(json.dumps(each).encode() + b"\n" for each in records)
    summary = books.ingest(books.file("a.jsonl", content), format=form)
    assert summary.total("read") == len(records)
    assert "Zebra" not in kept_by(books)
    assert b"Zebra-7 wept" not in books.ledger.read_bytes()


def test_no_reason_excerpt_or_row_quotes_what_people_wrote(books):
    records = [
        {**replaced(path, wrong), "id": f"{number}-{variant}"}
        for number, path in enumerate(places(record()))
        for variant, wrong in enumerate(WRONG)
        if path and not (wrong == CANARY and path[-1] in NAMES)
    ]
    # A record that fails for another reason must not quote its content either.
    records += [{**each, "ts": True, "id": f"{each['id']}-failing"} for each in records]
    assert_nothing_is_quoted(books, records, "pair")
    assert len(books.reasons()) >= len(records) // 2


PAIR_FIELDS = [
    "ts",
    "timestamp",
    "started_at",
    "start_time",
    "startTime",
    "time",
    "created_at",
    "created",
    "ended_at",
    "end_time",
    "endTime",
    "finished_at",
    "completed_at",
    "end",
    "latency_ms",
    "duration_ms",
    "elapsed_ms",
    "response_time_ms",
    "duration",
    "ttft_ms",
    "time_to_first_token_ms",
    "first_token_ms",
    "http_status",
    "status_code",
    "status",
    "response_status",
    "call_id",
    "request_id",
    "id",
    "uuid",
    "reported_cost_usd",
    "cost_usd",
    "response_cost",
    "url",
    "url_path",
    "path",
    "uri",
    "endpoint",
    "end_user",
    "user",
    "user_id",
    "service_tier",
    "attempt",
    "stream",
    "cache_hit",
    "cancelled",
    "aborted",
    "error",
    "error_type",
    "metadata",
    "tags",
    "headers",
    "request",
    "response",
    "anything_else",
]
LITELLM_FIELDS = [
    "startTime",
    "endTime",
    "completionStartTime",
    "response_time",
    "call_type",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "litellm_call_id",
    "id",
    "stream",
    "status",
    "error_information",
    "error_str",
    "cache_hit",
    "response_cost",
    "end_user",
    "request_tags",
    "metadata",
    "hidden_params",
    "messages",
    "model_parameters",
    "response",
    "model_group",
    "cost_breakdown",
]


def around(fields: Iterable[str], whole: dict[str, object]) -> list[dict[str, object]]:
    """The record with each field in turn saying what somebody wrote, in every way that a field can."""
    said = (
        *WRONG,
        f"note:{CANARY}!",
        [f"note: {CANARY} and did not know what to do about all of it, she said"],
    )
    return [
        {**whole, "id": f"{key}-{variant}", key: wrong}
        for key in fields
        if key not in NAMES
        for variant, wrong in enumerate(said)
    ]


def test_no_field_of_a_pair_is_quoted(books):
    assert_nothing_is_quoted(books, around(PAIR_FIELDS, record()), "pair")


def test_no_field_of_a_litellm_payload_is_quoted(books):
    payload = {
        "startTime": 1_791_200_000,
        "call_type": "completion",
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "model": "gpt-4.1",
        "messages": record()["request"]["messages"],
        "response": record()["response"],
    }
    assert_nothing_is_quoted(books, around(LITELLM_FIELDS, payload), "litellm")


def test_no_field_of_a_flat_record_is_quoted(books):
    whole = {"tollbook": 1, "ts": 1_791_200_000, "model": "gpt-4.1", "input_tokens": 5}
    assert_nothing_is_quoted(books, around(sorted(KNOWN), whole), "tollbook")


@pytest.mark.parametrize("form", ["litellm", "pair", "tollbook"])
def test_no_record_of_another_format_is_quoted(books, form):
    assert_nothing_is_quoted(books, [{CANARY: CANARY}, {"status": CANARY}], form)
    assert len(books.reasons()) == 2
