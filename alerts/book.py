"""Incidents as the ledger keeps them: read, write, and what a person does to one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import cast

import polars as pl

from alerts.dispatch import Notified, Reason
from alerts.incident_rows import COLUMNS, INCIDENT, USD, UTC_TIME, aware, naive, to_incident, to_row
from alerts.incidents import Change, ChangeKind
from alerts.messages import Message, encode
from ledger.figures import Incident, IncidentState
from ledger.store import Ledger

_TYPES: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "notification_id": pl.String,
    "incident_id": pl.String,
    "channel": pl.String,
    "reason": pl.String,
    "dedup_key": pl.String,
    "body": pl.String,
    "state": pl.String,
    "attempts": pl.Int32,
    "created_at": UTC_TIME,
    "next_try_at": UTC_TIME,
    "excess_usd": USD,
}
_NOTIFICATION = pl.Schema(dict(_TYPES))

_CONTROL = pl.Schema(
    {"incident_id": pl.String(), "kind": pl.String(), "detail": pl.String(), "proposed_at": UTC_TIME}
)


# A resolved incident no longer says whether it was silenced or expected: the audit does. Only the last life
# counts: who acknowledged it, ended the silence of those before.
_MUTED = f"""
WITH latest AS (
    SELECT * FROM incidents QUALIFY row_number() OVER (PARTITION BY fingerprint ORDER BY opened_at DESC) = 1
)
SELECT {COLUMNS}, (
    SELECT arg_max(action, happened_at) FROM audit
    WHERE action IN ('incident.silence', 'incident.expect') AND starts_with(detail, incident_id || ' ')
) AS asked
FROM latest WHERE state = 'resolved' AND until_at > ?
"""


_UNDELIVERED = """
SELECT count(*) FILTER (WHERE state IN ('pending', 'failed', 'sending')),
    count(*) FILTER (WHERE state = 'given_up' AND created_at >= coalesce(?, created_at) AND NOT EXISTS (
        SELECT 1 FROM notifications later
        WHERE later.state = 'sent' AND later.incident_id = n.incident_id AND later.channel = n.channel
            AND later.created_at >= n.created_at))
