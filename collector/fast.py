"""The fast counter (fastokens, extra `fast`), used for as long as tiktoken agrees with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from collector.vocabularies import CL100K, O200K, reference, vocabulary_file

if TYPE_CHECKING:
    from fastokens import Tokenizer

VOCABULARIES: Final = frozenset({O200K, CL100K})
# One text in so many is counted by tiktoken too, besides the first ones of a process.
CHECKED_ONE_IN: Final = 1_000
_CHECKED_FIRST: Final = 16
# Folds to "s", which only tiktoken takes into account when it looks for "'s".
_LONG_S: Final = "\u017f"


@dataclass(slots=True)
class _State:
    """This process's fast counters: those loaded, how many texts they counted, why they are off."""

    loaded: dict[str, Tokenizer] = field(default_factory=dict)
    counted: int = 0
    doubt: str | None = None


_state = _State()
_forgetting: list[Callable[[], None]] = []


def renew(loaded: Mapping[str, Tokenizer] | None = None, counted: int = 0) -> None:
    """Begin as a new process does, or with these counters."""
    _state.loaded, _state.counted, _state.doubt = dict(loaded or {}), counted, None


def name() -> str | None:
    """The fast counter that is installed, with its version."""
    try:
        return f"fastokens {version('fastokens')}" if find_spec("fastokens") else None
    except PackageNotFoundError:
        return None


def load(encoding: str) -> bool:
    """Make the fast counter of a vocabulary ready, once; false where there is none or it is distrusted."""
    if encoding in _state.loaded:
        return True
    if _state.doubt is not None or encoding not in VOCABULARIES or find_spec("fastokens") is None:
        return False
    from fastokens import Tokenizer

    tokenizer = Tokenizer.from_tiktoken(str(vocabulary_file(encoding)), encoding=encoding)
    # The first text makes it build its tables.
    tokenizer.encode_ordinary("The first text takes a third of a second.")
    _state.loaded[encoding] = tokenizer
    return True


def is_loaded(encoding: str) -> bool:
    """Whether texts of this vocabulary are counted fast."""
    return encoding in _state.loaded


def count(encoding: str, text: str) -> int | None:
    """Count a text that holds no giant run; None where only tiktoken can be asked."""
    tokenizer = _state.loaded.get(encoding)
    if tokenizer is None or _LONG_S in text:
        return None
    try:
        counted = tokenizer.encode_ordinary(text)
    except UnicodeEncodeError:
        return None
    _state.counted += 1
    # The hash differs from process to process, so that other texts are looked at every time.
    if hash(text) % CHECKED_ONE_IN and _state.counted > _CHECKED_FIRST:
        return len(counted)
    if counted.ids == reference(encoding).encode_ordinary(text):
        return len(counted)
    distrust(f"{name()} counted a text of {len(text):,} characters otherwise than tiktoken ({encoding})")
    return None


def distrust(why: str) -> None:
    """Use the fast counter no more in this process; who remembers counts of it forgets them."""
    _state.doubt = why
    _state.loaded.clear()
    for forget in _forgetting:
        forget()


def on_distrust(forget: Callable[[], None]) -> None:
    """Have `forget` called when counts given so far are found to be worth nothing."""
    _forgetting.append(forget)


def doubt() -> str | None:
    """Why the fast counter is off; counts given before that may be wrong."""
    return _state.doubt
