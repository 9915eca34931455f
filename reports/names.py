"""Names and sentences that users wrote, made safe to print: no control characters, cut in the middle."""

from __future__ import annotations

import re
import unicodedata

UNATTRIBUTED = "Unattributed"
# Control characters could drive a terminal; bidirectional overrides could reorder the line around a name.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufffe\uffff]")
_WIDE = ("W", "F")


def clean(text: str) -> str:
    """The text without control and direction-override characters; line breaks become spaces.

    >>> clean("a\\x1b[31mb\\nc")
    'a�[31mb c'
    """
    return _UNSAFE.sub("�", " ".join(text.splitlines())).strip() or "(empty)"


def cells(text: str) -> int:
    """How many terminal cells a text takes: wide East Asian characters two, combining marks none."""
    return sum(_cell(char) for char in text)


def cut(text: str, width: int) -> str:
    """The text in at most `width` cells, what is too much taken from the middle.

    >>> cut("customer-support-assistant", 11)
    'custo…stant'
    """
    text = clean(text)
    if cells(text) <= width:
        return text
    head = _fitting(text, width // 2)
    return f"{head}…{_fitting(text[::-1], width - 1 - cells(head))[::-1]}"


def _cell(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in _WIDE else 1


def _fitting(text: str, width: int) -> str:
    used = 0
    for position, char in enumerate(text):
        used += _cell(char)
        if used > width:
            return text[:position]
    return text
