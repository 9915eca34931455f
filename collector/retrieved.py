"""The single chunks of a prompt's retrieved context, told apart by explicit marks only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from collector.segments import RETRIEVED, SEARCHED, Labelled, marked_spans

# Tags around one retrieved item inside a larger block, and numbers before each: "[1]", "Document 2:".
_ITEM = re.compile(
    r"<(?P<tag>document|doc|item|result|search_result|chunk|passage|snippet)(?:\s[^<>]{0,400})?>",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"^[ \t]*(?:\[(?P<bracket>\d{1,4})\]"
    r"|\W{0,4}(?:document|doc|source|chunk|passage|result|snippet)[ \t]*"
    r"\[?#?(?P<named>\d{1,4})\]?[ \t]*[:.)\]*])",
    re.IGNORECASE | re.MULTILINE,
)
# What holds in the last turn: its question, and system text wherever it stands.
_IN_FORCE = SEARCHED | {"context"}
_OUTER = re.compile(r"\s*(?P<tag><[^<>]{1,500}>)")


def chunk_texts(labelled: Sequence[Labelled]) -> Iterator[str]:
    """Each retrieved chunk of the context in force; a block without marks inside is one chunk."""
    for one in labelled:
        if one.segment not in _IN_FORCE:
            continue
        blocks = [piece.text for piece in one.slices if piece.segment == "context"]
        if blocks:
            whole = {part.text for part in one.message.parts if part.name in RETRIEVED}
            for block in blocks:
                yield from [block] if block in whole else chunks_of(block)


def chunks_of(block: str) -> list[str]:
    """Cut one block of context into its items: by tags inside it, else by a rising number before each."""
    outer = _OUTER.match(block)
    if outer and _ITEM.match(outer["tag"]):
        # A block that is one item is no list of items, whatever its text quotes.
        return [block]
    inside = outer.end() if outer else 0
    tagged = [block[start:end] for start, end in marked_spans(block, _ITEM, inside)]
    return tagged or _numbered(block) or ([block] if block.strip() else [])


def _numbered(block: str) -> list[str]:
    starts: list[int] = []
    expected: int | None = None
    for mark in _NUMBERED.finditer(block):
        number = int(mark["bracket"] or mark["named"])
        if number == expected or (expected is None and number in (0, 1)):
            starts.append(mark.start())
            expected = number + 1
    if len(starts) < 2:
        return []
    return [block[start:end] for start, end in zip(starts, [*starts[1:], len(block)], strict=True)]
