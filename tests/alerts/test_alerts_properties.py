"""Whatever is found in whatever order, lives do not overlap and nobody hears twice or only of the end."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from alerts.dispatch import Notified, Reason, decide
from alerts.incidents import advance, fingerprint
from ledger.figures import Finding, IncidentState, Scope, Severity

START = datetime(2026, 10, 1, tzinfo=UTC)
RULES = st.sampled_from(["dollar_excess", "budget_hard", "collector_stale"])
SCOPES = st.sampled_from([Scope(), Scope(tenant="acme"), Scope(tenant="zenith", workflow="chat")])
USD = st.none() | st.integers(1, 1000).map(Decimal)
SEEN = st.lists(st.tuples(RULES, SCOPES, USD, st.sampled_from(Severity)), max_size=5)
CHECKS = st.lists(st.tuples(st.integers(0, 40), SEEN), min_size=1, max_size=12)


def found(rule, scope, usd, severity, now):
    return Finding(
        rule=rule,
        scope=scope,
        severity=severity,
        found_at=now,
        since=now,
        window_start=now - timedelta(hours=1),
        window_end=now,
        observed_usd=usd,
        expected_usd=None,
        excess_usd=usd,
        summary=f"{usd} above usual",
    )


def lives(checks):
    """Every evaluation of a series: its time, its findings, and its changes from what was open before."""
    now, still_open = START, []
    for minutes, seen in checks:
        now += timedelta(minutes=minutes)
        findings = [found(*each, now) for each in seen]
        changes = advance(still_open, findings, now)
        still_open = [
            change.incident for change in changes if change.incident.state is not IncidentState.RESOLVED
        ]
        yield now, findings, changes, still_open


@given(CHECKS)
def test_a_fingerprint_has_one_open_incident_at_most(checks):
    for _, _, _, still_open in lives(checks):
        assert set(Counter(incident.fingerprint for incident in still_open).values()) <= {1}


@given(CHECKS)
def test_what_is_found_is_open(checks):
    for _, findings, _, still_open in lives(checks):
        prints = {fingerprint(finding.rule, finding.scope) for finding in findings}
        assert prints <= {incident.fingerprint for incident in still_open}


@given(CHECKS)
def test_the_same_check_again_changes_nothing(checks):
    for now, findings, _, still_open in lives(checks):
        assert [change.incident for change in advance(still_open, findings, now)] == still_open


@given(CHECKS)
def test_an_incident_is_told_first_once_and_its_end_once_and_last(checks):
    told: dict[str, list[Reason]] = {}
    last: dict[str, Notified] = {}
    for now, _, changes, _ in lives(checks):
        for incident in (change.incident for change in changes):
            key = incident.incident_id
            reason = decide(incident, last.get(key), now, timedelta(hours=1))
            if reason is not Reason.NONE:
                told.setdefault(key, []).append(reason)
                last[key] = Notified(reason, now, incident.excess_usd)
    for reasons in told.values():
        assert reasons[0] is Reason.FIRST
        assert reasons.count(Reason.FIRST) == 1
        assert Reason.RESOLVED not in reasons[:-1]
