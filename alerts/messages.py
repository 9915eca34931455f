"""What a person is told of an incident, as one value that every channel renders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

import msgspec

from alerts.dispatch import Reason
from ledger.figures import Incident, IncidentState, Severity
from ledger.units import duration, instant, money

_SIGNS = {Severity.PAGE: "▲", Severity.TICKET: "●", Severity.INFO: "○"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification: the title says who, what, how much and since when; the lines say why and what to do.

    `dedup_key` is the same on every attempt to deliver it. It is kept in the ledger as JSON, so it holds no
    secrets.
    """

    title: str
    lines: tuple[str, ...]
    commands: tuple[str, ...]
    reason: Reason
    dedup_key: str
    incident_id: str
    fingerprint: str
    rule: str
    scope: dict[str, str]
    severity: Severity
    state: IncidentState
    opened_at: datetime
    since: datetime
    updated_at: datetime
    resolved_at: datetime | None
    observed_usd: Decimal | None
    expected_usd: Decimal | None
    excess_usd: Decimal | None
    saving_usd_per_day: Decimal | None


def compose(incident: Incident, reason: Reason, zone: tzinfo) -> Message:
    """Write the message for an incident and the reason it is told; times are written in `zone`."""
    is_over = reason is Reason.RESOLVED
    return Message(
        title=_printable(_resolved_title(incident) if is_over else _title(incident, reason, zone)),
        lines=tuple(_printable(line) for line in _lines(incident, is_over, zone)),
        commands=tuple(_commands(incident, is_over)),
        reason=reason,
        dedup_key=dedup_key(incident, reason),
        incident_id=incident.incident_id,
        fingerprint=incident.fingerprint,
        rule=incident.rule,
        scope=dict(incident.scope.parts()),
        severity=incident.severity,
        state=incident.state,
        opened_at=incident.opened_at,
        since=incident.since,
        updated_at=incident.updated_at,
        resolved_at=incident.resolved_at,
        observed_usd=incident.observed_usd,
        expected_usd=incident.expected_usd,
        excess_usd=incident.excess_usd,
        saving_usd_per_day=incident.action.saving_usd_per_day if incident.action else None,
    )


def dedup_key(incident: Incident, reason: Reason) -> str:
    """Name a notification: once in a life for first and resolved, once a moment for the rest."""
    if reason in (Reason.FIRST, Reason.RESOLVED):
        return f"{incident.incident_id}-{reason}"
    return f"{incident.incident_id}-{reason}-{incident.updated_at:%Y%m%dT%H%M%S}"


def text(message: Message) -> str:
    """The message as plain text, title first, commands last."""
    commands = (f"  {command}" for command in message.commands)
    return "\n".join((f"{sign(message)} {message.title}", *message.lines, *commands))


def sign(message: Message) -> str:
    """A sign of how urgent it is that does not depend on colour."""
    return "✓" if message.reason is Reason.RESOLVED else _SIGNS[message.severity]


def encode(message: Message) -> str:
    """The message as one line of JSON; money as exact decimal text."""
    return msgspec.json.encode(message).decode()


def decode(body: str) -> Message:
    """The message of a line of JSON; ValueError where it is none."""
    return msgspec.json.decode(body, type=Message)


def _title(incident: Incident, reason: Reason, zone: tzinfo) -> str:
    lead = {Reason.REPEAT: "Still firing: ", Reason.MORE: "Growing: "}.get(reason, "")
    what = incident.summary.rstrip(". ")
    return (
        f"{lead}{incident.scope.title()}: {what}, since {_clock(incident.since, incident.updated_at, zone)}"
    )


def _resolved_title(incident: Incident) -> str:
    lasted = duration((incident.resolved_at or incident.updated_at) - incident.since)
    over = f"Resolved: {incident.scope.title()}, after {lasted}."
    if incident.excess_usd is None or incident.excess_usd <= 0:
        return over
    return f"{over} It cost {money(incident.excess_usd)} more than expected at its worst."


def _lines(incident: Incident, is_over: bool, zone: tzinfo) -> Iterator[str]:
    yield from _over_lines(incident, zone) if is_over else _open_lines(incident)


def _over_lines(incident: Incident, zone: tzinfo) -> Iterator[str]:
    span = f"from {_moment(incident.since, zone)} to {_moment(incident.resolved_at, zone)}"
    yield f"It was: {incident.summary.rstrip('. ')}, {span}."
    if incident.note:
        yield f"Note: {incident.note}"


def _open_lines(incident: Incident) -> Iterator[str]:
    if incident.why:
        yield f"Why: {'; '.join(_first_three(incident.why))}."
    if incident.action is not None:
        yield f"Do: {incident.action.text}{_saving(incident.action.saving_usd_per_day)}."
        yield f"How: {incident.action.command}."


def _first_three(why: Iterable[str]) -> list[str]:
    return [reason.rstrip(". ") for reason in why][:3]


def _saving(usd_per_day: Decimal | None) -> str:
    return "" if usd_per_day is None else f", {money(usd_per_day)} a day at this pace"


def _commands(incident: Incident, is_over: bool) -> Iterator[str]:
    if is_over:
        return
    if incident.state is IncidentState.FIRING:
        yield f"tollbook incidents ack {incident.incident_id}"
    yield f"tollbook incidents silence {incident.incident_id} --for 4h"
    yield f"tollbook incidents resolve {incident.incident_id}"


def _clock(ts: datetime, now: datetime, zone: tzinfo) -> str:
    """The time alone on the same day, with the date before it on another."""
    local = ts.astimezone(zone)
    is_today = local.date() == now.astimezone(zone).date()
    return f"{local:%H:%M %Z}" if is_today else f"{local:%a} {local.day} {local:%b %H:%M %Z}"


def _moment(ts: datetime | None, zone: tzinfo) -> str:
    return instant(ts, zone) if ts is None else f"{instant(ts, zone)} {ts.astimezone(zone):%Z}"


def _printable(line: str) -> str:
    """Names come from logs: a line break or an escape sequence in one must not write lines of its own."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
