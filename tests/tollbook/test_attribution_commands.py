"""`tollbook attribution explain` and `test` say which rule gave what, from the records themselves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

RULES = """
[attribution]
tenant = ["metadata.tenant", {from = "metadata.alias", match = "^team-([a-z]+)-"}, {from = "source.folder"}]
workflow = [{from = "metadata.team", map = "teams.csv", key = "id", value = "flow"}]
environment = []
end_user = ["metadata.person"]
[attribution.defaults]
environment = "prod"
[tiers]
premium = ["gpt-4*"]
"""
TOKENS = {"model": "gpt-4.1", "input_tokens": 1_000_000, "output_tokens": 10_000}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "tollbook.toml").write_text(RULES)
    (tmp_path / "teams.csv").write_text("id,flow\nt-1,digest\n")
    (tmp_path / "umbra").mkdir()
    told = [
        {"tenant": "acme", "team": "t-1", "person": "ida@example.test"},
        {"alias": "team-blue-7", "team": "t-2"},
        {"alias": "other"},
    ]
    records = [
        {
            "tollbook": 1,
            "ts": f"2026-10-05T09:0{n}:00Z",
            "call_id": f"call-{n:08}",
            **TOKENS,
            "metadata": each,
        }
        for n, each in enumerate(told)
    ]
    (tmp_path / "umbra" / "calls.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))
    return tmp_path


@pytest.fixture
def run(place: Path, run_in):
    return run_in(place)


def dimensions(done) -> dict[str, dict[str, object]]:
    return json.loads(done.out)["records"][0]["dimensions"]


def ids(run) -> list[str]:
    assert run("ingest", "umbra").code == 0
    found = run("sql", "--json", "SELECT request_id FROM requests ORDER BY ts").out
    return [row[0] for row in json.loads(found)["rows"]]


def test_a_call_is_explained_by_its_id(run):
    first, _, third = ids(run)
    found = dimensions(run("attribution", "explain", first, "--json"))
    assert (found["tenant"]["value"], found["tenant"]["by"]) == ("acme", "metadata.tenant")
    assert (found["workflow"]["value"], found["workflow"]["by"]) == ("digest", "metadata.team map teams.csv")
    assert (found["environment"]["value"], found["environment"]["by"]) == ("prod", "the default")
    assert found["model_tier"]["by"] == "[tiers] premium, which gpt-4.1 fits"
    found = dimensions(run("attribution", "explain", third[:9], "--json"))
    assert (found["tenant"]["value"], found["tenant"]["by"]) == ("umbra", "source.folder")


def test_rules_that_were_asked_in_vain_say_what_they_found(run):
    *_, third = ids(run)
    lines = [line.strip() for line in run("attribution", "explain", third).out.splitlines()]
    assert "metadata.tenant: nothing there" in lines
    assert "metadata.alias match ^team-([a-z]+)-: the expression does not match (other)" in lines


def test_a_value_that_the_table_does_not_know_is_shown(run):
    found = run("attribution", "explain", "umbra/calls.jsonl:2").out
    assert "metadata.team map teams.csv: not in the table (t-2)" in found


def test_a_place_in_a_file_needs_no_ledger(run, place: Path):
    found = dimensions(run("attribution", "explain", "umbra/calls.jsonl:2", "--json"))
    assert (found["tenant"]["value"], found["workflow"]["value"]) == ("blue", None)
    assert not (place / "tollbook.duckdb").exists()


def test_a_person_is_shown_as_the_ledger_knows_them(run):
    first, *_ = ids(run)
    done = run("attribution", "explain", first, "--json")
    found = run("sql", "--json", "SELECT end_user FROM requests WHERE end_user IS NOT NULL").out
    assert dimensions(done)["end_user"]["value"] == json.loads(found)["rows"][0][0]
    assert "ida" not in done.out


def test_without_a_ledger_no_person_is_shown(run):
    assert "ida" not in run("attribution", "explain", "umbra/calls.jsonl:1").out


def test_where_the_file_is_gone_the_ledger_says_what_it_knows(run, place: Path):
    first, *_ = ids(run)
    (place / "umbra" / "calls.jsonl").unlink()
    done = run("attribution", "explain", first)
    assert done.code == 0
    assert "cannot be read again: the file is there no more" in done.out
    assert "tenant       acme" in done.out


def test_where_another_record_stands_by_now_it_is_not_taken_for_the_call(run, place: Path):
    first, *_ = ids(run)
    log = place / "umbra" / "calls.jsonl"
    log.write_text(log.read_text().replace("call-00000000", "call-99999999"))
    assert "another record stands there by now" in run("attribution", "explain", first).out


def test_what_the_ledger_holds_otherwise_is_said(run, place: Path):
    first, *_ = ids(run)
    (place / "tollbook.toml").write_text(RULES.replace('"metadata.tenant", ', ""))
    assert "the ledger has acme: from another record" in run("attribution", "explain", first).out


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ("ffffffffffff", "no call 'ffffffffffff' in "),
        (
            "umbra/calls.jsonl:9",
            "umbra/calls.jsonl line 9: no call can be read there; where its record was rejected, ",
        ),
        ("nowhere.jsonl:1", "nowhere.jsonl line 1: the file is there no more"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(run, request_: str, told: str):
    ids(run)
    done = run("attribution", "explain", request_)
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_files_are_tried_on_without_booking_them(run, place: Path):
    found = json.loads(run("attribution", "test", "umbra", "--json").out)
    assert found["calls"] == 3
    by = {name: each["by"] for name, each in found["dimensions"].items()}
    assert by["tenant"] == {
        "metadata.tenant": 1,
        "metadata.alias match ^team-([a-z]+)-": 1,
        "source.folder": 1,
    }
    assert by["workflow"] == {"metadata.team map teams.csv": 1}
    assert by["environment"] == {"the default": 3}
    assert found["dimensions"]["tenant"]["values"] == {"acme": 1, "blue": 1, "umbra": 1}
    assert found["dimensions"]["end_user"]["values"] == {}
    assert not (place / "tollbook.duckdb").exists()


def test_a_test_says_each_share(run):
    lines = run("attribution", "test", "umbra").out.splitlines()
    assert lines[0] == "3 calls"
    assert "workflow: 33 % attributed, 2 unattributed" in lines


def test_a_test_says_how_many_records_cannot_be_read(run, place: Path):
    log = place / "umbra" / "calls.jsonl"
    bad = [{**json.loads(log.read_text().splitlines()[0]), "input_tokens": "many"}, {"what": 1}]
    with log.open("a") as out:
        out.writelines(f"{json.dumps(each)}\n" for each in bad)
        out.write("not JSON\n")
    found = json.loads(run("attribution", "test", "umbra", "--json").out)
    assert (found["calls"], found["unreadable"]) == (3, 3)
    second = run("attribution", "test", "umbra").out.splitlines()[1]
    assert second.startswith("3 more records cannot be read")
    assert "`tollbook ingest`" in second
    assert "`tollbook rejects`" in second


def test_a_file_that_cannot_be_read_is_told(run, place: Path):
    (place / "umbra" / "other.jsonl").write_text('{"what": 1}\n')
    done = run("attribution", "test", "umbra")
    assert done.code == 2
    assert "cannot tell the format" in done.err
    assert done.out.startswith("3 calls")


def test_a_record_is_explained_where_its_log_was_rotated_to(run, place: Path):
    first, second, _ = ids(run)
    log = place / "umbra" / "calls.jsonl"
    (place / "umbra" / "calls.jsonl.2.gz").write_bytes(gzip.compress(log.read_bytes()))
    (place / "umbra" / "calls.jsonl.1").write_text('{"what": 1}\n')
    log.write_text('{"what": 2}\n')
    shown = run("attribution", "explain", second).out
    assert f"{place.resolve()}/umbra/calls.jsonl.2.gz, line 2 (tollbook)" in shown
    assert "cannot be read again" not in shown
    log.unlink()
    found = json.loads(run("attribution", "explain", first, "--json").out)["records"]
    assert [each["dimensions"]["tenant"]["by"] for each in found] == ["metadata.tenant"]


def test_a_record_below_a_new_line_is_explained_in_its_new_place(run, place: Path):
    first, *_ = ids(run)
    log = place / "umbra" / "calls.jsonl"
    log.write_text(f'{{"what": 1}}\n{log.read_text()}')
    (found,) = json.loads(run("attribution", "explain", first, "--json").out)["records"]
    assert (found["line"], found["problem"]) == (2, None)


CONTRACT = '[[price]]\nmodel = "gpt-4.1"\ntenant = "acme"\ndiscount_percent = 50\n'


@pytest.fixture
def moved(run, place: Path):
    """Booked by the rules of before, with rules that know customers in the configuration now."""
    (place / "tollbook.toml").write_text(CONTRACT)
    assert run("ingest", "umbra").code == 0
    (place / "tollbook.toml").write_text(RULES + CONTRACT)
    return run


def tenants(run) -> list[object]:
    found = run("sql", "--json", "SELECT tenant FROM requests ORDER BY ts").out
    return [row[0] for row in json.loads(found)["rows"]]


def test_what_would_change_is_said_first(moved):
    assert tenants(moved) == ["acme", "t-2", None]
    done = moved("attribution", "apply", "--dry-run")
    # A million input tokens at $2.00 and 10,000 output tokens at $8.00 a million: $2.08, acme's at half.
    assert done.out.startswith("3 calls of 1 file read again; 3 would change, $5.20 in all\n")
    assert [line.split() for line in done.out.splitlines()[2:5]] == [
        ["tenant", "from", "to", "calls", "cost"],
        ["t-2", "blue", "1", "$2.08"],
        ["Unattributed", "umbra", "1", "$2.08"],
    ]
    assert tenants(moved) == ["acme", "t-2", None]


def test_booked_calls_are_attributed_by_the_rules_of_today(moved):
    done = json.loads(moved("attribution", "apply", "--by", "ida", "--note", "why", "--json").out)
    assert (done["calls"], done["changed"], done["usd"]) == (3, 3, "5.200000000000")
    assert tenants(moved) == ["acme", "blue", "umbra"]
    found = moved("sql", "--json", "SELECT detail FROM audit WHERE action = 'attribution.applied'").out
    told = json.loads(json.loads(found)["rows"][0][0])
    assert (told["by"], told["note"], told["rules"]) == ("ida", "why", done["rules"])
    assert json.loads(moved("attribution", "apply", "--json").out)["changed"] == 0


def test_the_books_tie_after_it(moved):
    moved("attribution", "apply")
    points = json.loads(moved("doctor", "--json").out)["points"]
    assert [point["verdict"] for point in points if point["about"] == "books"].count("ok") >= 5
    sums = moved("sql", "--json", "SELECT tenant, sum(requests)::INT FROM rollup GROUP BY ALL ORDER BY ALL")
    assert json.loads(sums.out)["rows"] == [["acme", 1], ["blue", 1], ["umbra", 1]]


def test_a_tenant_with_prices_of_its_own_is_said(moved, place: Path):
    assert "prices of its own" not in moved("attribution", "apply", "--dry-run").out
    (place / "tollbook.toml").write_text(RULES.replace('"metadata.tenant", ', "") + CONTRACT)
    assert "prices of its own" in moved("attribution", "apply", "--dry-run").out


def test_a_closed_period_is_refused(moved, place: Path):
    from ledger import store

    with store.open(place / "tollbook.duckdb") as ledger:
        ledger.execute("INSERT INTO sealed VALUES ('2026-10-01', '2026-11-01', 'closed', '2026-11-02')")
    done = moved("attribution", "apply", "--from", "2026-10-05", "--to", "2026-10-06")
    assert done.code == 2
    assert "the period from 2026-10-01 to 2026-11-01 is closed and takes no more changes" in done.err
    assert moved("attribution", "apply", "--from", "2026-11-01").code == 0
    assert "3 calls of closed periods stay as they are" in moved("attribution", "apply").out
    assert tenants(moved) == ["acme", "t-2", None]


def test_a_file_that_is_gone_is_told(moved, place: Path):
    (place / "umbra" / "calls.jsonl").unlink()
    done = moved("attribution", "apply")
    assert done.code == 0
    assert "3 calls stay as they are: their records are not found any more" in done.out
    assert "calls.jsonl is there no more" in done.err


def _span(name: str, parent: str, **said: str) -> dict[str, object]:
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    return {
        "traceId": "1" * 32,
        "spanId": name * 16,
        "parentSpanId": parent * 16,
        "name": name,
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": "1790000001000000000",
        "attributes": attributes,
    }


def test_a_value_of_a_step_above_the_call_is_said_to_be_that(run, place: Path):
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}
    spans = [_span("a", "", **{"metadata.tenant": "acme"}), _span("b", "a", **call)]
    told = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    (place / "trace.jsonl").write_text(json.dumps(told) + "\n")
    assert run("ingest", "trace.jsonl").code == 0
    found = json.loads(run("sql", "--json", "SELECT request_id, tenant FROM requests").out)["rows"]
    assert [tenant for _, tenant in found] == ["acme"]
    shown = run("attribution", "explain", found[0][0]).out
    assert "the ledger has acme: a step above the call says it" in shown
