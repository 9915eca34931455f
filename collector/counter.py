"""How many tokens a text is in a vocabulary, whatever the text: never raises, never stalls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from collector import claude_text, fast, giants, lasting, pretokens
from collector.vocabularies import reference

# Making the fast counter ready takes a second: worth it once tiktoken had this many characters to count.
_LOAD_AFTER: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class TextCount:
    """Tokens of one text; `exact` but where a giant run holds characters that Unicode had not assigned."""

    tokens: int
    exact: bool


@dataclass(slots=True)
class _State:
    counted_slowly: int = 0


_state = _State()


def count(encoding: str, text: str) -> TextCount:
    """Count a text of any kind, special-token strings as ordinary text."""
    if encoding in claude_text.ENCODINGS:
        return _once(encoding, text, _claude)
    if pretokens.hostile(text):
        return _once(encoding, text, _hostile)
    tokens = fast.count(encoding, text)
    return _once(encoding, text, _ordinary) if tokens is None else _exactly(tokens)


def _once(encoding: str, text: str, make: Callable[[str, str], TextCount]) -> TextCount:
    """What outlives the process is remembered, but for what is not exact."""
    digest = lasting.digest(encoding, text)
    known = lasting.recall(digest) if digest else None
    if known is not None:
        return TextCount(known, exact=True)
    counted = make(encoding, text)
    if digest and counted.exact:
        lasting.keep(digest, counted.tokens)
    return counted


@lru_cache(maxsize=8192)
def _exactly(tokens: int) -> TextCount:
    return TextCount(tokens, exact=True)


def _claude(encoding: str, text: str) -> TextCount:
    return TextCount(*claude_text.measure(encoding, text))


def _hostile(encoding: str, text: str) -> TextCount:
    return guarded(encoding, _paired(text))


def _ordinary(encoding: str, text: str) -> TextCount:
    return TextCount(_plain(encoding, text), exact=True)


def _plain(encoding: str, text: str) -> int:
    """Count with tiktoken what holds no giant."""
    _state.counted_slowly += len(text)
    if _state.counted_slowly > _LOAD_AFTER:
        _state.counted_slowly = 0
        fast.load(encoding)
    return len(reference(encoding).encode_ordinary(text))


def guarded(encoding: str, text: str, window: int = pretokens.WINDOW) -> TextCount:
    """Count a text with the giants in it apart; without lone surrogates. A giant fills a window."""
    tokens, end, exact = 0, 0, True
    for start, stop in [*pretokens.hostile(text, window), (len(text), len(text))]:
        tokens += _plain(encoding, text[end:start]) + _around_giants(encoding, text[start:stop], window)
        exact = exact and pretokens.is_settled(text[start:stop])
        end = stop
    return TextCount(tokens, exact)


def _around_giants(encoding: str, text: str, giant: int) -> int:
    vocabulary = reference(encoding)
    tokens = 0
    for stretch, is_piece in pretokens.around_giants(vocabulary._pat_str, text, giant):
        tokens += giants.tokens(vocabulary, stretch.encode()) if is_piece else _plain(encoding, stretch)
    return tokens


def _paired(text: str) -> str:
    """A text as UTF-8 can hold it: surrogates paired, lone ones replaced, as tiktoken does it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
