"""Where the pre-tokens of a text end: a vocabulary merges bytes inside a pre-token, never across its end.

A tokenizer first cuts the text by a pattern (words, numbers, signs, white space). A text may be cut at any
end of a pre-token without changing its count, so that a giant pre-token, which the pattern's engine or the
merging chokes on, can be found and counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby, pairwise
from typing import Final
from unicodedata import category

# A pre-token of two windows fills one of them. Both counters are at ease with those that are shorter.
WINDOW: Final = 5_000

# Ends that hold in every vocabulary's pattern and in every version of Unicode.
_LETTER = "A-Za-zぁ-ゖァ-ヺ一-鿋가-힣"
_STOP = r" !-&(-/:-@\[-`{-~、。，．！？：；（）「」『』【】《》"
_CERTAIN_END: Final = re.compile(rf"\S(?= )|[{_LETTER}](?=[0-9{_STOP}])|[0-9](?=[{_LETTER}{_STOP}])")

_WHITE_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ESCAPE = re.compile(r"\\p\{(\w+)\}|\\([sS])|(\$)")
_BRACKET_OR_ESCAPE = re.compile(r"\[(\^?)([^\]]*)\]|" + _ESCAPE.pattern)
_ASTRAL = re.compile(r"[\U00010000-\U0010ffff]")


def hostile(text: str, window: int = WINDOW) -> list[tuple[int, int]]:
    """The stretches that may hold a giant pre-token; they begin and end where pre-tokens surely end."""
    if len(text) < 2 * window:
        return []
    found = (_CERTAIN_END.search(text, start, start + window) for start in range(0, len(text), window))
    ends = [0, *(end.end() for end in found if end), len(text)]
    return [(start, end) for start, end in pairwise(ends) if end - start >= 2 * window]


def around_giants(pattern: str, text: str, giant: int) -> Iterator[tuple[str, bool]]:
    """The text in stretches; true with one that is a single pre-token, by a tokenizer's pattern.

    White space before a giant stands alone too: at the end of a text it would be cut in another way.
    """
    wide = _ASTRAL.search(text) is not None
    start = settled = 0
    spaces: list[str] = []
    for found in _python_pattern(pattern, wide).finditer(text):
        piece = found[0]
        if len(piece) >= giant:
            yield text[start:settled], False
            yield from ((space, True) for space in spaces)
            yield piece, True
            start = settled = found.end()
            spaces = []
        elif piece.isspace():
            spaces.append(piece)
        else:
            settled, spaces = found.end(), []
    yield text[start:], False


def is_settled(text: str) -> bool:
    """Whether no character of it is unassigned: those may be letters to a tokenizer of a newer Unicode."""
    wide = _ASTRAL.search(text) is not None
    return re.search(f"[{_class('Cn', wide)}]", text) is None


@cache
def _python_pattern(pattern: str, wide: bool) -> re.Pattern[str]:
    """A tokenizer's pattern for Python's own engine, which has no \\p{..} but does not overflow.

    Classes without astral characters are several times faster, and right for a text without them.
    """

    def translated(found: re.Match[str]) -> str:
        if found[0].startswith("["):
            return f"[{found[1]}{_ESCAPE.sub(lambda inner: _contents(inner, wide), found[2])}]"
        if found[0] == "$":
            return r"\Z"
        negated = "^" if found[0] == r"\S" else ""
        return f"[{negated}{_contents(found, wide)}]"

    return re.compile(_BRACKET_OR_ESCAPE.sub(translated, pattern))


def _contents(escape: re.Match[str], wide: bool) -> str:
    name = re.sub(r"\\p\{(\w+)\}", r"\1", escape[0])
    return _class(name, wide) if name != escape[0] else _WHITE_SPACE


@cache
def _class(name: str, wide: bool) -> str:
    """The characters of a general category (L, Lu, …) as ranges of a regex class."""
    ranges = [(first, last) for found, first, last in _categories() if found.startswith(name)]
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges if wide or first < 0x10000)


@cache
def _categories() -> list[tuple[str, int, int]]:
    """Unicode's general categories as (name, first, last), in order."""
    points = groupby(range(0x110000), key=lambda point: category(chr(point)))
    stretches = [(name, list(stretch)) for name, stretch in points]
    return [(name, stretch[0], stretch[-1]) for name, stretch in stretches]
