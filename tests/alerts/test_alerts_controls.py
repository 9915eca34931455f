from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from alerts.controls import propose
from analytics.books import Books
from analytics.detectors import DETECTORS
from analytics.plan import Envelope
from ledger.figures import ControlKind, Scope
from ledger.frames import PROMPT_USE, ROLLUP, SIZE_BINS


@pytest.mark.parametrize(
    ("rule", "scope", "kind"),
    [
        ("dollar_excess", Scope(tenant="acme", workflow="chat"), ControlKind.REQUIRE_APPROVAL),
        ("dollar_excess", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_hard_month", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_burn_month", Scope(tenant="acme"), ControlKind.REQUIRE_APPROVAL),
        ("budget_soft_month", Scope(tenant="acme"), ControlKind.CHEAPER_TIER),
        ("envelope", Scope(workflow="chat"), ControlKind.COMPRESS_CONTEXT),
        ("prompt_change", Scope(workflow="chat"), ControlKind.COMPRESS_CONTEXT),
    ],
)
def test_each_rule_has_its_control(finding, rule, scope, kind):
    action = propose(finding(rule=rule, scope=scope))
    assert action is not None
    assert action.kind is kind


@pytest.mark.parametrize(
    ("envelope", "kind"),
    [
        (Envelope("chat", input_p95=200), ControlKind.COMPRESS_CONTEXT),
        (Envelope("chat", output_p95=200), ControlKind.CAP_OUTPUT),
        (Envelope("chat", max_cost_per_request_usd=Decimal(1)), ControlKind.CHEAPER_TIER),
    ],
)
def test_the_side_of_an_envelope_that_was_left_decides_its_control(noon, envelope, kind):
    # Five calls of 400 tokens and $2 on both sides.
    told = {"bucket": (noon - timedelta(hours=1)).replace(tzinfo=None), "workflow": "chat", "requests": 5}
    sides = [
        {"side": "input", "tokens": 2000, "usd": Decimal(10)},
        {"side": "output", "tokens": 2000, "usd": Decimal(10)},
        {"side": "cost", "usd": Decimal(20)},
    ]
    books = Books(
        rollup=pl.DataFrame(schema=ROLLUP),
        sizes=pl.DataFrame([told | side for side in sides], schema=SIZE_BINS),
        prompts=pl.DataFrame(schema=PROMPT_USE),
        now=noon,
        zone=ZoneInfo("UTC"),
        envelopes=(envelope,),
    )
    (found,) = DETECTORS["envelope"](books)
    action = propose(found)
    assert action is not None
    assert action.kind is kind


@pytest.mark.parametrize("rule", ["collector_stale", "unpriced", "unattributed", "something_new"])
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
