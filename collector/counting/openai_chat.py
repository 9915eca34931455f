"""OpenAI chat completions: how a prompt and its answer become billed tokens."""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting import openai_answer
from collector.counting.openai_constants import Constants, constants_for
from collector.counting.openai_definitions import (
    named_choice,
    output_schema,
    schema_constant,
    shown_tools,
    system_text,
    tools_within,
)
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
    model = bare_model(request.model or "")
    apart = model.startswith(_APART)
    tally.put("framing", constants.base)
    schema_name = prompt.output_schema.name if prompt.output_schema is not None else None
    frame = framing(model, constants, prompt, joined=not apart, schema_name=schema_name)
    messages(labelled, frame, tally)
    if prompt.tools or prompt.output_schema is not None:
        _definitions(prompt, system_text(labelled), apart, constants, tally)
    tally.partial = tally.partial or bool(prompt.hidden)


def _definitions(prompt: Prompt, system: str | None, apart: bool, constants: Constants, tally: Tally) -> None:
    before = system
    rendered = shown_tools(prompt, tally)
    if rendered:
        before = tools_within(rendered, system, constants, tally)
        named_choice(None if apart else prompt.tool_choice, constants, tally)
    if prompt.output_schema is not None:
        constant = schema_constant(system, bool(rendered), constants)
        output_schema(prompt.output_schema, before, constant, True, tally)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    return openai_answer.tokens(constants_for(request), request.prompt or Prompt(), answer, tally)
