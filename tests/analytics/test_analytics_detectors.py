from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from analytics.books import Books
from analytics.detectors import DETECTORS
from analytics.plan import Budget, Envelope
from ledger.figures import Finding, Scope, Severity

NOW = datetime(2026, 10, 30, 12, 7, tzinfo=UTC)
END = datetime(2026, 10, 30, 12, tzinfo=UTC)


@pytest.fixture
def books(rollup_frame, sizes_frame, prompts_frame):
    def build(rows: list[dict] = (), sizes: list[dict] = (), **more: object) -> Books:
        given = {"last_data": NOW, "floor_usd": Decimal(1), **more}
        return Books(
            rollup=rollup_frame(rows),
            sizes=sizes_frame(sizes),
            prompts=prompts_frame(sizes),
            now=NOW,
            zone=ZoneInfo("UTC"),
            **given,
        )

    return build


def ago(hours: float) -> datetime:
    return END - timedelta(hours=hours)


def steady(usd: str = "1", **more: object) -> list[dict]:
    return [{"bucket": ago(n), "cost_usd": usd, "input_tokens": 100, **more} for n in range(1, 20 * 24 + 1)]


def found(name: str, given: Books) -> list[Finding]:
    return DETECTORS[name](given)


@pytest.mark.parametrize("name", DETECTORS)
def test_fresh_empty_books_have_no_findings(books, name: str) -> None:
    assert found(name, books()) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_steady_spend_has_no_findings(books, name: str) -> None:
    plan = {
        "budgets": (Budget("all", None, None, "month", Decimal(5000), Decimal(9000)),),
        "envelopes": (Envelope("chat", input_p50=100, input_p95=150),),
    }
    sizes = [{"ts": ago(n), "input_tokens": 100, "cost_usd": "1"} for n in range(1, 190)]
    assert found(name, books(steady(), sizes, **plan)) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_rows_without_any_dimension_break_no_detector(books, name: str) -> None:
    nobody = {"tenant": None, "workflow": None, "model": None, "environment": None}
    rows = [*steady(**nobody), {"bucket": ago(0.5), "cost_usd": "90", **nobody}]
    for finding in found(name, books(rows, [{"ts": ago(1), "prompt_version": None, **nobody}])):
        assert finding.rule in {"dollar_excess", "unattributed"}


def test_a_runaway_pages_with_who_how_much_and_since_when(books) -> None:
    loop = {"workflow": "agent", "cost_usd": "20", "requests": 50, "input_tokens": 5000}
    rows = [
        *steady("0.1", workflow="agent"),
        *steady(),
        {"bucket": ago(2), **loop},
        {"bucket": ago(1), **loop},
    ]
    (finding,) = found("dollar_excess", books(rows))
    assert (finding.scope, finding.severity) == (Scope(tenant="acme", workflow="agent"), Severity.PAGE)
    assert finding.since == ago(2)
    assert finding.window_end == END
    assert finding.excess_usd == 40
    assert finding.summary == "$40.00 above usual in the last 6 hours"


def test_a_runaway_says_why(books) -> None:
    # $0.10 a request before, $20.10 for 51 now: 50 more at the mean price, 26 at the price's rise.
    loop = {"workflow": "agent", "cost_usd": "20", "requests": 50, "input_tokens": 5000}
    rows = [*steady(), *steady("0.1", workflow="agent"), {"bucket": ago(1), **loop}]
    sizes = [{"ts": ago(90), "workflow": "agent"}]
    sizes += [{"ts": ago(3), "workflow": "agent", "prompt_version": "7f3a99aabb"}] * 3
    (finding,) = found("dollar_excess", books(rows, sizes, windows_h=(1,)))
    assert finding.why == (
        "$20.10 where $0.10 is usual (median of the same hours)",
        "acme / agent on gpt-x: +$20.00, 51.0× requests (1 → 51) +$12.35,"
        " input price $1,000.00 → $3,941.18 per million tokens +$7.65",
        "by factor, against the same hours a week before: volume of requests +$12.35, input price +$7.65",
        "new prompt version 7f3a99aa of agent since 09:00 UTC",
    )


