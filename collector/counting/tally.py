"""The running sum of one prompt's tokens by segment, and whether anything in it could not be counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from collector.segments import Labelled, Slice
from collector.tokenizers import counts
from ledger.shares import apportion
from ledger.types import SEGMENTS, Part, PartKind, Segments

_EMPTY: Final[dict[str, int]] = dict.fromkeys(SEGMENTS, 0)


class Tally:
    """Tokens of one prompt by segment while they are being counted.

    `partial` turns true when something billed is not visible or not countable, `estimated` when a rule that
    is often some tokens off was used; `unseen` are the parts that could not be counted. `forms` names what
    the prompt was seen to be made of, as far as the evidence for OpenAI's rules tells it apart. A tally only
    ever grows but for small negative constants on a segment that already holds more.
    """

    __slots__ = (
        "by_segment",
        "counts",
        "encoding",
        "estimated",
        "forms",
        "partial",
        "tool_weights",
        "unseen",
    )

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.counts = counts(encoding)
        self.by_segment = _EMPTY.copy()
        self.tool_weights: list[tuple[str, int]] = []
        self.forms: set[str] = set()
        self.partial = False
        self.estimated = False
        self.unseen: tuple[PartKind, ...] = ()

    def n(self, text: str) -> int:
        """Count a text, noting where the count is not exact."""
        counted = self.counts[text]
        if not counted.exact:
            self.partial = True
        return counted.tokens

    def put(self, segment: str, tokens: int) -> None:
        """Add tokens to a segment."""
        self.by_segment[segment] += tokens

    def spread(self, slices: Sequence[Slice], tokens: int) -> None:
        """Lay the tokens of a joined text on its slices: joined counts are the truth, slices only weights."""
        if len({piece.segment for piece in slices}) == 1:
            self.put(slices[0].segment, tokens)
        elif slices:
            shares = apportion([self.n(piece.text) for piece in slices], tokens)
            for piece, share in zip(slices, shares, strict=True):
                self.put(piece.segment, share)

    def text(self, labelled: Labelled) -> int:
        """Count a message's joined text onto its segments and return the count."""
        slices = labelled.slices
        if len(slices) == 1:
            # Nearly every message: spelled out, as this runs a million times in an hour's log.
            (piece,) = slices
            counted = self.counts[piece.text]
            self.partial = self.partial or not counted.exact
            self.by_segment[piece.segment] += counted.tokens
            return counted.tokens
        tokens = self.n(labelled.text()) if slices else 0
        self.spread(slices, tokens)
        return tokens

    def uncountable(self, labelled: Labelled) -> None:
        """Note the parts of a message whose tokens no text shows."""
        for part in labelled.message.parts:
            if part.kind in _UNCOUNTABLE:
                self.cannot_see(part)
            elif part.kind is PartKind.TOKENS:
                self.put(labelled.segment, part.tokens or 0)
                self.partial = self.partial or part.tokens is None

    def cannot_see(self, part: Part) -> None:
        """Note a part that is billed by more than what is here of it."""
        self.partial = True
        self.unseen += (part.kind,)

    def segments(self) -> Segments:
        """Close the tally."""
        return Segments(**self.by_segment)

    def tool_tokens(self) -> tuple[tuple[str, int], ...]:
        """Share the tools segment among the tools by the weight of their definitions."""
        if not self.tool_weights:
            return ()
        shares = apportion([weight for _, weight in self.tool_weights], self.by_segment["tools"])
        return tuple((name, share) for (name, _), share in zip(self.tool_weights, shares, strict=True))


_UNCOUNTABLE = frozenset({PartKind.AUDIO, PartKind.FILE, PartKind.REASONING, PartKind.OPAQUE})
