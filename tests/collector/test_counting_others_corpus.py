"""Claude's and Gemini's counts against the bills of recorded calls: the floors under docs/counting.md."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.counting import count
from collector.formats import FORMATS
from ledger.types import Api, Category, CountMethod, Request

pytestmark = pytest.mark.shared

CLAUDE, GEMINI = Api.ANTHROPIC_MESSAGES, Api.GEMINI_GENERATE
# Test servers of these APIs answer with short or speaking ids, or from this machine.
REAL_ID = re.compile(r"msg_[A-Za-z0-9_]{20,}")


@dataclass(frozen=True, slots=True)
class Bill:
    api: Api
    category: Category
    method: CountMethod
    billed: int
    counted: int

    @property
    def error(self) -> float:
        return abs(self.counted - self.billed) / self.billed


def bill(request: Request) -> Bill | None:
    usage = request.usage
    if usage is None or usage.input_tokens is None or request.prompt is None:
        return None
    if request.api is CLAUDE and REAL_ID.fullmatch(request.response_id or "") is None:
        return None
    caches = (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
    billed = usage.input_tokens + sum(tokens or 0 for tokens in caches)
    counted = count(request)
    return Bill(request.api, counted.category, counted.method, max(billed, 1), counted.input_tokens or 0)


def recorded(corpus: Path) -> Iterator[Bill]:
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if (
                row["api"] not in {"anthropic.messages", "gemini.generateContent"}
                or row["provider"] == "local"
            ):
                continue
            if 200 <= (row["status"] or 200) < 300:
                seen = {key: row[key] for key in ("request", "response", "status", "url_path")}
                found = bill(FORMATS["pair"].read(seen))
                if found is not None:
                    yield found


@pytest.fixture(scope="module")
def bills(shared: Path) -> list[Bill]:
    return list(recorded(shared / "corpus" / "recorded_calls.jsonl.gz"))


def of(bills: list[Bill], api: Api, *categories: Category) -> list[Bill]:
    countable = [each for each in bills if each.method is not CountMethod.PARTIAL]
    return [each for each in countable if each.api is api and each.category in categories]


def quantile(found: list[Bill], share: float) -> float:
    errors = sorted(each.error for each in found)
    return errors[min(len(errors) - 1, int(share * len(errors)))]


def test_claude_counts_that_are_called_exact_are(bills: list[Bill]) -> None:
    exact = [each for each in bills if each.api is CLAUDE and each.method is CountMethod.EXACT]
    assert len(exact) >= 190
    assert sum(each.counted == each.billed for each in exact) / len(exact) >= 0.99


def test_claude_text_of_500_tokens_is_within_a_thousandth(bills: list[Bill]) -> None:
    long = [each for each in of(bills, CLAUDE, Category.TEXT) if each.billed >= 500]
    assert len(long) >= 30
    assert quantile(long, 0.9) <= 0.001


def test_claude_with_tools_is_within_one_per_cent_at_the_median_and_three_at_the_tail(
    bills: list[Bill],
) -> None:
    tools = of(bills, CLAUDE, Category.TOOLS, Category.TOOL_CALLS)
    assert len(tools) >= 220
    assert quantile(tools, 0.5) <= 0.002
    assert quantile(tools, 0.9) <= 0.02


def test_claude_output_schemas_are_usable(bills: list[Bill]) -> None:
    assert quantile(of(bills, CLAUDE, Category.JSON_SCHEMA, Category.JSON_SCHEMA_TOOLS), 0.9) <= 0.06


def test_gemini_text_is_within_two_per_cent_at_the_median(bills: list[Bill]) -> None:
    text = of(bills, GEMINI, Category.TEXT)
    assert len(text) >= 170
    assert quantile(text, 0.5) <= 0.02
    assert quantile(text, 0.9) <= 0.08


def test_gemini_tools_are_within_ten_per_cent(bills: list[Bill]) -> None:
    assert quantile(of(bills, GEMINI, Category.TOOLS), 0.9) <= 0.10
