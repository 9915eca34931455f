"""OpenAI's Responses API: how a prompt and its answer become billed tokens."""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting import openai_answer
from collector.counting.openai_constants import Constants, constants_for
from collector.counting.openai_definitions import Rules, definitions, tools_apart
from collector.counting.openai_evidence import doubted
from collector.counting.openai_messages import framing, messages
from collector.counting.tally import Tally
from collector.segments import Labelled
from collector.tokenizers import bare_model
from ledger.types import Answer, Prompt, Request

# Models that are shown neither a tool choice nor calls as they were written.
_UNTOLD = "gpt-5"


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Count a Responses prompt into its segments."""
    fill_with(constants_for(request), request, prompt, labelled, tally)


def fill_with(
    constants: Constants, request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally
) -> None:
    """Count a Responses prompt with given constants."""
    model = bare_model(request.model or "")
    tally.put("framing", constants.base)
    # Later models are shown every call in one form, whether the provider holds it or not.
    held = None if model.startswith(_UNTOLD) else prompt.stored
    messages(labelled, framing(request, constants, prompt, held=held), tally)
    choice = None if model.startswith(_UNTOLD) else prompt.tool_choice
    definitions(prompt, labelled, choice, Rules(constants, tools_apart, named_twice=False), tally)
    if constants.hidden:
        tally.forms.add("hidden text")
    tally.put("unexplained", constants.hidden_tools if prompt.tools else constants.hidden)
    tally.partial = tally.partial or bool(prompt.hidden)
    tally.estimated = tally.estimated or doubted(request, tally)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    return openai_answer.tokens(constants_for(request), request.prompt or Prompt(), answer, tally)
