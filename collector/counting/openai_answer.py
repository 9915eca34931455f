"""The answer of OpenAI chat completions and Responses: visible text and calls with their framing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from collector.counting.openai_prompt import compact_arguments
from collector.counting.tally import Tally
from collector.tokenizers import bare_model
from ledger.types import Answer, Api, Part, Request


@dataclass(frozen=True, slots=True)
class Ending:
    """Tokens around an answer: a text's end without and with tools offered, one call, each further call."""

    text: int
    text_with_tools: int
    call: int
    further_call: int


# First match wins. Where two values were seen, the more frequent one.
_ENDINGS: tuple[tuple[Api, str, Ending], ...] = (
    (Api.OPENAI_CHAT, "gpt-5.[4-9]*", Ending(text=3, text_with_tools=3, call=10, further_call=10)),
    (Api.OPENAI_CHAT, "gpt-5*", Ending(text=9, text_with_tools=9, call=16, further_call=16)),
    (Api.OPENAI_CHAT, "gpt-4", Ending(text=0, text_with_tools=0, call=7, further_call=21)),
    (Api.OPENAI_CHAT, "gpt-4-*", Ending(text=0, text_with_tools=0, call=7, further_call=21)),
    (Api.OPENAI_CHAT, "gpt-3*", Ending(text=0, text_with_tools=0, call=7, further_call=21)),
    (Api.OPENAI_CHAT, "*", Ending(text=0, text_with_tools=1, call=7, further_call=21)),
    (Api.OPENAI_RESPONSES, "gpt-5.[4-9]*", Ending(text=4, text_with_tools=4, call=11, further_call=11)),
    (Api.OPENAI_RESPONSES, "gpt-5.[23]*", Ending(text=4, text_with_tools=4, call=8, further_call=8)),
    (Api.OPENAI_RESPONSES, "*", Ending(text=1, text_with_tools=2, call=8, further_call=8)),
)


@lru_cache(maxsize=4096)
def ending(api: Api, model: str) -> Ending:
    """Choose the constants for a bare model name."""
    return next(
        found for row_api, pattern, found in _ENDINGS if row_api is api and fnmatchcase(model, pattern)
    )


def _text_tokens(answer: Answer, constant: int, tally: Tally) -> int:
    end = 0 if answer.finish_reason in {"length", "max_output_tokens"} else constant
    return sum(tally.n(text) + end for text in answer.texts if text)


def _call_tokens(calls: Sequence[Part], forced: str | None, constants: Ending, tally: Tally) -> int:
    if not calls:
        return 0
    visible = sum(
        (0 if call.name == forced else tally.n(call.name or "")) + tally.n(compact_arguments(call.text))
        for call in calls
    )
    return visible + constants.call + constants.further_call * (len(calls) - 1)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer's visible tokens: (text, tool calls)."""
    constants = ending(request.api, bare_model(request.model or ""))
    prompt = request.prompt
    offered = bool(prompt and prompt.tools)
    choice = (prompt.tool_choice if prompt else None) or ""
    forced = choice.removeprefix("function:") if choice.startswith("function:") else None
    text = _text_tokens(answer, constants.text_with_tools if offered else constants.text, tally)
    return text, _call_tokens(answer.tool_calls, forced, constants, tally)
