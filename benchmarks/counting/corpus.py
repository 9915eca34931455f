"""Recorded calls with their bills, as the benchmark compares them."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.counting import FAMILIES, count
from collector.formats import FORMATS
from collector.tokenizers import CL100K, O200K, tokenizer_for
from ledger.types import Api, Category, Count, CountMethod, Prompt, Request, Usage

OPENAI = (Api.OPENAI_CHAT, Api.OPENAI_RESPONSES, Api.OPENAI_EMBEDDINGS, Api.OPENAI_COMPLETIONS)
MOCK_RULE = (
    "left out as mocks: answers whose id has not the shape of the provider's own (a test server answers with"
    " short or speaking ids), and bills of no token at all"
)
_GATEWAY_ID = r"gen-\d{10}-[A-Za-z0-9]{20}"
_REAL_ID = {
    Api.OPENAI_CHAT: re.compile(rf"chatcmpl-[A-Za-z0-9]{{20,}}|{_GATEWAY_ID}"),
    Api.OPENAI_RESPONSES: re.compile(rf"resp_[0-9a-f]{{32,}}|{_GATEWAY_ID}"),
    Api.ANTHROPIC_MESSAGES: re.compile(r"msg_[A-Za-z0-9_]{20,}"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """One call: where it was recorded, what it was billed for, and our count."""

    repository: str
    request: Request
    prompt: Prompt
    billed: int
    billed_answer: int | None
    counted: Count

    @property
    def category(self) -> Category:
        return self.counted.category

    @property
    def partial(self) -> bool:
        return self.counted.method is CountMethod.PARTIAL


def billed_input(usage: Usage) -> int | None:
    """All input buckets together."""
    if usage.input_tokens is None:
        return None
    caches = (usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens)
    return usage.input_tokens + sum(tokens or 0 for tokens in caches)


def billed_answer(api: Api, usage: Usage) -> int | None:
    """The visible part of the billed output; None where Responses rounds its split from the reasoning."""
    reasoning = usage.reasoning_tokens or 0
    if not usage.output_tokens or (reasoning and api is not Api.OPENAI_CHAT):
        return None
    return usage.output_tokens - reasoning


def is_mock(request: Request, billed: int) -> bool:
    """Whether a call's bill is invented, by rule and without a look at any count."""
    shape = _REAL_ID.get(request.api)
    unreal = shape is not None and shape.fullmatch(request.response_id or "") is None
    return unreal or (billed == 0 and not (request.usage and request.usage.output_tokens))


def is_comparable(request: Request) -> bool:
    """Whether we count this API; OpenAI's own only where the model is OpenAI's."""
    return request.api in FAMILIES and (request.api not in OPENAI or is_own(request.model))


def is_own(model: str | None) -> bool:
    """Whether a model is counted in one of OpenAI's vocabularies, and they are its own."""
    tokenizer = tokenizer_for(model)
    return tokenizer.exact and tokenizer.encoding in (O200K, CL100K)


def rows(corpus: Path) -> Iterator[tuple[str, Request]]:
    """Read the calls that succeeded, with the repository they were recorded in."""
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if 200 <= (row["status"] or 200) < 300:
                seen = {key: row[key] for key in ("request", "response", "status", "url_path")}
                yield row["repo"], FORMATS["pair"].read(seen)


def items(corpus: Path) -> tuple[list[Item], Counter[Api]]:
    """Count every comparable call with a bill; return them and how many mocks were left out, by API."""
    found: list[Item] = []
    mocks: Counter[Api] = Counter()
    for repository, request in rows(corpus):
        billed = billed_input(request.usage) if request.usage else None
        if billed is None or request.usage is None or request.prompt is None or not is_comparable(request):
            continue
        if is_mock(request, billed):
            mocks[request.api] += 1
            continue
        answer = billed_answer(request.api, request.usage) if request.answer is not None else None
        found.append(Item(repository, request, request.prompt, billed, answer, count(request)))
    return found, mocks
