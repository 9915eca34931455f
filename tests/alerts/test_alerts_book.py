from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from alerts import book
from alerts.book import Notification, Verb
from alerts.dispatch import Notified, Reason
from alerts.incidents import Change, ChangeKind
from alerts.messages import compose, decode
from ledger.figures import Action, ControlKind, IncidentState, Scope

HOUR = timedelta(hours=1)


def opened(incident):
    return Change(incident, ChangeKind.OPENED)


def first(incident, channel="stdout"):
    return Notification(channel, compose(incident, Reason.FIRST, UTC))


def test_an_incident_comes_back_from_the_ledger_as_it_went_in(ledger, incident, noon):
    action = Action(ControlKind.CAP_OUTPUT, "cap", "set max_tokens", Decimal("1.250000000001"))
    known = incident(
        action=action, note="seen", until=noon, scope=Scope("a", "b", "c", "d", "e"), deliver=False
    )
    book.record(ledger, [opened(known)], [], noon)
    assert book.load_open(ledger) == [known]


def test_recording_again_updates_the_row_and_keeps_who_acknowledged(ledger, incident, noon):
    book.record(ledger, [opened(incident())], [], noon)
    book.act(ledger, "0a1b", Verb.ACK, noon)
    later = incident(state=IncidentState.ACKNOWLEDGED, updated_at=noon + HOUR)
    book.record(ledger, [Change(later, ChangeKind.UNCHANGED)], [], noon + HOUR)
    rows = ledger.rows("SELECT updated_at, acknowledged_at FROM incidents")
    assert rows == [(datetime(2026, 10, 30, 13, 0), datetime(2026, 10, 30, 12, 0))]


def test_a_resolved_incident_is_not_open(ledger, incident, noon):
    over = incident(state=IncidentState.RESOLVED, resolved_at=noon)
    book.record(ledger, [Change(over, ChangeKind.RESOLVED)], [], noon)
    assert book.load_open(ledger) == []
    assert book.load_all(ledger, since=noon) == [over]
    assert book.load_all(ledger, since=noon + HOUR) == []


def test_a_notification_is_queued_with_its_incident(ledger, incident, noon):
    known = incident()
    book.record(ledger, [opened(known)], [first(known)], noon)
    ((state, attempts, body),) = ledger.rows("SELECT state, attempts, body FROM notifications")
    assert (state, attempts) == ("pending", 0)
    assert decode(body) == first(known).message


def test_recording_the_same_notification_twice_queues_it_once(ledger, incident, noon):
    known = incident()
    for _ in range(2):
        book.record(ledger, [opened(known)], [first(known)], noon)
    assert ledger.rows("SELECT count(*) FROM notifications") == [(1,)]


def test_what_was_told_is_known_at_the_next_evaluation(ledger, incident, noon):
    known = incident()
    book.record(ledger, [opened(known)], [first(known), first(known, "file")], noon)
    assert book.load_notified(ledger) == {known.incident_id: Notified(Reason.FIRST, noon, Decimal("42"))}


def test_an_incident_that_nobody_was_told_of_has_no_last_time(ledger, incident, noon):
    book.record(ledger, [opened(incident())], [], noon)
    assert book.load_notified(ledger) == {}


def test_a_failure_while_recording_leaves_nothing_behind(ledger, incident, noon):
    ledger.execute("DROP TABLE notifications")
    known = incident()
    with pytest.raises(Exception, match="notifications"):
        book.record(ledger, [opened(known)], [first(known)], noon)
    assert ledger.rows("SELECT count(*) FROM incidents") == [(0,)]


def test_a_proposed_control_is_recorded_once(ledger, incident, noon):
    action = Action(ControlKind.CAP_OUTPUT, "Cap the output", "set max_tokens", None)
    for _ in range(2):
        book.record(ledger, [opened(incident(action=action))], [], noon)
    assert ledger.rows("SELECT kind, detail FROM controls") == [("cap_output", "Cap the output")]


@pytest.fixture
def recorded(ledger, incident, noon):
    book.record(ledger, [opened(incident())], [], noon)
    return ledger


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (Verb.ACK, IncidentState.ACKNOWLEDGED),
        (Verb.SILENCE, IncidentState.SILENCED),
        (Verb.EXPECT, IncidentState.EXPECTED),
        (Verb.RESOLVE, IncidentState.RESOLVED),
    ],
)
def test_a_person_acts_on_an_incident_by_the_start_of_its_id(recorded, noon, verb, state):
    after = book.act(recorded, "0a", verb, noon, until=noon + HOUR, note="load test")
    assert after.state is state
    assert book.find(recorded, "0a1b2c3d4e5f") == after
    assert after.note == "load test"


def test_every_act_is_in_the_audit(recorded, noon):
    berlin = datetime(2026, 10, 30, 18, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    book.act(recorded, "0a1b", Verb.EXPECT, noon, until=berlin, note="load test")
    assert recorded.rows("SELECT action, detail FROM audit") == [
        (
            "incident.expect",
            "0a1b2c3d4e5f dollar_excess acme / support-bot until 2026-10-30T18:00:00+0100: load test",
        )
    ]


@pytest.mark.parametrize(
    ("prefix", "verb", "until_h", "note", "words"),
    [
        ("ffff", Verb.ACK, None, None, "no incident 'ffff'"),
        ("", Verb.ACK, None, None, "no incident ''"),
        ("%", Verb.ACK, None, None, "no incident '%'"),
        ("0a", Verb.SILENCE, None, None, "silence needs an end"),
        ("0a", Verb.SILENCE, -1, None, "already over"),
        ("0a", Verb.EXPECT, 1, " ", "expect needs a reason"),
    ],
)
def test_an_act_that_cannot_be_done_says_what_to_change(recorded, noon, prefix, verb, until_h, note, words):
    until = None if until_h is None else noon + until_h * HOUR
    with pytest.raises(ValueError, match=words):
        book.act(recorded, prefix, verb, noon, until=until, note=note)


def test_an_ambiguous_start_names_the_incidents_it_fits(recorded, incident, noon):
    book.record(recorded, [opened(incident(incident_id="0a9999999999"))], [], noon)
    with pytest.raises(ValueError, match=r"fits 2 incidents \(0a1b2c3d4e5f, 0a9999999999\)"):
        book.act(recorded, "0a", Verb.ACK, noon)


def test_a_resolved_incident_cannot_be_acted_on(recorded, noon):
    book.act(recorded, "0a", Verb.RESOLVE, noon)
    with pytest.raises(ValueError, match="already resolved"):
        book.act(recorded, "0a", Verb.ACK, noon)
