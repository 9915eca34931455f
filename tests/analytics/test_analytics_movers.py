from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import explain, movers, period
from analytics.against_plan import against_plan
from analytics.attribution import total_usd, usd_sum
from analytics.factors import Factor, cells, split
from analytics.plan import Budget

ZONE = ZoneInfo("UTC")
TODAY = period.day(date(2026, 10, 2), ZONE)
BEFORE = period.previous(TODAY)
PRICES = {"input_tokens": "0.001", "cache_read_tokens": "0.0001", "output_tokens": "0.004"}


def priced(start: datetime, **row: object) -> dict:
    costs = {name.replace("tokens", "cost_usd"): row.get(name, 0) * Decimal(p) for name, p in PRICES.items()}
    return {"bucket": start + timedelta(hours=10), **costs, "cost_usd": sum(costs.values()), **row}


def today(**row: object) -> dict:
    return priced(TODAY.start, **row)


def before(**row: object) -> dict:
    return priced(BEFORE.start, **row)


def segments_of(rollup: pl.DataFrame) -> dict[str, Decimal]:
    whole = explain.amount_of(explain.factors(rollup, TODAY, BEFORE), Factor.INPUT_TOKENS)
    frame = movers.by_segment(rollup, TODAY, BEFORE, whole)
    assert usd_sum(frame["change_usd"]) == whole
    return {name: usd for name, usd in frame.select("segment", "change_usd").iter_rows() if usd}


def test_the_part_of_the_prompt_that_grew_has_all_of_it(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=1000, seg_user=400, seg_context=600),
            today(requests=10, input_tokens=3000, seg_user=400, seg_context=2600),
        ]
    )
    assert segments_of(rollup) == {"context": 2}


def test_parts_that_moved_against_each_other_are_both_told(rollup_frame) -> None:
    # As many tokens as before: no money moved, but two dollars of context went and two of history came.
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=3000, seg_history=1000, seg_context=2000),
            today(requests=10, input_tokens=3000, seg_history=3000, seg_context=0),
        ]
    )
    assert segments_of(rollup) == {"history": 2, "context": -2}


def test_growth_that_no_part_shows_is_unexplained(rollup_frame) -> None:
    rollup = rollup_frame([before(requests=10, input_tokens=1000), today(requests=10, input_tokens=3000)])
    assert segments_of(rollup) == {"unexplained": 2}


def test_tokens_that_went_to_a_cache_are_taken_off(rollup_frame) -> None:
    rollup = rollup_frame(
        [
            before(requests=10, input_tokens=3000, seg_system=3000),
            today(requests=10, input_tokens=1000, cache_write_tokens=2000, seg_system=3000),
        ]
    )
    assert segments_of(rollup) == {"cache_writes": -2}


CELL = st.fixed_dictionaries(
    {
        "tenant": st.sampled_from(["a", "b", None]),
        "workflow": st.sampled_from(["w", None]),
        "environment": st.sampled_from(["prod", "dev"]),
        "requests": st.integers(0, 50),
        "input_tokens": st.integers(0, 9_000),
        "cache_read_tokens": st.integers(0, 9_000),
        "output_tokens": st.integers(0, 9_000),
        "seg_user": st.integers(0, 9_000),
        "seg_context": st.integers(0, 9_000),
    }
)
ROWS = st.lists(st.tuples(st.booleans(), CELL), max_size=8)


def built(rollup_frame, rows: list) -> pl.DataFrame:
    return rollup_frame([(today if is_now else before)(**row) for is_now, row in rows])


@given(rows=ROWS)
@settings(max_examples=50, deadline=None)
def test_every_cut_sums_to_the_change_to_the_last_digit(rollup_frame, rows: list) -> None:
    rollup = built(rollup_frame, rows)
    change = total_usd(rollup, TODAY) - total_usd(rollup, BEFORE)
    segments_of(rollup)
    for by in (["tenant"], ["environment", "workflow"], ["model", "tenant"]):
        assert usd_sum(movers.movers(rollup, TODAY, BEFORE, by)["change_usd"]) == change


@given(rows=ROWS)
@settings(max_examples=50, deadline=None)
def test_segments_turn_their_signs_with_time(rollup_frame, rows: list) -> None:
    forth = built(rollup_frame, rows)
    back = built(rollup_frame, [(not is_now, row) for is_now, row in rows])
    turned = {name: -usd for name, usd in segments_of(back).items()}
    for name, usd in segments_of(forth).items():
        assert abs(usd - turned.get(name, Decimal(0))) < Decimal("1e-8")


@given(rows=ROWS)
@settings(max_examples=30, deadline=None)
def test_identical_periods_have_nothing_to_explain(rollup_frame, rows: list) -> None:
    doubled = [(is_now, row) for _, row in rows for is_now in (True, False)]
    rollup = built(rollup_frame, doubled)
    assert not any(explain.factors(rollup, TODAY, BEFORE)["change_usd"])
    assert segments_of(rollup) == {}


