from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.incidents import ChangeKind, advance, fingerprint, inhibited
from ledger.figures import IncidentState, Scope, Severity

MINUTE = timedelta(minutes=1)


def only(changes):
    assert len(changes) == 1
    return changes[0]


@pytest.fixture
def opened(finding, noon):
    return only(advance([], [finding()], noon)).incident


def test_the_fingerprint_does_not_depend_on_amounts_or_words(finding):
    small, large = finding(), finding(excess_usd=Decimal("99"), summary="other", severity=Severity.TICKET)
    assert fingerprint(small.rule, small.scope) == fingerprint(large.rule, large.scope)


def test_the_fingerprint_tells_rules_and_scopes_apart():
    scopes = [Scope(), Scope(tenant="a"), Scope(workflow="a"), Scope(tenant="a", workflow="b")]
    prints = {fingerprint(rule, scope) for rule in ("one", "two") for scope in scopes}
    assert len(prints) == 8


def test_a_new_finding_opens_an_incident_that_is_delivered(finding, noon):
    change = only(advance([], [finding()], noon))
    assert change.kind is ChangeKind.OPENED
    assert change.incident.state is IncidentState.FIRING
    assert change.incident.opened_at == noon
    assert change.incident.deliver


def test_the_same_evaluation_made_again_gives_the_same_id(finding, noon):
    first, again = (only(advance([], [finding()], noon)).incident for _ in range(2))
    assert first.incident_id == again.incident_id


def test_another_life_of_the_same_finding_has_another_id(finding, noon):
    first = only(advance([], [finding()], noon)).incident
    later = only(advance([], [finding()], noon + MINUTE)).incident
    assert first.fingerprint == later.fingerprint
    assert first.incident_id != later.incident_id


def test_two_findings_of_one_fingerprint_open_one_incident_at_the_larger_amount(finding, noon):
    change = only(advance([], [finding(), finding(excess_usd=Decimal("50"))], noon))
    assert change.incident.excess_usd == Decimal("50")


def test_an_old_finding_is_recorded_but_not_delivered(finding, noon):
    old = finding(window_end=noon - timedelta(hours=49))
    assert not only(advance([], [old], noon)).incident.deliver


def test_a_finding_at_the_backfill_limit_is_still_delivered(finding, noon):
    old = finding(window_end=noon - timedelta(hours=48))
    assert only(advance([], [old], noon)).incident.deliver


def test_a_backfilled_incident_that_goes_on_today_is_delivered(finding, noon):
    old = only(advance([], [finding(window_end=noon - timedelta(hours=49))], noon)).incident
    assert only(advance([old], [finding()], noon + MINUTE)).incident.deliver


def test_an_unchanged_finding_only_renews_the_time_it_was_seen(opened, finding, noon):
    change = only(advance([opened], [finding()], noon + MINUTE))
    assert change.kind is ChangeKind.UNCHANGED
    assert change.incident.updated_at == noon + MINUTE


@pytest.mark.parametrize(
    "changed",
    [{"excess_usd": Decimal("43")}, {"why": ("a new version",)}, {"summary": "more"}],
)
def test_a_changed_finding_updates_the_incident(opened, finding, noon, changed):
    assert only(advance([opened], [finding(**changed)], noon + MINUTE)).kind is ChangeKind.UPDATED


def test_a_rising_severity_updates_the_incident(finding, noon):
    ticket = only(advance([], [finding(severity=Severity.TICKET)], noon)).incident
    change = only(advance([ticket], [finding(excess_usd=Decimal("1"))], noon + MINUTE))
    assert (change.kind, change.incident.severity) == (ChangeKind.UPDATED, Severity.PAGE)


def test_a_falling_amount_leaves_the_incident_at_its_worst(opened, finding, noon):
    smaller = finding(excess_usd=Decimal("7"), summary="$7 above usual in the last hour")
    change = only(advance([opened], [smaller], noon + MINUTE))
    assert change.kind is ChangeKind.UNCHANGED
    assert change.incident.excess_usd == Decimal("42")
    assert change.incident.summary == "$42 above usual in the last hour"


def test_a_finding_gone_for_less_than_the_hold_keeps_firing(opened, noon):
    change = only(advance([opened], [], noon + 14 * MINUTE))
    assert change.kind is ChangeKind.HELD
    assert change.incident == opened


def test_a_finding_gone_for_the_hold_is_resolved(opened, noon):
    later = noon + 15 * MINUTE
    change = only(advance([opened], [], later))
    assert change.kind is ChangeKind.RESOLVED
    assert change.incident.state is IncidentState.RESOLVED
    assert change.incident.resolved_at == later


