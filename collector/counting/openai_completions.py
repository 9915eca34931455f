"""OpenAI's legacy text completions: the text itself, nothing around it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collector.counting.openai_evidence import doubted
from collector.counting.tally import Tally
from collector.segments import Labelled
from ledger.types import Answer, Message, PartKind, Prompt, Request


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Count every input; each is a text of its own."""
    for one in labelled:
        tally.uncountable(one)
        tally.text(one)
        tally.forms.update(_forms(one.message))
    tally.partial = tally.partial or bool(prompt.hidden)
    tally.estimated = tally.estimated or doubted(request, tally)


def _forms(message: Message) -> Iterator[str]:
    yield f"role {message.role}"
    for part in message.parts:
        if part.kind is PartKind.TOKENS or not part.text:
            yield "input of token numbers" if part.kind is PartKind.TOKENS else "empty input"


def output(_request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count the completions as they stand."""
    return sum(tally.n(text) for text in answer.texts), 0
