"""Hostile text: counted to the token as tiktoken counts it, never an exception, in good time."""

from __future__ import annotations

import random
import time
from unicodedata import category

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import counter, giants, pretokens
from collector.tokenizers import CL100K, O200K, measure, warm
from collector.vocabularies import reference

MILLION = 1_000_000
SLICE = 150_000
LETTERS = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=MILLION)
SIGNS = random.Random(2).choices("!#$%&*()-=+[]{};:,.<>?/", k=MILLION)

HOSTILE = {
    "spaces": " " * MILLION,
    "spaces then a word": " " * MILLION + "x",
    "tabs then signs": "\t" * (MILLION // 2) + "!" * (MILLION // 2),
    "one letter": "a" * MILLION,
    "newlines": "\n" * MILLION,
    "a newline, spaces, a newline": "\n" + " " * MILLION + "\n",
    "random letters": "".join(LETTERS),
    "random signs": "".join(SIGNS),
    "digits": "7" * MILLION,
    "alternating case": "aB" * (MILLION // 2),
    "zero-width spaces": "\u200b" * (MILLION // 3),
    "combining marks": "\u0301" * (MILLION // 2),
    "letters with marks": "a\u0301" * (MILLION // 3),
    "one ideograph": "中" * (MILLION // 3),
    "emoji": "🙂" * (MILLION // 4),
    "lone surrogates": "\ud800" * (MILLION // 3),
    "special tokens": "<|endoftext|>" * (MILLION // 13),
    "unassigned characters": "\u0378" * (MILLION // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("encoding", [O200K, CL100K])
def test_hostile_text_counts_as_tiktoken_counts_it(encoding: str, name: str) -> None:
    text = HOSTILE[name][-SLICE:]
    expected = len(reference(encoding).encode_ordinary(text))
    assert counter.count(encoding, text) == counter.TextCount(expected, exact=name != "unassigned characters")


@pytest.mark.parametrize(
    "name", ["spaces", "random letters", "digits", "alternating case", "lone surrogates"]
)
def test_a_megabyte_of_hostile_text_takes_less_than_a_second(name: str) -> None:
    warm([O200K])
    counter.count(O200K, "\n" * 20_000)
    started = time.process_time()
    assert counter.count(O200K, HOSTILE[name]).tokens > 0
    assert time.process_time() - started < 1


@pytest.mark.parametrize("encoding", [O200K, CL100K])
def test_a_million_spaces_are_counted_where_tiktoken_panics(encoding: str) -> None:
    assert measure(encoding, HOSTILE["spaces"]).tokens == 7813
    # 999,999 spaces are 7,812 tokens of 128 and one of 63; the last one belongs to " x".
    assert measure(encoding, HOSTILE["spaces then a word"]).tokens == 7814


# Every kind of character a pattern tells apart, dense enough for long pieces of each kind.
ALPHABETS = st.sampled_from(
    [
        *(" ", "\n ", "a", "aB", "Ab'sſ", "1", "1a", "!", "!/\n", "_-_ ", "中、", "中あア", "🙂", "हि न्दी"),
        *(
            " \t\n\r\x0b\x85\u2028\u3000a!",
            "a' 's'LL!",
            "é\u0301É",
            "\u0301a",
            "\u200b!",
            "\x00\x1c\x1f \x7f",
        ),
        *("ǅʰa", "٣²Ⅷ1", "\u0378a "),
    ]
)
TEXTS = ALPHABETS.flatmap(lambda alphabet: st.text(alphabet, min_size=10, max_size=120))
MIXED = st.lists(TEXTS, min_size=1, max_size=5).map("".join)


@settings(deadline=None, max_examples=400)
@given(MIXED, st.sampled_from([O200K, CL100K]), st.sampled_from([2, 5, 20]))
def test_counting_giants_apart_gives_the_count_of_the_whole(text: str, encoding: str, window: int) -> None:
    assert counter.guarded(encoding, text, window).tokens == len(reference(encoding).encode_ordinary(text))


@settings(deadline=None, max_examples=300)
@given(MIXED, st.sampled_from([O200K, CL100K]), st.sampled_from([16, 64, 200]), st.sampled_from([1, 3, 8]))
def test_spans_of_a_giant_join_to_the_tokens_of_the_whole(
    text: str, encoding: str, span: int, overlap: int
) -> None:
    piece = text.encode()
    whole = reference(encoding)._encode_single_piece(piece)
    assert giants.tokens(reference(encoding), piece, span, overlap) == len(whole)


@settings(deadline=None, max_examples=300)
@given(st.binary(min_size=1, max_size=600), st.sampled_from([O200K, CL100K]))
def test_spans_join_for_any_bytes(piece: bytes, encoding: str) -> None:
    whole = reference(encoding)._encode_single_piece(piece)
    assert giants.tokens(reference(encoding), piece, span=32, overlap=4) == len(whole)


def pieces_apart(encoding: str, text: str) -> list[int]:
    vocabulary = reference(encoding)
    stretches = pretokens.around_giants(vocabulary._pat_str, text, giant=1)
    return [token for piece, _ in stretches if piece for token in vocabulary._encode_single_piece(piece)]


@pytest.mark.parametrize("encoding", [O200K, CL100K])
def test_characters_of_every_kind_are_split_as_tiktoken_splits_them(encoding: str) -> None:
    known = [chr(point) for point in range(0x110000) if category(chr(point)) not in {"Cn", "Co", "Cs"}]
    # The great alphabets are letters throughout: some of each will do.
    some = [char for char in known if category(char) != "Lo" or ord(char) % 29 == 0]
    around = [f"a{char}b {char}1{char}!{char}A{char}  {char}\n" for char in some]
    for start in range(0, len(around), 2_000):
        text = "".join(around[start : start + 2_000])
        assert pieces_apart(encoding, text) == reference(encoding).encode_ordinary(text)


def test_ordinary_text_is_never_taken_for_hostile() -> None:
    prose = "The meter of a tenant turns with every call, 24 hours a day. " * 2_000
    packed = '{"a":[1,2,{"b":"c"}],"d":"e"},' * 2_000
    chinese = "租户的计量表随着每次调用而转动，全天候运行。" * 2_000
    assert [pretokens.hostile(text) for text in (prose, packed, chinese)] == [[], [], []]