def test_a_finding_that_comes_back_within_the_hold_stays_one_incident(opened, finding, noon):
    held = only(advance([opened], [], noon + 10 * MINUTE)).incident
    back = only(advance([held], [finding()], noon + 14 * MINUTE)).incident
    assert back.incident_id == opened.incident_id
    assert only(advance([back], [], noon + 20 * MINUTE)).kind is ChangeKind.HELD


def test_nothing_resolves_while_the_data_is_stale(opened, finding, noon):
    stale = finding(rule="collector_stale", scope=Scope(), excess_usd=None)
    later = noon + timedelta(hours=30)
    kinds = {change.incident.rule: change.kind for change in advance([opened], [stale], later)}
    assert kinds == {"dollar_excess": ChangeKind.HELD, "collector_stale": ChangeKind.OPENED}


def test_the_hold_begins_anew_when_data_is_back(opened, finding, noon):
    stale = finding(rule="collector_stale", scope=Scope())
    back = noon + timedelta(hours=30)
    held = advance([opened], [stale], back)[0].incident
    assert only(advance([held], [], back + 10 * MINUTE)).kind is ChangeKind.HELD
    assert only(advance([held], [], back + 15 * MINUTE)).kind is ChangeKind.RESOLVED


def test_without_a_newer_call_nothing_is_over(opened, noon):
    later = noon + timedelta(hours=20)
    silent = only(advance([opened], [], later, last_data=noon - MINUTE))
    assert silent.kind is ChangeKind.HELD
    assert only(advance([silent.incident], [], later, last_data=noon + MINUTE)).kind is ChangeKind.RESOLVED


def test_logs_that_come_once_a_day_do_not_hold_an_incident_for_ever(opened, finding, noon):
    stale = finding(rule="collector_stale", scope=Scope())
    delivered, newest = noon + timedelta(hours=24), noon + timedelta(hours=23)
    held = advance([opened], [stale], delivered - MINUTE, last_data=noon - MINUTE)[0].incident
    assert only(advance([held], [], delivered, last_data=newest)).kind is ChangeKind.RESOLVED


def test_staleness_itself_resolves(finding, noon):
    stale = only(advance([], [finding(rule="collector_stale", scope=Scope())], noon)).incident
    assert only(advance([stale], [], noon + 15 * MINUTE)).kind is ChangeKind.RESOLVED


@pytest.mark.parametrize("state", [IncidentState.SILENCED, IncidentState.EXPECTED])
def test_a_muted_incident_fires_again_after_its_end(incident, finding, noon, state):
    found = finding()
    muted = incident(fingerprint=fingerprint(found.rule, found.scope), state=state, until=noon + 5 * MINUTE)
    assert only(advance([muted], [found], noon + 4 * MINUTE)).incident.state is state
    after = only(advance([muted], [found], noon + 5 * MINUTE)).incident
    assert (after.state, after.until) == (IncidentState.FIRING, None)


def test_an_acknowledged_incident_stays_acknowledged(incident, finding, noon):
    found = finding(excess_usd=Decimal("400"))
    known = incident(fingerprint=fingerprint(found.rule, found.scope), state=IncidentState.ACKNOWLEDGED)
    assert only(advance([known], [found], noon)).incident.state is IncidentState.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("first_hours", "now_hours", "kept_hours"),
    [
        # Seen in the window of 24 hours: the newer estimate holds, be it earlier or later.
        (10, 12, 12),
        (10, 8, 8),
        # No longer in the window: it began when it was first seen to begin.
        (30, 20, 30),
        (30, 40, 40),
        # A finding cannot have begun after the incident was opened.
        (10, -1, 0),
    ],
)
def test_since_is_the_best_known_beginning(finding, noon, first_hours, now_hours, kept_hours):
    def ago(hours):
        return noon - timedelta(hours=hours)

    first = only(advance([], [finding(since=ago(first_hours))], noon)).incident
    later = finding(since=ago(now_hours), window_start=ago(24))
    assert only(advance([first], [later], noon + MINUTE)).incident.since == ago(kept_hours)


def test_a_replay_of_the_past_does_not_turn_back_an_open_incident(opened, finding, noon):
    change = only(advance([opened], [finding()], noon - timedelta(days=1)))
    assert change.incident.updated_at == noon


def test_a_hard_budget_mutes_the_soft_one_of_its_scope_only(finding):
    acme, zenith = Scope(tenant="acme"), Scope(tenant="zenith")
    hard = finding(rule="budget_hard_month", scope=acme)
    soft, other = (finding(rule="budget_soft_month", scope=scope) for scope in (acme, zenith))
    assert inhibited([hard, soft, other]) == {fingerprint("budget_soft_month", acme)}


@pytest.mark.parametrize("rule", ["budget_soft_month", "budget_soft_day_tokens"])
def test_a_hard_budget_does_not_mute_the_soft_one_of_another_counter(finding, rule):
    assert inhibited([finding(rule="budget_hard_day"), finding(rule=rule)]) == set()
