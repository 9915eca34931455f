"""LlamaIndex's token counting events are booked as the estimates that they may be."""

from __future__ import annotations

import json

import pytest

from collector.formats import FORMATS
from ledger.types import Request, Usage

SUMS = [(24, 5), (1200, 42), None, (17, 0), (300, 0), (8, 3), (90, 12), (51, 7), (40, 2), (33, 4)]


@pytest.fixture(scope="module")
def events(samples) -> list[dict[str, object]]:
    lines = (samples / "formats" / "llamaindex_tokens.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def read(**more: object) -> Request:
    bare = {"event_id": "5b2e0000-0000-4000-8000-000000000001", "prompt": "user: hi", "completion": ""}
    counts = {"prompt_token_count": 3, "completion_token_count": 1}
    return FORMATS["llamaindex_tokens"].read({**bare, **counts, **more})


@pytest.mark.parametrize("number", range(10))
def test_every_event_gives_its_two_counts(events, number):
    found = FORMATS["llamaindex_tokens"].read(events[number])
    expected = SUMS[number]
    assert found.usage == (
        None if expected is None else Usage(input_tokens=expected[0], output_tokens=expected[1])
    )


def test_what_an_event_does_not_say_is_unknown(events):
    found = FORMATS["llamaindex_tokens"].read(events[0])
    assert (found.ts, found.model, found.provider, found.prompt) == (None, None, None, None)
    assert found.attributes == {}


def test_its_usage_says_that_it_is_estimated(events):
    found = FORMATS["llamaindex_tokens"].read(events[0])
    assert json.loads(found.usage_json) == {
        "estimated": True,
        "prompt_token_count": 24,
        "completion_token_count": 5,
        "total_token_count": 29,
    }


def test_the_row_is_estimated_and_so_is_its_time(books, events, as_lines):
    books.ingest(books.file("events.jsonl", as_lines(events[:1])))
    (row,) = books.rows(
        "SELECT usage_source, ts_estimated, input_tokens, output_tokens, cost_usd, model FROM requests"
    )
    assert row == ("estimated", True, 24, 5, None, None)


def test_a_second_record_of_an_event_leaves_its_estimate_as_it_is(books, events, as_lines):
    again = {**events[0], "seen": 2}
    books.ingest(books.file("events.jsonl", as_lines([events[0]])))
    books.ingest(books.file("later.jsonl", as_lines([again])))
    (row,) = books.rows("SELECT usage_source, input_tokens, output_tokens FROM requests")
    assert row == ("estimated", 24, 5)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("event_id", 7, "event_id is a whole number, expected text"),
        ("prompt_token_count", -3, "usage.prompt_token_count is -3, expected 0 to 1000000000"),
        ("total_token_count", 9, "usage.total_token_count is 9, expected the sum of 3 and 1"),
    ],
)
def test_a_field_that_cannot_be_right_is_refused_by_name(field, value, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        read(**{field: value})
