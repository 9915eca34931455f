"""`tollbook bills` lists what was read of providers' bills; the reports are invented."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from ledger.frames import BILL_REPORTS
from tollbook import bills_screen

DAY = 86_400
FIRST = int(datetime(2026, 9, 20, tzinfo=UTC).timestamp())


def costs(*days: int) -> str:
    result = {"object": "organization.costs.result", "amount": {"value": 0.1, "currency": "usd"}}
    buckets = [
        {"start_time": FIRST + day * DAY, "end_time": FIRST + (day + 1) * DAY, "results": [result]}
        for day in days
    ]
    return json.dumps({"object": "page", "data": buckets})


def test_no_bills_say_what_would_be_read():
    assert "No bills." in bills_screen.listed(BILL_REPORTS.to_frame())


def test_a_report_has_its_days_its_sum_and_its_gaps(tollbook, tmp_path):
    file = tmp_path / "costs.json"
    file.write_text(costs(0, 1, 4))
    done = tollbook("ingest", str(file))
    assert "3 lines of bills new or changed" in done.out
    listed = tollbook("bills").out
    assert "openai    openai.costs  day  2026-09-20  2026-09-25      3   $0.30" in listed
    assert "nothing from 2026-09-22 to 2026-09-24" in listed


def test_json_keeps_the_sum_exact(tollbook, tmp_path):
    file = tmp_path / "costs.json"
    file.write_text(costs(0, 1, 2))
    tollbook("ingest", str(file))
    (report,) = json.loads(tollbook("bills", "--json").out)["reports"]
    assert (report["cost_usd"], report["lines"], report["gaps"]) == ("0.300000000000", 3, [])
    assert (report["grouped_by"], report["period_s"]) == ([], DAY)
