from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import explain, period
from analytics.attribution import total_usd, usd_sum
from analytics.plan import Standing
from ledger.frames import PROMPT_CHANGES

ZONE = ZoneInfo("UTC")
TODAY = period.day(date(2026, 10, 2), ZONE)
BEFORE = period.previous(TODAY)


def today(**row: object) -> dict:
    return {"bucket": TODAY.start + timedelta(hours=10), **_priced(row)}


def before(**row: object) -> dict:
    return {"bucket": BEFORE.start + timedelta(hours=10), **_priced(row)}


def _priced(row: dict) -> dict:
    """A cent for ten tokens in, a hundredth of a cent for ten from the cache, four cents for ten out."""
    prices = {"input_tokens": "0.001", "cache_read_tokens": "0.0001", "output_tokens": "0.004"}
    costs = {
        tokens.replace("tokens", "cost_usd"): row.get(tokens, 0) * Decimal(price) * row.get("dearer", 1)
        for tokens, price in prices.items()
    }
    rest = {key: value for key, value in row.items() if key != "dearer"}
    return {**costs, "cost_usd": sum(costs.values()), **rest}


def by_factor(rollup: pl.DataFrame) -> dict[str, Decimal]:
    frame = explain.factors(rollup, TODAY, BEFORE)
    return {factor: usd for factor, usd in frame.select("factor", "change_usd").iter_rows() if usd}


def test_longer_prompts_alone_are_the_whole_change(rollup_frame) -> None:
    rollup = rollup_frame([before(requests=10, input_tokens=1000), today(requests=10, input_tokens=3000)])
    assert by_factor(rollup) == {"input_tokens": 2}


def test_two_factors_share_what_they_do_together(rollup_frame) -> None:
    # $1 → $4: each alone would double it, so each has half of the $3.
    rollup = rollup_frame([before(requests=10, input_tokens=1000), today(requests=20, input_tokens=4000)])
    assert by_factor(rollup) == {"volume": Decimal("1.5"), "input_tokens": Decimal("1.5")}


def test_a_lost_cache_is_named(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=500, cache_read_tokens=500),
            today(requests=10, input_tokens=1000),
        ]
    )
    assert by_factor(rollup) == {"cache_hit": Decimal("0.45")}


def test_a_dearer_model_price_splits_into_input_and_output(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=1000, output_tokens=100),
            today(requests=10, input_tokens=1000, output_tokens=100, dearer=2),
        ]
    )
    assert by_factor(rollup) == {"input_price": 1, "output_price": Decimal("0.4")}


def test_a_shift_to_a_dearer_cell_is_mix(rollup_frame) -> None:
    cheap, dear = (
        {"model": "small", "input_tokens": 1000},
        {"model": "large", "input_tokens": 1000, "dearer": 3},
    )
    rollup = rollup_frame([before(requests=10, **cheap), today(requests=10, **dear)])
    assert by_factor(rollup) == {"mix": 2}


def test_a_start_from_nothing_is_volume(rollup_frame) -> None:
    assert by_factor(rollup_frame([today(requests=10, input_tokens=1000)])) == {"volume": 1}


def test_cache_writes_and_fees_are_other(rollup_frame) -> None:
    rollup = rollup_frame(
        [before(requests=1, input_tokens=1000), today(requests=1, input_tokens=1000, cost_usd="1.5")]
    )
    assert by_factor(rollup) == {"other": Decimal("0.5")}


def test_nothing_at_all_splits_into_zeros(rollup_frame) -> None:
    assert explain.factors(rollup_frame([]), TODAY, BEFORE)["change_usd"].to_list() == [0] * 8


cents = st.integers(0, 10**15).map(lambda n: Decimal(n).scaleb(-12))
counts = st.integers(0, 10**6)
names = st.sampled_from([None, "a", "b"])
rows = st.lists(
    st.fixed_dictionaries({
        "bucket": st.integers(0, 47).map(lambda n: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(hours=n)),
        "tenant": names,
        "model": names,
        "requests": counts,
        "input_tokens": counts,
        "cache_read_tokens": counts,
        "output_tokens": counts,
        "input_cost_usd": cents,
        "cache_read_cost_usd": cents,
        "output_cost_usd": cents,
        "cost_usd": cents,
    }),
    max_size=12,
)  # fmt: skip


@given(rows=rows)
@settings(max_examples=100, deadline=None)
def test_factors_and_contributors_sum_to_the_change_to_the_last_digit(rollup_frame, rows: list) -> None:
    rollup = rollup_frame(rows)
    change = total_usd(rollup, TODAY) - total_usd(rollup, BEFORE)
    assert usd_sum(explain.factors(rollup, TODAY, BEFORE)["change_usd"]) == change
    assert usd_sum(explain.contributors(rollup, TODAY, BEFORE, first=None)["change_usd"]) == change


@given(rows=rows)
@settings(max_examples=50, deadline=None)
def test_turning_time_around_turns_every_sign(rollup_frame, rows: list) -> None:
    rollup = rollup_frame(rows)
    forth = explain.factors(rollup, TODAY, BEFORE)["change_usd"].to_list()
    back = explain.factors(rollup, BEFORE, TODAY)["change_usd"].to_list()
    assert max(abs(a + b) for a, b in zip(forth, back, strict=True)) < Decimal("1e-6")


