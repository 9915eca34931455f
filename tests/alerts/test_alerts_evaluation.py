from datetime import UTC, timedelta
from decimal import Decimal

import pytest

from alerts import book
from alerts.book import Verb
from alerts.dispatch import Reason, Route
from alerts.evaluation import Policy, act, evaluate
from alerts.incidents import ChangeKind
from ledger.figures import IncidentState, Scope, Severity

MINUTE = timedelta(minutes=1)
POLICY = Policy(channels=("stdout", "file"), zone=UTC)


def told(evaluation):
    return [(each.channel, each.message.reason) for each in evaluation.notifications]


def test_a_finding_is_told_to_every_default_channel(ledger, finding, noon):
    assert told(evaluate(ledger, [finding()], POLICY, noon)) == [
        ("stdout", Reason.FIRST),
        ("file", Reason.FIRST),
    ]


def test_a_second_evaluation_without_a_change_tells_nobody(ledger, finding, noon):
    evaluate(ledger, [finding()], POLICY, noon)
    for later in (noon, noon + MINUTE):
        again = evaluate(ledger, [finding()], POLICY, later)
        assert [change.kind for change in again.changes] == [ChangeKind.UNCHANGED]
        assert again.notifications == ()
    assert ledger.rows("SELECT count(*) FROM notifications") == [(2,)]


def test_a_life_is_told_from_first_to_resolved(ledger, finding, noon):
    policy = Policy(channels=("stdout",), zone=UTC)
    steps = [
        (0, [finding()]),
        (5, [finding(excess_usd=Decimal("83"))]),
        (10, [finding(excess_usd=Decimal("84"))]),
        (15, [finding(excess_usd=Decimal("84"))]),
        (10 + 4 * 60, [finding(excess_usd=Decimal("84"))]),
        (10 + 4 * 60 + 14, []),
        (10 + 4 * 60 + 15, []),
        (10 + 4 * 60 + 16, []),
    ]
    reasons = [
        [reason for _, reason in told(evaluate(ledger, findings, policy, noon + minutes * MINUTE))]
        for minutes, findings in steps
    ]
    assert reasons == [[Reason.FIRST], [], [Reason.MORE], [], [Reason.REPEAT], [], [Reason.RESOLVED], []]


def test_a_ticket_is_repeated_after_a_day_only(ledger, finding, noon):
    ticket = finding(severity=Severity.TICKET)
    evaluate(ledger, [ticket], POLICY, noon)
    assert told(evaluate(ledger, [ticket], POLICY, noon + timedelta(hours=23))) == []
    assert len(told(evaluate(ledger, [ticket], POLICY, noon + timedelta(hours=24)))) == 2


def test_a_silence_ends_by_itself_and_repeats_are_told_again(ledger, finding, noon):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    until = noon + timedelta(hours=5)
    book.act(ledger, change.incident.incident_id, Verb.SILENCE, noon, until=until)
    assert told(evaluate(ledger, [finding()], POLICY, until - MINUTE)) == []
    assert {reason for _, reason in told(evaluate(ledger, [finding()], POLICY, until))} == {Reason.REPEAT}
    assert book.load_open(ledger)[0].state is IncidentState.FIRING


def again_after_a_resolution(ledger, finding, gone, later):
    """What an evaluation does that finds again what was over before."""
    evaluate(ledger, [], POLICY, gone)
    return evaluate(ledger, [finding()], POLICY, later)


@pytest.mark.parametrize(
    ("verb", "note", "state"),
    [
        (Verb.SILENCE, None, IncidentState.SILENCED),
        (Verb.SILENCE, "at lunch", IncidentState.SILENCED),
        (Verb.EXPECT, "load test", IncidentState.EXPECTED),
    ],
)
def test_what_comes_back_is_as_quiet_as_a_person_made_it(ledger, finding, noon, verb, note, state):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    until = noon + timedelta(hours=48)
    book.act(ledger, change.incident.incident_id, verb, noon, until=until, note=note)
    for hours in (1, 3):
        gone = noon + timedelta(hours=hours)
        assert again_after_a_resolution(ledger, finding, gone, gone + 60 * MINUTE).notifications == ()
    (third,) = book.load_open(ledger)
    assert (third.state, third.until, third.note) == (state, until, note)
    assert len(book.load_all(ledger)) == 3


