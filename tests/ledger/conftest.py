"""Records and ledgers for the ledger's tests."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from ledger.frames import RECORDS
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch
from ledger.types import SEGMENTS

KEY = "00" * 32


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLBOOK_KEY", KEY)


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    return tmp_path / "tollbook.duckdb"


_DEFAULTS: dict[str, object] = {
    "id_kind": "response",
    "ts": datetime(2026, 10, 5, 12, 0),
    "ts_estimated": False,
    "ingested_at": datetime(2026, 10, 6),
    "source": "pair",
    "source_file": "a.jsonl",
    "source_line": 1,
    "tenant": "acme",
    "workflow": "support",
    "provider": "openai",
    "model": "gpt-4.1-mini",
    "operation": "chat",
    "api": "openai.chat",
    "status": "ok",
    "cache_hit": False,
    "count_method": "none",
    "tags": [],
}


def build_records(*rows: dict[str, object]) -> pl.DataFrame:
    """RECORDS from rows of what differs from the default; `id` and `digest` may be any words."""
    full = []
    for row in rows:
        given = dict(row)
        name = str(given.pop("id", "call"))
        digest = str(given.pop("digest", name + repr(sorted(given.items(), key=str))))
        segments = given.pop("segments", None)
        if segments is not None:
            given["counted_segments"] = [segments.get(s, 0) for s in SEGMENTS]
        full.append(
            {
                **dict.fromkeys(RECORDS),
                **_DEFAULTS,
                "request_id": str(uuid.UUID(hashlib.md5(name.encode()).hexdigest())),
                "record_digest": hashlib.md5(digest.encode()).digest(),
                **given,
            }
        )
    return pl.DataFrame(full, schema=RECORDS)


@pytest.fixture
def records() -> Callable[..., pl.DataFrame]:
    return build_records


@pytest.fixture
def batch() -> Callable[..., Batch]:
    def build(frame: pl.DataFrame, rejects: pl.DataFrame | None = None) -> Batch:
        empty = pl.DataFrame(schema=REJECTS)
        return Batch(
            records=frame,
            rejects=empty if rejects is None else rejects,
            prompt_versions=pl.DataFrame(schema=PROMPT_VERSIONS),
            source=None,
            source_file="a.jsonl",
            format="pair",
            bytes=0,
        )

    return build


@pytest.fixture(scope="session")
def records_factory() -> Callable[..., pl.DataFrame]:
    """`records` for property tests, which want fixtures that outlive one example."""
    return build_records
