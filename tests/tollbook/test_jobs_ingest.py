"""The ingest of declared sources: what is told of all of them together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector import fast, tokenizers
from collector.vocabularies import vocabulary_file
from ledger import store
from tollbook import jobs
from tollbook.config import load

MORNING = datetime(2026, 10, 7, 7, tzinfo=UTC)


pytestmark = pytest.mark.usefixtures("as_a_new_process")


def test_a_counter_found_wrong_is_told_of_declared_sources_too(folder: Path) -> None:
    fastokens = pytest.importorskip("fastokens")
    wrong = fastokens.Tokenizer.from_tiktoken(
        str(vocabulary_file(tokenizers.CL100K)), encoding=tokenizers.CL100K
    )
    fast.renew(loaded={tokenizers.O200K: wrong})
    (folder / "logs" / "chat.jsonl").write_text(CHAT + "\n", encoding="utf-8")
    done = jobs.ingest_sources(
        load(folder / "tollbook.toml"), lambda: store.open(folder / "tollbook.duckdb"), MORNING
    )
    (doubt,) = done.doubts
    assert "otherwise than tiktoken" in doubt


CHAT = (
    '{"url_path": "/v1/chat/completions", "request": {"model": "gpt-4.1-mini", "messages": '
    '[{"role": "user", "content": "незнайомий 中华人民共和国"}]}, "response": {"created": 1790000000, '
    '"id": "chatcmpl-abcdefghijklmnopqrstuvwx", "choices": []}}'
)
