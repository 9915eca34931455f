from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from analytics.suggest import Disturbance, suggestions

ZONE = ZoneInfo("UTC")
START = datetime(2026, 10, 1, tzinfo=UTC)


def calls(day: int, hour: int, inputs: list[int], output: int = 100, **more: object) -> list[dict]:
    """Calls of one hour, a cent each."""
    at = START + timedelta(days=day, hours=hour)
    told = {"ts": at, "output_tokens": output, "cost_usd": "0.01", **more}
    return [{**told, "input_tokens": size} for size in inputs]


def ordinary(days: int = 10) -> list[dict]:
    """A hundred calls a day of 901 to 1,000 tokens."""
    return [call for day in range(days) for call in calls(day, 12, list(range(901, 1001)))]


def envelope(sizes_frame, rows: list[dict], disturbed: list[Disturbance] = []):  # noqa: B006
    (found,), _ = suggestions(sizes_frame(rows), disturbed, ZONE)
    return found


def test_an_envelope_is_what_requests_used(sizes_frame) -> None:
    # The median of 901 … 1,000 is 950.5, the p95 995.05.
    found = envelope(sizes_frame, ordinary())
    told = found.envelope
    assert (told.input_p50, told.input_p95, told.output_p50, told.output_p95) == (951, 996, 100, 100)
    assert told.max_cost_per_request_usd == Decimal("0.015")
    assert (found.requests, found.days, found.left_out) == (1000, 10, 0)
    assert found.above_input == pytest.approx(0.04)


def test_hours_of_an_incident_have_no_say(sizes_frame) -> None:
    start = START + timedelta(days=3, hours=14)
    storm = Disturbance("chat", None, start, start + timedelta(hours=2))
    found = envelope(sizes_frame, ordinary() + calls(3, 15, [90_000] * 40), [storm])
    assert (found.envelope.input_p95, found.left_out) == (996, 40)


def test_an_incident_of_one_tenant_leaves_the_others_in(sizes_frame) -> None:
    start = START + timedelta(hours=11)
    storm = Disturbance("chat", "loud", start, start + timedelta(days=10))
    found = envelope(sizes_frame, ordinary() + calls(3, 15, [90_000] * 40, tenant="loud"), [storm])
    assert (found.envelope.input_p95, found.requests) == (996, 1000)


def test_an_odd_day_has_no_say(sizes_frame) -> None:
    found = envelope(sizes_frame, ordinary() + calls(10, 12, [5_000] * 300))
    assert (found.envelope.input_p50, found.left_out) == (951, 300)


def test_errors_have_no_say(sizes_frame) -> None:
    rows = ordinary() + calls(2, 12, [50_000] * 500, status="error")
    assert envelope(sizes_frame, rows).envelope.input_p95 == 996


def test_few_requests_are_no_evidence(sizes_frame) -> None:
    assert suggestions(sizes_frame(calls(0, 12, [10] * 49)), [], ZONE) == ([], [("chat", 49)])
