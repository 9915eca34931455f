"""Deliver queued notifications at least once: claim, close the ledger, send, record."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from alerts import messages
from alerts.book import audit
from alerts.channels.contract import Channel, SendError
from alerts.incident_rows import aware, naive
from ledger.figures import Severity
from ledger.store import Ledger

# A channel can be out for hours and the incident still be open: a notification is given up a day after it was
# queued, and, where nobody was running for most of that day, not before it was tried a few times.
GIVE_UP_AFTER = timedelta(hours=24)
LEAST_ATTEMPTS = 6
# A claim older than this belongs to a worker that died: sending a batch takes less, see _BATCH.
LEASE = timedelta(minutes=5)
BREAK_AFTER = 3
_BATCH = 6
_SHORTEST_S = 1.0
_BASE_S = 30.0
_LONGEST_S: Mapping[Severity, float] = {
    Severity.PAGE: 900.0,
    Severity.TICKET: 3600.0,
    Severity.INFO: 3600.0,
}
# Past this many the doubled bound is beyond every longest wait.
_DOUBLINGS = 10

_CLAIM = """
UPDATE notifications SET state = 'sending', attempts = attempts + 1, claimed_at = $now, claimed_by = $worker
WHERE notification_id IN (
    SELECT notification_id FROM notifications
    WHERE NOT list_contains($resting, channel)
      AND ((state IN ('pending', 'failed') AND next_try_at <= $due)
           OR (state = 'sending' AND claimed_at <= $expired))
    ORDER BY created_at, notification_id LIMIT $batch)
RETURNING notification_id, channel, body, attempts, created_at
"""
# Only the worker that still holds the claim may record: another may have taken over a late one.
_RECORD = """
UPDATE notifications SET state = $state, attempts = attempts - $unused,
    next_try_at = coalesce($next, next_try_at),
    sent_at = CASE WHEN $state = 'sent' THEN $now ELSE sent_at END,
    last_error = CASE WHEN $state = 'sent' THEN NULL ELSE coalesce($error, last_error) END,
    claimed_at = NULL, claimed_by = NULL
