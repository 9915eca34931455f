"""How far Claude's and Gemini's counts can be trusted: what recorded calls of a generation showed.

The record stands in framed_evidence.csv, written by benchmarks/counting/fit_others.py; `error` in it is
the 80th percentile of the errors with constants of other repositories. A Claude generation that is not in
it, as any that comes out later, is calibrated, and its error is unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from collector import claude_text
from collector.counting.evidence import judge, shipped
from collector.counting.trust import UNKNOWN, Trust
from collector.tokenizers import tokenizer_for
from ledger.types import Api, Category, Request

# All generations of an API together, for one that has too few recordings of its own.
EVERY: Final = "*"
LEAST_OWN: Final = 5

EVIDENCE: Final = shipped("framed_evidence.csv")

_VERSION: Final = re.compile(r"(claude|gemini)-(?:[a-z]+-)?(\d)(?:[-.](\d)(?!\d))?")
_KNOWN: Final = {(row.api, row.generation, row.category): row for row in EVIDENCE}


def generation(model: str) -> str:
    """The generation of a model: its maker's name for the family and its version, whatever the host."""
    found = _VERSION.search(model.lower())
    if found is None:
        return model.lower()
    family, major, minor = found.groups()
    return f"{family}-{major}" + (f".{minor}" if minor and minor != "0" else "")


@lru_cache(maxsize=4096)
def _trust(api: Api, model: str, category: Category) -> Trust:
    own = _KNOWN.get((api, generation(model), category))
    if own is not None and own.recordings >= LEAST_OWN:
        return judge(own)
    every = _KNOWN.get((api, EVERY, category))
    return UNKNOWN if every is None else Trust(error=every.error)


def claude(request: Request, category: Category) -> Trust:
    """The trust in a count of Claude; nothing is known of other makers' models behind its APIs."""
    tokenizer = tokenizer_for(request.model)
    if not tokenizer.exact or tokenizer.encoding not in claude_text.ENCODINGS:
        return UNKNOWN
    if tokenizer.encoding != claude_text.CLAUDE_3 and not _is_recorded(request):
        return UNKNOWN
    return _trust(request.api, request.model or "", category)


def _is_recorded(request: Request) -> bool:
    return (request.api, generation(request.model or "")) in _RECORDED


_RECORDED: Final = {(row.api, row.generation) for row in EVIDENCE}


def gemini(request: Request, category: Category) -> Trust:
    """The trust in a count of Gemini: never exact, as its vocabulary is only fitted."""
    return Trust(error=_trust(request.api, request.model or "", category).error)
