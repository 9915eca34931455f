"""Which OpenAI counts may call themselves exact: how often the rules met the bills of recorded calls.

The record stands in openai_evidence.csv by category and in openai_forms.csv by what a prompt is made of, both
written by benchmarks/counting/fit.py. What is not in it, as any model that comes out later, is calibrated.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from collector.counting.evidence import LEAST_RECORDINGS, LEAST_REPOSITORIES, LEAST_SHARE, judge, shipped
from collector.counting.openai_constants import is_dated
from collector.counting.tally import Tally
from collector.counting.trust import UNKNOWN, Trust
from collector.tokenizers import bare_model, tokenizer_for
from ledger.types import Api, Category, Request

# The sizes and dates of a generation are counted alike: of each only that it exists need be known.
LEAST_OF_A_NAME: Final = 5
NAME: Final = "model "
WITH: Final = "with "
ALONE: Final = {
    f"{WITH}{one}": one
    for one in (Category.IMAGES, Category.JSON_SCHEMA, Category.TOOL_CALLS, Category.TOOLS)
}

_GENERATION: Final = re.compile(
    r"chatgpt-4o|gpt-\d+(?:\.\d+)?o?|o\d|gpt-audio|text-embedding-(?:ada|\d)|davinci|babbage"
)


def generation(model: str) -> str:
    """The generation of a bare model name: its name without size, date and purpose."""
    found = _GENERATION.match(model.replace("gpt-35", "gpt-3.5"))
    return found[0] if found else model


EVIDENCE: Final = shipped("openai_evidence.csv")
_TRUST: Final = {(row.api, row.generation, row.category): judge(row) for row in EVIDENCE}


@dataclass(frozen=True, slots=True)
class Form:
    """Something a prompt is made of, and in how many recordings of how many repositories the bill was met.

    `exact` is the share of the bills met among the calls in which nothing else is in doubt, 1 where there is
    none. An empty `api` or `generation` is any.
    """

    api: str
    generation: str
    form: str
    recordings: int
    repositories: int
    exact: float

    @property
    def confirmed(self) -> bool:
        """Whether bills have shown that the form is counted to the token."""
        if self.form.startswith(NAME):
            return self.recordings >= LEAST_OF_A_NAME
        enough = self.recordings >= LEAST_RECORDINGS and self.repositories >= LEAST_REPOSITORIES
        return enough and self.exact >= LEAST_SHARE


def read_forms(lines: Iterable[str]) -> tuple[Form, ...]:
    """Read a table of forms; raises ValueError for a row that is none."""
    return tuple(
        Form(
            api=line["api"],
            generation=line["generation"],
            form=line["form"],
            recordings=int(line["recordings"]),
            repositories=int(line["repositories"]),
            exact=float(line["exact"]),
        )
        for line in csv.DictReader(lines)
    )


FORMS: Final = read_forms((files("collector.counting") / "openai_forms.csv").read_text("utf-8").splitlines())

_DATE: Final = re.compile(r"(?:[-:@](?:\d{4}-\d\d-\d\d|\d{8}|\d{4}|v\d+))+$")


def name_forms(model: str) -> tuple[str, str]:
    """A bare model name as a form, and the same without its date."""
    return f"{NAME}{model}", f"{NAME}{_DATE.sub('', model)}"


_OF_API: Final = ("role ", "provider ", "image ", "ends with ", "text in parts")


def scope(form: str, api: Api, generation_: str) -> tuple[str, str]:
    """The API and generation for which a form is judged: what all share is judged for all together."""
    if form.startswith(("tool ", "output ", NAME)):
        return "", ""
    return (api.value, "") if form.startswith(_OF_API) else (api.value, generation_)


@lru_cache(maxsize=1024)
def _confirmed(api: Api, generation_: str) -> frozenset[str]:
    scopes = {("", ""), (api.value, ""), (api.value, generation_)}
    return frozenset(row.form for row in FORMS if row.confirmed and (row.api, row.generation) in scopes)


@lru_cache(maxsize=4096)
def _of_call(api: Api, model: str | None, provider: str | None, dated: bool) -> tuple[str, ...]:
    """What a call is besides its prompt; a host that the log does not name is taken to pass the call on."""
    bare = bare_model(model or "")
    host = () if provider is None else (f"provider {provider}",)
    return (name_forms(bare)[0], *host, *(() if dated or not is_dated(api, bare) else ("time unknown",)))


def forms_of(request: Request, tally: Tally) -> frozenset[str]:
    """Everything that a counted call is made of."""
    of_call = _of_call(request.api, request.model, request.provider, request.ts is not None)
    beside = sorted(form for form in tally.forms if form.startswith(WITH))
    return frozenset((*tally.forms, *of_call, *((" ".join(beside),) if len(beside) > 1 else ())))


@lru_cache(maxsize=8192)
def _doubted(api: Api, model: str | None, forms: frozenset[str]) -> bool:
    bare = bare_model(model or "")
    confirmed = _confirmed(api, generation(bare))
    dated, undated = name_forms(bare)
    known = dated in confirmed or (dated == undated and undated in _undated())
    if not known or not all(form in confirmed or form == dated for form in forms - ALONE.keys()):
        return True
    # What stands beside something else is no surer than by itself.
    return not all(_trust(api, model, ALONE[form]).exact for form in forms & ALONE.keys())


@lru_cache(maxsize=1)
def _undated() -> frozenset[str]:
    """The names without date whose dated names were recorded often enough together."""
    recordings: Counter[str] = Counter()
    for row in FORMS:
        if row.form.startswith(NAME):
            recordings[name_forms(row.form.removeprefix(NAME))[1]] += row.recordings
    return frozenset(name for name, number in recordings.items() if number >= LEAST_OF_A_NAME)


def doubted(request: Request, tally: Tally) -> bool:
    """Whether a call is made of anything that bills have not confirmed."""
    return _doubted(request.api, request.model, forms_of(request, tally))


@lru_cache(maxsize=4096)
def _trust(api: Api, model: str | None, category: Category) -> Trust:
    if not tokenizer_for(model).exact:
        return UNKNOWN
    return _TRUST.get((api, generation(bare_model(model or "")), category), UNKNOWN)


def trust(request: Request, category: Category) -> Trust:
    """Say how far the count of an OpenAI call can be trusted."""
    return _trust(request.api, request.model, category)
