"""Chunks: cut at token boundaries, never too long when counted again, joined without overlap the text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.chunks import cut
from collector.tokenizers import count_text


@pytest.fixture(scope="module")
def reference():
    from collector import vocabularies

    return vocabularies.reference("o200k_base")


TEXTS = st.text(max_size=400) | st.text(alphabet="ab cd\n.,'s1234  é漢字🙂\u0301", max_size=600)
SIZES = st.integers(4, 40)


@given(text=TEXTS, size=SIZES, overlap=st.integers(0, 39))
def test_no_chunk_is_longer_than_its_size_when_it_is_counted_by_itself(reference, text, size, overlap):
    for chunk in cut("o200k_base", text, size, min(overlap, size - 1)):
        assert 0 < len(reference.encode_ordinary(chunk.text)) == chunk.tokens <= size


@given(text=TEXTS, size=SIZES, overlap=st.integers(0, 39))
def test_chunks_without_what_they_repeat_give_the_text_back(text, size, overlap):
    assert "".join(chunk.fresh for chunk in cut("o200k_base", text, size, min(overlap, size - 1))) == text


@given(text=TEXTS, size=SIZES, overlap=st.integers(0, 39))
def test_what_a_chunk_repeats_is_the_end_of_the_one_before(text, size, overlap):
    overlap = min(overlap, size - 1)
    chunks = cut("o200k_base", text, size, overlap)
    for before, chunk in pairwise(chunks):
        assert chunk.overlap <= overlap
        assert before.text.endswith(chunk.text[: chunk.repeated])


@given(words=st.lists(st.sampled_from([" the", " of", " and", " to"]), max_size=200), size=SIZES)
def test_the_overlap_is_exact_where_every_token_is_a_word(words, size):
    overlap = size // 3
    chunks = cut("o200k_base", "".join(words), size, overlap)
    assert [chunk.overlap for chunk in chunks[1:]] == [overlap] * (len(chunks) - 1)
    assert all(chunk.tokens == size for chunk in chunks[:-1])


def test_ten_words_in_chunks_of_four_that_share_one():
    chunks = cut("o200k_base", " the" * 10, 4, 1)
    assert [(chunk.text, chunk.overlap) for chunk in chunks] == [
        (" the the the the", 0),
        (" the the the the", 1),
        (" the the the the", 1),
    ]


def test_a_character_of_several_tokens_is_never_divided():
    rare = "\U0001f9ff"  # more than one token in this vocabulary
    assert "".join(chunk.fresh for chunk in cut("o200k_base", rare * 7, 4)) == rare * 7


@pytest.mark.parametrize(
    ("size", "overlap", "words"), [(3, 0, "4 or more"), (9, 9, "nothing new"), (9, -1, "0 or")]
)
def test_a_size_or_overlap_that_cannot_be_says_what_to_take(size, overlap, words):
    with pytest.raises(ValueError, match=words):
        cut("o200k_base", "text", size, overlap)


def test_an_empty_text_has_no_chunks():
    assert cut("o200k_base", "", 100) == ()


@pytest.mark.parametrize("hostile", ["a" * 60_000, " " * 60_000, "é\u0301" * 20_000, "<|endoftext|>" * 2_000])
def test_text_made_to_stall_a_tokenizer_is_cut_like_any_other(hostile):
    chunks = cut("o200k_base", hostile, 1000, 100)
    assert "".join(chunk.fresh for chunk in chunks) == hostile
    assert all(chunk.tokens <= 1000 for chunk in chunks)


@given(text=TEXTS, size=st.integers(40, 80), overlap=st.integers(0, 79))
def test_a_vocabulary_without_boundaries_of_its_own_keeps_to_size_and_overlap_too(text, size, overlap):
    overlap = min(overlap, size - 1)
    chunks = cut("claude-3", text, size, overlap)
    assert "".join(chunk.fresh for chunk in chunks) == text
    for chunk in chunks:
        assert chunk.tokens == count_text("claude-3", chunk.text) <= size
        assert chunk.overlap == count_text("claude-3", chunk.text[: chunk.repeated]) <= overlap


def test_a_character_that_no_chunk_can_hold_is_said_and_never_lost():
    ligature = "\ufdfa"  # one character that is eighteen when it is written out
    with pytest.raises(ValueError, match="cannot hold every character of this text"):
        cut("claude-3", f"One {ligature}.", 4)
