"""Which vocabulary a model counts with, and that counting survives any text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import memory, tokenizers, vocabularies
from collector.tokenizers import CL100K, O200K, Tokenizer, count_text, measure, tokenizer_for

MILLION = 1_000_000


@pytest.mark.parametrize(
    "model",
    ["gpt-4o-mini-2024-07-18", "gpt-4.1", "gpt-4.5-preview", "chatgpt-4o-latest", "o1", "o3-mini", "o4-mini",
     "gpt-5.6-sol", "codex-mini-latest", "computer-use-preview", "GPT-4o"],
)  # fmt: skip
def test_newer_openai_models_count_exactly_with_o200k(model: str) -> None:
    assert tokenizer_for(model) == Tokenizer(O200K, exact=True)


@pytest.mark.parametrize(
    "model",
    ["gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-3.5-turbo-0125", "gpt-35-turbo", "text-embedding-ada-002-v2"],
)
def test_older_openai_models_count_exactly_with_cl100k(model: str) -> None:
    assert tokenizer_for(model) == Tokenizer(CL100K, exact=True)


@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "azure/gpt-4o", "openrouter/openai/gpt-4o", "ft:gpt-4o:acme::id1"]
)
def test_a_host_prefix_or_a_fine_tune_does_not_change_the_vocabulary(model: str) -> None:
    assert tokenizer_for(model) == Tokenizer(O200K, exact=True)


@pytest.mark.parametrize(
    "model", ["llama-3.3-70b", "mixtral-8x7b", "openai/gpt-oss-120b", "gemini-2.5-pro", "", None]
)
def test_other_models_are_counted_but_never_called_exact(model: str | None) -> None:
    assert tokenizer_for(model) == Tokenizer(O200K, exact=False)


def test_known_words_have_their_published_counts() -> None:
    # tiktoken's README: "hello world" is two tokens in both vocabularies.
    assert count_text(O200K, "hello world") == 2
    assert count_text(CL100K, "hello world") == 2


def test_special_token_strings_are_ordinary_text() -> None:
    assert count_text(O200K, "<|endoftext|>") > 1


def test_the_shipped_vocabulary_leaves_a_users_cache_folder_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    vocabularies.reference.cache_clear()
    tokenizers.forget()
    assert count_text(CL100K, "hello world") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_vocabulary_is_refused_with_its_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vocab").mkdir()
    (tmp_path / "vocab" / "cl100k_base.tiktoken").write_bytes(b"IQ== 0\n")
    monkeypatch.setattr(vocabularies, "files", lambda package: tmp_path)
    vocabularies.reference.cache_clear()
    with pytest.raises(ValueError, match=r"cl100k_base\.tiktoken is not the published vocabulary"):
        vocabularies.reference(CL100K)
    vocabularies.reference.cache_clear()


HOSTILE = {
    "spaces": " " * MILLION,
    "spaces then a word": " " * MILLION + "x",
    "one letter": "a" * MILLION,
    "newlines": "\n" * MILLION,
    "random letters": "".join(chr(97 + (i * i * 7 + i // 3) % 26) for i in range(MILLION)),
    "equal signs": "=" * MILLION,
    "lone surrogates": "\ud800" * (MILLION // 3),
    "special tokens": "<|endoftext|>" * (MILLION // 13),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("encoding", [O200K, CL100K])
def test_a_megabyte_of_hostile_text_is_counted_within_seconds(encoding: str, name: str) -> None:
    measure(encoding, "warm")
    started = time.perf_counter()
    assert measure(encoding, HOSTILE[name]).tokens > 0
    # A second a megabyte is the goal; the bound leaves room for a busy machine.
    assert time.perf_counter() - started < 3


def tiktoken_o200k() -> tiktoken.Encoding:
    return vocabularies.reference(O200K)


def test_long_ordinary_text_is_counted_whole_and_exact() -> None:
    text = "The meter of a tenant turns with every call. " * 2_000
    assert measure(O200K, text) == tokenizers.TextCount(
        len(tiktoken_o200k().encode_ordinary(text)), exact=True
    )


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(codec=None), max_size=300))
def test_any_short_text_counts_as_tiktoken_counts_it(text: str) -> None:
    assert measure(O200K, text) == tokenizers.TextCount(
        len(tiktoken_o200k().encode_ordinary(text)), exact=True
    )


def test_the_memory_of_texts_stays_bounded() -> None:
    remembered = memory.Counts(O200K, most=20_000)
    for number in range(500):
        assert remembered[f"a text of its own {number}"].exact
    assert 20 < len(remembered) + len(remembered._older) < 100
