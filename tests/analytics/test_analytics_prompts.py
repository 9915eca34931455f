from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from analytics.period import Period
from analytics.prompts import table

END = datetime(2026, 10, 30, 12, tzinfo=UTC)
WEEK = Period(END - timedelta(days=7), END)


def ago(hours: float) -> datetime:
    return END - timedelta(hours=hours)


def calls(hours: float, version: str, tokens: int | None, usd: str | None, **more: object) -> list[dict]:
    """Ten requests of one prompt at one moment."""
    row = {"ts": ago(hours), "prompt_version": version, "input_tokens": tokens, "cost_usd": usd, **more}
    return [row] * 10


@pytest.fixture
def old() -> list[dict]:
    return calls(200, "v1", 1000, "1")


def test_a_week_without_a_new_prompt_has_no_row(prompts_frame, old):
    assert table(prompts_frame([*old, *calls(20, "v1", 1000, "1")]), WEEK).is_empty()


def test_a_new_prompt_is_measured_against_the_week_before_it(prompts_frame):
    before = calls(40, "v1", 1000, "1")
    sizes = prompts_frame([*calls(300, "v1", 10, "1"), *before, *calls(24, "v2", 1500, "1.5")])
    # 10 requests in the day before it, each 0.50 cheaper.
    assert table(sizes, WEEK).row(0, named=True) == {
        "workflow": "chat",
        "version": "v2",
        "versions": 1,
        "since": datetime(2026, 10, 29, 12),
        "previous_input_per_request": 1000.0,
        "input_per_request": 1500.0,
        "requests_per_day": 10,
        "change_usd_per_day": Decimal(5),
    }


def test_the_newest_change_comes_first(prompts_frame, old):
    rows = [*old, *calls(100, "v2", 1000, "1"), *calls(20, "v3", 1000, "1")]
    assert table(prompts_frame(rows), WEEK)["version"].to_list() == ["v3", "v2"]


def test_versions_that_begin_within_a_day_are_one_change(prompts_frame, old):
    rows = [*old, *calls(30, "v2", 1000, "1"), *calls(10, "v3", 1000, "1")]
    (change,) = table(prompts_frame(rows), WEEK).iter_rows(named=True)
    assert (change["version"], change["versions"], change["since"]) == ("v2", 2, datetime(2026, 10, 29, 6))


def test_a_change_is_measured_until_the_next_one(prompts_frame, old):
    # The last ten requests with v2 come after v3 and are left out of its mean.
    last = calls(20, "v2", 9000, "2")
    rows = [*old, *calls(72, "v2", 1000, "2"), *calls(24, "v3", 1000, "1"), *last]
    second = table(prompts_frame(rows), WEEK).row(1, named=True)
    assert (second["version"], second["input_per_request"]) == ("v2", 1000.0)


def test_a_day_has_as_many_requests_as_those_tenants_sent_before(prompts_frame):
    # 30 requests of the tenant in the 72 hours before, 10 a day; those of another tenant do not count.
    others = [row for hours in (170, 40) for row in calls(hours, "v1", 1000, "1", tenant="zeta")]
    before = [row for hours in (96, 60, 30) for row in calls(hours, "v1", 1000, "1")]
    rows = [*others, *before, *calls(24, "v2", 1000, "1.5")]
    (change,) = table(prompts_frame(rows), WEEK).iter_rows(named=True)
    assert (change["requests_per_day"], change["change_usd_per_day"]) == (10, 5)


def test_what_no_priced_request_tells_is_unknown(prompts_frame, old):
    rows = [*old, *calls(40, "v1", 1000, None), *calls(24, "v2", 1500, "1")]
    (change,) = table(prompts_frame(rows), WEEK).iter_rows(named=True)
    assert change["previous_input_per_request"] is None
    assert change["change_usd_per_day"] is None
    assert change["input_per_request"] == 1500.0


def test_failed_requests_are_no_measure(prompts_frame, old):
    rows = [
        *old,
        *calls(40, "v1", 1000, "1"),
        *calls(24, "v2", 1500, "1"),
        *calls(23, "v2", 9, "0", status="error"),
    ]
    assert table(prompts_frame(rows), WEEK)["input_per_request"].to_list() == [1500.0]