def test_the_split_is_that_of_every_order_of_the_seven(rollup_frame) -> None:
    # Brute force: move the factors one after the other in each of the 5,040 orders and take the mean.
    rollup = rollup_frame(
        [
            before(requests=7, input_tokens=900, cache_read_tokens=300, output_tokens=500),
            before(requests=3, input_tokens=200, output_tokens=900, tenant="b"),
            today(requests=11, input_tokens=2100, cache_read_tokens=100, output_tokens=350),
            today(requests=6, input_tokens=500, output_tokens=900, tenant="b"),
        ]
    )
    sides = [_hand(rollup, BEFORE), _hand(rollup, TODAY)]
    table = split(cells(rollup, TODAY, BEFORE)).sum(axis=1)
    means = [0.0] * 7
    orders = list(permutations(range(7)))
    for order in orders:
        moved = [0] * 7
        for factor in order:
            earlier = _worth(sides, moved)
            moved[factor] = 1
            means[factor] += (_worth(sides, moved) - earlier) / len(orders)
    assert table.tolist() == pytest.approx(means, abs=1e-9)


def _hand(rollup: pl.DataFrame, span: period.Period) -> list[dict[str, float]]:
    rows = rollup.filter(
        pl.col("bucket").is_between(period.naive(span.start), period.naive(span.end), "left")
    )
    volume = rows["requests"].sum()
    found = []
    for row in rows.sort("tenant").iter_rows(named=True):
        q = row["input_tokens"] + row["cache_read_tokens"]
        found.append(
            {
                "V": volume,
                "s": row["requests"] / volume,
                "q": q / row["requests"],
                "h": row["cache_read_tokens"] / q,
                "o": row["output_tokens"] / row["requests"],
            }
        )
    return found


def _worth(sides: list[list[dict[str, float]]], moved: list[int]) -> float:
    """The factors in their order: volume, mix, input tokens, cache hit, input price, output tokens, price."""
    whole = 0.0
    for place in range(2):
        at = [sides[moved[index]][place] for index in range(7)]
        per = at[2]["q"] * (0.001 * (1 - at[3]["h"]) + 0.0001 * at[3]["h"]) + at[5]["o"] * 0.004
        whole += at[0]["V"] * at[1]["s"] * per
    return whole


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu"])
def test_months_of_any_zone_sum_over_their_days_when_clocks_change(rollup_frame, zone: str) -> None:
    there = ZoneInfo(zone)
    first = datetime(2026, 9, 28, tzinfo=UTC)
    rows = [{"bucket": first + timedelta(minutes=15 * n), "cost_usd": n % 7} for n in range(0, 40 * 96, 3)]
    rollup = rollup_frame(rows)
    october, september = period.month(date(2026, 10, 1), there), period.month(date(2026, 9, 1), there)
    whole = usd_sum(explain.factors(rollup, october, september)["change_usd"])
    days = [period.day(date(2026, 10, on), there) for on in range(1, 32)]
    assert whole == sum(total_usd(rollup, on) for on in days) - total_usd(rollup, september)


def test_a_hundred_thousand_cells_sum_exactly() -> None:
    from ledger.frames import ROLLUP, USD

    count = 100_000
    place = pl.int_range(count, eager=True)
    spans = [BEFORE.start, TODAY.start]
    sides = [
        pl.DataFrame(
            {
                "bucket": pl.Series([period.naive(start)] * count, dtype=pl.Datetime("us")),
                "tenant": (place // 100).cast(pl.String),
                "workflow": (place % 100).cast(pl.String),
                "requests": place % (7 + side) + 1,
                "input_tokens": place % (997 + side),
                "output_tokens": place % (101 - side),
            }
        ).with_columns(
            input_cost_usd=(pl.col("input_tokens") * Decimal("0.000000333333")).cast(USD),
            output_cost_usd=(pl.col("output_tokens") * Decimal("0.000007777777")).cast(USD),
        )
        for side, start in enumerate(spans)
    ]
    rows = pl.concat(sides).with_columns(cost_usd=pl.col("input_cost_usd") + pl.col("output_cost_usd"))
    empty = [column for column in ROLLUP if column not in rows.columns]
    rollup = rows.with_columns(
        *(pl.lit(0 if ROLLUP[name].is_numeric() else None).cast(ROLLUP[name]).alias(name) for name in empty)
    ).select(ROLLUP.names())
    change = total_usd(rollup, TODAY) - total_usd(rollup, BEFORE)
    assert usd_sum(explain.factors(rollup, TODAY, BEFORE)["change_usd"]) == change
    assert usd_sum(movers.movers(rollup, TODAY, BEFORE, ["tenant"])["change_usd"]) == change


def test_spend_is_held_against_each_tenants_own_plan(rollup_frame) -> None:
    # $31 of a month are a dollar a day.
    plans = [Budget(name, "tenant", name, "month", Decimal(31)) for name in ("acme", "silent")]
    rollup = rollup_frame([today(cost_usd=5), today(cost_usd=2, tenant=None), today(cost_usd=1, tenant="x")])
    assert against_plan(rollup, plans, TODAY, ZONE).rows() == [
        ("acme", 1, 5, 4),
        ("silent", 1, 0, -1),
        (None, None, 3, 3),
    ]


def test_a_budget_of_all_spend_is_one_plan_for_all(rollup_frame) -> None:
    plans = [Budget("all", None, None, "day", Decimal(4)), Budget("a", "tenant", "acme", "day", Decimal(1))]
    rollup = rollup_frame([today(cost_usd=5), today(cost_usd=2, tenant=None)])
    two_days = period.between(date(2026, 10, 1), date(2026, 10, 3), ZONE)
    assert against_plan(rollup, plans, two_days, ZONE).rows() == [(None, 8, 7, -1)]


def test_without_budgets_nothing_is_planned(rollup_frame) -> None:
    assert against_plan(rollup_frame([today(cost_usd=5)]), [], TODAY, ZONE).is_empty()
