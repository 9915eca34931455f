"""What analytics concludes and reports and alerts print: findings, headline figures, data health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class Severity(StrEnum):
    """How soon somebody must look: page now, ticket today, info in the daily report."""

    PAGE = "page"
    TICKET = "ticket"
    INFO = "info"


class ControlKind(StrEnum):
    """What can be done about a finding."""

    CAP_OUTPUT = "cap_output"
    CHEAPER_TIER = "cheaper_tier"
    COMPRESS_CONTEXT = "compress_context"
    REQUIRE_APPROVAL = "require_approval"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a finding is about; None means not narrowed to that dimension."""

    tenant: str | None = None
    workflow: str | None = None
    model: str | None = None
    model_tier: str | None = None
    environment: str | None = None

    def parts(self) -> tuple[tuple[str, str], ...]:
        """The narrowed dimensions in fixed order, as (name, value)."""
        pairs = (
            ("tenant", self.tenant),
            ("workflow", self.workflow),
            ("model", self.model),
            ("model_tier", self.model_tier),
            ("environment", self.environment),
        )
        return tuple((name, value) for name, value in pairs if value is not None)

    def title(self) -> str:
        """The scope for people: `acme / support-bot`, or `all spend`."""
        return " / ".join(value for _, value in self.parts()) or "all spend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that should not be as it is, found in the books at `found_at` (aware UTC).

    `rule` and `scope` are its identity: the same finding at the next check has the same ones. Amounts are
    dollars of the window [window_start, window_end). `summary` is one sentence without the scope;
    `why` are further sentences, most important first. `since` is when it began, as far as known.
    `control` is what would stop this one, where the rule alone does not say it.
    """

    rule: str
    scope: Scope
    severity: Severity
    found_at: datetime
    since: datetime
    window_start: datetime
    window_end: datetime
    observed_usd: Decimal | None
    expected_usd: Decimal | None
    excess_usd: Decimal | None
    summary: str
    why: tuple[str, ...] = ()
    control: ControlKind | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """A proposed control and what it would save; `command` is what a person runs or sends."""

    kind: ControlKind
    text: str
    command: str
    saving_usd_per_day: Decimal | None


class IncidentState(StrEnum):
    """Where an incident is in its life."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    EXPECTED = "expected"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One life of a finding, as the ledger keeps it; times are aware UTC.

    `fingerprint` is stable over rule and scope; `incident_id` is unique for each life. Amounts, words and
    severity are those of its worst evaluation so far; `until` ends a silence or an expectation.
    """

    incident_id: str
    fingerprint: str
    rule: str
    scope: Scope
    severity: Severity
    state: IncidentState
    opened_at: datetime
    since: datetime
    updated_at: datetime
    resolved_at: datetime | None
    until: datetime | None
    observed_usd: Decimal | None
    expected_usd: Decimal | None
    excess_usd: Decimal | None
    summary: str
    why: tuple[str, ...]
    action: Action | None
    note: str | None = None
    deliver: bool = True


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the large numbers at the top of a page.

    `plan` and `change` are None where there is nothing to compare with; `change` is against `versus`.
    """

    label: str
    value_usd: Decimal | None
    plan_usd: Decimal | None = None
    change_usd: Decimal | None = None
    change_share: float | None = None
    versus: str = ""
    low_usd: Decimal | None = None
    high_usd: Decimal | None = None
    note: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class MergedSources:
    """Calls that the same sources told of (`litellm + otlp`), booked once: how many, and what they cost."""

    sources: str
    requests: int
    usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DataHealth:
    """Can the period's numbers be trusted? None is unknown.

    `read`, `added`, `updated`, `duplicate`, `rejected` and `merged_identical` count records ingested since
    `ingested_since`; the rest describe the rows of the reported period. `late_*` arrived after the
    day they belong to had been reported. `comparable_requests` are text-only calls by exact rules, of the UTC
    days that begin in the period: `exact_share` of them count as billed, `drift_share` is (counted −
    reported) / reported over all their input tokens. Notifications that wait to be sent are `undelivered`;
    nobody will hear those `given_up` since `ingested_since`.
    `distrusted_counters` says of each fast counter found wrong how; counts made before may be off.
    `merged_sources` are the period's calls that more than one source told of.
    """

    ingested_since: datetime
    read: int
    added: int
    updated: int
    duplicate: int
    merged_identical: int
    rejected: int
    reject_reasons: tuple[tuple[str, int], ...]
    requests: int
    late_requests: int
    late_usd: Decimal
    unpriced_requests: int
    unpriced_tokens: int
    unpriced_reasons: tuple[tuple[str, int], ...]
    unattributed_requests: int
    unattributed_usd: Decimal
    estimated_requests: int
    estimated_usd: Decimal
    cost_usd: Decimal
    ts_estimated_requests: int
    drift_share: float | None
    exact_share: float | None
    comparable_requests: int
    price_book: str
    price_book_date: date | None
    last_commit: datetime | None
    undelivered: int = 0
    given_up: int = 0
    distrusted_counters: tuple[str, ...] = ()
    merged_sources: tuple[MergedSources, ...] = ()


def estimated_share(health: DataHealth) -> float | None:
    """Estimated dollars over all dollars of the period; None where nothing was spent."""
    return float(health.estimated_usd / health.cost_usd) if health.cost_usd else None
