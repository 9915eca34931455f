"""Which rule gave a call each of its dimensions, and what the rules before it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from collector.attribution import RULED, Rules, model_tier, overlaid, said_of
from collector.attribution_rules import AnyRule, Tried, as_rule, source_facts, tried
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
    """Attribute a call of a source as `attribute` does, and tell how each dimension came about."""
    own = overlaid(rules, source_file)
    said = {**request.around, **said_of(request), **source_facts(source_file)}
    lists = {"tenant": own.tenant, "workflow": own.workflow, "environment": own.environment}
    found = [_trace(name, of_name, said, own.defaults) for name, of_name in lists.items()]
    tags = [_trace(f"tags.{name}", of_tag, said, {}) for name, of_tag in own.tags.items()]
    return (*found, _person(own, said, request), _tier(own, request), *tags)


def _trace(
    dimension: str, rules: tuple[AnyRule, ...], said: Mapping[str, str], defaults: Mapping[str, str]
) -> Trace:
    asked = tuple(_asked(rules, said))
    if asked and asked[-1].value:
        return Trace(dimension, asked[-1].value, asked[-1].rule.name, asked)
    default = defaults.get(dimension)
    return Trace(dimension, default, None if default is None else DEFAULT, asked)


def _asked(rules: tuple[AnyRule, ...], said: Mapping[str, str]) -> Iterator[Tried]:
    """Every rule up to the one that gives a value."""
    for rule in rules:
        answer = tried(as_rule(rule), said)
        yield answer
        if answer.value:
            return


def _person(rules: Rules, said: Mapping[str, str], request: Request) -> Trace:
    found = _trace(RULED[-1], rules.end_user, said, {})
    if found.value is None and request.end_user is not None:
        return Trace(found.dimension, request.end_user, LOG, found.asked)
    return found


def _tier(rules: Rules, request: Request) -> Trace:
    found = model_tier(rules.tiers, request.model)
    if found is not None:
        return Trace("model_tier", found, f"[tiers] {found}, which {request.model} fits")
    default = rules.defaults.get("model_tier")
    return Trace("model_tier", default, None if default is None else DEFAULT)
