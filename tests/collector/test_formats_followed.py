"""Files whose lines belong together: cut, grown, compressed or read again, they give the same calls."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from collector import cutting, ingest
from collector.counting import RULES_VERSION
from collector.ingest import Intake
from collector.recounting import recount_files
from ledger.recounting import Which
from tollbook.retry import retry

NOW = datetime(2026, 10, 8, tzinfo=UTC)
FOLLOWED = ("azure_apim", "claude_code", "codex")


def contents(books) -> list[tuple[object, ...]]:
    """Rows without where and when they were read, nor which of the equal records stands for the call."""
    return books.rows(
        "SELECT * EXCLUDE (ingested_at, source_file, source_line) REPLACE (map_entries(tags) AS tags) "
        "FROM requests ORDER BY request_id"
    )


@pytest.fixture
def data(samples):
    return lambda name: (samples / "formats" / f"{name}.jsonl").read_bytes()


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_file_that_grew_gives_what_the_whole_file_gives(open_books, data, name):
    whole, grown = open_books(), open_books()
    whole.ingest(whole.file("log.jsonl", data(name)))
    size = len(data(name))
    for end in (*range(0, size, size // 5), size - 1, size):
        grown.ingest(grown.file("log.jsonl", data(name)[:end]))
    assert contents(grown) == contents(whole)
    assert grown.reasons() == []


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_cut_copy_read_after_the_whole_file_changes_nothing(books, data, name):
    books.ingest(books.file("log.jsonl", data(name)))
    before = contents(books)
    for share in (3, 2):
        books.ingest(books.file(f"cut{share}.jsonl", data(name)[: len(data(name)) * (share - 1) // share]))
    assert contents(books) == before


@pytest.mark.parametrize("name", FOLLOWED)
def test_a_compressed_a_spread_and_a_piped_file_give_the_same(open_books, data, name, monkeypatch):
    plain, packed, spread, piped = (open_books() for _ in range(4))
    plain.ingest(plain.file("log.jsonl", data(name)))
    packed.ingest(packed.file("log.jsonl.gz", gzip.compress(data(name), mtime=0)))
    listed = [json.loads(line) for line in data(name).splitlines()]
    spread.ingest(spread.file("log.json", json.dumps(listed, indent=1).encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data(name))))
    piped.ingest("-", assume_time=datetime(2026, 10, 6, 3, tzinfo=UTC))
    assert len(contents(plain)) > 8
    for other in (packed, spread, piped):
        assert contents(other) == contents(plain)


@pytest.mark.parametrize("name", FOLLOWED)
def test_reading_a_followed_file_again_by_another_name_adds_nothing(books, data, name):
    books.ingest(books.file("log.jsonl", data(name)))
    before = contents(books)
    again = books.ingest(books.file("copy.jsonl", data(name)))
    assert (again.total("added"), again.total("updated")) == (0, 0)
    assert contents(books) == before


def test_a_rejected_call_of_a_followed_file_is_booked_once_its_cause_is_gone(books, data):
    later = (NOW + timedelta(days=3)).isoformat()
    ahead = data("claude_code").replace(b"2026-09-01T08:01:00.000Z", later.encode())
    books.ingest(books.file("log.jsonl", ahead), now=NOW)
    assert [reason[:32] for _, reason in books.reasons()] == ["the time of the call, 2026-10-11"]
    told = retry(books.visit, Intake(), NOW + timedelta(days=4))
    assert (told.booked, told.still_rejected, told.gone) == (1, 0, 0)
    assert books.reasons() == []
    assert len(contents(books)) == 9


def test_a_reject_of_a_followed_file_that_is_still_none_stays(books, data):
    broken = data("claude_code").replace(b'"input_tokens": 900', b'"input_tokens": "many"')
    books.ingest(books.file("log.jsonl", broken))
    reasons = books.reasons()
    told = retry(books.visit, Intake(), NOW)
    assert (told.booked, told.still_rejected, told.gone) == (0, 1, 0)
    assert books.reasons() == reasons
    assert [line for line, _ in reasons] == [9]


def test_a_followed_file_is_counted_again_as_a_whole(books, data, monkeypatch):
    path = books.file("log.jsonl", data("claude_code"))
    with monkeypatch.context() as patch:
        patch.setattr("collector.counting.RULES_VERSION", "1999-01.1")
        books.ingest(path)
    counted = (
        "SELECT count(*) FILTER (counted_output_tokens IS NOT NULL), count(DISTINCT rules) FROM requests"
    )
    before = books.rows(counted)
    recount_files([str(path)], books.visit, Intake(), NOW, Which())
    assert books.rows(counted) == before
    assert books.rows("SELECT DISTINCT rules FROM requests WHERE rules IS NOT NULL") == [(RULES_VERSION,)]


@pytest.mark.parametrize("name", FOLLOWED)
def test_helpers_that_read_files_in_stretches_leave_a_followed_file_whole(
    open_books, data, chat_record, as_lines, monkeypatch, name
):
    monkeypatch.setattr(ingest, "POOLED_FROM", 0)
    monkeypatch.setattr(cutting, "STRETCH_BYTES", 1_000)
    alone, helped = open_books(), open_books()
    for books, workers in ((alone, 1), (helped, 2)):
        other = books.file("calls.jsonl", as_lines([chat_record(number) for number in range(6)]))
        books.ingest(books.file("log.jsonl", data(name)), other, workers=workers)
    assert contents(helped) == contents(alone)


def test_a_rejected_call_of_a_page_is_booked_once_its_cause_is_gone(books, samples):
    page = json.loads((samples / "formats" / "openai.jsonl").read_text(encoding="utf-8").splitlines()[-2])
    page["data"][1]["created"] = int((NOW + timedelta(days=3)).timestamp())
    books.ingest(books.file("page.json", json.dumps(page, indent=1).encode()), now=NOW)
    assert (len(contents(books)), len(books.reasons())) == (1, 1)
    told = retry(books.visit, Intake(), NOW + timedelta(days=4))
    assert (told.booked, told.still_rejected, told.gone) == (1, 0, 0)
    assert (len(contents(books)), books.reasons()) == (2, [])
