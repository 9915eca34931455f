"""Leave when asked to, by Ctrl-C or SIGTERM, but never in the middle of a commit."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial


@dataclass(slots=True)
class _Asked:
    """Whether a commit is at work, and whether somebody asked to leave meanwhile."""

    held: bool = False
    to_leave: bool = False


@contextmanager
def between_commits() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Raise KeyboardInterrupt on SIGTERM as on Ctrl-C; inside what is given, both wait for its end."""
    state = _Asked()

    def leave(*_: object) -> None:
        state.to_leave = True
        if not state.held:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield partial(_undisturbed, state)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _undisturbed(state: _Asked) -> Iterator[None]:
    state.held = True
    try:
        yield
    finally:
        state.held = False
    if state.to_leave:
        raise KeyboardInterrupt
