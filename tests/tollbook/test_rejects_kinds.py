"""Rejects are told by kind, with what mends each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tollbook import reject_fixes
from tollbook.reject_fixes import fix

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")


def _logs(folder: Path) -> None:
    call = {"tollbook": 1, "ts": "2026-10-06T09:00:00Z", "model": "gpt-4.1"}
    (folder / "logs" / "a.jsonl").write_text(
        "".join(json.dumps({**call, "input_tokens": tokens}) + "\n" for tokens in (-1, -22, -333, 7))
        + '{"tollbook":1,"ts":\n'
    )
    (folder / "logs" / "b.jsonl").write_text(
        "".join(json.dumps({**call, "input_tokens": -tokens}) + "\n" for tokens in (4, 5))
    )


@pytest.fixture
def told(in_folder, folder: Path) -> dict[str, object]:
    _logs(folder)
    in_folder("ingest", "logs/a.jsonl", "logs/b.jsonl", *AS_OF)
    return json.loads(in_folder("rejects", "--json", *AS_OF).out)


def test_reasons_that_differ_in_numbers_only_are_one_kind(told):
    assert told["total"] == 6
    first, second = told["kinds"]
    assert (first["count"], first["files"], first["formats"]) == (5, 2, ["tollbook"])
    assert first["reason"] == "usage.input_tokens is …, expected 0 to 1000000000"
    assert (second["count"], second["reason"].split(":")[0]) == (1, "invalid JSON")


def test_a_kind_has_its_first_record_as_an_example_with_every_value_masked(told):
    example = told["kinds"][0]
    assert (Path(example["file"]).name, example["line"]) == ("a.jsonl", 1)
    assert example["excerpt"] == '{"tollbook":1,"ts":"…","model":"…","input_tokens":-1}'


def test_a_kind_says_what_mends_it(told, in_folder):
    assert [kind["fix"] for kind in told["kinds"]] == [
        "usage is not what the provider sends: mend what writes it",
        "the line is cut or mixed with other output: let one process write the file, whole lines at a time",
    ]
    shown = in_folder("rejects").out
    assert "5 × usage.input_tokens is …" in shown
    assert "fix: usage is not what the provider sends: mend what writes it" in shown


def test_the_single_records_are_listed_on_demand(told, in_folder):
    assert "usage.input_tokens is -333" in in_folder("rejects", "--list").out


def test_a_retry_tells_by_file_which_are_gone(told, in_folder, folder):
    (folder / "logs" / "b.jsonl").unlink()
    done = json.loads(in_folder("rejects", "retry", "--json", *AS_OF).out)
    assert [(Path(each["file"]).name, each["still_rejected"], each["gone"]) for each in done["files"]] == [
        ("a.jsonl", 4, 0),
        ("b.jsonl", 0, 2),
    ]


def test_a_retry_follows_a_log_to_the_name_it_was_rotated_to(told, in_folder, folder):
    log = folder / "logs" / "b.jsonl"
    rotated = gzip.compress(log.read_bytes())
    log.write_text("{}\n")
    (folder / "logs" / "b.jsonl.1.gz").write_bytes(rotated)
    done = json.loads(in_folder("rejects", "retry", "--json", *AS_OF).out)
    assert [(each["still_rejected"], each["gone"]) for each in done["files"]] == [(4, 0), (2, 0)]


def test_a_retry_finds_the_records_below_a_line_that_was_mended(told, in_folder, folder):
    log = folder / "logs" / "a.jsonl"
    log.write_text(log.read_text().replace('"input_tokens": -1}', '"input_tokens": 1000}'))
    done = json.loads(in_folder("rejects", "retry", "--json", *AS_OF).out)
    assert [(each["still_rejected"], each["gone"]) for each in done["files"]] == [(3, 1), (2, 0)]


def test_a_call_ahead_of_the_clock_is_booked_once_from_a_log_rotated_since(in_folder, folder):
    log = folder / "logs" / "c.jsonl"
    call = {"tollbook": 1, "ts": "2026-10-09T09:00:00Z", "model": "gpt-4.1", "input_tokens": 7}
    log.write_text(json.dumps(call) + "\n")
    in_folder("ingest", "logs/c.jsonl", *AS_OF)
    log.rename(folder / "logs" / "c.jsonl.1")
    for _ in range(2):
        in_folder("rejects", "retry", "--as-of", "2026-10-10T07:00:00Z")
        in_folder("ingest", "logs/c.jsonl.1", "--as-of", "2026-10-10T07:00:00Z")
    assert json.loads(in_folder("sql", "SELECT input_tokens FROM requests", "--json").out)["rows"] == [[7]]


def test_nothing_rejected_is_said_in_a_line(in_folder, folder):
    in_folder("ingest", "logs/none*.jsonl", *AS_OF)
    (folder / "logs" / "two-days.jsonl").write_text("")
    in_folder("ingest", "logs/two-days.jsonl", *AS_OF)
    assert in_folder("rejects").out == "No rejected records.\n"


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("the time of the call, 2027-01-01 00:00 UTC, is in the future", "clock"),
        ("no time in the record: give one for all such records with --assume-time", "--assume-time"),
        ("the record has no request: it is of another format", "--format NAME"),
        ("a JSON list where an object is expected", "--format"),
        ("invalid UTF-8 at byte 7", "encoding"),
        ("a record of 99,999,999 bytes is over the 32 MiB limit", "images"),
        ("tenant is an object of 2 entries, expected text", "mend the field"),
        ("something nobody thought of", "look at the record"),
    ],
)
def test_each_reason_has_a_fix_that_fits(reason, word):
    assert word in fix(reason)


def test_every_fix_is_one_sentence():
    for _, said in reject_fixes.FIXES:
        assert ". " not in said
        assert not said.endswith(".")
