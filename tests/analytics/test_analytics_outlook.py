from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics import period
from analytics.outlook import outlook

ZONE = ZoneInfo("UTC")
OCTOBER = period.month(date(2026, 10, 1), ZONE)
NOW = datetime(2026, 10, 11, tzinfo=UTC)


def ten_days(usd: int, **more: object) -> list[dict]:
    return [{"bucket": OCTOBER.start + timedelta(days=n), "cost_usd": usd, **more} for n in range(10)]


def test_the_dearest_value_stands_first_and_unattributed_is_a_line(rollup_frame) -> None:
    rollup = rollup_frame([*ten_days(1, tenant=None), *ten_days(5, tenant="acme")])
    found = outlook(rollup, "tenant", OCTOBER, NOW, ZONE)
    assert found.select("value", "spent", "forecast").rows() == [("acme", 50, 155), (None, 10, 31)]


def test_all_spend_is_one_line(rollup_frame) -> None:
    rollup = rollup_frame([*ten_days(1, tenant=None), *ten_days(5, tenant="acme")])
    found = outlook(rollup, None, OCTOBER, NOW, ZONE)
    assert found.select("dimension", "value", "spent", "forecast").rows() == [(None, None, 60, 186)]


def test_what_is_unpriced_is_said(rollup_frame) -> None:
    rollup = rollup_frame([*ten_days(1), {"bucket": OCTOBER.start, "cost_usd": 0, "unpriced_requests": 3}])
    assert outlook(rollup, "tenant", OCTOBER, NOW, ZONE)["unpriced_requests"].item() == 3


def test_an_empty_ledger_has_no_line(rollup_frame) -> None:
    assert outlook(rollup_frame([]), "tenant", OCTOBER, NOW, ZONE).is_empty()
