"""Tokens of a giant pre-token, counted in spans that join exactly."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import tiktoken

# The merging of one piece slows down once its bytes and ranks leave the processor's cache.
SPAN: Final = 1 << 14
_OVERLAP: Final = 16


def tokens(encoding: tiktoken.Encoding, piece: bytes, span: int = SPAN, overlap: int = _OVERLAP) -> int:
    """How many tokens a pre-token of any length is.

    A row of tokens is what the merging gives for their bytes if and only if it is so for each two neighbours.
    So the spans overlap by some tokens and are joined where the two tokens at the seam are such neighbours;
    where they are not, which takes a text made for it, the spans are doubled.
    """
    # Of a run of one character all spans are the same.
    encode = lru_cache(4)(encoding._encode_single_piece)
    here = encode(piece[:span])
    kept = end = 0
    while end + span < len(piece):
        staying = here[:-overlap]
        end += len(encoding.decode_bytes(staying))
        following = encode(piece[end : end + span])
        seam = [*staying[-1:], following[0]]
        if not staying or encode(encoding.decode_bytes(seam)) != seam:
            return tokens(encoding, piece, 2 * span, 2 * overlap)
        kept, here = kept + len(staying), following
    return kept + len(here)
