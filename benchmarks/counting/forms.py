"""What recorded prompts are made of, and which of that their bills confirm: the rows of openai_forms.csv."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from benchmarks.counting.corpus import OPENAI, Item
from collector.counting import FAMILIES
from collector.counting.openai_evidence import ALONE, Form, forms_of, generation, scope
from collector.counting.tally import Tally
from collector.segments import label
from collector.tokenizers import bare_model, tokenizer_for

Key = tuple[str, str, str]
Forms = Mapping[Key, Form]


def keys(item: Item) -> frozenset[Key]:
    """The forms of a call, each with the API and generation it is judged for."""
    request = item.request
    tally = Tally(tokenizer_for(request.model).encoding)
    FAMILIES[request.api].fill(request, item.prompt, label(item.prompt), tally)
    name = generation(bare_model(request.model or ""))
    return frozenset(
        (*scope(form, request.api, name), form) for form in forms_of(request, tally) - ALONE.keys()
    )


def is_met(item: Item) -> bool:
    """Whether our count equals the bill."""
    return item.counted.input_tokens == item.billed


def countable(found: Iterable[Item]) -> list[tuple[Item, frozenset[Key]]]:
    """OpenAI's calls of which everything billed is visible, with their forms."""
    return [(item, keys(item)) for item in found if item.request.api in OPENAI and not item.partial]


def by_support(calls: Sequence[tuple[Item, frozenset[Key]]]) -> dict[Key, Form]:
    """Every form with the recordings it was met in, as if nothing spoke against it."""
    met: defaultdict[Key, list[str]] = defaultdict(list)
    for item, of in calls:
        if is_met(item):
            for key in of:
                met[key].append(item.repository)
    return {key: Form(*key, len(seen), len(set(seen)), 1.0) for key, seen in sorted(met.items())}


def doubtful(of: Iterable[Key], known: Forms) -> set[Key]:
    """The forms of a call that too few recordings confirm."""
    return {key for key in of if key not in known or not known[key].confirmed}


def judged(
    calls: Sequence[tuple[Item, frozenset[Key]]], known: Forms, is_sound: Callable[[Item], bool]
) -> dict[Key, Form]:
    """The same with the share of bills met where nothing but the form itself could be at fault."""
    seen: defaultdict[Key, list[bool]] = defaultdict(list)
    for item, of in calls:
        doubts = doubtful(of, known)
        if is_sound(item) and len(doubts) <= 1:
            for key in doubts or of:
                seen[key].append(is_met(item))
    return {key: replace(form, exact=_share(seen[key], form.exact)) for key, form in known.items()}


def _share(met: Sequence[bool], unseen: float) -> float:
    return round(sum(met) / len(met), 4) if met else unseen
