"""The life of an incident: a pure state machine from findings to changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from alerts.controls import propose
from ledger.figures import Finding, Incident, IncidentState, Scope, Severity

KEEP_FIRING_FOR = timedelta(minutes=15)
BACKFILL_OLDER_THAN = timedelta(hours=48)

_URGENCY = {Severity.INFO: 0, Severity.TICKET: 1, Severity.PAGE: 2}
_SOFT, _HARD = "budget_soft", "budget_hard"
_MUTED = (IncidentState.SILENCED, IncidentState.EXPECTED)


class ChangeKind(StrEnum):
    """What one evaluation did to an incident."""

    OPENED = "opened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    HELD = "held"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Change:
    """An incident as it is after an evaluation, and what happened to it."""

    incident: Incident
    kind: ChangeKind


def fingerprint(rule: str, scope: Scope) -> str:
    """Name a finding by rule and scope alone, so that a changing amount opens no second incident."""
    parts = (rule, *(f"{name}={value}" for name, value in scope.parts()))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def incident_id(print_: str, opened_at: datetime) -> str:
    """Name one life of a finding; the same evaluation run again gives the same name."""
    return hashlib.sha256(f"{print_}\x1f{opened_at.isoformat()}".encode()).hexdigest()[:12]


def advance(
    open_incidents: Sequence[Incident],
    findings: Sequence[Finding],
    now: datetime,
    keep_firing_for: timedelta = KEEP_FIRING_FOR,
    backfill_older_than: timedelta = BACKFILL_OLDER_THAN,
    muted: Sequence[Incident] = (),
    last_data: datetime | None = None,
) -> list[Change]:
    """Compare what is open with what was found; one change for each open incident and each new finding.

    A new life of one of `muted`, resolved incidents that a person silenced or expects until later than now,
    begins as quiet as that was: what comes and goes must not wake who silenced it.
    `updated_at` is when an incident was last known not to be over. While the data is stale nothing but the
    staleness itself resolves: vanished data is not recovery. Nor does anything that was last found after
    `last_data`, when the newest call was made: nothing has shown since that it is over.
    """
    found = _by_fingerprint(findings)
    blind = any(is_stale(finding.rule) for finding in findings)
    known = {incident.fingerprint for incident in open_incidents}
    asked = {incident.fingerprint: incident for incident in muted if is_muted(incident, now)}
    changes = [
        _still_found(incident, found[incident.fingerprint], now, backfill_older_than)
        if incident.fingerprint in found
        else _not_found(incident, now, keep_firing_for, blind, last_data)
        for incident in open_incidents
    ]
    new = (
        _inheriting(_opened(print_, finding, now, backfill_older_than), asked.get(print_))
        for print_, finding in found.items()
        if print_ not in known
    )
    return [*changes, *new]


def inhibited(findings: Sequence[Finding]) -> set[str]:
    """Fingerprints of findings that another one already says; they open incidents but tell nobody.

    A hard budget reached mutes the soft one of the same counter.
    """
    found = {(finding.rule, finding.scope) for finding in findings}
    return {
        fingerprint(finding.rule, finding.scope)
        for finding in findings
        if finding.rule.startswith(_SOFT) and (finding.rule.replace(_SOFT, _HARD, 1), finding.scope) in found
    }


def is_stale(rule: str) -> bool:
    """Whether a rule says that data stopped arriving."""
    return rule == "collector_stale"


def is_muted(incident: Incident, now: datetime) -> bool:
    """Whether a person asked not to hear of the incident, for a time that is not over yet."""
    if incident.state in _MUTED:
        return incident.until is None or incident.until > now
    return incident.state is IncidentState.RESOLVED and incident.until is not None and incident.until > now


def _by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    worst: dict[str, Finding] = {}
    for finding in findings:
        print_ = fingerprint(finding.rule, finding.scope)
        if print_ not in worst or _weight(finding) > _weight(worst[print_]):
            worst[print_] = finding
    return worst


def _weight(finding: Finding) -> tuple[int, Decimal]:
    return _URGENCY[finding.severity], finding.excess_usd or Decimal(0)


def _opened(print_: str, finding: Finding, now: datetime, backfill_older_than: timedelta) -> Change:
    incident = Incident(
        incident_id=incident_id(print_, now),
        fingerprint=print_,
        rule=finding.rule,
        scope=finding.scope,
        severity=finding.severity,
        state=IncidentState.FIRING,
        opened_at=now,
        since=finding.since,
        updated_at=now,
        resolved_at=None,
        until=None,
        observed_usd=finding.observed_usd,
        expected_usd=finding.expected_usd,
        excess_usd=finding.excess_usd,
        summary=finding.summary,
        why=finding.why,
        action=propose(finding),
        deliver=_is_fresh(finding, now, backfill_older_than),
    )
    return Change(incident, ChangeKind.OPENED)


def _inheriting(opened: Change, muted: Incident | None) -> Change:
    if muted is None:
        return opened
    quiet = replace(opened.incident, state=muted.state, until=muted.until, note=muted.note)
    return replace(opened, incident=quiet)


def _still_found(
    incident: Incident, finding: Finding, now: datetime, backfill_older_than: timedelta
) -> Change:
    before = _unmuted(incident, now)
    deliver = before.deliver or _is_fresh(finding, now, backfill_older_than)
    after = replace(_worst_of(before, finding), since=_since(before, finding), deliver=deliver)
    kind = ChangeKind.UNCHANGED if after == incident else ChangeKind.UPDATED
    # A replay of an earlier morning must not turn back the clock of an open incident.
    return Change(replace(after, updated_at=max(now, before.updated_at)), kind)


def _since(incident: Incident, finding: Finding) -> datetime:
    """When it began: what the finding's window still shows is known better now than it was at first."""
    if incident.since < finding.window_start:
        return min(incident.since, finding.since)
    return min(incident.opened_at, finding.since)


