"""OpenAI's legacy text completions: the text itself, nothing around it."""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting.tally import Tally
from collector.segments import Labelled
from ledger.types import Answer, Prompt, Request


def fill(_request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Count every input; each is a text of its own."""
    for one in labelled:
        tally.uncountable(one)
        tally.text(one)
    tally.partial = tally.partial or bool(prompt.hidden)


def output(_request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count the completions as they stand."""
    return sum(tally.n(text) for text in answer.texts), 0
