"""One evaluation: what was found becomes incidents and queued notifications, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from alerts import book
from alerts.dispatch import REPEAT_AFTER, Notified, Reason, Route, decide, route
from alerts.incidents import (
    BACKFILL_OLDER_THAN,
    KEEP_FIRING_FOR,
    Change,
    advance,
    inhibited,
)
from alerts.messages import compose
from ledger.figures import Finding, Incident, IncidentState, Severity
from ledger.store import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long, how often and to whom: the alerting part of the configuration.

    `channels` are the names that an incident without a matching route goes to; `zone` is for the times in
    messages.
    """

    channels: tuple[str, ...]
    zone: tzinfo
    routes: tuple[Route, ...] = ()
    keep_firing_for: timedelta = KEEP_FIRING_FOR
    backfill_older_than: timedelta = BACKFILL_OLDER_THAN
    repeat_after: Mapping[Severity, timedelta] = field(default_factory=lambda: dict(REPEAT_AFTER))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one evaluation changed and queued."""

    changes: tuple[Change, ...]
    notifications: tuple[book.Notification, ...]


def evaluate(
    ledger: Ledger,
    findings: Sequence[Finding],
    policy: Policy,
    now: datetime,
    last_data: datetime | None = None,
) -> Evaluation:
    """Open, update and resolve incidents, and queue what must be told; `outbox.deliver` sends it.

    Run again with the same findings it changes no state and queues nothing. `last_data` is when the newest
    call was made, if that is known: without newer ones nothing is over.
    """
    changes = advance(
        book.load_open(ledger),
        findings,
        now,
        policy.keep_firing_for,
        policy.backfill_older_than,
        book.load_muted(ledger, now),
        last_data,
    )
    quiet = inhibited(findings)
    last = book.load_notified(ledger)
    notifications = [
        notification
        for change in changes
        for notification in notify(
            change.incident,
            last.get(change.incident.incident_id),
            policy,
            now,
            inhibited=change.incident.fingerprint in quiet,
        )
    ]
    book.record(ledger, changes, notifications, now)
    return Evaluation(tuple(changes), tuple(notifications))


def act(
    ledger: Ledger,
    prefix: str,
    verb: book.Verb,
    policy: Policy,
    now: datetime,
    until: datetime | None = None,
    note: str | None = None,
) -> Incident:
    """Do what a person asked to an incident, and queue the notice of its end for those who heard it begin.

    Raises ValueError with what to change. What is resolved by hand opens anew at the next evaluation that
    finds it; `expect` keeps it quiet.
    """
    last = book.load_notified(ledger)

    def tell(after: Incident) -> Sequence[book.Notification]:
        is_over = after.state is IncidentState.RESOLVED
        return notify(after, last.get(after.incident_id), policy, now) if is_over else ()

    return book.act(ledger, prefix, verb, now, until, note, tell)


def notify(
    incident: Incident, last: Notified | None, policy: Policy, now: datetime, *, inhibited: bool = False
) -> list[book.Notification]:
    """The notifications an incident causes now, one for each channel of its route; often none."""
    reason = decide(incident, last, now, policy.repeat_after[incident.severity], inhibited=inhibited)
    if reason is Reason.NONE:
        return []
    message = compose(incident, reason, policy.zone)
    return [
        book.Notification(channel, message) for channel in route(incident, policy.routes, policy.channels)
    ]
