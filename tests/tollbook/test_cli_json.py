"""With --json each command answers with one object on standard output and nothing else."""

from __future__ import annotations

import json

import pytest

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (
            ("ingest",),
            {"read", "added", "updated", "duplicate", "rejected", "bytes", "seconds", "formats"},
        ),
        (("check",), {"findings", "changed", "sent", "failed", "incidents"}),
        (("report", "daily"), {"report", "day", "sentence", "spent_usd", "open_incidents"}),
        (("run", "--once"), {"ingested", "checked"}),
        (("incidents",), {"incidents"}),
        (("rejects",), {"kinds", "total"}),
        (("rejects", "--list"), {"rejects", "total"}),
        (("rejects", "retry"), {"booked", "still_rejected", "gone", "files"}),
        (("sql", "SELECT ts, cost_usd, record_digest FROM requests"), {"columns", "rows"}),
        (("counts", "refit"), {"pairs", "learned", "dropped", "in_force"}),
        (("bills",), {"reports"}),
        (("doctor",), {"points", "failed"}),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_json_is_one_object_on_standard_output(desk_of_morning, arguments, keys):
    done = desk_of_morning(*arguments, "--json", *AS_OF)
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    assert len(done.out.splitlines()) == 1
    assert keys <= set(answer)


def test_messages_of_the_stdout_channel_stand_aside_for_json(tollbook):
    tollbook("ingest", *AS_OF)
    done = tollbook("check", "--json", *AS_OF)
    assert json.loads(done.out)["sent"] == 3
    assert "spent of the hard monthly budget" in done.err


def test_an_answer_to_sql_keeps_money_exact_and_times_in_iso(desk_of_morning):
    query = "SELECT ts, cost_usd FROM requests WHERE tenant = 'fabrikam' ORDER BY ts LIMIT 1"
    answer = json.loads(desk_of_morning("sql", query, "--json").out)
    assert answer["rows"] == [["2026-10-06T12:50:00", "0.800000000000"]]