def test_an_excess_spread_over_workflows_is_the_tenants(books) -> None:
    rows = [*steady(), *({"bucket": ago(1), "workflow": name, "cost_usd": "10"} for name in "abc")]
    (finding,) = found("dollar_excess", books(rows))
    assert (finding.scope, finding.excess_usd) == (Scope(tenant="acme"), 30)


def test_a_workflow_that_grows_as_another_shrinks_is_found_by_itself(books) -> None:
    kept = [row for row in steady("3", workflow="old") if row["bucket"] < ago(24)]
    rows = [*kept, *steady("0.1", workflow="new")]
    rows += [{"bucket": ago(n), "workflow": "new", "cost_usd": "2"} for n in range(1, 25)]
    (finding,) = found("dollar_excess", books(rows))
    assert finding.scope == Scope(tenant="acme", workflow="new")


def test_an_excess_below_the_floor_is_not_told(books) -> None:
    rows = [*steady("0.01"), {"bucket": ago(1), "cost_usd": "5"}]
    assert found("dollar_excess", books(rows, floor_usd=Decimal(6))) == []
    assert len(found("dollar_excess", books(rows, floor_usd=Decimal(4)))) == 1


def test_unattributed_spend_is_watched_as_if_it_were_a_tenant(books) -> None:
    rows = [*steady(tenant=None), {"bucket": ago(1), "tenant": None, "cost_usd": "50"}]
    (finding,) = found("dollar_excess", books(rows))
    assert finding.scope.tenant == "Unattributed"


def test_a_spent_budget_is_found(books) -> None:
    budget = Budget("b", "workflow", "chat", "month", None, Decimal(10))
    (finding,) = found("budget", books([{"bucket": ago(5), "cost_usd": "12"}], budgets=(budget,)))
    assert (finding.rule, finding.scope, finding.since) == (
        "budget_hard_month",
        Scope(workflow="chat"),
        ago(5),
    )


def outside(share: int) -> list[dict]:
    """Of ten requests so many at twice the p95, $2 each, half of it beyond."""
    sizes = [{"ts": ago(2), "input_tokens": 400, "cost_usd": "2"}] * share
    return sizes + [{"ts": ago(2), "input_tokens": 100, "cost_usd": "0.5"}] * (10 - share)


def test_a_fifth_outside_the_envelope_is_tolerated(books) -> None:
    given = {"envelopes": (Envelope("chat", input_p95=200),)}
    assert found("envelope", books(sizes=outside(2), **given)) == []
    (finding,) = found("envelope", books(sizes=outside(3), **given))
    assert (finding.rule, finding.scope) == ("envelope", Scope(workflow="chat"))
    assert (finding.observed_usd, finding.excess_usd) == (Decimal("9.5"), 3)
    assert (
        finding.summary == "30 % of requests outside the input envelope in the last 24 hours, $3.00 beyond it"
    )


def test_an_envelope_left_on_several_sides_is_one_finding_with_the_dearest_first(books) -> None:
    # Of each $2 request 1.50 are input, two thirds of it beyond; 0.50 are output, half of it beyond.
    dear = {
        "input_tokens": 600,
        "output_tokens": 40,
        "cost_usd": "2",
        "input_usd": "1.5",
        "output_usd": "0.5",
    }
    sizes = [{"ts": ago(n), **dear} for n in range(1, 11)]
    envelope = Envelope("chat", input_p95=200, output_p95=20, max_cost_per_request_usd=Decimal("1.9"))
    (finding,) = found("envelope", books(sizes=sizes, envelopes=(envelope,)))
    assert finding.rule == "envelope"
    # Input 10.00 and output 2.50; the cost side measures the same requests, 1.00, and is not added.
    assert (finding.observed_usd, finding.excess_usd) == (20, Decimal("12.5"))
    assert "outside the input envelope in the last 24 hours, $12.50 beyond all its limits" in finding.summary
    assert finding.why == (
        "10 of 10 requests; 95 % of them stay below 600 tokens, expected 200",
        "output too: 10 of 10 requests; 95 % of them stay below 40 tokens, expected 20",
        "cost too: 10 of 10 requests cost more than their maximum",
    )