WHERE notification_id = $id AND state = 'sending' AND claimed_by = $worker
"""


class Outcome(StrEnum):
    """What became of a notification in one run; LEFT was not tried: its channel rests, or the run stops."""

    SENT = "sent"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A notification this worker alone may send, and which attempt it is."""

    notification_id: str
    channel: str
    body: str
    attempt: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """How sending ended; `next_try_at` where it will be tried again."""

    claimed: Claimed
    outcome: Outcome
    error: str | None = None
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One run of the outbox; `given_up` are sentences that must be shown loudly."""

    sent: int = 0
    failed: int = 0
    given_up: tuple[str, ...] = ()
    left: int = 0
    errors: tuple[str, ...] = ()


@dataclass(slots=True)
class _Breaker:
    """Consecutive failures by channel in this run; a channel with too many rests until the next one."""

    failures: dict[str, int] = field(default_factory=dict)

    def resting(self) -> list[str]:
        return [channel for channel, count in self.failures.items() if count >= BREAK_AFTER]

    def note(self, attempt: Attempt) -> None:
        if attempt.outcome is not Outcome.LEFT:
            channel = attempt.claimed.channel
            is_sent = attempt.outcome is Outcome.SENT
            self.failures[channel] = 0 if is_sent else self.failures.get(channel, 0) + 1


def deliver(
    visit: Callable[[], AbstractContextManager[Ledger]],
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    worker: str,
    give_up_after: timedelta = GIVE_UP_AFTER,
    chance: Callable[[], float] = random.random,
    stopping: Callable[[], bool] = lambda: False,
) -> DeliveryReport:
    """Send what is due, with the ledger closed while sending; each notification is tried once a run.

    A notification whose worker died is sent again with the same dedup key. `worker` is unique to this run.
    What fails is tried again, pages at least every 15 minutes and the rest every hour, until it is older than
    `give_up_after`. When `stopping` says so, what is not sent yet is left for the next run.
    """
    breaker = _Breaker()
    attempts: list[Attempt] = []
    started = now()
    batch: list[Attempt] = []
    while True:
        with visit() as ledger, ledger.transaction():
            record(ledger, batch, worker, now())
            claimed = [] if stopping() else claim(ledger, worker, now(), started, breaker.resting())
        if not claimed:
            return summarize(attempts)
        batch = list(_send_all(claimed, channels, breaker, now, give_up_after, chance, stopping))
        attempts += batch


def claim(
    ledger: Ledger, worker: str, now: datetime, due: datetime, resting: Sequence[str] = ()
) -> list[Claimed]:
    """Take a batch of what was due at `due`: nobody else gets it before the lease from `now` is over."""
    rows = ledger.connection.execute(
        _CLAIM,
        {
            "now": naive(now),
            "due": naive(due),
            "worker": worker,
            "resting": list(resting),
            "expired": naive(now - LEASE),
            "batch": _BATCH,
        },
    ).fetchall()
    return [
        Claimed(str(row[0]), str(row[1]), str(row[2]), cast("int", row[3]), aware(cast("datetime", row[4])))
        for row in sorted(rows)
    ]


def record(ledger: Ledger, attempts: Iterable[Attempt], worker: str, now: datetime) -> None:
    """Write how sending ended, each attempt in the audit too; the caller holds the transaction."""
    for attempt in attempts:
        ledger.connection.execute(_RECORD, _parameters(attempt, worker, now))
        if attempt.outcome is not Outcome.LEFT:
            audit(ledger, now, f"notification.{attempt.outcome}", _told(attempt))


def backoff(attempt: int, chance: float, severity: Severity) -> timedelta:
    """Full jitter: from a second up to a bound that doubles with each attempt.

    A page waits a quarter of an hour at most, anything else an hour.
    """
    bound_s = min(_LONGEST_S[severity], _BASE_S * 2 ** min(attempt - 1, _DOUBLINGS))
    return timedelta(seconds=max(_SHORTEST_S, chance * bound_s))


def summarize(attempts: Iterable[Attempt]) -> DeliveryReport:
    """Count outcomes; every error is a sentence naming the notification and its channel."""
    report = DeliveryReport()
    for attempt in attempts:
        match attempt.outcome:
            case Outcome.SENT:
                report = replace(report, sent=report.sent + 1)
            case Outcome.FAILED:
                report = replace(report, failed=report.failed + 1, errors=(*report.errors, _told(attempt)))
            case Outcome.GIVEN_UP:
                report = replace(report, given_up=(*report.given_up, f"gave up on {_told(attempt)}"))
            case Outcome.LEFT:
                report = replace(report, left=report.left + 1)
    return report


def _send_all(
    claimed: Iterable[Claimed],
    channels: Mapping[str, Channel],
    breaker: _Breaker,
    now: Callable[[], datetime],
    give_up_after: timedelta,
    chance: Callable[[], float],
    stopping: Callable[[], bool],
) -> Iterator[Attempt]:
    for each in claimed:
        if stopping() or each.channel in breaker.resting():
            yield Attempt(each, Outcome.LEFT)
            continue
        attempt = _attempt(each, channels, now, give_up_after, chance)
        breaker.note(attempt)
        yield attempt


def _attempt(
    claimed: Claimed,
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    give_up_after: timedelta,
    chance: Callable[[], float],
) -> Attempt:
    if claimed.channel not in channels:
        return Attempt(claimed, Outcome.GIVEN_UP, "no such channel is configured any more")
    try:
        message = messages.decode(claimed.body)
    except ValueError as error:
        return Attempt(claimed, Outcome.GIVEN_UP, f"the queued message cannot be read: {error}")
    try:
        channels[claimed.channel].send(message)
    except SendError as error:
        if error.permanent or _is_too_old(claimed, now(), give_up_after):
            return Attempt(claimed, Outcome.GIVEN_UP, str(error))
        wait = max(backoff(claimed.attempt, chance(), message.severity), error.retry_after or timedelta(0))
        return Attempt(claimed, Outcome.FAILED, str(error), now() + wait)
    return Attempt(claimed, Outcome.SENT)


def _is_too_old(claimed: Claimed, now: datetime, give_up_after: timedelta) -> bool:
    return claimed.attempt >= LEAST_ATTEMPTS and now - claimed.created_at >= give_up_after


def _parameters(attempt: Attempt, worker: str, now: datetime) -> dict[str, object]:
    return {
        "state": _state(attempt),
        "unused": 1 if attempt.outcome is Outcome.LEFT else 0,
        "next": naive(attempt.next_try_at) if attempt.next_try_at else None,
        "now": naive(now),
        "error": attempt.error,
        "id": attempt.claimed.notification_id,
        "worker": worker,
    }


def _state(attempt: Attempt) -> str:
    if attempt.outcome is not Outcome.LEFT:
        return str(attempt.outcome)
    return "pending" if attempt.claimed.attempt == 1 else "failed"


def _told(attempt: Attempt) -> str:
    claimed = attempt.claimed
    ending = f": {attempt.error}" if attempt.error else ""
    return f"{claimed.notification_id}, attempt {claimed.attempt}{ending}"
