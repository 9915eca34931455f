"""What every format must hold, on its own sample: cut short, with strange fields, without usage, again."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collector.formats import FORMATS
from collector.ingest import Intake, batches

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "formats"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
USAGE = re.compile(r"usage|tokens?(_|\b|$)|token_|TokenCount|Tokens|_units|spend", re.IGNORECASE)
# A table is read by a map of its columns, which each source brings along.
NAMES = [name for name in FORMATS if name != "table"]
MARK = "Zebras graze here"
TOLD = ("ts", "model", "provider", "status", "input_tokens", "cache_read_tokens", "output_tokens")


def sample(name: str) -> list[dict[str, object]]:
    lines = (SAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def written(folder: Path, records: list[dict[str, object]]) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


def frames(path: Path, name: str) -> Iterator[tuple[str, pl.DataFrame]]:
    for batch in batches(str(path), Intake(format=name), NOW, bytes(32)):
        for field in fields(batch):
            value = getattr(batch, field.name)
            if isinstance(value, pl.DataFrame):
                yield field.name, value


def records(path: Path, name: str) -> pl.DataFrame:
    return pl.concat([frame for field, frame in frames(path, name) if field == "records"])


def without_usage(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_usage(inner) for key, inner in value.items() if not USAGE.search(key)}
    if isinstance(value, list):
        kept = (one for one in value if not (isinstance(one, dict) and USAGE.search(str(one.get("key", "")))))
        return [without_usage(one) for one in kept]
    return reworded(value, without_usage) if isinstance(value, str) else value


def reworded(text: str, change) -> str:
    """Apply a change inside JSON text."""
    if not text.startswith(("{", "[")):
        return text
    try:
        return json.dumps(change(json.loads(text)))
    except ValueError:
        return text


def marked(value: object) -> object:
    """Put the mark in place of every sentence."""
    if isinstance(value, dict):
        return {key: marked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [marked(inner) for inner in value]
    if not isinstance(value, str):
        return value
    is_sentence = " " in value and re.match(r"[A-Za-z]", value)
    return MARK if is_sentence else reworded(value, marked)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_gives_nothing(name, tmp_path):
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    assert sum(len(frame) for _, frame in frames(path, name)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_of_a_file_cut_in_its_last_line_all_but_that_is_read(name, tmp_path):
    whole = written(tmp_path, sample(name)[:-1])
    expected = records(whole, name)
    data = whole.read_bytes() + json.dumps(sample(name)[-1]).encode()[:-7]
    whole.write_bytes(data)
    os.utime(whole, (NOW.timestamp(), NOW.timestamp()))
    cut = records(whole, name)
    assert cut.select(TOLD).rows() == expected.select(TOLD).rows()


@pytest.mark.parametrize("name", NAMES)
def test_fields_that_nobody_knows_change_nothing(name, tmp_path):
    plain = records(written(tmp_path, sample(name)), name)
    more = {"x_new_field": {"deep": [1, {"er": None}]}, "x_other": "2031-01-01"}
    extended = records(written(tmp_path, [{**record, **more} for record in sample(name)]), name)
    assert extended.select(TOLD).rows() == plain.select(TOLD).rows()


@pytest.mark.parametrize("name", NAMES)
def test_without_usage_nothing_is_reported(name, tmp_path):
    found = records(written(tmp_path, [without_usage(record) for record in sample(name)]), name)
    assert found["usage_json"].drop_nulls().to_list() == []
    assert found["output_tokens"].drop_nulls().to_list() == []


@pytest.mark.parametrize("name", NAMES)
def test_what_was_said_is_in_nothing_that_reaches_the_ledger(name, tmp_path):
    path = written(tmp_path, [marked(record) for record in sample(name)])
    told = {field: str(frame.to_dicts()) for field, frame in frames(path, name) if field != "bills"}
    assert [field for field, text in told.items() if "Zebra" in text] == []


FOLLOWED = [name for name in NAMES if FORMATS[name].follow is not None]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FOLLOWED])
def test_read_again_and_backwards_the_ledger_is_the_same(name, books, as_lines):
    books.ingest(books.file("log.jsonl", as_lines(sample(name))))
    once = books.requests()
    books.ingest(books.file("again.jsonl", as_lines(sample(name)[::-1])))
    assert books.requests() == once


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_copy_of_a_followed_file_changes_nothing(name, books, as_lines):
    books.ingest(books.file("log.jsonl", as_lines(sample(name))))
    once = books.requests()
    books.ingest(books.file("copy.jsonl", as_lines(sample(name))))
    assert books.requests() == once
