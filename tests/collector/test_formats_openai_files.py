"""OpenAI's exported files: pages of stored completions, their messages, a batch's requests and answers."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from collector.formats.openai_batch import scope
from ledger.types import Api, Request, Status, Usage


@pytest.fixture(scope="module")
def records(samples):
    def of(name: str) -> list[dict]:
        text = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    return of


@pytest.fixture(scope="module")
def batch(records) -> list[Request]:
    return [FORMATS["openai_batch"].read(record) for record in records("openai_batch")]


@pytest.fixture(scope="module")
def stored(records) -> list[list[Request]]:
    """The calls of the sample's page, and the part of its list of messages."""
    form = FORMATS["openai"]
    return [[form.read(item) for item in form.items(record)] for record in records("openai")[-2:]]


@pytest.mark.parametrize(
    ("number", "api", "model", "usage"),
    [
        (3, Api.OPENAI_CHAT, "gpt-4o-mini-2024-07-18", Usage(25, 0, output_tokens=1)),
        (
            4,
            Api.OPENAI_RESPONSES,
            "gpt-5-mini-2025-08-07",
            Usage(15, 0, output_tokens=70, reasoning_tokens=64),
        ),
        (5, Api.OPENAI_EMBEDDINGS, "text-embedding-3-small", Usage(4)),
        # 1024 of 1280 were cached.
        (6, Api.OPENAI_CHAT, "gpt-4o-mini-2024-07-18", Usage(256, 1024, output_tokens=2)),
        (9, Api.OPENAI_CHAT, "gpt-4o-mini-2024-07-18", None),
        (10, Api.OPENAI_COMPLETIONS, "gpt-3.5-turbo-instruct", Usage(9, output_tokens=1)),
    ],
)
def test_an_answer_of_a_batch_is_a_call_at_batch_price(batch, number, api, model, usage):
    found = batch[number]
    assert (found.api, found.model, found.usage) == (api, model, usage)
    assert (found.service_tier, found.status, found.part) == ("batch", Status.OK, False)


@pytest.mark.parametrize(
    ("number", "http_status", "error_type"), [(7, 400, "invalid_request_error"), (8, None, "batch_expired")]
)
def test_what_failed_in_a_batch_is_a_failed_call(batch, number, http_status, error_type):
    found = batch[number]
    assert (found.status, found.http_status, found.error_type) == (Status.ERROR, http_status, error_type)
    assert (found.usage, found.service_tier) == (None, "batch")


def test_a_request_of_a_batch_is_the_part_of_a_call(batch):
    asked = batch[0]
    assert (asked.part, asked.span, asked.usage, asked.model) == (True, "review-1", None, "gpt-4o-mini")
    assert [message.parts[0].text for message in asked.prompt.messages] == [
        "Say good or bad.",
        "It broke at once.",
    ]
    assert (asked.max_output_tokens, asked.tags["tenant"]) == (5, "northwind")
    assert [line.span for line in batch[:3]] == [line.span for line in batch[3:6]]
    assert [line.api for line in batch[:3]] == [line.api for line in batch[3:6]]


def test_an_answer_of_a_batch_has_its_time_and_ids(batch):
    assert batch[3].ts == datetime.fromtimestamp(1793000001, UTC)
    assert batch[3].call_id == "batch_req_69b1a2c3d4e5f60718293a4b5c6d0001"
    assert batch[3].response_id == "chatcmpl-Bt01NightlyReviewsAbCdEf"
    assert (batch[3].attributes["custom_id"], batch[4].tags) == ("review-1", {"tenant": "fabrikam"})


def test_a_line_whose_answer_is_of_another_type_is_refused_by_its_field(records):
    line = records("openai_batch")[3] | {"response": "gone"}
    with pytest.raises(ValueError, match="^response is text, expected an object$"):
        FORMATS["openai_batch"].read(line)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("monday.input.jsonl", "monday.output.jsonl.gz"),
        ("reviews-2026-09-01_requests.jsonl", "reviews-2026-09-01_batch_68ab12cd34ef_output.jsonl"),
        ("batchinput.jsonl", "batch_68ab12cd34ef_output.jsonl"),
        ("batch_68ab12cd34ef_input.jsonl", "batch_68ab12cd34ef_error.jsonl"),
    ],
)
def test_files_of_one_batch_are_told_by_their_names(one, other):
    assert scope(f"/logs/{one}", [one, other]) == scope(f"/logs/{other}", [one, other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("monday.input.jsonl", "tuesday.output.jsonl"),
        ("monday.jsonl", "batch_68ab12cd34ef_output.jsonl"),
        ("batch_68ab12cd34ef_output.jsonl", "batch_99ff00aa11bb_output.jsonl"),
    ],
)
def test_files_of_two_batches_are_kept_apart(one, other):
    assert scope(f"/logs/{one}", [one, other]) != scope(f"/logs/{other}", [one, other])


