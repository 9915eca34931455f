"""Pages of an API are read record by record; the records are invented."""

from __future__ import annotations

import json

import pytest


def flat(number: int) -> dict[str, object]:
    return {
        "tollbook": 1,
        "call_id": f"call-{number:08d}",
        "ts": "2026-09-02T12:00:00Z",
        "input_tokens": number,
    }


def page(*numbers: int, key: str = "data") -> bytes:
    return json.dumps(
        {"object": "list", key: [flat(number) for number in numbers], "has_more": False}
    ).encode()


BOOKED = "SELECT source_line, input_tokens FROM requests ORDER BY ALL"


@pytest.mark.parametrize("key", ["data", "records", "value", "items"])
def test_a_page_gives_its_records_numbered(books, key):
    done = books.ingest(books.file("page.json", page(7, 8, key=key)))
    assert dict(done.formats) == {"tollbook": 2}
    assert books.rows(BOOKED) == [(1, 7), (2, 8)]


def test_pages_may_stand_a_line_each_or_over_many_lines(books):
    many = json.dumps(json.loads(page(3)), indent=2).encode()
    books.ingest(
        books.file("lines.jsonl", page(1, 2) + b"\n" + page(4) + b"\n"), books.file("one.json", many)
    )
    assert [count for _, count in books.rows(BOOKED)] == [1, 3, 2, 4]


def test_a_page_that_is_written_on_adds_only_what_is_new(books):
    books.ingest(books.file("page.json", page(1, 2)))
    done = books.ingest(books.file("page.json", page(1, 2, 3)))
    assert (done.total("added"), done.total("duplicate")) == (1, 2)


def test_a_bad_record_of_a_page_costs_no_other_and_is_found_again(books):
    bad = json.loads(page(1, 2, 3))
    bad["data"][1]["input_tokens"] = "two"
    file = books.file("page.json", json.dumps(bad).encode())
    done = books.ingest(file)
    assert (done.total("added"), done.total("rejected")) == (2, 1)
    ((offset, length),) = books.rows("SELECT source_offset, length FROM rejects")
    assert json.loads(file.read_bytes()[offset : offset + length])["call_id"] == "call-00000002"


def test_a_named_format_reads_pages_too(books):
    assert books.ingest(books.file("page.json", page(1)), format="tollbook").total("added") == 1
