"""Remember what was read out of the pieces that a log says again and again: messages and tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

Piece = TypeVar("Piece")
Made = TypeVar("Made")

# A chat sends its whole history again with every turn. Each reader remembers two generations of this many
# bytes of pieces: what is not met again while one fills up is dropped with the one before.
GENERATION_BYTES: Final = 8 * 1024 * 1024
_LARGEST: Final = 1024 * 1024
# What a remembered piece weighs besides its text: its objects.
_OBJECTS: Final = 1_000
_pack = msgspec.msgpack.Encoder().encode


class _Memory(Generic[Made]):
    """What one reader made of the pieces it met, by their packed bytes."""

    __slots__ = ("older", "recent", "weight")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.recent: dict[bytes, Made] = {}
        self.older: dict[bytes, Made] = {}
        self.weight = 0

    def keep(self, key: bytes, made: Made) -> None:
        self.recent[key] = made
        self.weight += 2 * len(key) + _OBJECTS
        if self.weight > GENERATION_BYTES:
            self.older, self.recent, self.weight = self.recent, {}, 0


_forgets: list[Callable[[], None]] = []


def remembered(read: Callable[[Piece], Made]) -> Callable[[Piece], Made]:
    """The same reader, which gives the very object it made before where it meets an equal piece again.

    `read` must be pure, and what it makes never changed. Equal is equal as decoded, type for type: spacing
    and escapes of the JSON do not matter, the order of keys does.
    """
    memory: _Memory[Made] = _Memory()
    _forgets.append(memory.clear)

    def recall(piece: Piece) -> Made:
        try:
            key = _pack(piece)
        except (OverflowError, RecursionError):
            # Whole numbers past 64 bits and endless nesting: what they are is the reader's to say.
            return read(piece)
        found = memory.recent.get(key)
        if found is None:
            found = memory.older.get(key) or read(piece)
            if len(key) <= _LARGEST:
                memory.keep(key, found)
        return found

    return recall


def forget() -> None:
    """Empty every reader's memory: the next piece is read as if it were the first."""
    for clear in _forgets:
        clear()
