"""A purge takes what is known of people, and not a cent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")


@pytest.fixture
def booked(in_folder, folder: Path):
    """Three calls, two of acme's before October."""
    calls = [
        {"ts": "2026-09-01T09:00:00Z", "tenant": "acme", "end_user": "ann", "tags": {"team": "blue"}},
        {"ts": "2026-10-05T09:00:00Z", "tenant": "acme", "end_user": "ann"},
        {"ts": "2026-09-02T09:00:00Z", "tenant": "fabrikam", "end_user": "ann"},
        {"ts": "2026-09-03T09:00:00Z", "tenant": "acme", "end_user": "bea"},
    ]
    (folder / "people.jsonl").write_text(
        "".join(
            json.dumps({"tollbook": 1, "model": "gpt-4.1", "input_tokens": 1000, **call}) + "\n"
            for call in calls
        )
    )
    in_folder("ingest", "people.jsonl", *AS_OF)
    return in_folder


def people(run) -> list[list[object]]:
    query = (
        "SELECT tenant, strftime(ts, '%m'), end_user IS NOT NULL, cardinality(tags) FROM requests ORDER BY ts"
    )
    return json.loads(run("sql", query, "--json").out)["rows"]


def total(run) -> list[list[object]]:
    query = "SELECT sum(cost_usd), sum(input_tokens), count(*) FROM "
    return [json.loads(run("sql", query + table, "--json").out)["rows"] for table in ("requests",)]


def test_of_the_tenants_calls_before_a_time_hashes_and_tags_go_and_the_totals_stay(booked):
    before = total(booked)
    done = json.loads(booked("purge", "--tenant", "acme", "--before", "2026-10-01", "--yes", "--json").out)
    assert (done["calls"], done["end_users"], done["tagged"], done["purged"]) == (2, 2, 1, True)
    assert people(booked) == [
        ["acme", "09", False, 0],
        ["fabrikam", "09", True, 0],
        ["acme", "09", False, 0],
        ["acme", "10", True, 0],
    ]
    assert total(booked) == before
    doctor = json.loads(booked("doctor", "--json", *AS_OF).out)
    assert [point["text"] for point in doctor["points"] if point["verdict"] == "fail"] == []


def test_an_end_user_is_found_by_the_name_in_the_logs(booked):
    done = json.loads(booked("purge", "--end-user", "ann", "--before", "2026-10-01", "--yes", "--json").out)
    assert done["calls"] == 2
    assert [row[2] for row in people(booked)] == [False, False, True, True]


def test_the_audit_keeps_the_purge_and_not_the_name(booked):
    booked("purge", "--tenant", "acme", "--end-user", "ann", "--before", "2026-10-01", "--yes", *AS_OF)
    query = "SELECT detail FROM audit WHERE action = 'purged'"
    assert json.loads(booked("sql", query, "--json").out)["rows"] == [
        ["tenant 'acme' and one end user before 2026-10-01 00:00 UTC: 0 samples, 1 calls"]
    ]


def test_a_dry_run_says_what_would_go_and_changes_nothing(booked):
    done = booked("purge", "--tenant", "acme", "--before", "2026-10-01", "--dry-run")
    assert "would go: 0 samples; of 2 calls 2 hashes of end users" in done.out
    assert all(row[2] for row in people(booked))


def test_nobody_to_ask_is_a_refusal(booked):
    done = booked("purge", "--tenant", "acme", "--before", "2026-10-01")
    assert (done.code, "say --yes to delete" in done.err) == (2, True)
    assert booked("purge", "--before", "2026-10-01").code == 2


def test_what_is_read_again_after_a_purge_does_not_bring_it_back(booked):
    booked("purge", "--tenant", "acme", "--before", "2026-10-01", "--yes")
    booked("ingest", "people.jsonl", *AS_OF)
    assert [row[2] for row in people(booked)] == [False, True, False, True]


def test_a_key_is_rotated_by_the_command_and_says_what_it_parts(tollbook, folder: Path):
    key = {"TOLLBOOK_KEY": ""}
    tollbook("ingest", *AS_OF, **key)
    done = tollbook("key", "rotate", "--json", **key)
    change = json.loads(done.out)
    assert change["kept"] == str(folder / f"tollbook.key.{change['former_id']}")
    assert tollbook("doctor", **key).code == 0
