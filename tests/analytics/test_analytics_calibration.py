"""What is learned from pairs of count and bill, and what is not."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from analytics.calibration import PLAIN, learn, refit, theil_sen
from ledger.frames import CALIBRATION_PAIRS
from ledger.types import Calibration

NOW = datetime(2026, 11, 22)
SINCE = datetime(2026, 10, 25)


def points(numbers: list[float]) -> np.ndarray:
    return np.array(numbers, dtype=np.float64)


def pairs(counted: list[float], reported: list[int], model: str = "gemini-9") -> pl.DataFrame:
    rows = [(model, "gemini.generate", "text", c, r) for c, r in zip(counted, reported, strict=True)]
    return pl.DataFrame(rows, schema=CALIBRATION_PAIRS, orient="row")


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
    known = Calibration(1, "gemini-9", "gemini.generate", "text", 1.2, 30.0, 0.01, 60)
    assert refit(pairs(SIZES, BILLS), (known,), 2, SINCE, NOW, NOW).is_empty()


def test_a_calibration_that_no_longer_helps_gives_way_to_the_plain_count() -> None:
    known = Calibration(1, "gemini-9", "gemini.generate", "text", 1.2, 30.0, 0.01, 60)
    found = refit(pairs(SIZES, [round(size) for size in SIZES]), (known,), 2, SINCE, NOW, NOW)
    assert found.select("factor", "intercept").row(0) == (PLAIN.factor, PLAIN.intercept)
