"""Samples are kept only where asked for, few, redacted, and not for long."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")
SAID = "I am ann@example.org, my card is 4111 1111 1111 1111 and my key sk-proj-Zq8LmN2vXcB7tRy4WpK9sDf3"


def pair(number: int, workflow: str, day: int = 6, text: str = SAID) -> dict[str, object]:
    return {
        "ts": f"2026-10-{day:02d}T09:00:{number % 60:02d}Z",
        "call_id": f"sampled-{workflow}-{day}-{number:04d}",
        "request": {"model": "gpt-4.1", "messages": [{"role": "user", "content": text}]},
        "response": {
            "object": "chat.completion",
            "model": "gpt-4.1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Call +49 30 1234567."}}],
            "usage": {"prompt_tokens": 30, "completion_tokens": 5, "total_tokens": 35},
        },
        "metadata": {"tenant": "acme", "workflow": workflow},
    }


@pytest.fixture
def write(folder: Path):
    (folder / "logs" / "two-days.jsonl").unlink()

    def write(name: str, *records: dict[str, object]) -> None:
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / "logs" / name).write_text(text)

    return write


def configure(folder: Path, text: str) -> None:
    (folder / "tollbook.toml").write_text(f'[[source]]\npath = "logs/*.jsonl"\n[samples]\n{text}\n')


def kept(run, what: str = "*") -> list[list[object]]:
    return json.loads(run("sql", f"SELECT {what} FROM samples ORDER BY ALL", "--json").out)["rows"]


def test_without_being_asked_nothing_is_kept(in_folder, folder, write):
    write("a.jsonl", pair(1, "support"))
    in_folder("ingest", *AS_OF)
    assert kept(in_folder) == []
    assert "No samples" in in_folder("samples").out


def test_a_sample_is_kept_with_what_names_a_person_black(in_folder, folder, write):
    configure(folder, "keep = 5")
    write("a.jsonl", pair(1, "support"))
    in_folder("ingest", *AS_OF)
    black = "████"
    assert kept(in_folder, "prompt, answer, redacted") == [
        [f"user: I am {black}, my card is {black} and my key {black}", f"Call {black}.", 4]
    ]
    shown = in_folder("samples", "--workflow", "support").out
    assert "acme / support / gpt-4.1" in shown
    for leak in ("ann@", "4111", "Zq8L", "1234567"):
        assert leak not in shown
        assert leak.encode() not in (folder / "tollbook.duckdb").read_bytes()


def test_of_each_workflow_and_day_so_many_stay_whatever_the_order(in_folder, folder, write):
    configure(folder, "keep = 3")
    calls = [pair(n, workflow, day) for n in range(20) for workflow in ("a", "b") for day in (5, 6)]
    write("a.jsonl", *calls[:40])
    in_folder("ingest", *AS_OF)
    write("b.jsonl", *calls[40:])
    in_folder("ingest", *AS_OF)
    by_day = "workflow, strftime(ts, '%d'), count(*) OVER (PARTITION BY workflow, ts::DATE)"
    assert {tuple(row) for row in kept(in_folder, by_day)} == {
        (workflow, day, 3) for workflow in "ab" for day in ("05", "06")
    }
    first = kept(in_folder, "request_id")
    write("again.jsonl", *reversed(calls))
    in_folder("ingest", "--ledger", "other.duckdb", *AS_OF)
    query = "SELECT request_id FROM samples ORDER BY ALL"
    other = json.loads(in_folder("sql", query, "--json", "--ledger", "other.duckdb").out)["rows"]
    assert other == first


def test_a_long_text_is_cut(in_folder, folder, write):
    configure(folder, "keep = 1\nmax_characters = 40")
    write("a.jsonl", pair(1, "support", text="parcel " * 5000))
    in_folder("ingest", *AS_OF)
    ((prompt,),) = kept(in_folder, "prompt")
    assert (len(prompt), prompt[-1]) == (40, "…")


def test_old_samples_are_deleted_by_tidy_and_old_calls_are_not_sampled(in_folder, folder, write):
    configure(folder, "keep = 5\ndays = 3")
    write("a.jsonl", pair(1, "support", day=6), pair(2, "support", day=1))
    in_folder("ingest", *AS_OF)
    assert kept(in_folder, "strftime(ts, '%d')") == [["06"]]
    done = json.loads(in_folder("tidy", "--json", "--as-of", "2026-10-10T07:00:00Z").out)
    assert (done["dropped_samples"], kept(in_folder)) == (1, [])


def test_a_purge_takes_the_samples_and_reading_again_brings_none_back(in_folder, folder, write):
    configure(folder, "keep = 5")
    write("a.jsonl", pair(1, "support"))
    in_folder("ingest", *AS_OF)
    done = json.loads(in_folder("purge", "--tenant", "acme", "--before", "2026-10-07", "--yes", "--json").out)
    assert (done["samples"], kept(in_folder)) == (1, [])
    write("b.jsonl", pair(1, "support"))
    in_folder("ingest", *AS_OF)
    assert kept(in_folder) == []
