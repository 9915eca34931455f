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


@dataclass(frozen=True)
class Books:
    """A ledger in a folder, and the log files that go into it."""

    folder: Path

    @property
    def ledger(self) -> Path:
        return self.folder / "tollbook.duckdb"

    def file(self, name: str, content: bytes) -> Path:
        """Write a file, always with the same time of its own."""
        path = self.folder / name
        path.write_bytes(content)
        os.utime(path, (WRITTEN, WRITTEN))
        return path

    def ingest(self, *paths: Path | str, now: datetime = NOW, **intake: object) -> Summary:
        return ingest([str(path) for path in paths], self.visit, Intake(**intake), now)

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
