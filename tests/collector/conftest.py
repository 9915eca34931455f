"""Files of records and ledgers for the tests of the ingest path."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from collector.ingest import Intake, Summary, ingest
from ledger import store

NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)
WRITTEN = datetime(2026, 10, 6, 3, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBOOK_KEY", "00" * 32)


# `billed` takes cache writes from the `cache_creation` breakdown, which with server-side web search covers
# the first turn only, while `cache_creation_input_tokens` is the sum that Anthropic bills. In 1845 the second
# turn reads back exactly the 12,016 tokens that the breakdown says the first one wrote; the total is 20,718.
WRITES_OF_LATER_TURNS = {1199, 1200, 1201, 1202, 1207, 1208, 1209, 1210, 1844, 1845, 1846, 1847}


def thinking(row) -> int | None:
    return (row["usage"].get("output_tokens_details") or {}).get("thinking_tokens")


def corrected(row) -> dict[str, int | None]:
    """Give the bill of a row, corrected where the provider's own usage proves it incomplete."""
    bill = dict(row["billed"])
    if row["id"] in WRITES_OF_LATER_TURNS:
        bill["cache_write_tokens"] = row["usage"]["cache_creation_input_tokens"]
    if row["api"] == "anthropic.messages":
        # Anthropic's breakdown of the output is left out of `billed`; it is a part, so no total moves.
        bill["reasoning_tokens"] = thinking(row)
    return bill


@pytest.fixture(scope="session")
def corrected_bill() -> Callable[..., dict[str, int | None]]:
    return corrected


@dataclass(frozen=True)
class Books:
    """A ledger in a folder, and the log files that go into it."""

    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "tollbook.duckdb"

    def file(self, name: str, content: bytes, age_s: int = 0) -> Path:
        """Write a file, with the same time of its own unless an age before it is given."""
        path = self.folder / name
        path.write_bytes(content)
        os.utime(path, (WRITTEN - age_s, WRITTEN - age_s))
        return path

    def ingest(self, *paths: Path | str, now: datetime = NOW, workers: int = 1, **intake: object) -> Summary:
        return ingest([str(path) for path in paths], self.visit, Intake(**intake), now, workers=workers)

    def visit(self):
        return store.open(self.ledger)

    def frame(self, sql: str) -> pl.DataFrame:
        with store.open(self.ledger) as ledger:
            return ledger.frame(sql)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self.frame(sql).rows()

    def reasons(self) -> list[tuple[int, str]]:
        return self.rows("SELECT source_line, reason FROM rejects ORDER BY ALL")

    def requests(self) -> list[tuple[object, ...]]:
        return self.rows(
            "SELECT * EXCLUDE (ingested_at, source, source_file, source_line) "
            "REPLACE (map_entries(tags) AS tags) FROM requests ORDER BY request_id"
        )


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


@pytest.fixture(scope="session")
def open_books(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Books]:
    """New books a call, for property tests."""
    return lambda: Books(tmp_path_factory.mktemp("books"))


def chat(
    number: int, *, text: str = "How do I return a parcel?", usage: bool = True, **more: object
) -> dict[str, object]:
    """One recorded chat completion; `more` goes beside its two bodies."""
    answer: dict[str, object] = {
        "id": f"chatcmpl-Synthetic{number:012d}",
        "object": "chat.completion",
        "created": 1_791_200_000 + number,
        "model": "gpt-4.1-mini-2025-04-14",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "By post."}}
        ],
    }
    if usage:
        answer["usage"] = {
            "prompt_tokens": 100 + number,
            "completion_tokens": 7,
            "total_tokens": 107 + number,
            "prompt_tokens_details": {"cached_tokens": 40},
        }
    request = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": text}]}
    return {"request": request, "response": answer, "status": 200, **more}


def lines(records: Sequence[dict[str, object]]) -> bytes:
    """The records as JSON lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture(scope="session")
def chat_record() -> Callable[..., dict[str, object]]:
    return chat


@pytest.fixture(scope="session")
def as_lines() -> Callable[..., bytes]:
    return lines
