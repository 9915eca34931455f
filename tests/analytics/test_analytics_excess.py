from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analytics import excess

END = datetime(2026, 10, 30, 12, tzinfo=UTC)


def steady(days: int, usd: str = "1", **more: object) -> list[dict]:
    """So many dollars every hour of the last days."""
    return [{"bucket": END - timedelta(hours=n + 1), "cost_usd": usd, **more} for n in range(days * 24)]


def scores(rollup, windows: tuple[int, ...] = (1, 6, 24), gate: float = 0.0) -> dict[int, excess.Excess]:
    series = excess.hourly(rollup, ["tenant"], END, windows)
    found = excess.above_usual(series, windows, np.full(series.keys.height, gate))
    return {one.window: one for one in found}


def test_the_usual_is_the_median_of_the_same_hour_on_the_days_before(rollup_frame) -> None:
    # At noon 1, 2, … 9 dollars, oldest first: the median of the nine days before today is 5.
    rows = [{"bucket": END - timedelta(days=9 - n, hours=1), "cost_usd": n + 1} for n in range(10)]
    series = excess.hourly(rollup_frame(rows), ["tenant"], END, (1,))
    assert excess.usual(series, np.array([series.hours]), 1, 7)[0, 0] == 5


def test_an_even_number_of_days_takes_the_middle_of_two(rollup_frame) -> None:
    rows = [{"bucket": END - timedelta(days=8 - n, hours=1), "cost_usd": n + 1} for n in range(9)]
    series = excess.hourly(rollup_frame(rows), ["tenant"], END, (1,))
    assert excess.usual(series, np.array([series.hours]), 1, 7)[0, 0] == 4.5


def test_six_days_of_history_are_too_few(rollup_frame) -> None:
    rollup = rollup_frame([*steady(6), {"bucket": END - timedelta(minutes=15), "cost_usd": "1000"}])
    assert scores(rollup) == {}


def test_a_spike_scores_its_excess_over_the_slack_of_a_days_spend(rollup_frame) -> None:
    # A dollar an hour is 24 a day; 1.92 is 8 % of it, and nothing worse is known.
    rollup = rollup_frame([*steady(20), {"bucket": END - timedelta(minutes=15), "cost_usd": "9.6"}])
    found = scores(rollup, windows=(1,))[1]
    assert (found.usual_usd, found.excess_usd) == pytest.approx((1, 9.6))
    assert found.score == pytest.approx(9.6 / 1.92)


def test_a_series_that_often_spikes_must_beat_its_own_worst(rollup_frame) -> None:
    spike = [{"bucket": END - timedelta(days=3, minutes=15), "cost_usd": "10"}]
    now = [{"bucket": END - timedelta(minutes=15), "cost_usd": "10"}]
    assert scores(rollup_frame([*steady(20), *now]), windows=(1,))
    assert not scores(rollup_frame([*steady(20), *spike, *now]), windows=(1,))


def test_a_small_excess_does_not_pass_the_gate(rollup_frame) -> None:
    rollup = rollup_frame([*steady(20), {"bucket": END - timedelta(minutes=15), "cost_usd": "9.6"}])
    assert not scores(rollup, gate=9.7)
    assert scores(rollup, gate=9.5)


def test_a_night_job_of_every_night_is_usual(rollup_frame) -> None:
    rows = [{"bucket": END - timedelta(days=n, hours=1), "cost_usd": "50"} for n in range(20)]
    assert not scores(rollup_frame(rows))


def test_daily_spend_leaves_out_the_last_day(rollup_frame) -> None:
    rollup = rollup_frame([*steady(20), {"bucket": END - timedelta(minutes=15), "cost_usd": "500"}])
    series = excess.hourly(rollup, ["tenant"], END, (1,))
    assert excess.daily_spend(series).tolist() == pytest.approx([24])


def test_a_burst_began_in_its_first_hour(rollup_frame) -> None:
    burst = [{"bucket": END - timedelta(hours=n), "cost_usd": "20"} for n in (9, 8, 7)]
    series = excess.hourly(rollup_frame([*steady(20), *burst]), ["tenant"], END, (1,))
    assert excess.began(series, 0) == END - timedelta(hours=9)
