"""Counts of the texts seen lately: logs repeat their own text about ten times."""

from __future__ import annotations

from functools import cache
from sys import getsizeof
from typing import Final

from collector import fast
from collector.counter import TextCount, count

# What the remembered texts of one vocabulary may take, with what a dictionary adds to each.
HELD_BYTES: Final = 32 * 1024 * 1024
_OVERHEAD: Final = 160


class Counts(dict[str, TextCount]):
    """Tokens by text in one vocabulary; a text that is not in it is counted.

    Bounded by bytes in two generations: when the younger is full it becomes the older, and what is asked for
    again moves up. A hit costs no more than a look into a dictionary.
    """

    def __init__(self, encoding: str, most: int = HELD_BYTES) -> None:
        super().__init__()
        self.encoding = encoding
        self._half = most // 2
        self._older: dict[str, TextCount] = {}
        self._held = 0

    def __missing__(self, text: str) -> TextCount:
        found = self._older.get(text) or count(self.encoding, text)
        self._keep(text, found)
        return found

    def _keep(self, text: str, counted: TextCount) -> None:
        size = getsizeof(text) + _OVERHEAD
        if size > self._half // 8:
            return
        self._held += size
        if self._held > self._half:
            self._older = dict(self)
            self._held = size
            self.clear()
        self[text] = counted

    def forget(self) -> None:
        """Empty it."""
        self.clear()
        self._older, self._held = {}, 0


_all: dict[str, Counts] = {}


@cache
def counts(encoding: str) -> Counts:
    """This process's counts in a vocabulary."""
    return _all.setdefault(encoding, Counts(encoding))


def forget() -> None:
    """Empty this process's counts, in every vocabulary."""
    for remembered in _all.values():
        remembered.forget()


fast.on_distrust(forget)
