"""Which OpenAI counts may call themselves exact: how often the rules met the bills of recorded calls.

The record stands in openai_evidence.csv, written by benchmarks/counting/fit.py. What is not in it, as any
model generation that comes out later, is calibrated.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from collector.counting.trust import UNKNOWN, Trust
from collector.tokenizers import bare_model, tokenizer_for
from ledger.types import Api, Category, Request

# A label that is to hold for calls nobody has looked at yet asks for this much.
LEAST_RECORDINGS: Final = 20
LEAST_REPOSITORIES: Final = 2
LEAST_SHARE: Final = 0.98

_GENERATION: Final = re.compile(
    r"chatgpt-4o|gpt-\d+(?:\.\d+)?o?|o\d|gpt-audio|text-embedding-(?:ada|\d)|davinci|babbage"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """How recorded calls of one API, model generation and category were met.

    `exact` is the share of the counts without any doubt of their own that equal the bill, `held_out` the same
    with constants fitted on other repositories alone; `error` is the mean relative error of all of them.
    """

    api: Api
    generation: str
    category: Category
    recordings: int
    repositories: int
    exact: float
    held_out: float
    error: float


def generation(model: str) -> str:
    """The generation of a bare model name: its name without size, date and purpose."""
    found = _GENERATION.match(model.replace("gpt-35", "gpt-3.5"))
    return found[0] if found else model


def _evidence(line: Mapping[str, str]) -> Evidence:
    return Evidence(
        api=Api(line["api"]),
        generation=line["generation"],
        category=Category(line["category"]),
        recordings=int(line["recordings"]),
        repositories=int(line["repositories"]),
        exact=float(line["exact"]),
        held_out=float(line["held_out"]),
        error=float(line["error"]),
    )


def read(lines: Iterable[str]) -> tuple[Evidence, ...]:
    """Read a table; raises ValueError for a row that is none."""
    return tuple(_evidence(line) for line in csv.DictReader(lines))


EVIDENCE: Final = read((files("collector.counting") / "openai_evidence.csv").read_text("utf-8").splitlines())


def judge(found: Evidence) -> Trust:
    """Decide the label from the evidence."""
    enough = found.recordings >= LEAST_RECORDINGS and found.repositories >= LEAST_REPOSITORIES
    return Trust(enough and min(found.exact, found.held_out) >= LEAST_SHARE, found.error)


_TRUST: Final = {(row.api, row.generation, row.category): judge(row) for row in EVIDENCE}


@lru_cache(maxsize=4096)
def _trust(api: Api, model: str | None, category: Category) -> Trust:
    if not tokenizer_for(model).exact:
        return UNKNOWN
    return _TRUST.get((api, generation(bare_model(model or "")), category), UNKNOWN)


def trust(request: Request, category: Category) -> Trust:
    """Say how far the count of an OpenAI call can be trusted."""
    return _trust(request.api, request.model, category)