def test_a_request_file_that_two_batches_could_mean_is_joined_with_neither():
    names = ["input.jsonl", "batch_68ab12cd34ef_output.jsonl", "batch_99ff00aa11bb_output.jsonl"]
    assert len({scope(f"/logs/{name}", names) for name in names}) == 3


def test_folders_keep_their_batches_apart():
    names = ["input.jsonl", "output.jsonl"]
    assert scope("/a/input.jsonl", names) == scope("/a/output.jsonl", names) == "/a"
    assert scope("/b/output.jsonl", names) == "/b"


def test_a_store_whose_folder_is_not_listed_goes_by_the_ids():
    assert scope("s3://b/x/batch_68ab12cd34ef_output.jsonl", None) == "s3:/b/x/68ab12cd34ef"


def test_a_page_of_stored_completions_holds_calls(stored):
    first, second = stored[0]
    assert (first.usage, second.usage) == (Usage(30, 0, output_tokens=7), Usage(128, 1920, output_tokens=12))
    assert (first.service_tier, second.service_tier) == ("standard", "flex")
    assert (first.tags, first.end_user) == ({"tenant": "northwind"}, "visitor-7")


def test_a_list_of_messages_is_the_part_of_its_completion(stored):
    (asked,) = stored[1]
    assert (asked.part, asked.span) == (True, stored[0][0].span)
    assert [message.role for message in asked.prompt.messages] == ["system", "user"]
    assert asked.prompt.messages[1].parts[0].text == "When do you open?"
    assert asked.prompt.hidden == ("tools",)


@pytest.mark.parametrize("change", [{"has_more": True}, {"cut": True}])
def test_a_list_of_messages_that_is_not_whole_says_so(records, change):
    page = records("openai")[-1] | change
    page["data"] = page["data"][1:] if "cut" in change else page["data"]
    form = FORMATS["openai"]
    (asked,) = [form.read(item) for item in form.items(page)]
    assert asked.prompt.hidden == ("tools", "more_messages")


def test_a_page_of_embeddings_is_no_list_of_completions():
    embeddings = {"object": "list", "data": [{"object": "embedding", "embedding": [0.5]}], "model": "m"}
    assert not FORMATS["openai"].matches(embeddings)


LATER = datetime(2026, 11, 20, tzinfo=UTC)
JOINED = "SELECT tenant, cost_usd::VARCHAR, counted_input_tokens IS NOT NULL FROM requests ORDER BY ALL"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_requests_and_answers_of_a_batch_meet_whichever_comes_first(books, records, as_lines, order):
    lines = records("openai_batch")
    files = [("input.jsonl", lines[:1]), ("batch_68ab12cd34ef_output.jsonl", lines[3:5])]
    for place in order:
        books.ingest(books.file(files[place][0], as_lines(files[place][1])), now=LATER)
    # 25 in at 0.075 and 1 out at 0.30 a million; 15 at 0.125 and 70 at 1.00: half of what they cost else.
    assert books.rows(JOINED) == [
        ("fabrikam", "0.000071875000", False),
        ("northwind", "0.000002175000", True),
    ]


def test_requests_and_answers_of_a_batch_meet_in_a_pipe(books, records, as_lines, monkeypatch):
    lines = records("openai_batch")
    piped = io.TextIOWrapper(io.BytesIO(as_lines([lines[0], lines[3]])))
    monkeypatch.setattr(sys, "stdin", piped)
    books.ingest("-", now=LATER)
    assert (books.rows(JOINED), books.reasons()) == ([("northwind", "0.000002175000", True)], [])


def test_a_request_of_another_batch_with_the_same_name_is_not_joined(books, records, as_lines):
    lines = records("openai_batch")
    books.ingest(books.file("monday.input.jsonl", as_lines(lines[:1])), now=LATER)
    books.ingest(books.file("tuesday.output.jsonl", as_lines(lines[3:4])), now=LATER)
    assert books.rows(JOINED) == [(None, "0.000002175000", False)]


def test_a_completion_and_its_messages_meet(books, records, as_lines):
    page, messages = records("openai")[-2:]
    for name, record in (("messages.json", messages), ("page.json", page)):
        books.ingest(books.file(name, json.dumps(record, indent=1).encode()), now=LATER)
    found = "SELECT input_tokens, count_method FROM requests ORDER BY ALL"
    assert books.rows(found) == [(30, "partial"), (128, "none")]
