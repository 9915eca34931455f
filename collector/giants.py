"""Tokens of a giant pre-token, counted in spans that join exactly."""

from __future__ import annotations

from typing import Final

import tiktoken

# The merging of one piece slows down once its bytes and ranks leave the processor's cache.
SPAN: Final = 1 << 14
_MARGIN: Final = 16


def tokens(encoding: tiktoken.Encoding, piece: bytes, span: int = SPAN, margin: int = _MARGIN) -> int:
    """How many tokens a pre-token of any length is.

    A row of tokens is what the merging gives for their bytes if and only if it is so for each two neighbours.
    So the spans overlap by some tokens, and are joined where the two tokens at the seam are such neighbours.
    """
    here = encoding._encode_single_piece(piece[:span])
    total, end = 0, span
    while end < len(piece):
        kept, start, here = _next(encoding, piece, end, here, span, margin)
        total, end = total + kept, start + span
    return total + len(here)


def _next(
    encoding: tiktoken.Encoding, piece: bytes, end: int, here: list[int], span: int, margin: int
) -> tuple[int, int, list[int]]:
    """How many of a span's tokens stand, where the next span starts, and its tokens."""
    encode = encoding._encode_single_piece
    while margin < len(here):
        kept = len(here) - margin
        start = end - len(encoding.decode_bytes(here[kept:]))
        following = encode(piece[start : start + span])
        seam = [here[kept - 1], following[0]]
        if encode(encoding.decode_bytes(seam)) == seam:
            return kept, start, following
        margin *= 2
    start = end - len(encoding.decode_bytes(here))
    return 0, len(piece), encode(piece[start:])
