"""Counts of long texts go into the ledger with the rows they were made for, and come back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector import fast, tokenizers
from collector import ingest as intake
from collector.ingest import Intake, ingest
from collector.vocabularies import reference, vocabulary_file
from ledger import store, token_cache, trust

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
LONG = "The meter of a tenant turns with every call. " * 20


pytestmark = pytest.mark.usefixtures("as_a_new_process")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    request = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": LONG}]}
    answer = {"role": "assistant", "content": "It does."}
    response = {
        "id": "chatcmpl-abcdefghijklmnopqrstuvwx",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4.1-mini",
        "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
    }
    call = {"url_path": "/v1/chat/completions", "status": 200, "request": request, "response": response}
    path = tmp_path / "calls.jsonl"
    path.write_text(json.dumps(call) + "\n", encoding="utf-8")
    return path


def read_in(log: Path, books: Path) -> int:
    """Ingest and return the tokens that were counted."""
    ingest([str(log)], lambda: store.open(books), Intake(format="pair"), NOW)
    with store.open(books) as ledger:
        return int(str(ledger.rows("SELECT counted_input_tokens FROM requests")[0][0]))


def test_the_count_of_a_long_text_is_kept_with_its_row(log: Path, tmp_path: Path) -> None:
    read_in(log, tmp_path / "books.duckdb")
    with store.open(tmp_path / "books.duckdb") as ledger:
        expected = len(reference(tokenizers.O200K).encode_ordinary(LONG))
        assert list(token_cache.load(ledger).values()) == [expected]


def test_a_kept_count_is_used_where_much_is_to_be_read(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "POOLED_FROM", 1)
    counted = read_in(log, tmp_path / "first.duckdb")
    with store.open(tmp_path / "first.duckdb") as first, store.open(tmp_path / "books.duckdb") as ledger:
        assert first.key == ledger.key
        ((digest, tokens),) = token_cache.load(first).items()
        # A count that no vocabulary gives shows where it comes from.
        token_cache.keep(ledger, {digest: tokens + 1_000}, NOW)
    tokenizers.forget()
    assert read_in(log, tmp_path / "books.duckdb") == counted + 1_000


def test_a_counter_known_to_be_wrong_is_not_used_again(log: Path, tmp_path: Path) -> None:
    name = fast.name()
    if name is None:
        pytest.skip("fastokens is not installed")
    with store.open(tmp_path / "books.duckdb") as ledger:
        trust.distrust(ledger, f"{name} counted a text otherwise than tiktoken", NOW)
    read_in(log, tmp_path / "books.duckdb")
    assert not fast.load(tokenizers.O200K)
    assert (tokenizers.doubt() or "").startswith(name)


def test_a_counter_found_wrong_is_told_and_leaves_no_wrong_count(log: Path, tmp_path: Path) -> None:
    fastokens = pytest.importorskip("fastokens")
    right = read_in(log, tmp_path / "right.duckdb")
    tokenizers.forget()
    wrong = fastokens.Tokenizer.from_tiktoken(
        str(vocabulary_file(tokenizers.CL100K)), encoding=tokenizers.CL100K
    )
    fast.renew(loaded={tokenizers.O200K: wrong})
    books = tmp_path / "books.duckdb"
    text = log.read_text(encoding="utf-8").replace("It does.", "незнайомий расположенный 中华人民共和国")
    log.write_text(text, encoding="utf-8")
    done = ingest([str(log)], lambda: store.open(books), Intake(format="pair"), NOW)
    with store.open(books) as ledger:
        assert ledger.rows("SELECT counted_input_tokens FROM requests") == [(right,)]
        assert len(trust.distrusted(ledger)) == 1
    (doubt,) = done.doubts
    assert "otherwise than tiktoken" in doubt
