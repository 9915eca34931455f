"""The answer of OpenAI chat completions and Responses: visible text and calls with their framing."""

from __future__ import annotations

from collections.abc import Sequence

from collector.counting.openai_constants import Constants
from collector.counting.openai_messages import compact_arguments
from collector.counting.tally import Tally
from ledger.types import Answer, Part, Prompt

_CUT = frozenset({"length", "max_output_tokens"})


def _text_end(prompt: Prompt, constants: Constants) -> int:
    with_schema = prompt.output_schema is not None
    if prompt.tools:
        return constants.text_end_tools + with_schema * constants.text_end_schema_tools
    return constants.text_end + with_schema * constants.text_end_schema


def _call_text(call: Part, tally: Tally) -> int:
    return tally.n(call.name or "") + tally.n(compact_arguments(call.text))


def _call_tokens(
    calls: Sequence[Part], forced: bool, choices: int, constants: Constants, tally: Tally
) -> int:
    if forced:
        # Name and frame were already given in the prompt: only the arguments are written.
        return sum(tally.n(compact_arguments(call.text)) + constants.forced_end for call in calls)
    visible = sum(_call_text(call, tally) for call in calls)
    # Several choices of one call each are no parallel calls.
    if len(calls) > max(choices, 1):
        return visible + constants.calls_end + constants.calls_each * len(calls)
    return visible + constants.call_end * len(calls)


def tokens(constants: Constants, prompt: Prompt, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    cut = answer.finish_reason in _CUT
    end = 0 if cut else _text_end(prompt, constants)
    more = 0 if cut else constants.answer_more
    texts = [text for text in answer.texts if text]
    text = sum(tally.n(text) + end for text in texts)
    forced = (prompt.tool_choice or "").startswith("function:")
    calls = _call_tokens(answer.tool_calls, forced, len(answer.texts), constants, tally)
    # One end an answer: it belongs to the calls where there are any.
    per_choice = more * max(1, len(answer.texts))
    return (text, calls + per_choice) if answer.tool_calls else (text + per_choice * bool(texts), calls)
