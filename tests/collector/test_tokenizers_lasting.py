"""Counts that outlive a process: found again by keyed digest, and told once to whoever keeps them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector import fast, tokenizers
from collector.tokenizers import CL100K, O200K, count_text

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
LONG = "The meter of a tenant turns with every call. " * 20
GIANT = "a" * 40_000


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    fast.renew()
    tokenizers.forget()
    yield
    tokenizers.begin(None)
    tokenizers.forget()


def learned_from(key: bytes, encoding: str, text: str) -> dict[bytes, int]:
    tokenizers.forget()
    tokenizers.begin(key)
    count_text(encoding, text)
    return tokenizers.learned()


def test_what_was_learned_is_told_once() -> None:
    (tokens,) = learned_from(KEY, O200K, LONG).values()
    assert tokens == count_text(O200K, LONG)
    assert tokenizers.learned() == {}


def test_a_remembered_count_is_not_made_again() -> None:
    # A count that no vocabulary gives shows where it comes from.
    (digest,) = learned_from(KEY, O200K, LONG)
    tokenizers.forget()
    tokenizers.begin(KEY, {digest: 7})
    assert count_text(O200K, LONG) == 7
    assert tokenizers.learned() == {digest: 7}


def test_short_texts_are_not_kept() -> None:
    assert learned_from(KEY, O200K, LONG[:200]) == {}


def test_a_giant_is_remembered_too() -> None:
    (tokens,) = learned_from(KEY, O200K, GIANT).values()
    assert tokens == 5_000  # eight letters a token


def test_nobody_without_the_key_finds_a_text() -> None:
    assert set(learned_from(KEY, O200K, LONG)).isdisjoint(learned_from(OTHER_KEY, O200K, LONG))


def test_another_vocabulary_has_a_count_of_its_own() -> None:
    assert set(learned_from(KEY, O200K, LONG)).isdisjoint(learned_from(KEY, CL100K, LONG))


def test_without_a_ledger_nothing_is_kept() -> None:
    tokenizers.begin(None)
    count_text(O200K, LONG)
    assert tokenizers.learned() == {}


def test_a_count_marked_inexact_is_not_kept() -> None:
    assert learned_from(KEY, O200K, "\u0378" * 20_000) == {}
