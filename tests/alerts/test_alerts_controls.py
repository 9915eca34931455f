from datetime import timedelta
from decimal import Decimal

import pytest

from alerts.controls import propose
from ledger.figures import ControlKind, Scope


@pytest.mark.parametrize(
    ("rule", "scope", "kind"),
    [
        ("dollar_excess", Scope(tenant="acme", workflow="chat"), ControlKind.REQUIRE_APPROVAL),
        ("dollar_excess", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_hard_month", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_burn_month", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_soft_month", Scope(tenant="acme"), ControlKind.CHEAPER_TIER),
        ("envelope_input", Scope(workflow="chat"), ControlKind.COMPRESS_CONTEXT),
        ("envelope_output", Scope(workflow="chat"), ControlKind.CAP_OUTPUT),
        ("envelope_cost", Scope(workflow="chat"), ControlKind.CHEAPER_TIER),
        ("prompt_change", Scope(workflow="chat"), ControlKind.COMPRESS_CONTEXT),
    ],
)
def test_each_rule_has_its_control(finding, rule, scope, kind):
    action = propose(finding(rule=rule, scope=scope))
    assert action is not None
    assert action.kind is kind


@pytest.mark.parametrize("rule", ["stale", "unpriced", "unattributed", "something_new"])
def test_what_is_wrong_with_the_books_is_not_mended_by_stopping_traffic(finding, rule):
    assert propose(finding(rule=rule)) is None


def test_the_saving_is_the_excess_at_the_same_pace_for_a_day(finding, noon):
    action = propose(finding(window_start=noon - timedelta(hours=6), excess_usd=Decimal("42")))
    assert action.saving_usd_per_day == Decimal("168")
    assert "would have saved up to $42.00 in the last 6 h" in action.text


def test_what_is_beyond_a_budget_was_spent_since_it_was_crossed(finding, noon):
    action = propose(
        finding(
            rule="budget_hard_month", window_start=noon - timedelta(days=29), since=noon - timedelta(hours=12)
        )
    )
    assert action.saving_usd_per_day == Decimal("84")


@pytest.mark.parametrize("excess", [None, Decimal("0"), Decimal("-3")])
def test_no_saving_is_claimed_without_an_excess(finding, excess):
    action = propose(finding(excess_usd=excess))
    assert action.saving_usd_per_day is None
    assert "saved" not in action.text
