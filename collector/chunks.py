"""Cut a text into chunks of so many tokens, each a text of its own that a retriever can store."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from collector.tokenizers import count_text, pieces

# A character is at most four bytes, and a token at least one: a smaller chunk could not hold it.
SMALLEST = 4
# tiktoken stalls on a run of a million characters without a seam: such runs are tokenized by the window.
_WINDOW = 5_000
_RUN = re.compile(rf"\s{{{_WINDOW},}}|\S{{{_WINDOW},}}")


class ChunkError(ValueError):
    """Chunks of that size and overlap cannot be cut; the text says what to take."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk: `tokens` as counted by itself, and so is the `overlap` that it shares with the one before.

    `repeated` is how many characters at its beginning stand at the end of the chunk before.
    """

    text: str
    tokens: int
    overlap: int
    repeated: int

    @property
    def fresh(self) -> str:
        """What no chunk before it holds; joined, these give the text back."""
        return self.text[self.repeated :]


@dataclass(frozen=True, slots=True)
class _Tape:
    """A text as bytes with the offset before each token; `seams` are the tokens that begin a character."""

    raw: bytes
    offsets: Sequence[int]
    seams: Sequence[bool]

    @property
    def end(self) -> int:
        return len(self.offsets) - 1

    def between(self, start: int, end: int) -> str:
        return self.raw[self.offsets[start] : self.offsets[end]].decode()


def cut(encoding: str, text: str, size: int, overlap: int = 0) -> tuple[Chunk, ...]:
    """Cut at token boundaries that break no character; no chunk counts more than `size` by itself.

    A chunk begins `overlap` tokens before the end of the one before it; later only where a character or
    the size would not allow it. Raises ChunkError where no such cut exists.
    """
    check(size, overlap)
    return tuple(_chunks(_tape(encoding, text), encoding, size, overlap))


def check(size: int, overlap: int) -> None:
    """Raise ChunkError with what to change where chunks of this size and overlap cannot be cut."""
    if size < SMALLEST:
        raise ChunkError(f"a chunk of {size} tokens cannot hold every character: take {SMALLEST} or more")
    if overlap < 0:
        raise ChunkError(f"an overlap of {overlap} tokens is none: take 0 or more")
    if overlap >= size:
        raise ChunkError(
            f"an overlap of {overlap} tokens leaves nothing new in a chunk of {size}: take less than the size"
        )


def _tape(encoding: str, text: str) -> _Tape:
    tokens = [token for stretch in _stretches(text) for token in pieces(encoding, stretch)]
    raw, offsets = text.encode(), [0, *accumulate(map(len, tokens))]
    seams = [offset == len(raw) or raw[offset] & 0xC0 != 0x80 for offset in offsets]
    return _Tape(raw, offsets, seams)


def _stretches(text: str) -> Iterator[str]:
    position = 0
    for run in _RUN.finditer(text):
        yield text[position : run.start()]
        yield from (text[at : min(at + _WINDOW, run.end())] for at in range(*run.span(), _WINDOW))
        position = run.end()
    yield text[position:]


def _chunks(tape: _Tape, encoding: str, size: int, overlap: int) -> Iterator[Chunk]:
    start = done = shared = 0
    while done < tape.end:
        end, tokens = _fitting(tape, encoding, start, size)
        if end == start == done:
            raise ChunkError(f"a chunk of {size} tokens cannot hold every character of this text: take more")
        if end <= done:
            # What is shared fills the chunk: share less, down to nothing.
            start = _seam_from(tape, start + 1)
            shared = count_text(encoding, tape.between(start, done))
            continue
        yield Chunk(tape.between(start, end), tokens, shared, len(tape.between(start, done)))
        start, shared = _shared(tape, encoding, start + 1, end, overlap)
        done = end


def _fitting(tape: _Tape, encoding: str, start: int, size: int) -> tuple[int, int]:
    """The last seam up to which a chunk counts no more than its size: cut out, it may count a bit more."""
    end = _seam_before(tape, min(start + size, tape.end))
    while end > start:
        tokens = count_text(encoding, tape.between(start, end))
        if tokens <= size:
            return end, tokens
        end = _seam_before(tape, end - _excess(tokens, size, end - start))
    return start, 0


def _shared(tape: _Tape, encoding: str, least: int, end: int, overlap: int) -> tuple[int, int]:
    """Where the next chunk begins so as to share no more than the overlap, and how much that is."""
    start = _seam_from(tape, max(least, end - overlap))
    while start < end:
        tokens = count_text(encoding, tape.between(start, end))
        if tokens <= overlap:
            return start, tokens
        start = _seam_from(tape, start + _excess(tokens, overlap, end - start))
    return end, 0


def _excess(tokens: int, most: int, length: int) -> int:
    """How many of a stretch's tokens to give up; its seams may be those of another vocabulary."""
    return max(1, (tokens - most) * length // tokens)


def _seam_before(tape: _Tape, index: int) -> int:
    while not tape.seams[index]:
        index -= 1
    return index


def _seam_from(tape: _Tape, index: int) -> int:
    while not tape.seams[index]:
        index += 1
    return index
