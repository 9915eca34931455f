"""Our own count of a call: how each API frames messages into billed tokens, one family a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from collector.counting import calibrated, openai_answer, openai_prompt, plain
from collector.counting.category import category
from collector.counting.tally import Tally
from collector.retrieved import chunk_texts
from collector.segments import DEFAULT, Labelled, SegmentRules, label
from collector.tokenizers import Tokenizer, count_text, tokenizer_for
from ledger.types import UNREAD_CHUNK, Answer, Api, Category, Count, CountMethod, Prompt, Request

# Part of every remembered count: a change of any rule or constant under this package raises it.
RULES_VERSION: Final = "2026-07.1"


@dataclass(frozen=True, slots=True)
class Family:
    """How one API's calls are counted; `exact` where the rules can be, given the model's own vocabulary."""

    fill: Callable[[Request, Prompt, Sequence[Labelled], Tally], None]
    output: Callable[[Request, Answer, Tally], tuple[int, int]]
    exact: bool


FAMILIES: Mapping[Api, Family] = {
    Api.OPENAI_CHAT: Family(openai_prompt.fill, openai_answer.output, exact=True),
    Api.OPENAI_RESPONSES: Family(openai_prompt.fill, openai_answer.output, exact=True),
    Api.OPENAI_EMBEDDINGS: Family(plain.fill, plain.output, exact=True),
    Api.OPENAI_COMPLETIONS: Family(plain.fill, plain.output, exact=True),
    Api.ANTHROPIC_MESSAGES: Family(calibrated.fill, calibrated.output, exact=False),
    Api.GEMINI_GENERATE: Family(calibrated.fill, calibrated.output, exact=False),
}


def _method(request: Request, family: Family, tokenizer: Tokenizer, tally: Tally) -> CountMethod:
    unread = request.answer is not None and UNREAD_CHUNK in request.answer.hidden
    if tally.partial or unread:
        return CountMethod.PARTIAL
    if tally.estimated or not (family.exact and tokenizer.exact):
        return CountMethod.CALIBRATED
    return CountMethod.EXACT


def _output(family: Family, request: Request, tally: Tally) -> tuple[int | None, int, int]:
    answer = request.answer
    if answer is None:
        return None, 0, 0
    text, calls = family.output(request, answer, tally)
    return text + calls, text, calls


def count(request: Request, segment_rules: SegmentRules = DEFAULT) -> Count:
    """Count a call from its text alone; `none` where the log holds no prompt or the API has no family."""
    family = FAMILIES.get(request.api)
    if family is None:
        return Count(CountMethod.NONE, rules=RULES_VERSION)
    tokenizer = tokenizer_for(request.model)
    tally = Tally(tokenizer.encoding)
    output_tokens, text_tokens, call_tokens = _output(family, request, Tally(tokenizer.encoding))
    chunks: tuple[int, ...] = ()
    if request.prompt is not None:
        labelled = label(request.prompt, segment_rules)
        family.fill(request, request.prompt, labelled, tally)
        chunks = tuple(count_text(tokenizer.encoding, text) for text in chunk_texts(labelled))
    segments = tally.segments()
    return Count(
        method=CountMethod.NONE if request.prompt is None else _method(request, family, tokenizer, tally),
        input_tokens=None if request.prompt is None else sum(tally.by_segment.values()),
        output_tokens=output_tokens,
        segments=segments,
        answer_tokens=text_tokens,
        tool_call_tokens=call_tokens,
        tokenizer=tokenizer.encoding,
        rules=RULES_VERSION,
        tool_tokens=tally.tool_tokens(),
        chunk_tokens=chunks,
        category=Category.OTHER if request.prompt is None else category(request.prompt),
    )
