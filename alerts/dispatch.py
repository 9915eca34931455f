"""Decide whether to notify of an incident, and whom: pure, the clock is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase

from alerts.incidents import is_muted
from ledger.figures import Incident, IncidentState, Severity

REPEAT_AFTER: Mapping[Severity, timedelta] = {
    Severity.PAGE: timedelta(hours=4),
    Severity.TICKET: timedelta(hours=24),
    Severity.INFO: timedelta(hours=24),
}
MORE_AT = 2


class Reason(StrEnum):
    """Why somebody is told of an incident now, or NONE."""

    FIRST = "first"
    REPEAT = "repeat"
    MORE = "more"
    RESOLVED = "resolved"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Notified:
    """The last time an incident was told, and how large it was then; `reason` None where not known."""

    reason: Reason | None
    notified_at: datetime
    excess_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Route:
    """Incidents whose every named property fits its value or glob go to `channels`.

    Properties: severity, rule, state, tenant, workflow, model, model_tier, environment.
    """

    match: Mapping[str, str]
    channels: tuple[str, ...]


def decide(
    incident: Incident,
    last: Notified | None,
    now: datetime,
    repeat_after: timedelta,
    *,
    inhibited: bool = False,
) -> Reason:
    """Say why to notify now.

    Nobody hears of what is silenced, expected, backfilled or inhibited; an acknowledged incident is not
    repeated, but told again when it has doubled and when it is over.
    """
    if not incident.deliver or is_muted(incident, now):
        return Reason.NONE
    if incident.state is IncidentState.RESOLVED:
        return _of_resolved(last)
    if inhibited:
        return Reason.NONE
    return _of_firing(incident, last, now, repeat_after)


def route(incident: Incident, routes: Sequence[Route], channels: Sequence[str]) -> tuple[str, ...]:
    """The channels of the first route that matches; without one all of `channels`.

    What is only worth the daily report (severity info) goes where a route names it, else nowhere.
    """
    for candidate in routes:
        if _matches(incident, candidate.match):
            return candidate.channels
    return () if incident.severity is Severity.INFO else tuple(channels)


def _of_resolved(last: Notified | None) -> Reason:
    # Who was never told that it began need not hear that it is over.
    return Reason.NONE if last is None or last.reason is Reason.RESOLVED else Reason.RESOLVED


def _of_firing(incident: Incident, last: Notified | None, now: datetime, repeat_after: timedelta) -> Reason:
    if last is None:
        return Reason.NONE if incident.state is IncidentState.ACKNOWLEDGED else Reason.FIRST
    if _has_grown(incident.excess_usd, last.excess_usd):
        return Reason.MORE
    is_due = now - last.notified_at >= repeat_after
    return Reason.REPEAT if is_due and incident.state is IncidentState.FIRING else Reason.NONE


def _has_grown(excess_usd: Decimal | None, notified_usd: Decimal | None) -> bool:
    if excess_usd is None or notified_usd is None or notified_usd <= 0:
        return False
    return excess_usd >= MORE_AT * notified_usd


def _matches(incident: Incident, match: Mapping[str, str]) -> bool:
    properties = {
        "severity": str(incident.severity),
        "rule": incident.rule,
        "state": str(incident.state),
        **dict(incident.scope.parts()),
    }
    return all(
        name in properties and fnmatchcase(properties[name], pattern) for name, pattern in match.items()
    )
