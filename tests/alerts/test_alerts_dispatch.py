from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.dispatch import Notified, Reason, Route, decide, route
from ledger.figures import IncidentState, Scope, Severity

HOUR = timedelta(hours=1)
REPEAT = 4 * HOUR
STATE = IncidentState


def told(noon, ago=HOUR, excess="42", reason=Reason.FIRST):
    return Notified(reason, noon - ago, None if excess is None else Decimal(excess))


@pytest.mark.parametrize(
    ("state", "ago_h", "told_usd", "expected"),
    [
        (STATE.FIRING, None, None, Reason.FIRST),
        (STATE.FIRING, 1, "42", Reason.NONE),
        (STATE.FIRING, 4, "42", Reason.REPEAT),
        (STATE.FIRING, 1, "21", Reason.MORE),
        (STATE.FIRING, 1, "21.01", Reason.NONE),
        (STATE.FIRING, 1, None, Reason.NONE),
        (STATE.FIRING, 5, "21", Reason.MORE),
        (STATE.ACKNOWLEDGED, None, None, Reason.NONE),
        (STATE.ACKNOWLEDGED, 5, "42", Reason.NONE),
        (STATE.ACKNOWLEDGED, 5, "21", Reason.MORE),
        (STATE.SILENCED, None, None, Reason.NONE),
        (STATE.SILENCED, 5, "1", Reason.NONE),
        (STATE.EXPECTED, 5, "1", Reason.NONE),
        (STATE.RESOLVED, 1, "42", Reason.RESOLVED),
        (STATE.RESOLVED, None, None, Reason.NONE),
    ],
)
def test_the_reason_follows_from_state_and_what_was_told(incident, noon, state, ago_h, told_usd, expected):
    until = noon + HOUR if state in (STATE.SILENCED, STATE.EXPECTED) else None
    last = None if ago_h is None else told(noon, ago_h * HOUR, told_usd)
    assert decide(incident(state=state, until=until), last, noon, REPEAT) is expected


def test_a_backfilled_incident_is_never_told(incident, noon):
    assert decide(incident(deliver=False), None, noon, REPEAT) is Reason.NONE


def test_the_end_of_a_silenced_incident_is_not_told(incident, noon):
    over = incident(state=STATE.RESOLVED, resolved_at=noon, until=noon + HOUR)
    assert decide(over, told(noon), noon, REPEAT) is Reason.NONE


def test_an_inhibited_incident_is_not_told(incident, noon):
    assert decide(incident(), None, noon, REPEAT, inhibited=True) is Reason.NONE


def test_the_end_is_told_once(incident, noon):
    over = incident(state=STATE.RESOLVED, resolved_at=noon)
    assert decide(over, told(noon, reason=Reason.RESOLVED), noon, REPEAT) is Reason.NONE


def test_the_first_route_that_matches_wins(incident):
    routes = (Route({"tenant": "zen*"}, ("zen",)), Route({"tenant": "ac*"}, ("acme",)), Route({}, ("all",)))
    assert route(incident(), routes, ["stdout"]) == ("acme",)


def test_a_route_matches_only_when_every_property_does(incident):
    routes = (Route({"tenant": "acme", "severity": "ticket"}, ("tickets",)),)
    assert route(incident(), routes, ["stdout", "file"]) == ("stdout", "file")


def test_a_route_for_a_dimension_does_not_match_an_incident_without_it(incident):
    routes = (Route({"tenant": "*"}, ("tenants",)),)
    assert route(incident(scope=Scope()), routes, ["stdout"]) == ("stdout",)


def test_info_goes_nowhere_without_a_route(incident):
    assert route(incident(severity=Severity.INFO), (), ["stdout"]) == ()


def test_info_goes_where_a_route_names_it(incident):
    routes = (Route({"severity": "info"}, ("log",)),)
    assert route(incident(severity=Severity.INFO), routes, ["stdout"]) == ("log",)
