"""Our own count of a call: how each API frames messages into billed tokens, one family a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from operator import attrgetter
from typing import Final

from collector.counting import (
    anthropic_messages,
    bedrock_converse,
    framed_evidence,
    gemini_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_evidence,
    openai_responses,
)
from collector.counting.category import category
from collector.counting.tally import Tally
from collector.counting.trust import Trust
from collector.retrieved import chunk_texts
from collector.segments import DEFAULT, Labelled, SegmentRules, label
from collector.tokenizers import count_text, tokenizer_for
from ledger.types import UNREAD_CHUNK, Answer, Api, Category, Count, CountMethod, Prompt, Request


def _tables_digest() -> str:
    tables = sorted((files("collector.counting")).iterdir(), key=attrgetter("name"))
    written = b"".join(one.read_bytes() for one in tables if one.name.endswith(".csv"))
    return sha256(written).hexdigest()[:8]


# Part of every count: a change of any rule under this package raises it, one of the tables does by itself.
RULES_VERSION: Final = f"2026-11.2-{_tables_digest()}"


@dataclass(frozen=True, slots=True)
class Family:
    """How one API's calls are counted, and how far such counts of a category can be trusted."""

    fill: Callable[[Request, Prompt, Sequence[Labelled], Tally], None]
    output: Callable[[Request, Answer, Tally], tuple[int, int]]
    trust: Callable[[Request, Category], Trust]


FAMILIES: Mapping[Api, Family] = {
    Api.OPENAI_CHAT: Family(openai_chat.fill, openai_chat.output, openai_evidence.trust),
    Api.OPENAI_RESPONSES: Family(openai_responses.fill, openai_responses.output, openai_evidence.trust),
    Api.OPENAI_EMBEDDINGS: Family(openai_embeddings.fill, openai_embeddings.output, openai_evidence.trust),
    Api.OPENAI_COMPLETIONS: Family(openai_completions.fill, openai_completions.output, openai_evidence.trust),
    Api.ANTHROPIC_MESSAGES: Family(
        anthropic_messages.fill, anthropic_messages.output, framed_evidence.claude
    ),
    Api.BEDROCK_CONVERSE: Family(bedrock_converse.fill, bedrock_converse.output, bedrock_converse.trust),
    Api.GEMINI_GENERATE: Family(gemini_generate.fill, gemini_generate.output, framed_evidence.gemini),
}


def _trust(
    request: Request, family: Family, kind: Category, tally: Tally
) -> tuple[CountMethod, float | None]:
    """The count's method and the relative error to expect of it."""
    if request.prompt is None:
        return CountMethod.NONE, None
    unread = request.answer is not None and UNREAD_CHUNK in request.answer.hidden
    if tally.partial or unread:
        return CountMethod.PARTIAL, None
    trust = family.trust(request, kind)
    if trust.exact and not tally.estimated:
        return CountMethod.EXACT, 0.0
    return CountMethod.CALIBRATED, trust.error


def _output(family: Family, request: Request, tally: Tally) -> tuple[int | None, int, int]:
    answer = request.answer
    if answer is None:
        return None, 0, 0
    text, calls = family.output(request, answer, tally)
    return text + calls + _reasoning(family, request, answer, tally), text, calls


def _reasoning(family: Family, request: Request, answer: Answer, tally: Tally) -> int:
    """The tokens of reasoning that the log shows; Responses shows a summary, which nobody is billed for."""
    if not answer.reasoning or request.api is Api.OPENAI_RESPONSES:
        return 0
    return family.output(request, Answer(texts=(answer.reasoning,)), tally)[0]


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
    kind = Category.OTHER if request.prompt is None else category(request.prompt)
    method, error = _trust(request, family, kind, tally)
    segments = tally.segments()
    return Count(
        method=method,
        input_tokens=None if request.prompt is None else sum(tally.by_segment.values()),
        output_tokens=output_tokens,
        segments=segments,
        answer_tokens=text_tokens,
        tool_call_tokens=call_tokens,
        tokenizer=tokenizer.encoding,
        rules=RULES_VERSION,
        tool_tokens=tally.tool_tokens(),
        chunk_tokens=chunks,
        error=error,
        category=kind,
        unseen=tally.unseen,
    )
