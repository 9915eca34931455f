"""Who a call belongs to: tenant, workflow, environment, end user and model tier, by the user's rules."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from collector.attribution_rules import SOURCE, AnyRule, Rule, as_rule, path_of, source_facts, tried
from ledger.types import Request, Span

Tiers = tuple[tuple[str, tuple[str, ...]], ...]
# In a list of rules: all that would stand there without the list.
REST = "..."
RULED = ("tenant", "workflow", "environment", "end_user")


@dataclass(frozen=True, slots=True)
class SourceRules:
    """What holds for the files whose whole path `files`, an expression, matches.

    `rules` go in the place of the general ones of a dimension, which REST among them stands for; `defaults`
    before the general ones.
    """

    files: str
    rules: Mapping[str, tuple[AnyRule, ...]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """Ordered rules for each dimension; the first that gives a value wins. A text is a dotted path.

    `defaults` names the value of a dimension that no rule finds, where the user wants one. `tiers` are
    ordered pairs of a tier's name and the model patterns (`gpt-4.1*`, lower case) that belong to it. `tags`
    are kept beside those of the log. `sources` hold for the files of one source: see `of_source`, which
    finds out whether all rules are `plain` paths.
    """

    tenant: tuple[AnyRule, ...] = ()
    workflow: tuple[AnyRule, ...] = ()
    environment: tuple[AnyRule, ...] = ()
    end_user: tuple[AnyRule, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    tiers: Tiers = ()
    tags: Mapping[str, tuple[AnyRule, ...]] = field(default_factory=dict)
    sources: tuple[SourceRules, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What a call, or a step above calls, says itself.

    `otherwise` is what holds of tenant, workflow, environment and end user where no step above the call says
    it either: the word of its surroundings, else the default; None where there is none at all.
    """

    tenant: str | None = None
    workflow: str | None = None
    environment: str | None = None
    end_user: str | None = None
    model_tier: str | None = None
    otherwise: tuple[str | None, ...] | None = None


DEFAULT_RULES = Rules(
    tenant=(
        "tenant",
        "tenant_id",
        "metadata.tenant",
        "metadata.tenant_id",
        "tags.tenant",
        "headers.x-tenant",
        "headers.x-tenant-id",
        "request.metadata.tenant",
        "request.metadata.tenant_id",
        "metadata.requester_metadata.tenant",
        "metadata.user_api_key_team_alias",
        "metadata.team",
        "tags.team",
        "metadata.user_api_key_team_id",
        "tenant.id",
        "resource.tenant.id",
    ),
    workflow=(
        "workflow",
        "metadata.workflow",
        "tags.workflow",
        "headers.x-workflow",
        "request.metadata.workflow",
        "metadata.requester_metadata.workflow",
        "metadata.feature",
        "tags.feature",
        "metadata.app",
        "tags.app",
        "gen_ai.workflow.name",
        "workflow.name",
        "traceloop.workflow.name",
        "gen_ai.agent.name",
        "traceName",
    ),
    environment=(
        "environment",
        "env",
        "metadata.environment",
        "metadata.env",
        "tags.environment",
        "tags.env",
        "headers.x-environment",
        "request.metadata.environment",
        "request.metadata.env",
        "metadata.requester_metadata.environment",
        "metadata.requester_metadata.env",
        "deployment.environment.name",
        "deployment.environment",
    ),
    end_user=("end_user", "metadata.end_user", "headers.x-end-user", "headers.x-user-id"),
)


def of_source(rules: Rules, source_file: str) -> Rules:
    """The rules for the records of one file: its source's own, and what its path says put in as constants."""
    rules, facts = overlaid(rules, source_file), source_facts(source_file)
    settled = replace(
        rules,
        tenant=_settled(rules.tenant, facts),
        workflow=_settled(rules.workflow, facts),
        environment=_settled(rules.environment, facts),
        end_user=_settled(rules.end_user, facts),
        tags={name: _settled(of_tag, facts) for name, of_tag in rules.tags.items()},
    )
    lists = (settled.tenant, settled.workflow, settled.environment, settled.end_user, *settled.tags.values())
    return replace(settled, plain=all(isinstance(rule, str) for of_one in lists for rule in of_one))


def overlaid(rules: Rules, source_file: str) -> Rules:
    """The rules with those of the first source that the file is of in the place of the general ones."""
    own = next((each for each in rules.sources if re.fullmatch(each.files, source_file)), None)
    return replace(rules, sources=()) if own is None else _overlaid(rules, own)


def _overlaid(rules: Rules, own: SourceRules) -> Rules:
    def of(name: str, general: tuple[AnyRule, ...]) -> tuple[AnyRule, ...]:
        return with_rest(own.rules[name], general) if name in own.rules else general

    return replace(
        rules,
        tenant=of("tenant", rules.tenant),
        workflow=of("workflow", rules.workflow),
        environment=of("environment", rules.environment),
        end_user=of("end_user", rules.end_user),
        defaults={**rules.defaults, **own.defaults},
        sources=(),
    )


