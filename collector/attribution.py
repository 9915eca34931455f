"""Who a call belongs to: tenant, workflow, environment, end user and model tier, by the user's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache

from ledger.types import Request

Tiers = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Ordered dotted paths for each dimension; the first that holds a value wins.

    `defaults` names the value of a dimension that no path finds, where the user wants one. `tiers` are
    ordered pairs of a tier's name and the model patterns (`gpt-4.1*`, lower case) that belong to it.
    """

    tenant: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    end_user: tuple[str, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    tiers: Tiers = ()


@dataclass(frozen=True, slots=True)
class Dimensions:
    """What a call is attributed to; None is the line Unattributed, never dropped."""

    tenant: str | None = None
    workflow: str | None = None
    environment: str | None = None
    end_user: str | None = None
    model_tier: str | None = None


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


def attribute(rules: Rules, request: Request) -> Dimensions:
    """Find each dimension by its rules; None where no rule finds a value, never a guess."""
    said = _said(request)
    return Dimensions(
        tenant=_first(rules, "tenant", rules.tenant, said),
        workflow=_first(rules, "workflow", rules.workflow, said),
        environment=_first(rules, "environment", rules.environment, said),
        end_user=_first(rules, "end_user", rules.end_user, said) or request.end_user,
        model_tier=model_tier(rules.tiers, request.model),
    )


def _said(request: Request) -> Mapping[str, str]:
    """Every path that a rule could find a value at."""
    if not request.tags:
        return request.attributes
    return {**{f"tags.{key}": value for key, value in request.tags.items()}, **request.attributes}


def _first(rules: Rules, dimension: str, paths: tuple[str, ...], said: Mapping[str, str]) -> str | None:
    for path in paths:
        if path in said and (value := said[path].strip()):
            return value
    return rules.defaults.get(dimension)


@lru_cache(maxsize=4096)
def model_tier(tiers: Tiers, model: str | None) -> str | None:
    """Name the first tier with a pattern that the model matches; the case of the model does not matter."""
    lowered = (model or "").lower()
    matching = (name for name, patterns in tiers if any(fnmatchcase(lowered, p.lower()) for p in patterns))
    return next(matching, None) if lowered else None
