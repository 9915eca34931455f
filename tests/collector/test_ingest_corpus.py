"""The recorded calls through the command that users run: every call is booked as billed, without its text."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from ledger import store

pytestmark = pytest.mark.shared

GIVEN = ("request", "response", "status", "url_path")
BUCKETS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
KEY = "00" * 32
RUN = "from tollbook.cli import main; main()"


def tollbook(*words: str) -> dict[str, object]:
    """Run the command as users do and read its --json."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words, "--json", "--quiet"],
        env={**os.environ, "TOLLBOOK_KEY": KEY},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def calls(shared: Path) -> list[dict[str, object]]:
    with gzip.open(shared / "corpus" / "recorded_calls.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, calls) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    with (folder / "calls.jsonl").open("w") as log:
        log.writelines(json.dumps({key: call[key] for key in GIVEN}) + "\n" for call in calls)
    return folder


@pytest.fixture(scope="module")
def told(folder) -> dict[str, object]:
    return tollbook(
        "ingest", "--format", "pair", "--ledger", str(folder / "t.duckdb"), str(folder / "calls.jsonl")
    )


@pytest.fixture(scope="module")
def frames(folder, told) -> dict[str, pl.DataFrame]:
    environment = pytest.MonkeyPatch()
    environment.setenv("TOLLBOOK_KEY", KEY)
    with store.open(folder / "t.duckdb") as ledger:
        names = [name for (name,) in ledger.rows("SELECT table_name FROM duckdb_tables()")]
        found = {name: ledger.frame(f"SELECT * FROM {name}") for name in names}
    environment.undo()
    return found


def test_every_call_is_a_row_or_meets_another_record_of_the_same_call(told, frames):
    # Ten calls were recorded in two places each, with the id of one answer.
    assert {name: told[name] for name in ("read", "added", "updated", "duplicate", "rejected")} == {
        "read": 4075,
        "added": 4065,
        "updated": 10,
        "duplicate": 0,
        "rejected": 0,
    }
    parts = frames["record_parts"]
    assert sorted(parts.group_by("request_id").len()["len"]) == [2] * 10
    meeting = parts.filter(pl.col("id_kind") == "response")
    assert len(meeting) == len(parts), "only calls with a real id meet"


def by_line(frames) -> dict[int, dict[str, object]]:
    rows = {row["source_line"]: row for row in frames["requests"].iter_rows(named=True)}
    merged = {row["source_line"]: row for row in frames["record_parts"].iter_rows(named=True)}
    return rows | merged


def test_the_billed_buckets_of_every_row_are_the_bill(calls, frames, corrected_bill):
    rows = by_line(frames)
    billed = [(line, call) for line, call in enumerate(calls, 1) if call["billed"]]
    differing = {
        line: [(key, rows[line][key], bill[key]) for key in BUCKETS if rows[line][key] != bill[key]]
        for line, call in billed
        if any(rows[line][key] != (bill := corrected_bill(call))[key] for key in BUCKETS)
    }
    assert len(billed) == 3749
    assert differing == {}


def test_every_billed_call_says_that_its_usage_is_reported(calls, frames):
    sources = dict(frames["requests"].select("source_line", "usage_source").iter_rows())
    billed = {line for line, call in enumerate(calls, 1) if call["billed"]}
    assert {sources[line] for line in billed & sources.keys()} == {"reported"}


def test_every_failed_status_is_a_row_with_status_error(calls, frames):
    rows = by_line(frames)
    failed = [line for line, call in enumerate(calls, 1) if (call["status"] or 0) >= 400]
    assert len(failed) == 98
    assert {rows[line]["status"] for line in failed} == {"error"}


def test_calls_without_a_bill_never_claim_that_one_was_reported(calls, frames):
    unbilled = [line for line, call in enumerate(calls, 1) if not call["billed"]]
    sources = dict(frames["requests"].select("source_line", "usage_source").iter_rows())
    found = [sources[line] for line in unbilled if line in sources]
    assert "reported" not in found
    # The 326th is a stream without usage that meets its twin with usage.
    assert (len(unbilled), len(found)) == (326, 325)


def test_the_same_calls_again_change_nothing(folder, frames, calls):
    again = folder / "again.jsonl.gz"
    # A blank line makes another file of it: a copy of what was read would not be read at all.
    again.write_bytes(gzip.compress(b"\n" + (folder / "calls.jsonl").read_bytes(), 1))
    told = tollbook("ingest", "--format", "auto", "--ledger", str(folder / "t.duckdb"), str(again))
    assert (told["added"], told["updated"], told["duplicate"]) == (0, 0, 4075)
    total = "SELECT count(*), sum(cost_usd), sum(input_tokens), sum(output_tokens) FROM requests"
    before = frames["requests"]
    environment = pytest.MonkeyPatch()
    environment.setenv("TOLLBOOK_KEY", KEY)
    with store.open(folder / "t.duckdb") as ledger:
        assert ledger.frame(total).row(0) == (
            len(before),
            before["cost_usd"].sum(),
            before["input_tokens"].sum(),
            before["output_tokens"].sum(),
        )
    environment.undo()


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def sentences(calls: list[dict[str, object]]) -> list[str]:
    """A sentence of several words from every hundredth text of prompts and answers."""
    spoken = {
        found[0].strip()
        for call in calls
        for body in (call["request"], call["response"])
        for text in texts(body)
        if (found := re.search(r"[A-Z][a-z]+(?: [\w',-]+){5,12}", text))
    }
    return sorted(spoken)[::12]


def test_no_sentence_of_a_prompt_or_answer_is_in_the_ledger(folder, frames, calls):
    said = sentences(calls)
    assert len(said) > 150
    kept = "\n".join(
        str(value)
        for frame in frames.values()
        for name, kind in frame.schema.items()
        if kind != pl.Binary
        for value in frame[name].to_list()
        if isinstance(value, str | list | dict)
    )
    on_disk = (folder / "t.duckdb").read_bytes()
    assert [sentence for sentence in said if sentence in kept or sentence.encode() in on_disk] == []


def test_the_log_of_a_gateway_is_read_through_the_command(shared, tmp_path):
    log = shared / "formats" / "litellm_standard_logging_payload.jsonl"
    told = tollbook("ingest", "--ledger", str(tmp_path / "t.duckdb"), str(log))
    assert (told["formats"], told["added"], told["rejected"]) == ({"litellm": 3}, 3, 0)


def test_captured_exchanges_are_read_as_one_piece_of_json_each(shared, tmp_path):
    logs = sorted(str(path) for path in (shared / "formats" / "captured").glob("openai_http_*.json"))
    told = tollbook("ingest", "--ledger", str(tmp_path / "t.duckdb"), *logs)
    assert (told["formats"], told["rejected"], told["problems"]) == ({"pair": len(logs)}, 0, [])