def test_an_envelope_is_left_since_the_first_of_the_many_requests_outside(books) -> None:
    # One in ten is outside all day, as a p95 allows; from four hours ago nearly all are.
    quiet = [{"ts": ago(24 - n / 4), "input_tokens": 400 if n % 10 == 0 else 100} for n in range(80)]
    left = [{"ts": ago(4 - n / 20), "input_tokens": 100 if n % 10 == 5 else 400} for n in range(80)]
    sizes = [{**row, "cost_usd": "1"} for row in (*quiet, *left)]
    (finding,) = found("envelope", books(sizes=sizes, envelopes=(Envelope("chat", input_p95=200),)))
    assert finding.since == ago(4)


def test_a_tenants_envelope_and_its_workflows_are_told_apart(books) -> None:
    sizes = [*outside(9), *({**row, "tenant": "zenith"} for row in outside(9))]
    declared = (Envelope("chat", input_p95=200), Envelope("chat", "zenith", input_p95=200))
    findings = found("envelope", books(sizes=sizes, envelopes=declared))
    assert [each.scope for each in findings] == [
        Scope(workflow="chat"),
        Scope(tenant="zenith", workflow="chat"),
    ]


def test_requests_of_the_day_before_are_not_held_against_the_envelope(books) -> None:
    sizes = [{**row, "ts": ago(30)} for row in outside(9)]
    assert found("envelope", books(sizes=sizes, envelopes=(Envelope("chat", input_p95=200),))) == []


def test_a_model_without_a_price_is_told_with_its_requests(books) -> None:
    rows = [{"bucket": ago(1), "requests": 97, "cost_usd": "1"}]
    rows += [
        {"bucket": ago(1), "requests": 3, "model": "house", "unpriced_requests": 3, "unpriced_tokens": 900}
    ]
    (finding,) = found("unpriced", books(rows))
    assert (finding.rule, finding.severity) == ("unpriced", Severity.INFO)
    assert finding.summary == "3 of 100 requests (3 %) of the last 24 hours have no price"
    assert finding.why == ("900 tokens of unknown cost", "house: 3 requests")


def test_requests_lack_something_since_the_first_that_did(books) -> None:
    nobody = {"tenant": None, "cost_usd": "4"}
    rows = [{"bucket": ago(20), "cost_usd": "1"}, {"bucket": ago(3), **nobody}, {"bucket": ago(1), **nobody}]
    rows += [{"bucket": ago(2), "unpriced_requests": 1}]
    assert {each.rule: each.since for each in found("unpriced", books(rows))} == {
        "unpriced": ago(2),
        "unattributed": ago(3),
    }


def test_failed_calls_without_a_price_are_no_gap(books) -> None:
    assert found("unpriced", books([{"bucket": ago(1), "status": "error", "unpriced_requests": 1}])) == []


def test_much_unattributed_spend_is_a_ticket(books) -> None:
    rows = [
        {"bucket": ago(1), "requests": 9, "cost_usd": "9"},
        {"bucket": ago(1), "tenant": None, "cost_usd": "4"},
    ]
    (finding,) = found("unpriced", books(rows))
    assert (finding.rule, finding.severity, finding.observed_usd) == ("unattributed", Severity.TICKET, 4)


@pytest.mark.parametrize(("hours", "count"), [(25, 0), (27, 1)])
def test_data_older_than_26_hours_is_stale(books, hours: int, count: int) -> None:
    findings = found("stale", books(last_data=NOW - timedelta(hours=hours)))
    assert [finding.rule for finding in findings] == ["collector_stale"] * count


