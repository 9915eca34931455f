import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta

import pytest

from alerts import book, outbox
from alerts.channels.contract import SendError
from alerts.channels.webhook import Webhook
from alerts.dispatch import Reason
from alerts.incidents import Change, ChangeKind
from alerts.messages import compose
from alerts.outbox import DeliveryReport, backoff, deliver
from ledger import store
from ledger.figures import Severity

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@dataclass
class Recorder:
    """A channel that fails with each of `failures` in turn, then takes everything."""

    failures: list[SendError] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    tried: int = 0

    def send(self, message) -> None:
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(message.dedup_key)


def temporary(**more):
    return SendError("HTTP 503 from http://h/…", permanent=False, **more)


@pytest.fixture
def queue(visit, incident, noon):
    def queued(count=1, channel="hook"):
        known = [incident(incident_id=f"{number:012x}") for number in range(count)]
        told = [book.Notification(channel, compose(each, Reason.FIRST, UTC)) for each in known]
        with visit() as ledger:
            book.record(ledger, [Change(each, ChangeKind.OPENED) for each in known], told, noon)

    return queued


@pytest.fixture
def run(visit, noon):
    def once(channels, later=0 * MINUTE, worker="w1", **more):
        return deliver(visit, channels, lambda: noon + later, worker, **more)

    return once


@pytest.fixture
def rows(visit):
    def read(columns="state, attempts"):
        with visit() as ledger:
            return ledger.rows(f"SELECT {columns} FROM notifications ORDER BY notification_id")

    return read


def test_what_is_queued_is_sent_once(queue, run, rows):
    queue(2)
    hook = Recorder()
    assert run({"hook": hook}) == DeliveryReport(sent=2)
    assert run({"hook": hook}, later=MINUTE) == DeliveryReport()
    assert hook.taken == ["000000000000-first", "000000000001-first"]
    assert rows() == [("sent", 1), ("sent", 1)]


def test_more_than_a_batch_is_sent_in_one_run(queue, run):
    queue(15)
    hook = Recorder()
    assert run({"hook": hook}).sent == 15
    assert len(set(hook.taken)) == 15


def test_the_ledger_is_closed_while_sending(queue, run, visit):
    queue(1)

    class Visitor:
        def send(self, message):
            # Another process can open the file only when this one has left it.
            code = f"from ledger import store\nwith store.open({str(path)!r}, wait_s=0.5): print('in')"
            found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert found.stdout == "in\n"

    with visit() as ledger:
        path = ledger.path
    assert run({"hook": Visitor()}).sent == 1


def test_a_temporary_failure_is_tried_again_after_its_wait(queue, run, rows):
    queue()
    hook = Recorder([temporary()])
    # The bound of the first wait is 30 s; a chance of a half makes it 15.
    report = run({"hook": hook}, chance=lambda: 0.5)
    assert report.errors == ("000000000000-first@hook, attempt 1: HTTP 503 from http://h/…",)
    assert rows("state, last_error") == [("failed", "HTTP 503 from http://h/…")]
    assert run({"hook": hook}, later=14 * SECOND) == DeliveryReport()
    assert run({"hook": hook}, later=15 * SECOND) == DeliveryReport(sent=1)
    assert rows("state, attempts, last_error") == [("sent", 2, None)]


def test_a_failure_is_not_tried_again_in_the_same_run(queue, run):
    queue()
    hook = Recorder([temporary()] * 5)
    run({"hook": hook}, chance=lambda: 0.0)
    assert hook.tried == 1


def test_the_server_s_own_wait_is_kept(queue, run):
    queue()
    hook = Recorder([temporary(retry_after=10 * MINUTE)])
    run({"hook": hook}, chance=lambda: 0.0)
    assert run({"hook": hook}, later=9 * MINUTE) == DeliveryReport()
    assert run({"hook": hook}, later=10 * MINUTE) == DeliveryReport(sent=1)


def test_a_permanent_failure_is_given_up_at_once_and_loudly(queue, run, rows):
    queue()
    hook = Recorder([SendError("HTTP 404 from http://h/…", permanent=True)])
    report = run({"hook": hook})
    assert report.given_up == ("gave up on 000000000000-first@hook, attempt 1: HTTP 404 from http://h/…",)
    assert run({"hook": hook}, later=60 * MINUTE) == DeliveryReport()
    assert rows("state, last_error") == [("given_up", "HTTP 404 from http://h/…")]


