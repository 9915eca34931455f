"""The answer of OpenAI chat completions and Responses: visible text and calls with their framing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from collector.counting.openai_prompt import compact_arguments
from collector.counting.tally import Tally
from collector.tokenizers import bare_model
from ledger.types import Answer, Api, Part, Prompt, Request


@dataclass(frozen=True, slots=True)
class Ending:
    """Tokens around an answer.

    `text` and `text_with_tools` end a text without and with tools offered; an output schema adds `schema`
    or `schema_with_tools`. One call costs `call`, one that the caller forced `forced`; several calls cost
    `several` and `each` apiece.
    """

    text: int
    text_with_tools: int
    call: int
    several: int = 0
    each: int = 0
    schema: int = 0
    schema_with_tools: int = 4
    forced: int = 0


_CHAT = Ending(text=0, text_with_tools=1, call=7, several=16, each=7)
_CHAT_5 = Ending(text=9, text_with_tools=9, call=16, each=16, schema=4)
_CHAT_54 = Ending(text=3, text_with_tools=3, call=10, each=10, schema=4)
_RESPONSES = Ending(text=1, text_with_tools=2, call=8, several=17, each=7, forced=1)
_RESPONSES_REASONING = Ending(text=6, text_with_tools=6, call=13, each=13, schema=4)
_RESPONSES_52 = Ending(text=4, text_with_tools=4, call=11, each=11, schema=4)

# First match wins. Where two values were seen, the more frequent one. On Responses the reasoning of gpt-5 and
# the o-series is reported in steps of 64, so that only the sum of visible and reasoning tokens is exact.
_ENDINGS: tuple[tuple[Api, str, Ending], ...] = (
    (Api.OPENAI_CHAT, "gpt-5.[4-9]*", _CHAT_54),
    (Api.OPENAI_CHAT, "gpt-5*", _CHAT_5),
    (Api.OPENAI_CHAT, "*", _CHAT),
    (Api.OPENAI_RESPONSES, "gpt-5.[2-9]*", _RESPONSES_52),
    (Api.OPENAI_RESPONSES, "gpt-5*", _RESPONSES_REASONING),
    (Api.OPENAI_RESPONSES, "o[0-9]*", _RESPONSES_REASONING),
    (Api.OPENAI_RESPONSES, "*", _RESPONSES),
)


@lru_cache(maxsize=4096)
def ending(api: Api, model: str) -> Ending:
    """Choose the constants for a bare model name."""
    return next(
        found for row_api, pattern, found in _ENDINGS if row_api is api and fnmatchcase(model, pattern)
    )


def _text_end(answer: Answer, prompt: Prompt, constants: Ending) -> int:
    if answer.finish_reason in {"length", "max_output_tokens"}:
        return 0
    with_schema = prompt.output_schema is not None
    if prompt.tools:
        return constants.text_with_tools + with_schema * constants.schema_with_tools
    return constants.text + with_schema * constants.schema


def _call_text(call: Part, tally: Tally) -> int:
    return tally.n(call.name or "") + tally.n(compact_arguments(call.text))


def _call_tokens(calls: Sequence[Part], forced: bool, constants: Ending, tally: Tally) -> int:
    if forced:
        # Name and frame were already given in the prompt: only the arguments are written.
        return sum(tally.n(compact_arguments(call.text)) + constants.forced for call in calls)
    visible = sum(_call_text(call, tally) for call in calls)
    if len(calls) > 1:
        return visible + constants.several + constants.each * len(calls)
    return visible + constants.call * len(calls)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    constants = ending(request.api, bare_model(request.model or ""))
    prompt = request.prompt or Prompt()
    end = _text_end(answer, prompt, constants)
    text = sum(tally.n(text) + end for text in answer.texts if text)
    forced = (prompt.tool_choice or "").startswith("function:")
    return text, _call_tokens(answer.tool_calls, forced, constants, tally)
