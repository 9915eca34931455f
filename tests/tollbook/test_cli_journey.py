"""The main job by the installed command, from an empty folder to an alert that somebody answers."""

from __future__ import annotations

import json
from pathlib import Path

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")


def test_init_writes_a_configuration_that_the_other_commands_accept(tollbook, folder: Path):
    (folder / "tollbook.toml").unlink()
    assert tollbook("init").code == 0
    doctor = tollbook("doctor")
    assert doctor.code == 0
    assert "tollbook.toml" in doctor.out
    assert "logs/*.jsonl: 1 file" in doctor.out


def test_init_leaves_an_existing_configuration_alone(tollbook, folder: Path):
    before = (folder / "tollbook.toml").read_text()
    refused = tollbook("init")
    assert refused.code == 2
    assert "--force" in refused.err
    assert (folder / "tollbook.toml").read_text() == before


def test_ingest_books_what_can_be_booked_and_says_what_not(tollbook):
    done = tollbook("ingest", *AS_OF)
    assert done.code == 0
    assert "9 calls added" in done.out
    assert "2 records rejected" in done.out
    listed = tollbook("rejects")
    assert "two-days.jsonl:9 " in listed.out
    assert "usage.input_tokens is …" in listed.out
    assert "two-days.jsonl:10" in listed.out


def test_a_second_ingest_of_the_same_files_adds_nothing(tollbook):
    assert json.loads(tollbook("ingest", "--json", *AS_OF).out)["added"] == 9
    again = json.loads(tollbook("ingest", "--json", *AS_OF).out)
    assert (again["added"], again["unchanged"]) == (0, 1)


def test_the_report_ties_to_the_prices_of_the_book(desk_of_morning):
    done = desk_of_morning("report", "daily", "--json", *AS_OF)
    answer = json.loads(done.out)
    # 4 × (1M × $2 + 0.25M × $8) + (1M × $0.40 + 0.25M × $1.60) + 0.5M × $2; the house model has no price.
    assert answer["spent_usd"] == "17.800000000000"
    assert answer["day"] == "2026-10-06"
    page = Path(answer["report"]).read_text(encoding="utf-8")
    assert "acme" in page
    assert "Unattributed" in page


def test_a_budget_past_its_hard_limit_pages_once(desk_of_morning):
    listed = json.loads(desk_of_morning("incidents", "--json").out)["incidents"]
    assert [(each["rule"], each["excess_usd"]) for each in listed if each["severity"] == "page"] == [
        ("budget_hard_month", "8.000000000000")
    ]
    again = json.loads(desk_of_morning("check", "--json", *AS_OF).out)
    assert (again["sent"], again["changed"]) == (0, 0)


def test_fail_on_firing_exits_with_1_only_while_an_incident_fires(desk_of_morning):
    assert desk_of_morning("check", "--fail-on-firing", *AS_OF).code == 1
    nothing = ("--config", "quiet.toml", "--as-of", "2026-10-05T10:00:00Z")
    assert desk_of_morning("init", "quiet.toml").code == 0
    assert desk_of_morning("ingest", "logs", "--ledger", "other.duckdb", *nothing).code == 0
    assert desk_of_morning("check", "--fail-on-firing", "--ledger", "other.duckdb", *nothing).code == 0


def test_an_incident_is_silenced_expected_and_resolved_by_its_ids_beginning(desk_of_morning):
    page = next(
        each
        for each in json.loads(desk_of_morning("incidents", "--json").out)["incidents"]
        if each["severity"] == "page"
    )
    silenced = desk_of_morning("incidents", "silence", page["id"][:6], "--for", "4h", *AS_OF)
    assert "silenced until 2026-10-07 11:00 (UTC): acme" in silenced.out
    expected = desk_of_morning(
        "incidents", "expect", page["id"], "--note", "backfill", "--until", "2026-10-08T00:00", *AS_OF
    )
    assert "expected until 2026-10-08 00:00 (UTC)" in expected.out
    resolved = desk_of_morning("incidents", "resolve", page["id"], "--note", "planned", "--json", *AS_OF)
    assert json.loads(resolved.out)["state"] == "resolved"
    assert page["id"] not in desk_of_morning("incidents").out
    assert page["id"] in desk_of_morning("incidents", "--all").out