def _worst_of(incident: Incident, finding: Finding) -> Incident:
    """Keep an incident at the worst it has been, amounts and words of one moment together."""
    if not _is_at_least_as_bad(finding, incident):
        return incident
    return replace(
        incident,
        severity=finding.severity,
        observed_usd=finding.observed_usd,
        expected_usd=finding.expected_usd,
        excess_usd=finding.excess_usd,
        summary=finding.summary,
        why=finding.why,
        action=propose(finding),
    )


def _is_at_least_as_bad(finding: Finding, incident: Incident) -> bool:
    if finding.severity is not incident.severity:
        return _URGENCY[finding.severity] > _URGENCY[incident.severity]
    if finding.excess_usd is None or incident.excess_usd is None:
        return True
    return finding.excess_usd >= incident.excess_usd


def _not_found(
    incident: Incident, now: datetime, keep_firing_for: timedelta, blind: bool, last_data: datetime | None
) -> Change:
    # Without data nobody can say that it is over. Where the newest call is known it decides when data is
    # back; otherwise the time that it must be gone begins anew with every blind check.
    if blind and not is_stale(incident.rule):
        seen_at = now if last_data is None else incident.updated_at
        return Change(replace(_unmuted(incident, now), updated_at=seen_at), ChangeKind.HELD)
    unseen = last_data is not None and last_data <= incident.updated_at and not is_stale(incident.rule)
    if unseen or now - incident.updated_at < keep_firing_for:
        return Change(_unmuted(incident, now), ChangeKind.HELD)
    resolved = replace(incident, state=IncidentState.RESOLVED, resolved_at=now, updated_at=now)
    return Change(resolved, ChangeKind.RESOLVED)


def _unmuted(incident: Incident, now: datetime) -> Incident:
    if incident.state in _MUTED and not is_muted(incident, now):
        return replace(incident, state=IncidentState.FIRING, until=None)
    return incident


def _is_fresh(finding: Finding, now: datetime, backfill_older_than: timedelta) -> bool:
    return now - finding.window_end <= backfill_older_than