def test_what_comes_back_is_told_when_its_silence_has_ended(ledger, finding, noon):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    until = noon + timedelta(hours=4)
    book.act(ledger, change.incident.incident_id, Verb.SILENCE, noon, until=until)
    assert told(again_after_a_resolution(ledger, finding, noon + 60 * MINUTE, until - MINUTE)) == []
    assert {reason for _, reason in told(evaluate(ledger, [finding()], POLICY, until))} == {Reason.FIRST}


def test_an_acknowledged_life_ends_the_silence_of_those_before(ledger, finding, noon):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    book.act(ledger, change.incident.incident_id, Verb.SILENCE, noon, until=noon + timedelta(days=2))
    (second,) = again_after_a_resolution(ledger, finding, noon + 30 * MINUTE, noon + 60 * MINUTE).changes
    book.act(ledger, second.incident.incident_id, Verb.ACK, noon + 61 * MINUTE)
    evaluate(ledger, [], POLICY, noon + 90 * MINUTE)
    third = evaluate(ledger, [finding()], POLICY, noon + 120 * MINUTE)
    assert {reason for _, reason in told(third)} == {Reason.FIRST}


def test_an_inhibited_finding_opens_an_incident_but_tells_nobody(ledger, finding, noon):
    hard, soft = (
        finding(rule=f"budget_{kind}_month", scope=Scope(tenant="acme")) for kind in ("hard", "soft")
    )
    evaluation = evaluate(ledger, [hard, soft], POLICY, noon)
    assert len(book.load_open(ledger)) == 2
    assert {each.message.rule for each in evaluation.notifications} == {"budget_hard_month"}


def test_a_second_counter_of_a_scope_is_told_while_the_first_one_fires(ledger, finding, noon):
    month, day = (finding(rule=f"budget_hard_{period}") for period in ("month", "day"))
    policy = Policy(channels=("stdout",), zone=UTC)
    evaluate(ledger, [day], policy, noon)
    later = evaluate(ledger, [day, month], policy, noon + MINUTE)
    assert [each.message.rule for each in later.notifications] == ["budget_hard_month"]


def test_what_was_inhibited_is_told_when_it_stands_alone(ledger, finding, noon):
    hard, soft = (
        finding(rule=f"budget_{kind}_month", scope=Scope(tenant="acme")) for kind in ("hard", "soft")
    )
    evaluate(ledger, [hard, soft], POLICY, noon)
    later = evaluate(ledger, [soft], POLICY, noon + MINUTE)
    assert {each.message.rule for each in later.notifications} == {"budget_soft_month"}


def test_a_backfill_is_shown_but_not_told(ledger, finding, noon):
    old = finding(window_end=noon - timedelta(days=3))
    assert evaluate(ledger, [old], POLICY, noon).notifications == ()
    assert [each.deliver for each in book.load_open(ledger)] == [False]


def test_an_incident_goes_where_its_route_says(ledger, finding, noon):
    routed = Policy(channels=("stdout",), zone=UTC, routes=(Route({"severity": "page"}, ("oncall",)),))
    assert told(evaluate(ledger, [finding()], routed, noon)) == [("oncall", Reason.FIRST)]


def test_a_resolved_finding_that_comes_back_is_a_new_life(ledger, finding, noon):
    (first,) = evaluate(ledger, [finding()], POLICY, noon).changes
    evaluate(ledger, [], POLICY, noon + 15 * MINUTE)
    (second,) = evaluate(ledger, [finding()], POLICY, noon + 20 * MINUTE).changes
    assert first.incident.fingerprint == second.incident.fingerprint
    assert first.incident.incident_id != second.incident.incident_id


def test_who_heard_it_begin_hears_that_a_person_ended_it(ledger, finding, noon):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    act(ledger, change.incident.incident_id, Verb.RESOLVE, POLICY, noon + MINUTE, note="rolled back")
    queued = ledger.rows("SELECT channel, reason FROM notifications WHERE reason = 'resolved' ORDER BY 1")
    assert queued == [("file", "resolved"), ("stdout", "resolved")]


def test_an_acknowledgement_tells_nobody(ledger, finding, noon):
    (change,) = evaluate(ledger, [finding()], POLICY, noon).changes
    act(ledger, change.incident.incident_id, Verb.ACK, POLICY, noon + MINUTE)
    assert ledger.rows("SELECT DISTINCT reason FROM notifications") == [("first",)]


def test_nothing_found_and_nothing_open_changes_nothing(ledger, noon):
    evaluation = evaluate(ledger, [], POLICY, noon)
    assert (evaluation.changes, evaluation.notifications) == ((), ())