def test_resolving_by_hand_tells_those_who_heard_it_begin(desk_of_morning):
    listed = json.loads(desk_of_morning("incidents", "--json").out)["incidents"]
    page = next(each for each in listed if each["severity"] == "page")
    desk_of_morning("incidents", "resolve", page["id"], "--note", "limit raised", *AS_OF)
    query = f"SELECT reason, state FROM notifications WHERE incident_id = '{page['id']}' ORDER BY ALL"
    told = json.loads(desk_of_morning("sql", query, "--json").out)
    assert told["rows"] == [["first", "sent"], ["resolved", "pending"]]


def test_run_once_does_it_all_and_repeats_nothing(tollbook):
    first = json.loads(tollbook("run", "--once", "--json", *AS_OF).out)
    assert first["spent_usd"] == "17.800000000000"
    assert (first["ingested"]["added"], first["checked"]["sent"], first["open_incidents"]) == (9, 3, 3)
    second = json.loads(tollbook("run", "--once", "--json", *AS_OF).out)
    assert (second["ingested"]["added"], second["checked"]["sent"], second["report"]) == (0, 0, None)


def test_rejects_can_be_read_again_once_the_file_is_there(tollbook, folder: Path):
    tollbook("ingest", *AS_OF)
    done = json.loads(tollbook("rejects", "retry", "--json", *AS_OF).out)
    assert (done["booked"], done["still_rejected"], done["gone"]) == (0, 2, 0)
    (folder / "logs" / "two-days.jsonl").unlink()
    done = json.loads(tollbook("rejects", "retry", "--json", *AS_OF).out)
    assert (done["booked"], done["still_rejected"], done["gone"]) == (0, 0, 2)


def test_standard_input_is_read_and_its_rejects_kept_where_asked(tollbook, folder: Path):
    lines = (folder / "logs" / "two-days.jsonl").read_text()
    done = tollbook("ingest", "-", "--quarantine", "bad.jsonl", "--json", *AS_OF, stdin=lines)
    assert json.loads(done.out)["added"] == 9
    assert len((folder / "bad.jsonl").read_text().splitlines()) == 2


def test_the_same_morning_can_be_replayed_to_the_same_page(desk_of_morning):
    page = Path(json.loads(desk_of_morning("report", "daily", "--json", *AS_OF).out)["report"])
    desk_of_morning("report", "daily", "--out", "again", *AS_OF)
    assert (page.parents[2] / "again" / page.name).read_bytes() == page.read_bytes()


def test_a_call_ahead_of_the_clock_is_booked_by_an_ingest_after_its_time(tollbook, folder: Path):
    log = folder / "logs" / "ahead.jsonl"
    log.write_text('{"tollbook":1,"ts":"2026-10-30T09:00:00Z","call_id":"ahead-2026-1","input_tokens":5}\n')
    for paths in ([], ["logs/two-days.jsonl"]):
        ledger = f"books-{len(paths)}.duckdb"
        first = json.loads(tollbook("ingest", str(log), "--json", "--ledger", ledger, *AS_OF).out)
        assert (first["added"], first["rejected"]) == (0, 1)
        tollbook("ingest", *paths, "--ledger", ledger, "--as-of", "2026-10-30T12:00:00Z")
        ahead = "SELECT count(*) AS n FROM requests WHERE input_tokens = 5"
        assert json.loads(tollbook("sql", ahead, "--json", "--ledger", ledger).out)["rows"] == [[1]]


def test_rejects_of_a_wrongly_named_format_are_read_again_as_the_right_one(tollbook, folder: Path):
    log = folder / "logs" / "two-days.jsonl"
    refused = json.loads(tollbook("ingest", str(log), "--format", "pair", "--json", *AS_OF).out)["rejected"]
    assert refused == 11
    done = json.loads(tollbook("rejects", "retry", "--format", "tollbook", "--json", *AS_OF).out)
    assert (done["booked"], done["still_rejected"]) == (9, 2)


def test_a_retry_as_an_unknown_format_names_the_known_ones(tollbook):
    done = tollbook("rejects", "retry", "--format", "xml")
    assert (done.code, "there are auto, tollbook, " in done.err) == (2, True)


def test_a_check_of_an_earlier_moment_says_that_it_only_looked(desk_of_morning):
    before = desk_of_morning("sql", "SELECT * FROM incidents ORDER BY ALL").out
    looked = desk_of_morning("check", "--as-of", "2026-10-06T20:00:00Z")
    assert looked.code == 0
    assert "nothing is kept and nobody told" in looked.err
    assert desk_of_morning("sql", "SELECT * FROM incidents ORDER BY ALL").out == before
