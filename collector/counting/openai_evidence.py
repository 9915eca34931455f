"""Which OpenAI counts may call themselves exact: how often the rules met the bills of recorded calls.

The record stands in openai_evidence.csv, written by benchmarks/counting/fit.py. What is not in it, as any
model generation that comes out later, is calibrated.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from collector.counting.evidence import judge, shipped
from collector.counting.trust import UNKNOWN, Trust
from collector.tokenizers import bare_model, tokenizer_for
from ledger.types import Api, Category, Request

_GENERATION: Final = re.compile(
    r"chatgpt-4o|gpt-\d+(?:\.\d+)?o?|o\d|gpt-audio|text-embedding-(?:ada|\d)|davinci|babbage"
)


def generation(model: str) -> str:
    """The generation of a bare model name: its name without size, date and purpose."""
    found = _GENERATION.match(model.replace("gpt-35", "gpt-3.5"))
    return found[0] if found else model


EVIDENCE: Final = shipped("openai_evidence.csv")
_TRUST: Final = {(row.api, row.generation, row.category): judge(row) for row in EVIDENCE}


@lru_cache(maxsize=4096)
def _trust(api: Api, model: str | None, category: Category) -> Trust:
    if not tokenizer_for(model).exact:
        return UNKNOWN
    return _TRUST.get((api, generation(bare_model(model or "")), category), UNKNOWN)


def trust(request: Request, category: Category) -> Trust:
    """Say how far the count of an OpenAI call can be trusted."""
    return _trust(request.api, request.model, category)