FROM notifications n
"""


class Verb(StrEnum):
    """What a person can do to an incident."""

    ACK = "ack"
    SILENCE = "silence"
    EXPECT = "expect"
    RESOLVE = "resolve"


_VERBS = {IncidentState.SILENCED: Verb.SILENCE, IncidentState.EXPECTED: Verb.EXPECT}
_ASKED = {f"incident.{verb}": str(state) for state, verb in _VERBS.items()}


@dataclass(frozen=True, slots=True)
class Notification:
    """A message bound for one channel."""

    channel: str
    message: Message

    @property
    def notification_id(self) -> str:
        """The same message to the same channel is one notification, however often it is recorded."""
        return f"{self.message.dedup_key}@{self.channel}"


def load_open(ledger: Ledger) -> list[Incident]:
    """Every incident that is not resolved, oldest first."""
    return _load(ledger, "state <> 'resolved'")


def load_muted(ledger: Ledger, now: datetime) -> list[Incident]:
    """The last life of each finding whose silence or expectation outlasts it, in the state it was put in."""
    rows = ledger.frame(_MUTED, [naive(now)])
    states = rows["asked"].replace_strict(_ASKED, default=str(IncidentState.SILENCED))
    return [to_incident(row) for row in rows.with_columns(state=states).iter_rows(named=True)]


def load_all(ledger: Ledger, since: datetime | None = None) -> list[Incident]:
    """Open incidents, and those resolved at or after `since` (all of them without it), oldest first."""
    if since is None:
        return _load(ledger, "true")
    return _load(ledger, "state <> 'resolved' OR resolved_at >= ?", [naive(since)])


def find(ledger: Ledger, prefix: str) -> Incident:
    """The one incident whose id begins with `prefix`; ValueError where there is none or more than one."""
    matching = _load(ledger, "starts_with(incident_id, ?)", [prefix]) if prefix else []
    if not matching:
        raise ValueError(f"no incident {prefix!r}: `tollbook incidents` lists the open ones")
    if len(matching) > 1:
        ids = ", ".join(incident.incident_id for incident in matching[:5])
        raise ValueError(f"{prefix!r} fits {len(matching)} incidents ({ids}): write more of the id")
    return matching[0]


def load_notified(ledger: Ledger) -> dict[str, Notified]:
    """When each incident was last told, why, and how large it was, by incident id."""
    rows = ledger.rows(
        """
        SELECT i.incident_id, arg_max(n.reason, n.created_at), i.notified_at, i.notified_excess_usd
        FROM incidents i LEFT JOIN notifications n USING (incident_id)
        WHERE i.notified_at IS NOT NULL
        GROUP BY ALL
        """
    )
    return {
        str(row[0]): Notified(
            Reason(str(row[1])) if row[1] is not None else None,
            aware(cast("datetime", row[2])),
            cast("Decimal | None", row[3]),
        )
        for row in rows
    }


def undelivered(ledger: Ledger, since: datetime | None = None) -> tuple[int, int]:
    """How many notifications still wait to be sent, and how many were given up that nobody has heard since.

    What was given up before `since` is left out; so is what a later notification to the same channel about
    the same incident said again.
    """
    ((waiting, given_up),) = ledger.rows(_UNDELIVERED, [naive(since) if since else None])
    return cast("int", waiting), cast("int", given_up)


def record(
    ledger: Ledger, changes: Sequence[Change], notifications: Sequence[Notification], now: datetime
) -> None:
    """Write changed incidents and the notifications they cause in one transaction, before anything is sent.

    Recording the same again changes nothing.
    """
    with ledger.transaction():
        _write_incidents(ledger, [change.incident for change in changes])
        _write_controls(ledger, changes, now)
        _audit_inherited(ledger, changes, now)
        _write_notifications(ledger, notifications, now)


def act(
    ledger: Ledger,
    prefix: str,
    verb: Verb,
    now: datetime,
    until: datetime | None = None,
    note: str | None = None,
    tell: Callable[[Incident], Sequence[Notification]] = lambda _: (),
) -> Incident:
    """Do what a person asked to one open incident, write it to the audit and queue what `tell` makes of it.

    Silence and expect need an end, expect a reason too. Raises ValueError with what to change.
    """
    before = find(ledger, prefix)
    _check_act(before, verb, now, until, note)
    after = _acted(before, verb, now, until, note)
    with ledger.transaction():
        _write_incidents(ledger, [after])
        if verb is Verb.ACK:
            ledger.execute(
                "UPDATE incidents SET acknowledged_at = coalesce(acknowledged_at, ?) WHERE incident_id = ?",
                [naive(now), after.incident_id],
            )
        audit(ledger, now, f"incident.{verb}", _audit_detail(after, until, note))
        _write_notifications(ledger, tell(after), now)
    return after


def audit(ledger: Ledger, now: datetime, action: str, detail: str) -> None:
    """Write one line of who-did-what; the caller holds the transaction."""
    ledger.execute("INSERT INTO audit VALUES (?, ?, ?)", [naive(now), action, detail])


def _audit_inherited(ledger: Ledger, changes: Iterable[Change], now: datetime) -> None:
    """A life that began quiet: the audit says so, as it does where a person asked."""
    for change in changes:
        verb = _VERBS.get(change.incident.state)
        if change.kind is ChangeKind.OPENED and verb is not None:
            detail = _audit_detail(change.incident, change.incident.until, "as its last life was")
            audit(ledger, now, f"incident.{verb}", detail)


def _check_act(
    incident: Incident, verb: Verb, now: datetime, until: datetime | None, note: str | None
) -> None:
    if incident.state is IncidentState.RESOLVED:
        raise ValueError(f"incident {incident.incident_id} is already resolved: there is nothing to {verb}")
    if verb not in (Verb.SILENCE, Verb.EXPECT):
        return
    if until is None:
        raise ValueError(f"{verb} needs an end: say until when, for example --until 2026-10-31T18:00")
    if until <= now:
        raise ValueError(f"{verb} until {until:%Y-%m-%d %H:%M %Z} is already over: give a later end")
    if verb is Verb.EXPECT and not (note or "").strip():
        raise ValueError("expect needs a reason: say why with --note")


def _acted(
    incident: Incident, verb: Verb, now: datetime, until: datetime | None, note: str | None
) -> Incident:
    noted = replace(incident, note=note or incident.note)
    match verb:
        case Verb.ACK:
            return replace(noted, state=IncidentState.ACKNOWLEDGED, until=None)
        case Verb.SILENCE:
            return replace(noted, state=IncidentState.SILENCED, until=until)
        case Verb.EXPECT:
            return replace(noted, state=IncidentState.EXPECTED, until=until)
        case Verb.RESOLVE:
            return replace(noted, state=IncidentState.RESOLVED, resolved_at=now, updated_at=now)


def _audit_detail(incident: Incident, until: datetime | None, note: str | None) -> str:
    ending = f" until {until:%Y-%m-%dT%H:%M:%S%z}" if until else ""
    reason = f": {note}" if note else ""
    return f"{incident.incident_id} {incident.rule} {incident.scope.title()}{ending}{reason}"


def _load(ledger: Ledger, where: str, params: Sequence[object] = ()) -> list[Incident]:
    rows = ledger.frame(
        f"SELECT {COLUMNS} FROM incidents WHERE {where} ORDER BY opened_at, incident_id", params
    )
    return [to_incident(row) for row in rows.iter_rows(named=True)]


def _write_incidents(ledger: Ledger, incidents: Iterable[Incident]) -> None:
    frame = pl.DataFrame([to_row(incident) for incident in incidents], schema=INCIDENT)
    if frame.is_empty():
        return
    assignments = ", ".join(f"{name} = changed.{name}" for name in INCIDENT if name != "incident_id")
    with ledger.scanning("changed", frame):
        ledger.execute(
            f"UPDATE incidents SET {assignments} FROM changed "
            "WHERE incidents.incident_id = changed.incident_id"
        )
        ledger.execute(
            f"INSERT INTO incidents ({COLUMNS}) SELECT {COLUMNS} FROM changed "
            "WHERE incident_id NOT IN (SELECT incident_id FROM incidents)"
        )


def _write_controls(ledger: Ledger, changes: Iterable[Change], now: datetime) -> None:
    opened = (change.incident for change in changes if change.kind is ChangeKind.OPENED)
    rows = [
        (incident.incident_id, str(incident.action.kind), incident.action.text, naive(now))
        for incident in opened
        if incident.action is not None
    ]
    if not rows:
        return
    with ledger.scanning("proposed", pl.DataFrame(rows, schema=_CONTROL, orient="row")):
        ledger.execute(
            "INSERT INTO controls BY NAME SELECT * FROM proposed "
            "WHERE (incident_id, kind) NOT IN (SELECT incident_id, kind FROM controls)"
        )


def _write_notifications(ledger: Ledger, notifications: Iterable[Notification], now: datetime) -> None:
    frame = pl.DataFrame([_notification_row(each, now) for each in notifications], schema=_NOTIFICATION)
    if frame.is_empty():
        return
    names = ", ".join(name for name in _NOTIFICATION if name != "excess_usd")
    with ledger.scanning("told", frame):
        ledger.execute(
            f"INSERT INTO notifications ({names}) SELECT {names} FROM told "
            "WHERE notification_id NOT IN (SELECT notification_id FROM notifications)"
        )
        ledger.execute(
            "UPDATE incidents SET notified_at = told.created_at, notified_excess_usd = told.excess_usd "
            "FROM told WHERE incidents.incident_id = told.incident_id"
        )


def _notification_row(notification: Notification, now: datetime) -> dict[str, object]:
    message = notification.message
    return {
        "notification_id": notification.notification_id,
        "incident_id": message.incident_id,
        "channel": notification.channel,
        "reason": str(message.reason),
        "dedup_key": message.dedup_key,
        "body": encode(message),
        "state": "pending",
        "attempts": 0,
        "created_at": naive(now),
        "next_try_at": naive(now),
        "excess_usd": message.excess_usd,
    }
