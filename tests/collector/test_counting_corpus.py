"""Our count against the bills of recorded calls."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.counting import count
from collector.formats import FORMATS
from collector.tokenizers import tokenizer_for
from ledger.types import SEGMENTS, Api, Request

pytestmark = pytest.mark.shared

OPENROUTER_ID = r"gen-\d{10}-[A-Za-z0-9]{20}"
REAL_ID = {
    Api.OPENAI_CHAT: rf"chatcmpl-[A-Za-z0-9]{{20,}}|{OPENROUTER_ID}",
    Api.OPENAI_RESPONSES: rf"resp_[0-9a-f]{{32,}}|{OPENROUTER_ID}",
}
Bill = tuple[Request, int, bool]


def bills(rows: list[dict[str, object]]) -> Iterator[Bill]:
    """Calls with a bill and the provider's real id, the billed input, and whether they are text only."""
    for row in rows:
        billed, status = row["billed"], row["status"]
        if not isinstance(billed, dict) or billed["input_tokens"] is None or status not in (None, 200):
            continue
        request = FORMATS["pair"].read(
            {key: row[key] for key in ("request", "response", "status", "url_path")}
        )
        shape = REAL_ID.get(request.api)
        if shape and re.fullmatch(shape, request.response_id or "") and tokenizer_for(request.model).exact:
            total = sum(billed[name] or 0 for name in billed if name in INPUT_BUCKETS)
            yield request, total, bool(row["flags"]["text_only"])  # type: ignore[index]


INPUT_BUCKETS = {"input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens"}


@pytest.fixture(scope="module")
def rows(shared: Path) -> list[dict[str, object]]:
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def recorded(rows: list[dict[str, object]]) -> list[Bill]:
    return list(bills(rows))


def exact_share(chosen: list[Bill]) -> float:
    return sum(count(request).input_tokens == billed for request, billed, _ in chosen) / len(chosen)


@pytest.mark.parametrize(
    ("api", "text_only", "at_least"),
    [
        (Api.OPENAI_CHAT, True, 0.98),
        (Api.OPENAI_CHAT, False, 0.92),
        (Api.OPENAI_RESPONSES, True, 0.92),
        (Api.OPENAI_RESPONSES, False, 0.75),
    ],
)
def test_most_openai_prompts_count_exactly_as_billed(
    recorded: list[Bill], api: Api, text_only: bool, at_least: float
) -> None:
    chosen = [bill for bill in recorded if bill[0].api is api and (bill[2] or not text_only)]
    assert len(chosen) > 250
    assert exact_share(chosen) >= at_least


def test_the_recordings_are_not_mostly_left_out(recorded: list[Bill]) -> None:
    assert len(recorded) > 2_000


def test_every_recorded_call_is_counted_and_its_segments_sum(rows: list[dict[str, object]]) -> None:
    for row in rows:
        request = FORMATS["pair"].read(
            {key: row[key] for key in ("request", "response", "status", "url_path")}
        )
        counted = count(request)
        total = sum(getattr(counted.segments, name) for name in SEGMENTS)
        assert total == (counted.input_tokens or 0)
