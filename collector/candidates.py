"""Which fields of unattributed calls would attribute most of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from collector.formats.attributes import is_person

# What a field that tells a dimension is called, in the last of its names.
_NAMES = {
    "tenant": r"tenants?|customers?|clients?|teams?|org|organi[sz]ations?|accounts?|company|companies"
    r"|workspaces?|projects?|departments?|groups?|cost_?cent(er|re)s?|business(_?unit)?|brands?|merchants?|owners?",
    "workflow": r"workflows?|features?|apps?|applications?|services?|agents?|flows?|tasks?|jobs?|use_?cases?"
    r"|routes?|components?|pipelines?|chains?|products?|modules?|run|trace|span|generation|function|endpoint",
    "environment": r"env|environments?|stages?|deployment|deploy_?env|namespaces?|clusters?",
}
_HINTS = {
    dimension: re.compile(rf"(?:^|.*[_.\-])(?:{names})(?:[_.\-]?(?:id|name|alias|slug|key))?", re.IGNORECASE)
    for dimension, names in _NAMES.items()
}
_ENVIRONMENTS = frozenset(
    {
        "prod",
        "production",
        "live",
        "staging",
        "stage",
        "dev",
        "development",
        "test",
        "testing",
        "qa",
        "sandbox",
    }
    | {"local", "preview", "uat", "canary"}
)
# A field whose values hardly repeat names the call, not what it belongs to.
_LEAST_CALLS_A_VALUE = 3
_MOST_VALUES = 1_000
_LEAST_SHARE = Decimal("0.05")
_MOST_FIELDS = 3
DIMENSIONS = tuple(_NAMES)


@dataclass(frozen=True, slots=True)
class Unattributed:
    """A call that stands for `calls` like it that cost `usd`, what it says, and what is `missing` of it."""

    said: Mapping[str, str]
    missing: frozenset[str]
    calls: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Candidate:
    """A field that holds a value for this share of the unattributed money, or of calls where none is priced.

    `values` are how many different ones were seen; none of them is kept.
    """

    dimension: str
    path: str
    share: Decimal
    values: int


def candidates(dimension: str, calls: Sequence[Unattributed]) -> tuple[Candidate, ...]:
    """The fields that together would attribute the most, each counted for what those before it leave."""
    left = [call for call in calls if dimension in call.missing]
    everything = _weight(left, _in_usd(left))
    found: list[Candidate] = []
    while left and everything and len(found) < _MOST_FIELDS:
        best = _best(dimension, left, everything)
        if best is None or best.share < _LEAST_SHARE:
            break
        found.append(best)
        left = [call for call in left if not call.said.get(best.path, "").strip()]
    return tuple(found)


def _in_usd(calls: Iterable[Unattributed]) -> bool:
    return any(call.usd for call in calls)


def _weight(calls: Iterable[Unattributed], in_usd: bool) -> Decimal:
    return sum((call.usd if in_usd else call.calls for call in calls), Decimal(0))


@dataclass(slots=True)
class _Field:
    weight: Decimal = Decimal(0)
    calls: int = 0
    values: set[str] = field(default_factory=set)

    def add(self, value: str, weight: Decimal) -> None:
        self.calls += 1
        self.weight += weight
        if len(self.values) < _MOST_VALUES:
            self.values.add(value)


def _best(dimension: str, calls: Sequence[Unattributed], everything: Decimal) -> Candidate | None:
    fields = _fields(dimension, calls)
    told = [(path, each) for path, each in fields.items() if _tells(dimension, path, each)]
    if not told:
        return None
    path, best = max(told, key=lambda one: (one[1].weight, _exact(dimension, one[0]), -len(one[0]), one[0]))
    return Candidate(dimension, path, best.weight / everything, len(best.values))


def _fields(dimension: str, calls: Sequence[Unattributed]) -> dict[str, _Field]:
    in_usd = _in_usd(calls)
    fields: dict[str, _Field] = {}
    for call in calls:
        for path, value in call.said.items():
            if not _may_tell(dimension, path, value):
                continue
            fields.setdefault(path, _Field()).add(value, call.usd if in_usd else call.calls)
    return fields


def _may_tell(dimension: str, path: str, value: str) -> bool:
    if not value.strip() or is_person(path.rpartition(".")[2], value):
        return False
    is_stage = dimension == "environment" and value.strip().lower() in _ENVIRONMENTS
    return is_stage or _HINTS[dimension].fullmatch(path) is not None


def _tells(dimension: str, path: str, found: _Field) -> bool:
    """Whether the values repeat as those of a dimension do."""
    few = len(found.values) * _LEAST_CALLS_A_VALUE <= found.calls
    return few or (found.calls < 2 * _LEAST_CALLS_A_VALUE and _exact(dimension, path))


def _exact(dimension: str, path: str) -> bool:
    """Whether the last name of a path is such a name and no more."""
    return re.fullmatch(_NAMES[dimension], path.rpartition(".")[2], re.IGNORECASE) is not None
