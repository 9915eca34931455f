from decimal import Decimal

import pytest

from analytics import variance
from analytics.plan import Envelope

CHAT = Envelope("chat", input_p50=100, input_p95=200)


def request(input_tokens: int | None, output_tokens: int | None, cost: str, **more: object) -> dict:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, "cost_usd": cost, **more}


def test_token_variance_is_the_whole_workflows_against_its_median(sizes_frame) -> None:
    sizes = sizes_frame([request(90, 0, "0"), request(150, 0, "0"), request(400, 0, "0")])
    row = variance.envelopes(sizes, [CHAT]).row(0, named=True)
    assert (row["requests"], row["variance_tokens"], row["outside_requests"]) == (3, 640 - 300, 1)


def test_money_outside_is_what_lies_above_the_p95(sizes_frame) -> None:
    # 400 tokens for $0.40, of which 200 lie above the p95.
    sizes = sizes_frame([request(100, 0, "0.1"), request(400, 0, "0.4")])
    row = variance.envelopes(sizes, [CHAT]).row(0, named=True)
    assert row["variance_usd"] == Decimal("0.2")


def test_money_of_the_answer_is_not_outside_the_input_envelope(sizes_frame) -> None:
    sizes = sizes_frame([request(400, 100, "0.9", input_usd="0.4", output_usd="0.5")])
    envelope = Envelope("chat", input_p95=200, output_p95=50)
    assert variance.envelopes(sizes, [envelope])["variance_usd"].to_list() == [
        Decimal("0.2"),
        Decimal("0.25"),
    ]


def test_a_request_over_the_maximum_is_outside_by_what_it_cost_more(sizes_frame) -> None:
    envelope = Envelope("chat", max_cost_per_request_usd=Decimal("0.02"))
    row = variance.envelopes(sizes_frame([request(1, 1, "0.05"), request(1, 1, "0.01")]), [envelope]).row(
        0, named=True
    )
    assert (row["direction"], row["variance_usd"], row["state"]) == ("cost", Decimal("0.03"), "over")
    assert row["variance_tokens"] is None


def test_more_outside_than_five_per_cent_by_chance_is_over(sizes_frame) -> None:
    # Of 100 requests 5 ± 4.4 may lie above a p95.
    within = sizes_frame([request(201, 0, "0")] * 9 + [request(50, 0, "0")] * 91)
    over = sizes_frame([request(201, 0, "0")] * 10 + [request(50, 0, "0")] * 90)
    assert variance.envelopes(within, [CHAT])["state"].item() == "within"
    assert variance.envelopes(over, [CHAT])["state"].item() == "over"


def test_requests_of_unknown_size_are_left_out(sizes_frame) -> None:
    sizes = sizes_frame([request(None, None, "0"), request(50, 0, "0")])
    row = variance.envelopes(sizes, [CHAT]).row(0, named=True)
    assert (row["requests"], row["outside_requests"], row["state"]) == (1, 0, "within")


def test_a_workflow_without_requests_has_no_verdict(sizes_frame) -> None:
    row = variance.envelopes(sizes_frame([]), [CHAT]).row(0, named=True)
    assert (row["requests"], row["outside_share"], row["observed_p95"], row["state"]) == (
        0,
        None,
        None,
        "no data",
    )


def test_a_tenants_own_envelope_goes_before_the_workflows(sizes_frame) -> None:
    declared = [CHAT, Envelope("chat", "big", input_p50=1000, input_p95=2000)]
    frame = variance.envelopes(
        sizes_frame([request(900, 0, "1", tenant="big"), request(50, 0, "1")]), declared
    )
    assert frame["requests"].to_list() == [1, 1]
    assert frame["outside_requests"].to_list() == [0, 0]


def test_coverage_parts_all_money(rollup_frame) -> None:
    rollup = rollup_frame(
        [{"cost_usd": "2"}, {"cost_usd": "3", "workflow": "other"}, {"cost_usd": "4", "workflow": None}]
    )
    assert variance.coverage(rollup, [CHAT]) == (2, 7)
    assert variance.coverage(rollup, []) == (0, 9)


def test_money_outside_is_not_counted_twice_for_size_and_cost(sizes_frame) -> None:
    envelope = Envelope("chat", input_p50=100, input_p95=200, max_cost_per_request_usd=Decimal("0.1"))
    frame = variance.envelopes(sizes_frame([request(400, 0, "0.4")]), [envelope])
    assert frame["variance_usd"].to_list() == [Decimal("0.2"), Decimal("0.3")]
    assert variance.outside_usd(frame) == Decimal("0.3")


@pytest.mark.parametrize("declared", [[], [Envelope("chat")]])
def test_nothing_declared_gives_no_rows(sizes_frame, declared: list[Envelope]) -> None:
    assert variance.envelopes(sizes_frame([request(1, 1, "1")]), declared).is_empty()
