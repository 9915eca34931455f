"""Counts of long texts that outlive the process: what the ledger remembers, with what was learned since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

# Whatever changes the tokens of a text alone (a vocabulary, a split) raises it; rules of framing do not.
TEXT_RULES: Final = "2026-11.1"
# Counting a shorter text costs about as much as looking it up.
LASTING_FROM: Final = 256
_MOST: Final = 100_000


@dataclass(slots=True)
class _State:
    """Tokens by keyed digest; without a key nothing is remembered. What the ledger gave is not written to:
    forked processes share it."""

    key: bytes | None = None
    given: Mapping[bytes, int] = field(default_factory=dict)
    known: dict[bytes, int] = field(default_factory=dict)
    learned: dict[bytes, int] = field(default_factory=dict)


_state = _State()


def begin(key: bytes | None, known: Mapping[bytes, int]) -> None:
    """Start from the ledger's key and what its `token_cache` holds; forgets what was known before.

    A process that begins every piece of its work with the same forgets nothing.
    """
    if _state.key == key and _state.given is known:
        return
    _state.key, _state.given, _state.known, _state.learned = key, known, {}, {}
    _keyed.cache_clear()


def learned() -> dict[bytes, int]:
    """What was counted, or used again, since the last time this was asked: to be kept in the ledger."""
    fresh, _state.learned = _state.learned, {}
    return fresh


def digest(encoding: str, text: str) -> bytes | None:
    """What a text is remembered by; nobody without the key can make it. None where it is not remembered."""
    if _state.key is None or len(text) < LASTING_FROM:
        return None
    hashed = _keyed(encoding).copy()
    hashed.update(text.encode("utf-8", "surrogatepass"))
    return hashed.digest()[:16]


def recall(digest: bytes) -> int | None:
    """The remembered tokens of a text."""
    tokens = _state.known.get(digest) or _state.given.get(digest)
    if tokens is not None:
        _state.learned[digest] = tokens
    return tokens


def keep(digest: bytes, tokens: int) -> None:
    """Remember a text's tokens."""
    if len(_state.known) >= _MOST:
        _state.known.clear()
    _state.known[digest] = _state.learned[digest] = tokens


@cache
def _keyed(encoding: str) -> _Hash:
    return sha256(b"\0".join((_state.key or b"", encoding.encode(), TEXT_RULES.encode(), b"")))
