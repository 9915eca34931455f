"""The fast counter: equal to tiktoken, used only while it is, and nothing wrong kept once it is not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import fast, memory, tokenizers
from collector.tokenizers import CL100K, O200K, TextCount, count_text, measure
from collector.vocabularies import reference, vocabulary_file

if TYPE_CHECKING:
    from fastokens import Tokenizer

fastokens = pytest.importorskip("fastokens")


@cache
def loaded(encoding: str) -> Tokenizer:
    return fastokens.Tokenizer.from_tiktoken(str(vocabulary_file(encoding)), encoding=encoding)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    tokenizers.forget()
    fast.renew()
    yield
    tokenizers.forget()
    fast.renew()


@settings(max_examples=300)
@given(
    st.sampled_from([O200K, CL100K]), st.text(max_size=300) | st.text("aA 's1\n\t中é\u0301'Ll", max_size=300)
)
def test_a_text_counts_fast_as_it_counts_with_tiktoken(encoding: str, text: str) -> None:
    fast.renew(loaded={encoding: loaded(encoding)})
    tokens = fast.count(encoding, text)
    assert tokens in {None, len(reference(encoding).encode_ordinary(text))}
    assert fast.doubt() is None


def test_a_long_s_is_left_to_tiktoken() -> None:
    fast.renew(loaded={O200K: loaded(O200K)})
    assert fast.count(O200K, "it'ſ") is None
    assert measure(O200K, "it'ſ") == TextCount(len(reference(O200K).encode_ordinary("it'ſ")), exact=True)


def test_a_lone_surrogate_is_left_to_tiktoken() -> None:
    fast.renew(loaded={O200K: loaded(O200K)})
    assert fast.count(O200K, "a\ud800b") is None
    assert count_text(O200K, "a\ud800b") == len(reference(O200K).encode_ordinary("a\ufffdb"))


def load_the_wrong_vocabulary(counted: int) -> None:
    fast.renew(loaded={O200K: loaded(CL100K)}, counted=counted)


# One token of o200k_base, several of cl100k_base.
TELLING = " незнайомий расположенный 中华人民共和国"


def test_the_first_texts_of_a_process_find_a_wrong_counter_out() -> None:
    load_the_wrong_vocabulary(counted=0)
    assert count_text(O200K, TELLING) == len(reference(O200K).encode_ordinary(TELLING))
    assert fast.doubt() is not None
    assert "otherwise than tiktoken (o200k_base)" in fast.doubt()
    assert not fast.load(O200K)


def test_once_one_count_was_wrong_none_before_it_stays() -> None:
    load_the_wrong_vocabulary(counted=1_000_000)
    right = len(reference(O200K).encode_ordinary(TELLING))
    sampled = next(text for n in range(100_000) if hash(text := f"{TELLING} {n}") % fast.CHECKED_ONE_IN == 0)
    unseen = next(text for n in range(100_000) if hash(text := f"{TELLING} {n}") % fast.CHECKED_ONE_IN)
    assert count_text(O200K, unseen) > right + 4  # wrong, and not yet known to be
    assert count_text(O200K, sampled) == len(reference(O200K).encode_ordinary(sampled))
    assert count_text(O200K, unseen) == len(reference(O200K).encode_ordinary(unseen))


def test_being_told_of_a_wrong_counter_elsewhere_switches_it_off_here() -> None:
    fast.renew(loaded={O200K: loaded(O200K)})
    measure(O200K, "remembered")
    tokenizers.distrust("fastokens 0 was wrong in another process")
    assert tokenizers.doubt() == "fastokens 0 was wrong in another process"
    assert not memory.counts(O200K)
    assert not fast.is_loaded(O200K)


def test_a_little_text_does_not_wait_for_the_fast_counter_to_load() -> None:
    count_text(O200K, "hello world")
    assert not fast.is_loaded(O200K)


def test_much_text_makes_the_fast_counter_load() -> None:
    for number in range(50):
        count_text(O200K, f"{number} " + "words and " * 10_000)
    assert fast.is_loaded(O200K)
