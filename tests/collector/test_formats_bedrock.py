"""Bedrock's invocation logs: every maker's bodies, each number by hand from the sample."""

from __future__ import annotations

import copy
import gzip
import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from ledger.types import Api, Request, Status, Usage


@pytest.fixture(scope="module")
def records(samples) -> list[dict]:
    text = (samples / "formats" / "bedrock.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def calls(records) -> list[Request]:
    return [FORMATS["bedrock"].read(record) for record in records]


@pytest.mark.parametrize(
    ("number", "api", "model", "usage"),
    [
        # Of 500 tokens written to the cache 200 are kept for an hour.
        (
            0,
            Api.BEDROCK_CONVERSE,
            "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Usage(20, 1000, 300, 200, 7),
        ),
        (1, Api.BEDROCK_CONVERSE, "amazon.nova-lite-v1:0", Usage(6, output_tokens=4)),
        (2, Api.ANTHROPIC_MESSAGES, "anthropic.claude-3-haiku-20240307-v1:0", Usage(12, output_tokens=6)),
        (
            3,
            Api.ANTHROPIC_MESSAGES,
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            Usage(12, 2048, 0, None, 6),
        ),
        (4, Api.BEDROCK_CONVERSE, "us.amazon.nova-pro-v1:0", Usage(6, 0, 0, None, 4)),
        (5, Api.OPENAI_COMPLETIONS, "meta.llama3-1-70b-instruct-v1:0", Usage(7, output_tokens=5)),
        (6, Api.OPENAI_COMPLETIONS, "amazon.titan-text-express-v1", Usage(5, output_tokens=4)),
        (7, Api.OPENAI_EMBEDDINGS, "amazon.titan-embed-text-v2:0", Usage(3)),
        (
            8,
            Api.BEDROCK_CONVERSE,
            "anthropic.claude-3-5-sonnet-20240620-v1:0",
            Usage(90000, output_tokens=1200),
        ),
        (9, Api.ANTHROPIC_MESSAGES, "anthropic.claude-3-haiku-20240307-v1:0", None),
        (10, Api.BEDROCK_CONVERSE, "application-inference-profile/7x1k2m3n4p5q", Usage(11, output_tokens=6)),
        (11, Api.OPENAI_CHAT, "openai.gpt-oss-120b-1:0", Usage(74, output_tokens=30)),
    ],
)
def test_every_makers_invocation_has_its_buckets(calls, number, api, model, usage):
    found = calls[number]
    assert (found.api, found.model, found.usage, found.provider) == (api, model, usage, "aws")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 6, 10, 11])
def test_every_makers_answer_is_read(calls, number):
    assert calls[number].answer.texts == ("At nine.",)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 10, 11])
def test_every_makers_prompt_is_read(calls, number):
    assert calls[number].prompt.messages[-1].parts[0].text == "When do you open?"


def test_an_embeddings_text_is_its_input(calls):
    assert (calls[7].operation, calls[7].prompt.messages[0].parts[0].text) == ("embedding", "Opening hours")


def test_ids_times_and_limits_are_read(calls):
    first, streamed = calls[0], calls[3]
    assert first.call_id == "c0ffee00-0000-4000-8000-000000000001"
    assert (first.ts, first.latency_ms) == (datetime(2026, 9, 3, 10, 1, tzinfo=UTC), 810)
    assert (first.max_output_tokens, first.temperature, first.streamed) == (64, 0.5, False)
    assert (streamed.latency_ms, streamed.ttft_ms, streamed.streamed) == (1500, 400, True)
    assert streamed.response_id == "msg_bdrk_01Zx2Cv3Bn4Ml5Kj6Hg7Fd8S"
    assert (calls[5].latency_ms, calls[5].ttft_ms, calls[5].max_output_tokens) == (620, 210, 40)


def test_request_metadata_are_tags_and_the_role_an_attribute(calls):
    assert calls[0].tags == {"tenant": "northwind", "workflow": "faq"}
    assert calls[0].attributes["identity.arn"].endswith("assumed-role/northwind-faq/i-07")
    assert calls[0].attributes["inferenceRegion"] == "eu-west-1"


def test_bodies_in_s3_leave_the_text_unknown(calls):
    assert (calls[8].prompt, calls[8].answer, calls[8].status) == (None, None, Status.OK)


def test_an_error_code_is_an_error_without_usage(calls):
    found = calls[9]
    assert (found.status, found.error_type, found.answer) == (Status.ERROR, "ThrottlingException", None)


def test_the_answer_names_the_model_behind_a_profile(records):
    record = copy.deepcopy(records[2])
    record["modelId"] = "arn:aws:bedrock:eu-central-1:210987654321:application-inference-profile/7x1k2m3n4p5q"
    assert FORMATS["bedrock"].read(record).model == "claude-3-haiku-20240307"


def test_a_total_that_fits_neither_way_is_refused(records):
    record = copy.deepcopy(records[0])
    record["output"]["outputBodyJson"]["usage"]["totalTokens"] = 1000
    with pytest.raises(
        ValueError, match=r"^usage.totalTokens is 1000, but input and output are 27 and the cache 1500$"
    ):
        FORMATS["bedrock"].read(record)


def test_a_count_of_another_type_is_refused_by_its_field(records):
    record = copy.deepcopy(records[8])
    record["input"]["inputTokenCount"] = "many"
    with pytest.raises(ValueError, match=r"^usage.inputTokenCount is text of 4 characters"):
        FORMATS["bedrock"].read(record)


def test_a_log_as_bedrock_delivers_it_is_booked(books, records, as_lines):
    books.ingest(books.file("20260903T1000Z_log.json.gz", gzip.compress(as_lines(records))))
    assert books.rows("SELECT count(*), sum(input_tokens), sum(cache_read_tokens) FROM requests") == [
        (12, 20 + 6 + 12 + 12 + 6 + 7 + 5 + 3 + 90000 + 11 + 74, 3048)
    ]
    assert books.reasons() == []


@pytest.mark.parametrize("key", ["logEvents", "events"])
def test_a_bundle_of_cloudwatch_holds_records(books, records, key):
    events = [{"id": str(i), "timestamp": 0, "message": json.dumps(each)} for i, each in enumerate(records)]
    other = {"message": "permission check"}
    books.ingest(books.file("log.json", json.dumps({key: [*events, other]}).encode()))
    assert books.rows("SELECT count(*), sum(output_tokens) FROM requests") == [
        (12, 7 + 4 + 6 + 6 + 4 + 5 + 4 + 1200 + 6 + 30)
    ]
