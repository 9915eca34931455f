"""Texts in Claude's vocabularies, held to the counts that ctok 1.3.0 gives for the same texts."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.claude_text import CLAUDE_3, CLAUDE_47, CLAUDE_48, measure, warm
from collector.tokenizers import Tokenizer, count_text, tokenizer_for

REFERENCE = [
    ("hello, world", 3, 4, 4),
    ("NASA likes tokenizers", 4, 10, 10),
    ("The quick brown fox jumps over the lazy dog.", 11, 18, 18),
    ("it's John's, don't!", 8, 8, 8),
    ("x = {'a': [1, 23, 4567]};", 16, 17, 17),
    ("def f(x):\n    return x + 1\n", 12, 12, 12),
    ("HELLO WORLD, HTTPServer", 7, 15, 15),
    ("two  spaces and   three", 6, 8, 8),
    ("a\tb\n\nc", 5, 5, 5),
    ("Größe und Straße", 7, 7, 7),
    ("Привет, мир!", 7, 7, 7),
    ("日本語のテキスト。中文也可以", 15, 15, 14),
    ("한국어 문장", 7, 7, 6),
    ("שלום עולם", 6, 6, 6),
    ("हिन्दी में लिखा", 11, 11, 11),
    ("🙂👍🏽 emoji", 11, 13, 12),
    ("“curly” ‘quotes’", 8, 11, 11),
    ("½ cup of 2² or H₂O", 13, 14, 13),
    ("end\n", 1, 1, 1),
    ("1,234,567.89", 8, 8, 7),
    ("'tis the season", 6, 6, 5),
    ("--- === ###", 3, 5, 5),
    ("https://example.com/a?b=c&d=1", 15, 15, 15),
    ("\u00a0nbsp\u200bzero", 4, 8, 8),
]


@pytest.mark.parametrize(("text", "claude_3", "claude_47", "claude_48"), REFERENCE)
def test_a_text_is_as_many_tokens_as_the_reference_says(
    text: str, claude_3: int, claude_47: int, claude_48: int
) -> None:
    found = [measure(encoding, text) for encoding in (CLAUDE_3, CLAUDE_47, CLAUDE_48)]
    assert found == [(claude_3, True), (claude_47, True), (claude_48, True)]


def test_no_text_is_no_token() -> None:
    assert measure(CLAUDE_48, "") == (0, True)
    assert measure(CLAUDE_3, "") == (0, True)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_has_a_count_that_does_not_depend_on_what_was_counted_before(text: str) -> None:
    tokens, _ = measure(CLAUDE_3, text)
    assert 0 <= tokens <= 4 * len(text) * 3 + 1
    measure(CLAUDE_3, text[::-1])
    assert measure(CLAUDE_3, text)[0] == tokens


@pytest.mark.parametrize(
    "unit", ["a", " ", "\n", "=", "'s", "a1", "\u0301", "\u200b", "中", "🙂", "\ud800", "A", "\t "]
)
def test_a_hostile_run_neither_stalls_nor_fails(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    started = time.perf_counter()
    tokens, _ = measure(CLAUDE_3, text)
    assert tokens > 0
    assert time.perf_counter() - started < 2


def random_words(count: int) -> str:
    draw = random.Random(3)
    return " ".join("".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(count))


def random_characters(count: int) -> str:
    draw = random.Random(3)
    return "".join(chr(draw.randrange(0xA1, 0xD800)) for _ in range(count))


@pytest.mark.parametrize("text", [random_words(60_000), random_characters(150_000)], ids=["words", "signs"])
def test_half_a_megabyte_of_noise_takes_less_than_half_a_second_and_is_not_called_exact(text: str) -> None:
    warm(CLAUDE_3)
    started = time.process_time()
    tokens, exact = measure(CLAUDE_3, text)
    assert time.process_time() - started < 0.5
    assert (tokens > 0, exact) == (True, False)


def test_slices_of_noise_count_as_the_whole_does() -> None:
    # Stretches of 20,000 characters are laid whole, each word once: together they are the reference.
    text = random_words(9_000)
    parts = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
    whole = sum(measure(CLAUDE_3, part)[0] for part in parts)
    assert measure(CLAUDE_3, text)[0] == pytest.approx(whole, rel=0.01)


def test_long_prose_and_long_chinese_are_no_noise() -> None:
    prose = " ".join(f"The meter of tenant {number} turned {number * 7} times." for number in range(2_000))
    signs = [chr(0x4E00 + number % 4_000) for number in range(0, 60_000, 7)]
    assert measure(CLAUDE_3, prose)[1]
    assert measure(CLAUDE_3, "，".join("".join(signs[at : at + 9]) for at in range(0, len(signs), 9)) * 4)[1]


@pytest.mark.parametrize(
    ("model", "encoding", "exact"),
    [
        ("claude-3-haiku-20240307", CLAUDE_3, True),
        ("claude-opus-4-5", CLAUDE_3, True),
        ("claude-sonnet-4-20250514", CLAUDE_3, True),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", CLAUDE_3, True),
        ("anthropic/claude-opus-4.8", CLAUDE_48, True),
        ("claude-opus-4-7", CLAUDE_47, True),
        ("claude-sonnet-5", CLAUDE_48, True),
        ("claude-2.1", CLAUDE_3, False),
    ],
)
def test_a_claude_model_is_counted_in_the_vocabulary_of_its_generation(
    model: str, encoding: str, exact: bool
) -> None:
    assert tokenizer_for(model) == Tokenizer(encoding, exact)


def test_the_common_counter_gives_the_same() -> None:
    assert count_text(CLAUDE_3, "hello, world") == 3
