"""OpenAI's objects and batches, OTLP's spans: what ten records of each say, derived by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from ledger.types import Api, Request, Usage

CHAT, RESPONSES, COMPLETIONS = Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.OPENAI_COMPLETIONS


@dataclass(frozen=True)
class Told:
    """What a record says of its one call."""

    api: Api
    provider: str | None
    model: str
    usage: Usage | None
    status: str = "ok"
    tier: str | None = None
    end_user: str | None = None
    tenant: str | None = None


# Number of the line -> what its documentation says it means. Cached and written tokens are inside OpenAI's
# input (90, 2000, 3000, 4096), reasoning inside its output; what predictions wasted is output all the same.
GOLDEN = {
    "openai": {
        3: Told(
            CHAT,
            "openai",
            "gpt-4o-audio-preview-2024-12-17",
            Usage(90, 0, output_tokens=40, reasoning_tokens=0, audio_input_tokens=70, audio_output_tokens=30),
            tier="standard",
            tenant="northwind",
        ),
        4: Told(COMPLETIONS, "openai", "gpt-3.5-turbo-instruct:20230824-v2", Usage(9, output_tokens=1)),
        # It came to its limit before it said a word: 2000 - 1536 are new, all 256 were thought.
        5: Told(
            RESPONSES,
            "openai",
            "o4-mini-2025-04-16",
            Usage(464, 1536, output_tokens=256, reasoning_tokens=256),
            tier="flex",
            end_user="person-9",
            tenant="fabrikam",
        ),
        6: Told(RESPONSES, "openai", "gpt-5-mini-2025-08-07", None, status="error"),
        # 3000 less 1000 read and 500 written.
        7: Told(
            CHAT,
            "openai",
            "gpt-4.1-2025-04-14",
            Usage(
                1500,
                1000,
                500,
                output_tokens=50,
                reasoning_tokens=0,
                audio_input_tokens=0,
                audio_output_tokens=0,
            ),
            tier="priority",
            end_user="person-2",
        ),
        # DeepSeek tells hits and misses of its cache beside the whole; no object names its host.
        8: Told(CHAT, None, "deepseek-reasoner", Usage(36, 64, output_tokens=30, reasoning_tokens=25)),
    },
    "openai_batch": {
        12: Told(
            RESPONSES,
            "openai",
            "gpt-5-mini-2025-08-07",
            Usage(256, 3840, output_tokens=600, reasoning_tokens=512),
            tier="batch",
        ),
        13: Told(
            CHAT,
            "openai",
            "gpt-4.1-nano-2025-04-14",
            Usage(60, 0, output_tokens=24, reasoning_tokens=0, audio_input_tokens=0),
            tier="batch",
            tenant="contoso",
        ),
    },
    "otlp": {
        7: Told(Api.OPENAI_EMBEDDINGS, "openai", "text-embedding-3-small", Usage(33)),
        8: Told(
            Api.GEMINI_GENERATE,
            "google",
            "gemini-2.5-flash",
            Usage(120, output_tokens=80, reasoning_tokens=60),
            end_user="person-4",
        ),
        9: Told(COMPLETIONS, "azure", "gpt-3.5-turbo-instruct", Usage(9, output_tokens=4), tier="flex"),
        # 88 is 40 + 30 + 6 + 12: the cache stands beside the input, though it is smaller.
        10: Told(
            Api.ANTHROPIC_MESSAGES,
            "aws",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            Usage(40, 30, 6, output_tokens=12),
        ),
    },
}
CASES = [(name, number) for name, rows in GOLDEN.items() for number in rows]


@pytest.fixture
def read(samples):
    def nth(name: str, number: int) -> Request:
        lines = (samples / "formats" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        record, items = json.loads(lines[number - 1]), FORMATS[name].items
        found = map(FORMATS[name].read, items(record) if items else [record])
        (call,) = [each for each in found if isinstance(each, Request)]
        return call

    return nth


@pytest.mark.parametrize(("name", "number"), CASES)
def test_a_golden_call_says_what_its_documentation_says(read, name, number):
    found = read(name, number)
    assert GOLDEN[name][number] == Told(
        found.api,
        found.provider,
        found.model,
        found.usage,
        found.status,
        found.service_tier,
        found.end_user,
        found.tags.get("tenant"),
    )


def test_an_object_of_openai_has_its_time_and_how_it_ended(read):
    # 1,788,249,840 is 2026-09-01 08:04.
    assert read("openai", 5).ts == datetime(2026, 9, 1, 8, 4, tzinfo=UTC)
    assert read("openai", 6).error_type == "server_error"
    assert read("openai", 7).answer.tool_calls[0].name == "hours"
    assert read("openai", 4).answer.finish_reason == "length"


def test_a_batch_answer_with_two_choices_is_one_call(read):
    found = read("openai_batch", 13)
    assert (found.span, found.response_id) == ("review-10", "chatcmpl-Bt10NightlyReviewsAbCdEf")
    assert (found.answer.texts, found.answer.tool_calls[0].name) == (("", "bad"), "mark")


def test_spans_have_clock_stream_and_environment_under_old_names_too(read):
    old = read("otlp", 9)
    assert (old.latency_ms, old.streamed, old.operation) == (700, True, "completion")
    assert (old.around["deployment.environment"], old.around["tenant.id"]) == ("staging", "fabrikam")
    assert (read("otlp", 8).temperature, read("otlp", 7).operation) == (0.2, "embedding")
    assert read("otlp", 10).attributes["gen_ai.agent.name"] == "faq"
