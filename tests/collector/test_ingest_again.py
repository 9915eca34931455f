"""Rejects that are read again where they stand."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
import zstandard

from collector.ingest import Intake
from ledger.posting import UNFINISHED
from tollbook.retry import Retried, retry, retry_due

PACK = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


@pytest.fixture
def ahead(chat_record):
    """A call of the day after tomorrow, which is rejected until then."""
    return chat_record(9, timestamp="2026-10-09T12:00:00Z")


@pytest.fixture
def later(books):
    """Read the rejects again three days on."""
    now = datetime(2026, 10, 7, 12, tzinfo=UTC) + timedelta(days=3)
    return lambda **intake: retry(books.visit, Intake(**intake), now)


@pytest.mark.parametrize("suffix", PACK)
def test_a_record_whose_cause_is_gone_is_booked(books, chat_record, as_lines, ahead, later, suffix):
    content = as_lines([chat_record(1), ahead, chat_record(2)]) + b"broken\n"
    books.ingest(books.file("a.jsonl" + suffix, PACK[suffix](content)))
    assert [line for line, _ in books.reasons()] == [2, 4]
    assert later() == Retried(booked=1, still_rejected=1)
    assert [line for line, _ in books.reasons()] == [4]
    assert books.rows("SELECT source_line FROM requests ORDER BY 1") == [(1,), (2,), (3,)]
    assert later() == Retried(still_rejected=1)


def test_only_what_was_ahead_of_the_clock_is_read_again_and_only_when_its_time_has_come(
    books, chat_record, as_lines, ahead
):
    content = as_lines([ahead, chat_record(1, timestamp="2026-10-12T12:00:00Z"), chat_record(2, ts="never")])
    books.ingest(books.file("a.jsonl", content))

    def due(day: int, hour: int) -> Retried:
        return retry_due(books.visit, Intake(), datetime(2026, 10, day, hour, tzinfo=UTC))

    assert due(8, 11) == Retried()
    assert due(8, 12) == Retried(booked=1)
    assert due(8, 13) == Retried()
    assert due(11, 13) == Retried(booked=1)
    assert [line for line, _ in books.reasons()] == [3]


def test_an_item_of_a_spread_array_is_found_again(books, chat_record, ahead, later):
    books.ingest(books.file("a.json", json.dumps([chat_record(1), ahead], indent=3).encode()))
    assert later() == Retried(booked=1)
    assert books.rows("SELECT count(*) FROM requests") == [(2,)]


def test_a_record_behind_a_byte_order_mark_is_found_again(books, as_lines, ahead, later):
    books.ingest(books.file("a.jsonl", b"\xef\xbb\xbf" + as_lines([ahead])))
    assert later() == Retried(booked=1)


def test_records_of_a_wrongly_chosen_format_are_booked_in_the_right_one(books, chat_record, as_lines, later):
    books.ingest(books.file("a.jsonl", as_lines([chat_record(1), chat_record(2)])), format="tollbook")
    assert len(books.reasons()) == 2
    assert later(format="pair") == Retried(booked=2)
    assert books.reasons() == []


def test_a_reason_is_kept_up_to_date(books, as_lines, chat_record, later):
    books.ingest(books.file("a.jsonl", as_lines([chat_record(1, ts="never")])), format="tollbook")
    ((_, before),) = books.reasons()
    assert later(format="pair") == Retried(still_rejected=1)
    assert before != "ts is text of 5 characters, expected an ISO time or epoch number"
    assert books.reasons() == [(1, "ts is text of 5 characters, expected an ISO time or epoch number")]


def test_a_record_that_is_no_longer_there_is_gone(books, as_lines, ahead, later):
    path = books.file("a.jsonl", as_lines([ahead]))
    books.ingest(path)
    path.write_bytes(b"x" * 2000)
    assert later() == Retried(gone=1)
    path.unlink()
    assert later() == Retried(gone=1)
    assert len(books.reasons()) == 1, "a reject is never forgotten unread"


def test_what_came_from_standard_input_is_gone(books, as_lines, ahead, later, monkeypatch, tmp_path):
    class Piped:
        buffer = io.BytesIO(as_lines([ahead]))

    kept = tmp_path / "kept.jsonl"
    monkeypatch.setattr(sys, "stdin", Piped)
    books.ingest("-", quarantine=kept)
    assert later() == Retried(gone=1)
    assert json.loads(kept.read_bytes()) == ahead


def test_an_unfinished_line_is_left_to_the_next_ingest(books, chat_record, as_lines, ahead, later):
    content = as_lines([ahead, chat_record(1)])
    books.ingest(books.file("a.jsonl", content[:-30]))
    assert later() == Retried(booked=1, still_rejected=1)
    assert books.reasons() == [(2, UNFINISHED)]
    books.ingest(books.file("a.jsonl", content))
    assert books.reasons() == []


def test_a_reject_is_dropped_when_its_record_is_booked_elsewhere(books, chat_record, as_lines):
    content = as_lines([chat_record(1)])
    books.ingest(books.file("a.jsonl", content), format="tollbook")
    assert len(books.reasons()) == 1
    books.ingest(books.file("b.jsonl", content), format="pair")
    assert books.reasons() == []


def rejected_in_all(books) -> int:
    ((count,),) = books.rows("SELECT sum(rejected)::BIGINT FROM ingest_runs")
    return count


def test_a_reject_read_again_in_a_grown_compressed_file_is_counted_once(books, chat_record, as_lines):
    content = b"broken\n" + as_lines([chat_record(1)])
    books.ingest(books.file("a.jsonl.gz", gzip.compress(content)))
    summary = books.ingest(
        books.file("a.jsonl.gz", gzip.compress(content + as_lines([chat_record(2)]) + b"bad"))
    )
    assert summary.total("rejected") == 2, "an ingest says of each record it read what became of it"
    assert rejected_in_all(books) == 2


def test_a_bad_line_of_two_files_is_counted_once(books):
    books.ingest(books.file("a.jsonl", b"broken\n"), format="pair")
    books.ingest(books.file("b.jsonl", b"broken\nbroken\n"), format="pair")
    assert (rejected_in_all(books), len(books.reasons())) == (1, 1)