def test_a_page_gets_through_a_quarter_of_an_hour_after_an_outage_of_hours(queue, run):
    queue()
    hook = Recorder([temporary()] * 1000)
    checks = range(0, 4 * 60, 10)
    assert sum(len(run({"hook": hook}, later=MINUTE * each).given_up) for each in checks) == 0
    hook.failures.clear()
    assert run({"hook": hook}, later=(4 * 60 + 15) * MINUTE).sent == 1


def test_an_undelivered_notification_is_given_up_loudly_after_a_day(queue, run, rows):
    queue()
    hook = Recorder([temporary()] * 1000)
    reports = [run({"hook": hook}, later=60 * MINUTE * hour) for hour in range(26)]
    assert [hour for hour, report in enumerate(reports) if report.given_up] == [24]
    assert rows() == [("given_up", 25)]


def test_what_was_queued_while_nobody_ran_is_tried_a_few_times_however_old(queue, run):
    queue()
    hook = Recorder([temporary()] * 1000)
    days_later = 3 * 24 * 60 * MINUTE
    reports = [run({"hook": hook}, later=days_later + 60 * MINUTE * turn) for turn in range(8)]
    assert [report.failed for report in reports] == [1, 1, 1, 1, 1, 0, 0, 0]
    assert [len(report.given_up) for report in reports] == [0, 0, 0, 0, 0, 1, 0, 0]


@pytest.fixture
def undelivered(visit):
    def count(since=None):
        with visit() as ledger:
            return book.undelivered(ledger, since)

    return count


def test_what_waits_and_what_was_given_up_can_be_counted(queue, run, undelivered):
    assert undelivered() == (0, 0)
    queue(3)
    assert undelivered() == (3, 0)
    run({"hook": Recorder([temporary(), SendError("HTTP 404", permanent=True)])})
    assert undelivered() == (1, 1)


def test_what_was_given_up_long_ago_need_not_be_counted(queue, run, undelivered, noon):
    queue()
    run({})
    assert (undelivered(noon), undelivered(noon + MINUTE)) == ((0, 1), (0, 0))


def test_what_was_said_again_later_is_no_loss(queue, run, visit, undelivered, incident, noon):
    queue()
    run({})
    again = compose(incident(incident_id=f"{0:012x}"), Reason.REPEAT, UTC)
    with visit() as ledger:
        book.record(ledger, [], [book.Notification("hook", again)], noon + MINUTE)
    run({"hook": Recorder()}, later=MINUTE)
    assert undelivered() == (0, 0)


def test_every_attempt_is_in_the_audit(queue, run, visit):
    queue()
    hook = Recorder([temporary()])
    run({"hook": hook})
    run({"hook": hook}, later=MINUTE)
    with visit() as ledger:
        found = ledger.rows("SELECT action, detail FROM audit ORDER BY happened_at")
    assert found == [
        ("notification.failed", "000000000000-first@hook, attempt 1: HTTP 503 from http://h/…"),
        ("notification.sent", "000000000000-first@hook, attempt 2"),
    ]


def test_a_channel_that_fails_three_times_rests_until_the_next_run(queue, run, rows):
    queue(5)
    hook = Recorder([temporary()] * 3)
    assert replace(run({"hook": hook}), errors=()) == DeliveryReport(failed=3, left=2)
    assert hook.tried == 3
    assert rows()[3:] == [("pending", 0), ("pending", 0)]
    assert run({"hook": hook}, later=60 * MINUTE).sent == 5


def test_a_resting_channel_does_not_hold_up_another(queue, run):
    queue(9, "bad")
    queue(2, "good")
    bad, good = Recorder([temporary()] * 9), Recorder()
    report = run({"bad": bad, "good": good})
    assert (report.sent, report.failed, bad.tried) == (2, 3, 3)


def test_a_success_between_failures_keeps_the_channel_awake(queue, run):
    queue(6)

    class Flaky(Recorder):
        def send(self, message):
            self.tried += 1
            if self.tried % 3:
                raise temporary()

    hook = Flaky()
    assert run({"hook": hook}).failed == 4
    assert hook.tried == 6


def test_a_channel_that_is_no_longer_configured_is_given_up(queue, run):
    queue()
    assert "no such channel is configured" in run({}).given_up[0]


def test_a_body_that_cannot_be_read_is_given_up(queue, run, visit):
    queue()
    with visit() as ledger:
        ledger.execute("UPDATE notifications SET body = '{}'")
    assert "cannot be read" in run({"hook": Recorder()}).given_up[0]