def reasons(rollup: pl.DataFrame, **more: pl.DataFrame) -> list[str]:
    return explain.contributors(rollup, TODAY, BEFORE, **more)["reason"].to_list()


def test_a_grown_prompt_names_the_part_that_grew(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=24_000, seg_context=19_000, seg_system=5_000),
            today(requests=10, input_tokens=46_500, seg_context=41_000, seg_system=5_500),
        ]
    )
    assert reasons(rollup) == ["retrieved context 1,900 → 4,100 tokens a request"]


def test_a_grown_prompt_names_its_new_version(rollup_frame, prompts_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=1000, seg_system=1000),
            today(requests=10, input_tokens=2000, seg_system=2000),
        ]
    )
    used = prompts_frame([{"ts": BEFORE.start}, *[{"ts": TODAY.start, "prompt_version": "7f3a"}] * 3])
    assert reasons(rollup, used=used) == ["system prompt 100 → 200 tokens a request since version 7f3a"]


def test_each_tenant_is_told_its_own_new_version(rollup_frame, prompts_frame) -> None:
    grown = {"requests": 10, "input_tokens": 2000, "seg_system": 2000}
    small = {"requests": 10, "input_tokens": 1000, "seg_system": 1000}
    rollup = rollup_frame(
        [side for name in "ab" for side in (before(tenant=name, **small), today(tenant=name, **grown))]
    )
    uses = [{"ts": TODAY.start, "tenant": name, "prompt_version": f"of-{name}"} for name in "ab"] * 3
    used = prompts_frame([{"ts": BEFORE.start}, *uses])
    assert [reason.split()[-1] for reason in reasons(rollup, used=used)] == ["of-a", "of-b"]


def test_more_traffic_says_how_many_times(rollup_frame) -> None:
    rollup = rollup_frame(
        [before(requests=400, input_tokens=4000), today(requests=1240, input_tokens=12_400)]
    )
    assert reasons(rollup) == ["3.1× requests (400 → 1,240)"]


def test_every_factor_of_weight_is_named_with_its_dollars(rollup_frame) -> None:
    # $1 → $4, both doubled: the requests and the prompt have half of the $3 each.
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=1000, seg_system=1000),
            today(requests=20, input_tokens=4000, seg_system=4000),
        ]
    )
    assert reasons(rollup) == [
        "2.0× requests (10 → 20) +$1.50, system prompt 100 → 200 tokens a request +$1.50"
    ]


def test_a_factor_of_weight_that_held_the_change_back_is_named_too(rollup_frame) -> None:
    # $1 → $3.50 at ten times the requests and 35 % of the prompt: the two share by the mean of both orders.
    # requests: 9 × (1 + 0.35) ÷ 2 = 6.075; prompt: −0.65 × (1 + 10) ÷ 2 = −3.575.
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=1000, seg_system=1000),
            today(requests=100, input_tokens=3500, seg_system=3500),
        ]
    )
    assert reasons(rollup) == [
        "10.0× requests (10 → 100) +$6.08, system prompt 100 → 35 tokens a request −$3.58"
    ]


def test_a_cell_without_a_past_is_new(rollup_frame) -> None:
    assert reasons(rollup_frame([today(requests=1, input_tokens=10)])) == ["new: no spend before"]


def test_a_model_that_took_over_names_the_one_it_replaced(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, model="small", input_tokens=1000),
            today(requests=10, model="large", input_tokens=1000, dearer=5),
        ]
    )
    assert reasons(rollup) == ["model large instead of small"] * 2


def test_models_of_nobodys_workflow_did_not_replace_each_other(rollup_frame) -> None:
    nobody = {"tenant": None, "workflow": None, "requests": 1, "input_tokens": 10}
    rollup = rollup_frame([before(model="small", **nobody), today(model="large", **nobody)])
    assert set(reasons(rollup)) == {"new: no spend before", "no requests any more"}


def test_a_cell_that_fell_silent_says_so(rollup_frame) -> None:
    assert reasons(rollup_frame([before(requests=1, input_tokens=10)])) == ["no requests any more"]


def test_longer_answers_and_prices_have_their_words(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, tenant="a", output_tokens=3000),
            today(requests=10, tenant="a", output_tokens=9000),
            before(requests=10, tenant="b", input_tokens=1000),
            today(requests=10, tenant="b", input_tokens=1000, dearer=2),
        ]
    )
    assert reasons(rollup) == [
        "answers 300 → 900 tokens a request",
        "input price $1,000.00 → $2,000.00 per million tokens",
    ]


def test_the_largest_mover_comes_first_and_the_rest_is_cut(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            today(tenant="small", input_tokens=10),
            before(tenant="large", input_tokens=5000),
            today(tenant="middle", input_tokens=100),
        ]
    )
    frame = explain.contributors(rollup, TODAY, BEFORE, first=2)
    assert frame["tenant"].to_list() == ["large", "middle"]
    assert frame["input_per_request"].to_list() == [None, 100.0]


