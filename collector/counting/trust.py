"""How far a count can be trusted before its bill is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether bills have confirmed such counts, else the relative error to expect, None where unknown."""

    exact: bool = False
    error: float | None = None


UNKNOWN: Final = Trust()
