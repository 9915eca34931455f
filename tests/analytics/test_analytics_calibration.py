"""What is learned from pairs of count and bill, and what is not."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from analytics.calibration import PLAIN, learn, refit, theil_sen
from ledger.frames import CALIBRATION_PAIRS
from ledger.types import Calibration

NOW = datetime(2026, 11, 22)
SINCE = datetime(2026, 10, 25)


def points(numbers: list[float]) -> np.ndarray:
    return np.array(numbers, dtype=np.float64)


def pairs(counted: list[float], reported: list[int], tokenizer: str = "o200k_base") -> pl.DataFrame:
    """The newest call first."""
    key = ("gemini-9", "gemini.generate", "text", tokenizer, "2026-11.1")
    both = zip(counted, reported, strict=True)
    rows = [(*key, c, r, age) for age, (c, r) in enumerate(both, start=1)]
    return pl.DataFrame(rows, schema=CALIBRATION_PAIRS, orient="row")


def known(factor: float = 1.2, intercept: float = 30.0, off: float = 0.01) -> Calibration:
    key = ("gemini-9", "gemini.generate", "text", "o200k_base", "2026-11.1")
    return Calibration(1, *key, factor, intercept, 100.0, 690.0, off, 60)


SIZES = [100.0 + 10 * step for step in range(60)]
# Billed is 1.2 times the count and 30.
BILLS = [round(1.2 * size + 30) for size in SIZES]


def test_a_line_through_the_pairs_is_found() -> None:
    line = theil_sen(points(SIZES), points(BILLS))
    assert abs(line.factor - 1.2) < 0.001
    assert abs(line.intercept - 30) < 0.5


def test_a_fifth_of_wrong_bills_does_not_move_it() -> None:
    bills = [bill * 9 if index % 5 == 0 else bill for index, bill in enumerate(BILLS)]
    line = theil_sen(points(SIZES), points(bills))
    assert abs(line.at(points([400.0]))[0] - 510) < 510 * 0.06


def test_prompts_of_one_size_give_a_factor_alone() -> None:
    line = theil_sen(points([100.0] * 50), points([130.0] * 50))
    assert (line.factor, line.intercept) == (1.3, 0.0)


def test_few_pairs_teach_nothing() -> None:
    assert learn(points(SIZES[:39]), points(BILLS[:39])) is None


def test_counts_that_agree_are_left_alone() -> None:
    assert learn(points(SIZES), points(SIZES)) is None


def test_bills_without_a_pattern_teach_nothing() -> None:
    noise = np.random.default_rng(7)
    bills = points(SIZES) * noise.uniform(0.5, 1.5, len(SIZES))
    assert learn(points(SIZES), bills) is None


def test_what_was_learned_says_its_error_version_and_evidence() -> None:
    found = refit(pairs(SIZES, BILLS), (), 3, SINCE, NOW, NOW)
    row = found.row(0, named=True)
    assert (row["version"], row["model"], row["category"], row["evidence"]) == (3, "gemini-9", "text", 60)
    assert row["error"] < 0.01
    assert found.equals(refit(pairs(SIZES, BILLS), (), 3, SINCE, NOW, NOW))


def test_a_refit_that_finds_the_same_is_no_news() -> None:
    assert refit(pairs(SIZES, BILLS), (known(),), 2, SINCE, NOW, NOW).is_empty()


def test_a_calibration_that_no_longer_helps_gives_way_to_the_plain_count() -> None:
    found = refit(pairs(SIZES, [round(size) for size in SIZES]), (known(),), 2, SINCE, NOW, NOW)
    assert became_plain(found)


def became_plain(found: pl.DataFrame) -> bool:
    return found.select("factor", "intercept", "error").rows() == [(PLAIN.factor, PLAIN.intercept, None)]


@pytest.mark.parametrize("calls", [0, 9])
def test_a_calibration_that_hardly_any_bill_supports_gives_way_to_the_plain_count(calls) -> None:
    found = refit(pairs(SIZES[:calls], BILLS[:calls]), (known(),), 2, SINCE, NOW, NOW)
    assert became_plain(found)


def test_ten_bills_that_bear_a_calibration_out_keep_it() -> None:
    assert refit(pairs(SIZES[:10], BILLS[:10]), (known(),), 2, SINCE, NOW, NOW).is_empty()


def test_ten_bills_that_refute_a_calibration_end_it() -> None:
    assert became_plain(refit(pairs(SIZES[:10], [300] * 10), (known(),), 2, SINCE, NOW, NOW))


def test_what_all_bills_say_is_not_held_against_the_newest() -> None:
    newest = [round(size) for size in SIZES[:20]]
    found = refit(pairs(SIZES * 5, newest + (BILLS * 5)[20:]), (known(),), 2, SINCE, NOW, NOW)
    assert became_plain(found)


def test_a_new_level_is_learned_from_the_newest_bills() -> None:
    newest = [round(1.5 * size) for size in SIZES]
    found = refit(pairs(SIZES * 5, newest + BILLS * 4), (known(),), 2, SINCE, NOW, NOW)
    assert abs(found["factor"].item() - 1.5) < 0.01


def test_counts_in_another_vocabulary_are_another_thing_to_learn() -> None:
    found = refit(pairs(SIZES, BILLS, "tekken"), (known(),), 2, SINCE, NOW, NOW)
    rows = found.select("tokenizer", "factor").rows()
    assert [(tokenizer, round(factor, 2)) for tokenizer, factor in rows] == [
        ("o200k_base", 1),
        ("tekken", 1.2),
    ]


def test_a_line_below_nothing_becomes_a_factor() -> None:
    # Bills of 1.3 times the count less 68.3, as large prompts of one kind may show them.
    sizes = [200.0 + 3 * step for step in range(80)]
    line = theil_sen(points(sizes), points([1.3 * size - 68.3 for size in sizes]))
    assert line.intercept == 0
    assert 0.9 < line.factor < 1.3


def test_the_sizes_that_a_line_was_learned_from_are_kept() -> None:
    row = refit(pairs(SIZES, BILLS), (), 3, SINCE, NOW, NOW).row(0, named=True)
    assert (row["least"], row["greatest"]) == (100, 690)


def test_larger_prompts_than_before_are_worth_a_new_version() -> None:
    sizes = [*SIZES, 2000.0]
    found = refit(pairs(sizes, [*BILLS, 2430]), (known(),), 2, SINCE, NOW, NOW)
    assert found["greatest"].to_list() == [2000]
