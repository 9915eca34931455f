"""What a person wrote never reaches the ledger by way of a reject."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest

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


WRONG = (-1, 10**40, 1.5, True, None, [CANARY], {CANARY: CANARY}, [[CANARY]])


def test_no_reason_excerpt_or_row_quotes_what_people_wrote(books):
    records = [
        {**replaced(path, wrong), "id": f"{number}-{variant}"}
        for number, path in enumerate(places(record()))
        if path
        for variant, wrong in enumerate(WRONG)
    ]
    # A record that fails for another reason must not quote its content either.
    records += [{**each, "ts": True, "id": f"{each['id']}-failing"} for each in records]
    summary = books.ingest(
        books.file("a.jsonl", b"".join(json.dumps(each).encode() + b"\n" for each in records)), format="pair"
    )
    assert summary.total("read") == len(records)
    assert summary.total("rejected") >= len(records) // 2
    with books.visit() as ledger:
        names = [name for (name,) in ledger.rows("SELECT table_name FROM duckdb_tables()")]
        kept = "\n".join(str(ledger.rows(f"SELECT * FROM {name}")) for name in names)
    assert "Zebra" not in kept
    assert b"Zebra-7 wept" not in books.ledger.read_bytes()
