import numpy as np
import pytest

from analytics import projection
from analytics.projection import CANDIDATES, Method


def series(*days: float) -> projection.Floats:
    return np.array([days], dtype=np.float64)


@pytest.mark.parametrize("method", CANDIDATES.values())
def test_every_method_lets_an_even_series_go_on(method) -> None:
    assert np.allclose(method(np.full((2, 10), 3.0), 9), 3.0)


@pytest.mark.parametrize("method", CANDIDATES.values())
def test_every_method_tells_nothing_of_nothing(method) -> None:
    assert (method(np.zeros((1, 10)), 9) == 0).all()


def test_a_weekday_mean_is_that_of_whole_weeks_back_from_now() -> None:
    past = series(99, 1, 2, 3, 4, 5, 6, 7, 3, 4, 5, 6, 7, 8, 9)
    assert projection.weekday_means(past, 8).tolist() == [[2, 3, 4, 5, 6, 7, 8, 2]]


def test_one_week_says_half_of_what_it_shows_about_weekdays() -> None:
    # A mean day is 1: the weekday of 7 is taken as (7 + 1) / 2, the others as (0 + 1) / 2.
    shares = projection.weekdays(series(0, 0, 0, 0, 0, 0, 7))
    assert shares.tolist() == [[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 4.0]]


def test_the_trend_of_two_days_is_damped() -> None:
    # Unseen weekdays are even and seen ones half so: 1 and 2 are taken as 1 / (2.5 / 3) and 2 / (3.5 / 3);
    # Holt's level and trend follow by hand.
    first, second = 1 / (2.5 / 3), 2 / (3.5 / 3)
    level = 0.3 * second + 0.7 * first
    trend = 0.1 * (level - first)
    told = projection.damped_trend(series(1, 2), 2)
    assert told[0].tolist() == pytest.approx([level + 0.8 * trend, level + (0.8 + 0.64) * trend])


def test_a_rise_goes_on_above_its_mean() -> None:
    rise = series(*range(1, 15))
    assert projection.damped_trend(rise, 7).sum() > projection.straight_line(rise, 7).sum()


def test_the_method_that_was_clearly_better_before_is_chosen() -> None:
    weekly = np.tile([5.0, 5, 5, 5, 5, 0, 0], 4)[None, :]
    found = projection.project(weekly, 7)
    assert list(CANDIDATES)[found.methods[0]] is Method.WEEKDAYS
    assert (found.error[0], found.reach[0]) == (0, 0)


def test_what_a_series_is_told_does_not_depend_on_those_beside_it() -> None:
    some = np.random.default_rng(7).gamma(2.0, 5.0, (20, 23))
    together = projection.project(some, 9)
    alone = [projection.project(some[row : row + 1], 9) for row in range(20)]
    assert np.allclose(together.days, np.concatenate([each.days for each in alone]))
    assert np.allclose(together.reach, np.concatenate([each.reach for each in alone]))


def test_the_past_error_is_that_of_the_newer_half_tried_by_hand() -> None:
    # Four days: tried after two (sums of one and two days) and after three (one day), straight line chosen
    # or not, the error is that of the method told.
    past = series(4, 6, 5, 10)
    found = projection.project(past, 1)
    method = list(CANDIDATES.values())[found.methods[0]]
    after_two = method(past[:, :2], 2)[0].cumsum()
    after_three = method(past[:, :3], 1)[0]
    off = abs(after_two[0] - 5) + abs(after_two[1] - 15) + abs(after_three[0] - 10)
    assert found.error[0] == pytest.approx(off / (5 + 15 + 10))
