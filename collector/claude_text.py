"""How many tokens a text is in Claude's vocabularies, as reconstructed by ctok from counts alone."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Final, NamedTuple

from collector.claude_marks import BEGIN, CAPS, END, MARKS, SHIFT, marked, normal

CLAUDE_3: Final = "claude-3"
CLAUDE_47: Final = "claude-4.7"
CLAUDE_48: Final = "claude-4.8"


@dataclass(frozen=True, slots=True)
class _Family:
    """A generation: its file, and how its normalisation, capitals and opening differ."""

    vocabulary: str
    straight_quotes: bool
    caps_from: int | None
    opens_with_word: bool


# As of 2026-08: claude-3 up to opus-4.6, claude-4.7 for that model alone, claude-4.8 from there on.
_FAMILIES: dict[str, _Family] = {
    CLAUDE_3: _Family("claude-3", straight_quotes=True, caps_from=4, opens_with_word=True),
    CLAUDE_47: _Family("claude-4.7", straight_quotes=False, caps_from=None, opens_with_word=True),
    CLAUDE_48: _Family("claude-4.7", straight_quotes=False, caps_from=None, opens_with_word=False),
}
ENCODINGS: Final = frozenset(_FAMILIES)

# A text of a million letters is no text: longer runs are laid window by window, and after some windows the
# rest is taken to be like them.
_WINDOW: Final = 400
_WINDOWS: Final = 50
_NO_SPACE: Final = 50_000
_STRETCH_SLICE: Final = 2_000
_STRETCH_SLICES: Final = 20
_LONGEST: Final = 1_000_000
_SLICE: Final = 10_000
_SLICES: Final = 40
# Of noise three tenths are laid; a shorter text may well use each of its words once.
_CREDIBLE: Final = 30_000
_NOISE_SLICE: Final = 3_000
_NOISE_STEP: Final = 10_000
# A novel in Chinese has some 4,000.
_MOST_SIGNS: Final = 5_000
_ASCII_RUNS = re.compile(r"[A-Za-z]+|[0-9]+|[!-/:-@\[-`{-~]+")
# A stretch is remembered whole where it is short, else by its runs.
_SHORT: Final = 48
_REMEMBERED: Final = 100_000
_SPACES_AND_STRETCHES = re.compile(r"\s+|\S+")


class _Laid(NamedTuple):
    """A stretch's tokens, and whether it opens and closes with a mark that takes in one space."""

    tokens: int
    exact: bool
    opens: bool
    closes: bool


