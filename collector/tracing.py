"""Which rule gave a call each of its dimensions, and what the rules before it found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from collector.attribution import RULED, Rules, model_tier, overlaid, said_of
from collector.attribution_rules import SOURCE, AnyRule, Finding, Tried, as_rule, path_of, source_facts, tried
from ledger.types import Request

DEFAULT = "the default"
LOG = "the log's own end user"


@dataclass(frozen=True, slots=True)
class Trace:
    """How a dimension came to its value: by a rule, or `by` nothing; the rules asked, in order."""

    dimension: str
    value: str | None
    by: str | None
    asked: tuple[Tried, ...] = ()


def trace(rules: Rules, request: Request, source_file: str) -> tuple[Trace, ...]:
    """Attribute a call of a source as `attribute` does, and tell how each dimension came about.

    What steps above the call say is not in its record: it goes between the call's own word and the rest.
    """
    own = overlaid(rules, source_file)
    said = _Said(said_of(request), {**request.around, **source_facts(source_file)})
    lists = {"tenant": own.tenant, "workflow": own.workflow, "environment": own.environment}
    found = [_trace(name, of_name, said, own.defaults.get(name)) for name, of_name in lists.items()]
    everything = _Said({}, {**said.around, **said.own})
    tags = [_trace(f"tags.{name}", of_tag, everything, None) for name, of_tag in own.tags.items()]
    return (*found, _person(own, said, request), _tier(own, request), *tags)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a call says itself, and what its file and the program that made it say of all their calls."""

    own: Mapping[str, str]
    around: Mapping[str, str]


def _trace(dimension: str, rules: tuple[AnyRule, ...], said: _Said, default: str | None) -> Trace:
    asked = tuple(_asked(_of_the_call(rules, said), said.own))
    if not (asked and asked[-1].value):
        asked = (*asked, *_asked(rules, said.around))
    if asked and asked[-1].value:
        return Trace(dimension, asked[-1].value, asked[-1].rule.name, _told(asked))
    return Trace(dimension, default, None if default is None else DEFAULT, _told(asked))


def _of_the_call(rules: tuple[AnyRule, ...], said: _Said) -> Iterator[AnyRule]:
    """The rules that the call itself can answer: a constant, or what a file says, ends them."""
    for rule in rules:
        path = path_of(rule)
        if path is None:
            return
        if not path.startswith(SOURCE):
            yield rule
        elif tried(as_rule(rule), said.around).value:
            return


def _asked(rules: Iterable[AnyRule], said: Mapping[str, str]) -> Iterator[Tried]:
    """Every rule up to the one that gives a value."""
    for rule in rules:
        answer = tried(as_rule(rule), said)
        yield answer
        if answer.value:
            return


def _told(asked: tuple[Tried, ...]) -> tuple[Tried, ...]:
    """Each rule once, with the most that it found; the one that gave the value last."""
    best: dict[str, Tried] = {}
    for each in asked:
        known = best.get(each.rule.name)
        if known is None or known.finding is Finding.ABSENT:
            best[each.rule.name] = each
    return tuple(sorted(best.values(), key=lambda each: each is asked[-1]))


def _person(rules: Rules, said: _Said, request: Request) -> Trace:
    found = _trace(RULED[-1], rules.end_user, said, None)
    of_the_call = _asked(_of_the_call(rules.end_user, said), said.own)
    if request.end_user is not None and not any(each.value for each in of_the_call):
        return Trace(found.dimension, request.end_user, LOG, found.asked)
    return found


def _tier(rules: Rules, request: Request) -> Trace:
    found = model_tier(rules.tiers, request.model)
    if found is not None:
        return Trace("model_tier", found, f"[tiers] {found}, which {request.model} fits")
    default = rules.defaults.get("model_tier")
    return Trace("model_tier", default, None if default is None else DEFAULT)