def test_a_claim_is_one_worker_s_alone(queue, visit, noon):
    queue()
    with visit() as ledger:
        first = outbox.claim(ledger, "w1", noon, noon)
    with visit() as ledger:
        second = outbox.claim(ledger, "w2", noon, noon)
    assert (len(first), second) == (1, [])


def test_a_worker_whose_claim_was_taken_over_records_nothing(queue, visit, run, noon, rows):
    queue()
    with visit() as ledger:
        (late,) = outbox.claim(ledger, "w1", noon, noon)
    assert run({"hook": Recorder()}, later=6 * MINUTE, worker="w2").sent == 1
    with visit() as ledger:
        outbox.record(ledger, [outbox.Attempt(late, outbox.Outcome.FAILED, "late")], "w1", noon)
    assert rows() == [("sent", 2)]


def test_a_claim_of_a_dead_worker_is_taken_over_after_its_lease(queue, visit, run, noon):
    queue()
    with visit() as ledger:
        outbox.claim(ledger, "dead", noon, noon)
    hook = Recorder()
    assert run({"hook": hook}, later=5 * MINUTE - SECOND) == DeliveryReport()
    assert run({"hook": hook}, later=5 * MINUTE) == DeliveryReport(sent=1)
    assert hook.taken == ["000000000000-first"]


WORKER = textwrap.dedent(
    """
    import os, signal, sys
    from datetime import datetime
    from alerts.channels.webhook import Webhook
    from alerts.outbox import deliver
    from ledger import store

    path, url, now, moment = sys.argv[1:]

    class Killed:
        def send(self, message):
            if moment == "after":
                Webhook(url).send(message)
            os.kill(os.getpid(), signal.SIGKILL)

    deliver(lambda: store.open(path), {"hook": Killed()}, lambda: datetime.fromisoformat(now), "dead")
    """
)


@pytest.mark.parametrize(("moment", "posts"), [("before", 1), ("after", 2)])
def test_a_worker_killed_while_sending_loses_nothing_and_keeps_the_key(
    queue, run, visit, sink, noon, moment, posts
):
    queue()
    with visit() as ledger:
        path = str(ledger.path)
    command = [sys.executable, "-c", WORKER, path, sink.url, noon.isoformat(), moment]
    assert subprocess.run(command, env=dict(os.environ), check=False).returncode == -signal.SIGKILL
    assert run({"hook": Webhook(sink.url)}, later=5 * MINUTE) == DeliveryReport(sent=1)
    keys = [request.headers["Idempotency-Key"] for request in sink.requests]
    assert keys == ["000000000000-first"] * posts


def test_two_processes_at_once_send_each_notification_once(queue, visit, sink, noon, rows):
    queue(12)
    with visit() as ledger:
        path = str(ledger.path)
    code = textwrap.dedent(
        """
        import sys
        from datetime import datetime
        from alerts.channels.webhook import Webhook
        from alerts.outbox import deliver
        from ledger import store
        path, url, now, worker = sys.argv[1:]
        deliver(lambda: store.open(path), {"hook": Webhook(url)}, lambda: datetime.fromisoformat(now), worker)
        """
    )
    command = [sys.executable, "-c", code, path, sink.url, noon.isoformat()]
    workers = [subprocess.Popen([*command, name]) for name in ("one", "two")]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert sorted(request.headers["Idempotency-Key"] for request in sink.requests) == [
        f"{number:012x}-first" for number in range(12)
    ]
    assert rows() == [("sent", 1)] * 12


@pytest.mark.parametrize(
    ("attempt", "chance", "severity", "seconds"),
    [
        (1, 1.0, Severity.PAGE, 30),
        (2, 0.5, Severity.PAGE, 30),
        (3, 1.0, Severity.TICKET, 120),
        (20, 1.0, Severity.PAGE, 900),
        (2000, 1.0, Severity.TICKET, 3600),
        (20, 1.0, Severity.INFO, 3600),
        (5, 0.0, Severity.PAGE, 1),
    ],
)
def test_the_wait_is_full_jitter_under_a_doubling_bound(attempt, chance, severity, seconds):
    assert backoff(attempt, chance, severity) == seconds * SECOND


def test_a_ledger_that_is_held_is_the_callers_error(queue, noon, tmp_path):
    def held():
        raise store.LedgerHeldError("held")

    with pytest.raises(store.LedgerHeldError):
        deliver(held, {}, lambda: noon, "w1")