def with_rest(own: tuple[AnyRule, ...], rest: tuple[AnyRule, ...]) -> tuple[AnyRule, ...]:
    """A list of rules with the rest in the place of the word for it."""
    return tuple(each for rule in own for each in (rest if rule == REST else (rule,)))


def _settled(rules: tuple[AnyRule, ...], facts: Mapping[str, str]) -> tuple[AnyRule, ...]:
    """The rules with those about the file answered: a value is a constant, and none no rule."""
    return tuple(_each_settled(rules, facts))


def _each_settled(rules: tuple[AnyRule, ...], facts: Mapping[str, str]) -> Iterator[AnyRule]:
    for rule in rules:
        if not (path_of(rule) or "").startswith(SOURCE):
            yield rule
        elif (answer := tried(as_rule(rule), facts)).value is not None:
            yield Rule(constant=answer.value)


def attribute(rules: Rules, request: Request) -> Dimensions:
    """Find each dimension by its rules; None where no rule finds a value, never a guess."""
    said = said_of(request)
    first = _first_path if rules.plain else _first
    return Dimensions(
        tenant=first(rules.tenant, said),
        workflow=first(rules.workflow, said),
        environment=first(rules.environment, said),
        end_user=first(rules.end_user, said) or request.end_user,
        model_tier=model_tier(rules.tiers, request.model) or rules.defaults.get("model_tier"),
        otherwise=_otherwise(rules, request.around),
    )


def attribute_span(rules: Rules, span: Span) -> Dimensions:
    """Find what a step says of the calls beneath it."""
    said = said_of(span)
    first = _first_path if rules.plain else _first
    return Dimensions(
        tenant=first(rules.tenant, said),
        workflow=first(rules.workflow, said),
        environment=first(rules.environment, said),
        end_user=first(rules.end_user, said) or span.end_user,
    )


def said_of(told: Request | Span) -> Mapping[str, str]:
    """Every path that a rule could find a value at."""
    if not told.tags:
        return told.attributes
    return {**{f"tags.{key}": value for key, value in told.tags.items()}, **told.attributes}


def _first(rules: tuple[AnyRule, ...], said: Mapping[str, str]) -> str | None:
    """The first value that is there; a constant, and what a rule after it says, is no word of the call's."""
    for rule in rules:
        if isinstance(rule, str):
            value = said.get(rule, "").strip()
        elif rule.path is None:
            return None
        else:
            value = tried(rule, said).value or ""
        if value:
            return value
    return None


def _first_path(paths: Sequence[AnyRule], said: Mapping[str, str]) -> str | None:
    """The same where every rule is a path: nearly all are of no call, which this passes over the fastest."""
    for path in paths:
        if path in said and (value := said[path].strip()):  # type: ignore[index]
            return value
    return None


def ruled_tags(rules: Rules, request: Request) -> dict[str, str]:
    """The tags that rules of their own give a call."""
    if not rules.tags:
        return {}
    said = {**request.around, **said_of(request)}
    found = ((name, _first_or_constant(of_tag, said)) for name, of_tag in rules.tags.items())
    return {name: value for name, value in found if value}


def people(rules: Rules) -> frozenset[str]:
    """The tags that name an end user by these rules."""
    paths = (path_of(rule) or "" for rule in rules.end_user)
    return frozenset(path.removeprefix("tags.") for path in paths if path.startswith("tags."))


def _otherwise(rules: Rules, around: Mapping[str, str]) -> tuple[str | None, ...] | None:
    if rules.plain and not around and not rules.defaults:
        return None
    lists = (rules.tenant, rules.workflow, rules.environment, rules.end_user)
    found = tuple(
        _first_or_constant(of_one, around) or rules.defaults.get(name)
        for name, of_one in zip(RULED, lists, strict=True)
    )
    return found if any(found) else None


def _first_or_constant(rules: tuple[AnyRule, ...], said: Mapping[str, str]) -> str | None:
    return next((value for rule in rules if (value := tried(as_rule(rule), said).value)), None)


def without_steps(where: Dimensions) -> Dimensions:
    """What a call is attributed to where no step above it says more."""
    tenant, workflow, environment, end_user = where.otherwise or (None,) * len(RULED)
    return Dimensions(
        tenant=where.tenant or tenant,
        workflow=where.workflow or workflow,
        environment=where.environment or environment,
        end_user=where.end_user or end_user,
        model_tier=where.model_tier,
    )


@lru_cache(maxsize=4096)
def model_tier(tiers: Tiers, model: str | None) -> str | None:
    """Name the first tier with a pattern that the model matches; the case of the model does not matter."""
    lowered = (model or "").lower()
    matching = (name for name, patterns in tiers if any(fnmatchcase(lowered, p.lower()) for p in patterns))
    return next(matching, None) if lowered else None
