"""OpenAI chat completions: how a prompt and its answer become billed tokens."""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting import openai_answer
from collector.counting.openai_constants import Constants, constants_for
from collector.counting.openai_definitions import Rules, definitions, tools_within
from collector.counting.openai_evidence import doubted
from collector.counting.openai_messages import framing, messages
from collector.counting.tally import Tally
from collector.segments import Labelled
from collector.tokenizers import bare_model
from ledger.types import Answer, Prompt, Request

# Models that are shown every call of a turn by itself, and no tool choice.
_APART = "gpt-5"


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Count a chat prompt into its segments."""
    fill_with(constants_for(request), request, prompt, labelled, tally)


def fill_with(
    constants: Constants, request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally
) -> None:
    """Count a chat prompt with given constants."""
    apart = bare_model(request.model or "").startswith(_APART)
    tally.put("framing", constants.base)
    schema_name = prompt.output_schema.name if prompt.output_schema is not None else None
    frame = framing(request, constants, prompt, joined=not apart, schema_name=schema_name)
    messages(labelled, frame, tally)
    choice = None if apart else prompt.tool_choice
    definitions(prompt, labelled, choice, Rules(constants, tools_within, named_twice=True), tally)
    tally.partial = tally.partial or bool(prompt.hidden)
    tally.estimated = tally.estimated or doubted(request, tally)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    return openai_answer.tokens(constants_for(request), request.prompt or Prompt(), answer, tally)