class _Characters(dict[str, int]):
    """What a character costs alone: one token where it has a piece, else the fewest pieces of its bytes."""

    def __init__(self, pieces: frozenset[str], byte_pieces: frozenset[bytes]) -> None:
        super().__init__()
        self._pieces, self._byte_pieces = pieces, byte_pieces

    def __missing__(self, char: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        in_one = char in MARKS or char in self._pieces
        tokens = self[char] = 1 if in_one else self._of_bytes(char.encode())
        return tokens

    def _of_bytes(self, raw: bytes) -> int:
        best = list(range(len(raw) + 1))
        for end in range(1, len(raw) + 1):
            pieces = (best[at] + 1 for at in range(end - 1) if raw[at:end] in self._byte_pieces)
            best[end] = min([best[end - 1] + 1, *pieces])
        return best[-1]


class _Vocabulary:
    """The pieces of one generation, and what its runs and stretches were found to cost."""

    __slots__ = ("characters", "family", "pieces", "prefixes", "runs", "stretches")

    def __init__(self, family: _Family) -> None:
        shipped = files("collector") / "vocab" / f"{family.vocabulary}.json.gz"
        document = json.loads(gzip.decompress(shipped.read_bytes()))
        self.family = family
        self.pieces = frozenset(document["pieces"])
        self.prefixes = frozenset(piece[:end] for piece in self.pieces for end in range(1, len(piece) + 1))
        self.characters = _Characters(self.pieces, frozenset(map(bytes.fromhex, document["byte_pieces"])))
        self.runs: dict[str, int] = {}
        self.stretches: dict[tuple[str, bool, bool], _Laid] = {}


@cache
def _vocabulary(encoding: str) -> _Vocabulary:
    return _Vocabulary(_FAMILIES[encoding])


def warm(encoding: str) -> None:
    """Load a vocabulary (a tenth of a second)."""
    _vocabulary(encoding)


def _cheapest(run: str, vocabulary: _Vocabulary) -> int:
    """The fewest pieces that lie end to end on a run."""
    pieces, prefixes, characters = vocabulary.pieces, vocabulary.prefixes, vocabulary.characters
    length = len(run)
    best = [0, *([4 * length] * length)]
    # Every character of every new word comes by here.
    for start, char in enumerate(run):
        before = best[start]
        alone = before + characters[char]
        if alone < best[start + 1]:
            best[start + 1] = alone
        for end in range(start + 2, length + 1):
            piece = run[start:end]
            if piece not in prefixes:
                break
            if before + 1 < best[end] and piece in pieces:
                best[end] = before + 1
    return best[-1]


def _run(run: str, vocabulary: _Vocabulary) -> int:
    known = vocabulary.runs.get(run)
    if known is None:
        if len(vocabulary.runs) >= _REMEMBERED:
            vocabulary.runs.clear()
        known = vocabulary.runs[run] = 1 if run in vocabulary.pieces else _cheapest(run, vocabulary)
    return known


def _long_run(run: str, vocabulary: _Vocabulary) -> int:
    """Lay a run too long for a word window by window; past some windows by their mean."""
    windows = [run[at : at + _WINDOW] for at in range(0, len(run), _WINDOW)]
    laid = windows[:_WINDOWS]
    tokens = sum(_run(window, vocabulary) for window in laid)
    return tokens * len(run) // sum(map(len, laid))


def _laid(stretch: str, after_space: bool, before_space: bool, vocabulary: _Vocabulary) -> _Laid:
    key = (stretch, after_space, before_space)
    known = vocabulary.stretches.get(key)
    if known is not None:
        return known
    if len(stretch) > _NO_SPACE:
        return _sampled(stretch, after_space, before_space, vocabulary)
    found = list(marked(stretch, after_space, before_space, vocabulary.family.caps_from))
    tokens = sum(
        _run(run, vocabulary) if len(run) <= _WINDOW else _long_run(run, vocabulary) for run in found
    )
    exact = all(len(run) <= _WINDOW for run in found)
    laid = _Laid(tokens, exact, found[0][0] in _OPENING, found[-1][-1] == END)
    if len(stretch) <= _SHORT:
        if len(vocabulary.stretches) >= _REMEMBERED:
            vocabulary.stretches.clear()
        vocabulary.stretches[key] = laid
    return laid


def _sampled(stretch: str, after_space: bool, before_space: bool, vocabulary: _Vocabulary) -> _Laid:
    """Let some slices stand for a stretch that no language writes without a space."""
    step = len(stretch) // _STRETCH_SLICES
    slices = [stretch[at : at + _STRETCH_SLICE] for at in range(0, len(stretch), step)]
    laid = [_laid(piece, after_space, before_space, vocabulary) for piece in slices]
    tokens = sum(piece.tokens for piece in laid) * len(stretch) // sum(map(len, slices))
    return _Laid(tokens, False, laid[0].opens, laid[-1].closes)


_OPENING = frozenset({BEGIN, SHIFT, CAPS})


def _gap(gap: str, vocabulary: _Vocabulary) -> int:
    """Spaces, tabs and line ends have pieces of many of one kind; past the longest these repeat."""
    return sum(_one_space("".join(same), vocabulary) for _, same in groupby(gap))


def _one_space(same: str, vocabulary: _Vocabulary) -> int:
    blocks = max(0, len(same) // _LONGEST_GAP - 1)
    return blocks + _run(same[blocks * _LONGEST_GAP :], vocabulary)


_LONGEST_GAP: Final = 128


def _end(ends: int, vocabulary: _Vocabulary) -> int:
    """Line ends that close a text run into the two that close its message, which are one token already."""
    return _gap("\n" * (ends + 2), vocabulary) - 1 if ends else 0


def measure(encoding: str, text: str) -> tuple[int, bool]:
    """Count a text as the content of one message, without its frame.

    Not exact where a run had to be cut, or where slices stand for a text that is longer than any prompt or
    for one that no language writes.
    """
    vocabulary = _vocabulary(encoding)
    if len(text) > _LONGEST:
        return _of_slices(text, _SLICES, _SLICE, vocabulary)
    if _is_noise(text):
        return _of_slices(text, len(text) // _NOISE_STEP, _NOISE_SLICE, vocabulary)
    return _whole(text, vocabulary)


def _of_slices(text: str, count: int, size: int, vocabulary: _Vocabulary) -> tuple[int, bool]:
    slices = [text[at : at + size] for at in range(0, len(text), len(text) // count)]
    tokens = sum(_whole(piece, vocabulary)[0] for piece in slices)
    return tokens * len(text) // sum(map(len, slices)), False


def _is_noise(text: str) -> bool:
    """Whether more signs are met than any script has, or hardly a word comes twice: all would be laid anew.

    Decided by the text alone, so that its count does not depend on what was counted before it.
    """
    if len(text) > _NOISE_STEP and not text.isascii() and len(set(text)) > _MOST_SIGNS:
        return True
    return len(text) > _CREDIBLE and 2 * sum(map(len, set(_ASCII_RUNS.findall(text)))) > len(text)


def _whole(text: str, vocabulary: _Vocabulary) -> tuple[int, bool]:
    clean = normal(text, vocabulary.family.straight_quotes)
    body = clean.rstrip("\n")
    tokens = _end(len(clean) - len(body), vocabulary)
    framed = vocabulary.family.opens_with_word
    if framed and text.startswith(" ") and body[:1] == " " and body[1:2] != " ":
        body = body[1:]
    return _body(body, tokens, framed, vocabulary) if body else (tokens + (framed and bool(text)), True)


def _body(body: str, tokens: int, framed: bool, vocabulary: _Vocabulary) -> tuple[int, bool]:
    """Add up stretches and the gaps between them; one space between two marks costs nothing."""
    exact = True
    gap, closed = "", False
    parts = _SPACES_AND_STRETCHES.findall(body)
    if framed and not _opens(parts, vocabulary):
        tokens += 1
    for index, part in enumerate(parts):
        if part.isspace():
            gap = part
            continue
        after = gap[-1:] == " " if index else framed
        following = parts[index + 1][:2] if index + 1 < len(parts) else ""
        laid = _laid(part, after, following[:1] == " " and following != "  ", vocabulary)
        if gap and not (gap == " " and closed and laid.opens):
            tokens += _gap(gap, vocabulary)
        tokens += laid.tokens
        exact = exact and laid.exact
        gap, closed = "", laid.closes
    return tokens + (_gap(gap, vocabulary) if gap else 0), exact


def _opens(parts: list[str], vocabulary: _Vocabulary) -> bool:
    """Whether the text takes in the space that its frame ends with."""
    first = parts[0]
    if first.isspace():
        return first[0] == " "
    return _laid(first, True, parts[1:2] == [" "], vocabulary).opens
