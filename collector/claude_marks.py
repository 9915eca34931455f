"""Claude's reading of a text: normalised, cut into runs of one kind, word ends and capitals as marks.

The rules are those that ctok found by asking for the counts of single words (LICENSE.ctok in vocab/).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from itertools import groupby
from typing import Final

# Noncharacters, which no text may hold, stand for the marks.
BEGIN: Final = "\ufdd0"
END: Final = "\ufdd1"
SHIFT: Final = "\ufdd3"
CAPS: Final = "\ufdd4"
MARKS: Final = BEGIN + END + SHIFT + CAPS

_DROPPED = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f\ue000-\uf8ff\ufdd0-\ufdd4]")
_SPACES = re.compile("[\0\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_STRAIGHT_QUOTES = str.maketrans("‘’“”", "''\"\"")
# Composing sorts the marks after a letter, which takes for ever on a long run of them.
_MANY_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u20d0-\u20f0]{64}"
)

_SIGNS_OF_PUNCTUATION = frozenset("—»«•°„–−£§€…√→（№└│।·─═█")
_IDEOGRAPHIC_SIGNS = frozenset("〄〒〓〠〶〷〾〿")
_ITERATION_MARKS = frozenset("々〆〱〲〳〴〵〻〼")
_LETTER_LIKE = ((0x16EE, 0x16F0), (0x2160, 0x2188), (0x24B6, 0x24E9), (0xA6E6, 0xA6EF))
_IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0x10000, 0x10FFFF))
_DIGITS = ((0x30, 0x39), (0x660, 0x669), (0x6F0, 0x6F9))
_SELECTORS = ((0xFE00, 0xFE0F),)


def _spans(listed: str) -> tuple[tuple[int, int], ...]:
    """Read spans of characters, first and last in hexadecimal."""
    ends = (span.partition("-") for span in listed.split())
    return tuple((int(first, 16), int(last or first, 16)) for first, _, last in ends)


# Combining marks that are not Alphabetic in Unicode end a word; Python does not know that property.
_WORD_ENDING_MARKS = _spans("""
300-344 346-362 483-489 591-5af 658 6df-6e0 6ea-6ec 740-74a 7eb-7f3 7fd 818-819 82d 859-85b 898-89f
8ca-8d3 8e0-8e1 8ea-8ef 93c 94d 951-954 9bc 9cd 9fe a3c a4d abc acd afd-aff b3c b4d b53-b55 bcd c3c c4d
cbc ccd d3b-d3c d4d dca e47-e4c e4e eba ec8-ecc ece f18-f19 f35 f37 f39 f3e-f3f f84 f86-f87 fc6 1037
1039-103a 135d-135f 1714-1715 1734 17b4-17b5 17c9-17d3 17dd 180b-180d 180f 1939-193b 1a60 1a75-1a7c 1a7f
1ab0-1abe 1ac1-1acb 1acf-1af0 1b34 1b44 1b6b-1b73 1baa-1bab 1be6 1bf2-1bf3 1c37 1cd0-1cd2 1cd4-1ce8 1ced
1cf4 1cf7-1cf9 1dc0-1dd2 1df5-1dff 20d0-20f0 2cef-2cf1 2d7f 302a-302f 3099-309a a66f-a672 a67c-a67d
a6f0-a6f1 a806 a82c a8c4 a8e0-a8f1 a92b-a92d a953 a9b3 a9c0 aabf aac1 aaf6 abec-abed fe20-fe2f
""")
# After an apostrophe these go on with the word before it.
_CONTRACTED = frozenset({"s", "t", "d", "m", "ll", "re", "ve"})


class Kind(StrEnum):
    """What a run of characters is; IDEOGRAPH also holds emoji, SIGN what takes marks beside a space."""

    WORD = "word"
    DIGITS = "digits"
    PUNCTUATION = "punctuation"
    SIGN = "sign"
    NUMBER = "number"
    IDEOGRAPH = "ideograph"
    RIDER = "rider"


Run = tuple[Kind, str]
_ASCII_RUNS = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")


def _within(spans: tuple[tuple[int, int], ...], code: int) -> bool:
    return any(first <= code <= last for first, last in spans)


@cache
def kind_of(char: str) -> Kind:
    """Say what a character that is no space belongs to."""
    code, category = ord(char), unicodedata.category(char)
    if _within(_LETTER_LIKE, code):
        return Kind.WORD
    if _within(_DIGITS, code):
        return Kind.DIGITS
    if (char.isascii() and category[0] in "PS") or char in _SIGNS_OF_PUNCTUATION:
        return Kind.PUNCTUATION
    if _within(_SELECTORS, code):
        return Kind.RIDER
    if category[0] in "LM" and _is_of_a_word(char, code, category):
        return Kind.WORD
    return _apart(char, code, category)


def _is_of_a_word(char: str, code: int, category: str) -> bool:
    if category[0] == "M":
        return code < 0x10000 and not _within(_WORD_ENDING_MARKS, code)
    return not _within(_IDEOGRAPHS, code) and char not in _ITERATION_MARKS


def _apart(char: str, code: int, category: str) -> Kind:
    """The kind of a character outside words, digits and common punctuation."""
    if code >= 0x10000:
        return Kind.IDEOGRAPH
    if category in ("No", "Nd"):
        return Kind.NUMBER
    ideographic = 0x3001 <= code <= 0x303F and (category[0] == "P" or char in _IDEOGRAPHIC_SIGNS)
    signs = category[0] in "PS" or category in ("Cf", "Cn") or _within(_WORD_ENDING_MARKS, code)
    return Kind.SIGN if signs and not ideographic else Kind.IDEOGRAPH


def normal(text: str, straight_quotes: bool) -> str:
    """Compose characters, drop controls, make one kind of space and, for older models, of quotes."""
    if text.isascii():
        return _DROPPED.sub("", text).replace("\0", " ")
    clean = _SURROGATES.sub("\ufffd", text)
    if not _MANY_MARKS.search(clean):
        clean = unicodedata.normalize("NFC", clean)
    clean = _SPACES.sub(" ", _DROPPED.sub("", clean)).replace("\u0e4d\u0e32", "\u0e33")
    return clean.translate(_STRAIGHT_QUOTES) if straight_quotes else clean


def runs(stretch: str) -> list[Run]:
    """Cut a stretch without spaces where the kind of character changes."""
    if stretch.isascii():
        return [(kind_of(run[0]), run) for run in _ASCII_RUNS.findall(stretch)]
    found: list[Run] = []
    for kind, chars in groupby(stretch, key=kind_of):
        text = "".join(chars)
        if kind is Kind.RIDER:
            # A variation selector belongs to the sign before it.
            kind, before = found.pop() if found and found[-1][0] in _RIDDEN else (Kind.IDEOGRAPH, "")
            text = before + text
        found.append((kind, text))
    return found


_RIDDEN = frozenset({Kind.SIGN, Kind.NUMBER, Kind.IDEOGRAPH})
# Of these a side beside a space takes a mark.
_MARKED_AT_SPACES = frozenset({Kind.PUNCTUATION, Kind.SIGN, Kind.NUMBER})


def _cased(word: str, caps_from: int | None) -> tuple[str, str]:
    """Return the case mark and the word without the capitals that it tells."""
    lower = word.lower()
    if lower == word or "ẞ" in word:
        return "", word
    if caps_from is not None and len(word) >= caps_from and word.isupper() and all(map(str.isupper, word)):
        return CAPS, lower.replace("ς", "σ")
    if word[0].isupper() and lower[:1] != word[0] and word[1:] == lower[1:]:
        return SHIFT, lower
    return "", word


def _contracts(found: list[Run], index: int) -> bool:
    """Whether the ending at `index` goes on after a lone apostrophe, as in it's."""
    if index == 0 or found[index - 1] != (Kind.PUNCTUATION, "'"):
        return False
    return index == 1 or found[index - 2][0] not in _MARKED_AT_SPACES