def told(
    rollup: pl.DataFrame, plan: str | None = None, prompts: pl.DataFrame | None = None, unplanned: str = "0"
) -> str:
    others = Decimal(unplanned)
    return explain.sentence(
        date(2026, 10, 2),
        total_usd(rollup, TODAY),
        None if plan is None else Standing(Decimal(plan), total_usd(rollup, TODAY) - others, others),
        total_usd(rollup, BEFORE),
        "Thu 1 Oct 2026",
        explain.contributors(rollup, TODAY, BEFORE),
        explain.factors(rollup, TODAY, BEFORE),
        prompts,
    )


def new_prompt(usd: str | None) -> pl.DataFrame:
    row = ("bot", "v2", 1, TODAY.start.replace(tzinfo=None), 1200.4, 9500.0, 60, usd and Decimal(usd))
    return pl.DataFrame([row], schema=PROMPT_CHANGES, orient="row")


def test_the_sentence_names_a_new_prompt_that_adds_a_twentieth(rollup_frame) -> None:
    rollup = rollup_frame([before(input_tokens=20_000), today(input_tokens=41_000)])
    assert told(rollup, prompts=new_prompt("1")).endswith(
        "A new prompt of bot adds $1.00 a day: 1,200 → 9,500 input tokens a request."
    )


@pytest.mark.parametrize("usd", ["0.99", "-5", None])
def test_the_sentence_keeps_quiet_of_a_new_prompt_that_adds_little(rollup_frame, usd) -> None:
    rollup = rollup_frame([before(input_tokens=20_000), today(input_tokens=41_000)])
    assert told(rollup, prompts=new_prompt(usd)) == told(rollup)


def test_the_sentence_names_the_cell_behind_the_rise(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=19_000, seg_context=19_000),
            today(requests=10, input_tokens=41_000, seg_context=41_000),
        ]
    )
    assert told(rollup) == (
        "Fri 2 Oct 2026 cost $41.00, $22.00 (116 %) more than Thu 1 Oct 2026. Almost all of the rise is "
        "acme / chat: retrieved context 1,900 → 4,100 tokens a request."
    )


def test_the_sentence_measures_against_plan(rollup_frame) -> None:
    rollup = rollup_frame([before(input_tokens=1000), today(input_tokens=1000, requests=1)])
    assert told(rollup, plan="0.8") == (
        "Fri 2 Oct 2026 cost $1.00: $0.20 (25 %) over plan; "
        "nothing moved: neither more nor less than Thu 1 Oct 2026."
    )


def test_the_sentence_holds_a_plan_for_some_against_their_spend_alone(rollup_frame) -> None:
    # Of the $3, $1 is of tenants with a plan of $0.80: they are a quarter over it.
    rollup = rollup_frame([before(input_tokens=3000), today(input_tokens=3000)])
    assert told(rollup, plan="0.8", unplanned="2") == (
        "Fri 2 Oct 2026 cost $3.00: tenants with a budget are $0.20 (25 %) over plan, $2.00 is of those "
        "without; nothing moved: neither more nor less than Thu 1 Oct 2026."
    )


def test_a_quiet_day_is_one_line(rollup_frame) -> None:
    rollup = rollup_frame([before(input_tokens=1000), today(input_tokens=1010)])
    assert told(rollup) == ("Fri 2 Oct 2026 cost $1.01; nothing moved: $0.01 (1 %) more than Thu 1 Oct 2026.")


def test_a_day_without_rows_is_said() -> None:
    empty = pl.DataFrame()
    line = explain.sentence(date(2026, 10, 2), None, None, None, "", empty, empty)
    assert line == "Fri 2 Oct 2026: no request is in the books."


def test_a_new_version_is_told_once_it_has_three_calls(prompts_frame) -> None:
    old = {"ts": BEFORE.start}
    new = {"ts": TODAY.start + timedelta(hours=3), "prompt_version": "v2"}
    assert explain.prompt_changes(prompts_frame([old, new, new, new]), TODAY) == [("chat", "v2", new["ts"])]
    assert explain.prompt_changes(prompts_frame([old, new, new]), TODAY) == []


def test_a_version_of_the_week_before_is_not_new(prompts_frame) -> None:
    seen = {"ts": TODAY.start - timedelta(days=6), "prompt_version": "v2"}
    again = {"ts": TODAY.start, "prompt_version": "v2"}
    assert explain.prompt_changes(prompts_frame([seen, again, again, again]), TODAY) == []


def test_the_first_versions_of_a_workflow_are_no_change(prompts_frame) -> None:
    first = {"ts": TODAY.start, "workflow": "brand-new"}
    assert explain.prompt_changes(prompts_frame([first, first, first]), TODAY) == []


def test_prompts_that_differ_with_every_call_are_no_change(prompts_frame) -> None:
    each = [{"ts": TODAY.start + timedelta(minutes=n), "prompt_version": f"p{n}"} for n in range(90)]
    assert explain.prompt_changes(prompts_frame([{"ts": BEFORE.start}, *each]), TODAY) == []