def test_books_that_never_saw_data_are_stale(books) -> None:
    (finding,) = found("stale", books(last_data=None))
    assert (finding.summary, finding.severity) == ("no data has come in yet", Severity.TICKET)


def changed(tokens: int, usd: str | None, version: str = "v2", **more: object) -> list[dict]:
    """Ten requests of the old prompt, then ten a day of the new one."""
    old = [{"ts": ago(40), "input_tokens": 1000, "cost_usd": "1", **more}] * 10
    new = {"prompt_version": version, "input_tokens": tokens, "cost_usd": usd}
    return old + [{"ts": ago(24), **new, **more}] * 10


def test_a_dearer_prompt_is_told_in_dollars_a_day(books) -> None:
    (finding,) = found("prompt_change", books(sizes=changed(1300, "1.3")))
    assert (finding.rule, finding.scope, finding.severity) == (
        "prompt_change",
        Scope(workflow="chat"),
        Severity.INFO,
    )
    assert (
        finding.summary == "prompt version v2 takes 1,300 input tokens a request, 1,000 before: +$3.00 a day"
    )
    assert (finding.observed_usd, finding.expected_usd, finding.since) == (13, 10, ago(24))


def test_prompts_that_differ_by_tenant_are_one_change(books) -> None:
    each = [*changed(2000, "2", "v2"), *changed(2000, "2", "v3", tenant="zeta")]
    (finding,) = found("prompt_change", books(sizes=each))
    assert finding.summary == (
        "2 new prompt versions (v2 first) take 2,000 input tokens a request, 1,000 before: +$20.00 a day"
    )


def test_a_new_prompt_is_held_against_the_same_tenants(books) -> None:
    others = [{"ts": ago(40), "tenant": "small", "input_tokens": 10, "cost_usd": "0.01"}] * 90
    assert found("prompt_change", books(sizes=[*changed(1100, "1.1"), *others])) == []


def test_a_prompt_that_grew_by_less_than_a_quarter_is_not_told(books) -> None:
    assert found("prompt_change", books(sizes=changed(1240, "1.3"))) == []


def test_a_prompt_that_costs_little_more_is_not_told(books) -> None:
    assert found("prompt_change", books(sizes=changed(1300, "1.05"))) == []


def test_a_prompt_of_unknown_cost_is_not_told(books) -> None:
    assert found("prompt_change", books(sizes=changed(1300, None))) == []


def test_findings_are_the_same_whatever_the_order_of_rows(books) -> None:
    rows = [*steady(), *({"bucket": ago(1), "workflow": name, "cost_usd": "10"} for name in "abc")]
    given = books(rows)
    turned = Books(
        rollup=given.rollup.reverse(),
        sizes=given.sizes,
        prompts=given.prompts,
        now=NOW,
        zone=given.zone,
        floor_usd=given.floor_usd,
    )
    assert found("dollar_excess", given) == found("dollar_excess", turned)


def test_how_old_data_may_be_is_configured(books) -> None:
    given = books(last_data=NOW - timedelta(hours=5), stale_after=timedelta(hours=4))
    (finding,) = found("stale", given)
    assert finding.summary == "no data for 5 h 00 min (allowed: 4 h 00 min)"


def _daily_limit(books, last_check: datetime) -> list[Finding]:
    """A day's budget of $5, passed by one call in the last quarter of an hour of yesterday."""
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    row = {"bucket": midnight - timedelta(minutes=15), "cost_usd": "6"}
    limit = Budget("acme", "tenant", "acme", "day", hard=Decimal(5))
    return found("budget", books([row], budgets=(limit,), last_check=last_check))


def test_a_limit_passed_just_before_its_period_ended_is_still_found(books) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    (finding,) = _daily_limit(books, midnight - timedelta(minutes=20))
    assert finding.rule.startswith("budget_hard")
    assert (finding.found_at, finding.window_end, finding.observed_usd) == (NOW, midnight, 6)


def test_a_period_that_was_looked_at_after_its_end_is_left_alone(books) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    assert _daily_limit(books, midnight) == []