def _opens_word(found: list[Run]) -> bool:
    return found[0][1] == "'" and len(found) > 1 and found[1][0] is Kind.WORD


def marked(stretch: str, after_space: bool, before_space: bool, caps_from: int | None) -> Iterator[str]:
    """Write a stretch without spaces as the runs that the vocabulary is laid on, each with its marks.

    A contraction comes with its apostrophe, as one piece of the vocabulary can cover both.
    """
    found = runs(stretch)
    last = len(found) - 1
    held = ""
    for index, (kind, text) in enumerate(found):
        if kind is Kind.WORD:
            case, word = _cased(text, caps_from)
            begin = "" if text in _CONTRACTED and _contracts(found, index) else BEGIN
            yield f"{held}{case}{begin}{word}{END}"
            held = ""
            continue
        held = text
        if kind in _MARKED_AT_SPACES and index in (0, last):
            held = _at_spaces(found, index, after_space, before_space)
        if index == last or found[index + 1][1] not in _CONTRACTED or not _contracts(found, index + 1):
            yield held
            held = ""


def _at_spaces(found: list[Run], index: int, after_space: bool, before_space: bool) -> str:
    begin = BEGIN if after_space and index == 0 and not _opens_word(found) else ""
    return begin + found[index][1] + (END if before_space and index == len(found) - 1 else "")
