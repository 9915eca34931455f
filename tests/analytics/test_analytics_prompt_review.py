from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from analytics.books import Books
from analytics.detectors import prompt_review

NOW = datetime(2026, 10, 30, 12, tzinfo=UTC)


def calls(hours: float, version: str, tokens: int, usd: str) -> list[dict]:
    """Ten requests of one prompt at one moment."""
    at = NOW - timedelta(hours=hours)
    return [{"ts": at, "prompt_version": version, "input_tokens": tokens, "cost_usd": usd}] * 10


@pytest.fixture
def found(rollup_frame, sizes_frame, prompts_frame):
    # Twenty requests in the 152 hours before the change, three a day, each $0.50 cheaper: $1.50 a day, and
    # 30.4375 times that a month.
    old = [*calls(200, "v1", 1000, "1"), *calls(72, "v1", 1000, "1")]
    used = prompts_frame([*old, *calls(48, "v2", 1500, "1.5")])

    def find(**more: object):
        books = Books(
            rollup=rollup_frame([]),
            sizes=sizes_frame([]),
            prompts=used,
            now=NOW,
            zone=ZoneInfo("UTC"),
            **{"review_from_usd": Decimal(40), **more},
        )
        return prompt_review.find(books)

    return find


def test_a_costly_prompt_wants_a_review_until_it_has_one(found) -> None:
    (told,) = found()
    assert (told.rule, told.excess_usd) == ("prompt_review", Decimal("45.65625"))
    assert told.summary == "a new prompt adds $45.66 a month and is not reviewed"
    assert found(approvals={"v2": True}) == []


def test_a_rejected_prompt_stays_found_while_it_is_in_use(found) -> None:
    (told,) = found(approvals={"v2": False})
    assert told.summary.endswith("was rejected")


@pytest.mark.parametrize("least", [Decimal(46), None])
def test_below_the_threshold_nothing_is_asked(found, least) -> None:
    assert found(review_from_usd=least) == []
