"""An incident as a row of the ledger, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import polars as pl

from ledger.figures import Action, ControlKind, Incident, IncidentState, Scope, Severity

USD = pl.Decimal(38, 12)
UTC_TIME = pl.Datetime("us")
# What an evaluation writes of an incident; who was told, and who acknowledged it, are written beside it.
_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "incident_id": pl.String,
    "fingerprint": pl.String,
    "rule": pl.String,
    "tenant": pl.String,
    "workflow": pl.String,
    "model": pl.String,
    "model_tier": pl.String,
    "environment": pl.String,
    "severity": pl.String,
    "state": pl.String,
    "opened_at": UTC_TIME,
    "since": UTC_TIME,
    "updated_at": UTC_TIME,
    "resolved_at": UTC_TIME,
    "until_at": UTC_TIME,
    "observed_usd": USD,
    "expected_usd": USD,
    "excess_usd": USD,
    "summary": pl.String,
    "why": pl.List(pl.String),
    "action_kind": pl.String,
    "action_text": pl.String,
    "action_command": pl.String,
    "action_saving_usd_per_day": USD,
    "note": pl.String,
    "deliver": pl.Boolean,
}
INCIDENT = pl.Schema(dict(_TYPES))
COLUMNS = ", ".join(INCIDENT)


def to_incident(row: Mapping[str, object]) -> Incident:
    """The incident of a ledger row; times become aware."""
    return Incident(
        incident_id=str(row["incident_id"]),
        fingerprint=str(row["fingerprint"]),
        rule=str(row["rule"]),
        scope=_scope(row),
        severity=Severity(str(row["severity"])),
        state=IncidentState(str(row["state"])),
        opened_at=aware(cast("datetime", row["opened_at"])),
        since=aware(cast("datetime", row["since"])),
        updated_at=aware(cast("datetime", row["updated_at"])),
        resolved_at=_aware_or_none(row["resolved_at"]),
        until=_aware_or_none(row["until_at"]),
        observed_usd=cast("Decimal | None", row["observed_usd"]),
        expected_usd=cast("Decimal | None", row["expected_usd"]),
        excess_usd=cast("Decimal | None", row["excess_usd"]),
        summary=str(row["summary"]),
        why=tuple(cast("list[str]", row["why"])),
        action=_action(row),
        note=cast("str | None", row["note"]),
        deliver=bool(row["deliver"]),
    )


def _scope(row: Mapping[str, object]) -> Scope:
    names = ("tenant", "workflow", "model", "model_tier", "environment")
    return Scope(*(cast("str | None", row[name]) for name in names))


def _action(row: Mapping[str, object]) -> Action | None:
    if row["action_kind"] is None:
        return None
    return Action(
        ControlKind(str(row["action_kind"])),
        str(row["action_text"]),
        str(row["action_command"]),
        cast("Decimal | None", row["action_saving_usd_per_day"]),
    )


def to_row(incident: Incident) -> dict[str, object]:
    """The ledger row of an incident, by column; times become naive UTC."""
    scope, action = incident.scope, incident.action
    return {
        "incident_id": incident.incident_id,
        "fingerprint": incident.fingerprint,
        "rule": incident.rule,
        "tenant": scope.tenant,
        "workflow": scope.workflow,
        "model": scope.model,
        "model_tier": scope.model_tier,
        "environment": scope.environment,
        "severity": str(incident.severity),
        "state": str(incident.state),
        "opened_at": naive(incident.opened_at),
        "since": naive(incident.since),
        "updated_at": naive(incident.updated_at),
        "resolved_at": naive(incident.resolved_at) if incident.resolved_at else None,
        "until_at": naive(incident.until) if incident.until else None,
        "observed_usd": incident.observed_usd,
        "expected_usd": incident.expected_usd,
        "excess_usd": incident.excess_usd,
        "summary": incident.summary,
        "why": list(incident.why),
        "action_kind": str(action.kind) if action else None,
        "action_text": action.text if action else None,
        "action_command": action.command if action else None,
        "action_saving_usd_per_day": action.saving_usd_per_day if action else None,
        "note": incident.note,
        "deliver": incident.deliver,
    }


def naive(ts: datetime) -> datetime:
    """A moment as the ledger stores it."""
    return ts.astimezone(UTC).replace(tzinfo=None)


def aware(ts: datetime) -> datetime:
    """A moment the ledger stored, as it travels."""
    return ts.replace(tzinfo=UTC)


def _aware_or_none(ts: object) -> datetime | None:
    return aware(ts) if isinstance(ts, datetime) else None
