"""Our count against the bills of recorded calls: the floors under the table of docs/counting.md."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from collector.counting import count
from collector.formats import FORMATS
from collector.tokenizers import CL100K, O200K, tokenizer_for
from ledger.types import SEGMENTS, Api, Category, Count, CountMethod, Request, Usage

pytestmark = pytest.mark.shared

CHAT, RESPONSES = Api.OPENAI_CHAT, Api.OPENAI_RESPONSES
EMBEDDINGS, COMPLETIONS = Api.OPENAI_EMBEDDINGS, Api.OPENAI_COMPLETIONS
OPENAI = (CHAT, RESPONSES, EMBEDDINGS, COMPLETIONS)
# A test server answers with short or speaking ids and invented usage.
GATEWAY_ID = r"gen-\d{10}-[A-Za-z0-9]{20}"
REAL_ID = {
    CHAT: rf"chatcmpl-[A-Za-z0-9]{{20,}}|{GATEWAY_ID}",
    RESPONSES: rf"resp_[0-9a-f]{{32,}}|{GATEWAY_ID}",
}


@dataclass(frozen=True, slots=True)
class Bill:
    request: Request
    billed: int
    counted: Count

    @property
    def exact(self) -> bool:
        return self.counted.input_tokens == self.billed


def read(row: dict[str, object]) -> Request:
    seen = {key: row[key] for key in ("request", "response", "status", "url_path")}
    return FORMATS["pair"].read(seen)


def billed(usage: Usage) -> int:
    caches = (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
    return (usage.input_tokens or 0) + sum(tokens or 0 for tokens in caches)


def bills(rows: list[dict[str, object]]) -> Iterator[Bill]:
    for row in rows:
        request = read(row)
        shape = REAL_ID.get(request.api)
        real = shape is None or re.fullmatch(shape, request.response_id or "")
        usage = request.usage
        if row["status"] not in (None, 200) or not real or request.prompt is None or usage is None:
            continue
        nothing = not billed(usage) and not usage.output_tokens
        tokenizer = tokenizer_for(request.model)
        own = tokenizer.exact and tokenizer.encoding in (O200K, CL100K)
        if request.api in OPENAI and own and not nothing:
            yield Bill(request, billed(usage), count(request))


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[dict[str, object]]:
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def recorded(rows: list[dict[str, object]]) -> list[Bill]:
    return list(bills(rows))


def countable(recorded: list[Bill]) -> list[Bill]:
    return [bill for bill in recorded if bill.counted.method is not CountMethod.PARTIAL]


@pytest.mark.parametrize(
    ("api", "category", "calls", "at_least"),
    [
        (CHAT, Category.TEXT, 800, 0.99),
        (CHAT, Category.TOOLS, 220, 0.92),
        (CHAT, Category.TOOL_CALLS, 200, 0.97),
        (CHAT, Category.JSON_SCHEMA, 140, 0.98),
        (CHAT, Category.JSON_SCHEMA_TOOLS, 35, 0.98),
        (CHAT, Category.IMAGES, 50, 0.98),
        (RESPONSES, Category.TEXT, 270, 0.99),
        (RESPONSES, Category.TOOLS, 80, 0.84),
        (RESPONSES, Category.TOOL_CALLS, 90, 0.82),
        (RESPONSES, Category.JSON_SCHEMA, 35, 0.95),
        (RESPONSES, Category.JSON_SCHEMA_TOOLS, 25, 0.65),
        (EMBEDDINGS, Category.TEXT, 100, 0.98),
        (COMPLETIONS, Category.TEXT, 35, 0.98),
    ],
)
def test_prompts_count_exactly_as_billed(
    recorded: list[Bill], api: Api, category: Category, calls: int, at_least: float
) -> None:
    chosen = [
        bill for bill in countable(recorded) if (bill.request.api, bill.counted.category) == (api, category)
    ]
    assert len(chosen) >= calls
    assert sum(bill.exact for bill in chosen) / len(chosen) >= at_least


@pytest.mark.parametrize(("api", "at_least"), [(CHAT, 0.99), (RESPONSES, 0.94)])
def test_prompts_count_within_two_tokens_of_the_bill(recorded: list[Bill], api: Api, at_least: float) -> None:
    chosen = [bill for bill in countable(recorded) if bill.request.api is api]
    near = sum(abs((bill.counted.input_tokens or 0) - bill.billed) <= 2 for bill in chosen)
    assert near / len(chosen) >= at_least


def test_counts_called_exact_are_and_cover_most_calls(recorded: list[Bill]) -> None:
    named = [bill for bill in countable(recorded) if bill.counted.method is CountMethod.EXACT]
    assert sum(bill.exact for bill in named) / len(named) >= 0.99
    assert len(named) / len(countable(recorded)) >= 0.64


@pytest.mark.parametrize(("api", "at_least"), [(CHAT, 0.95), (RESPONSES, 0.95)])
def test_answers_of_text_count_exactly_as_billed(recorded: list[Bill], api: Api, at_least: float) -> None:
    chosen = [
        (bill.counted.output_tokens, bill.request.usage.output_tokens)
        for bill in recorded
        if bill.request.api is api
        and bill.request.usage is not None
        and bill.request.usage.output_tokens
        and not bill.request.usage.reasoning_tokens
        and bill.request.answer is not None
        and not bill.request.answer.tool_calls
        and not bill.request.answer.hidden
    ]
    assert len(chosen) > 400
    assert sum(ours == theirs for ours, theirs in chosen) / len(chosen) >= at_least


def test_the_recordings_are_not_mostly_left_out(recorded: list[Bill]) -> None:
    assert len(recorded) > 2_200


def test_a_count_never_looks_at_the_reported_usage(recorded: list[Bill]) -> None:
    for bill in recorded:
        stripped = replace(bill.request, usage=None, usage_json=None, reported_cost_usd=None)
        assert count(stripped) == bill.counted


def test_a_recount_gives_the_same(rows: list[dict[str, object]], recorded: list[Bill]) -> None:
    again = list(bills(rows))
    assert [bill.counted for bill in again] == [bill.counted for bill in recorded]


def test_every_recorded_call_is_counted_and_its_segments_sum(rows: list[dict[str, object]]) -> None:
    for row in rows:
        counted = count(read(row))
        total = sum(getattr(counted.segments, name) for name in SEGMENTS)
        assert total == (counted.input_tokens or 0)
