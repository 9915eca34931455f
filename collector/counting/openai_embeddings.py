"""OpenAI embeddings: the input itself, and no answer that would be billed."""

from __future__ import annotations

from collector.counting.openai_completions import fill
from collector.counting.tally import Tally
from ledger.types import Answer, Request

__all__ = ["fill", "output"]


def output(_request: Request, _answer: Answer, _tally: Tally) -> tuple[int, int]:
    """Vectors are not tokens."""
    return 0, 0
