"""Parts made of sources and booked give the ledger that reading the sources gives."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import fast, parts
from collector.ingest import Intake
from collector.part_loading import Loaded, load_parts
from collector.parts import Made, Order, make_parts
from collector.sources import SourceError
from ledger.keys import key_id
from ledger.types import Calibration

KEY = bytes(32)
NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)


def order(source: Path | str, place: Path | str, **intake: object) -> Order:
    return Order(str(source), str(place), Intake(**intake), NOW, key_id(KEY))


def made(sources: Sequence[Path | str], place: Path | str, **intake: object) -> list[Made]:
    return [make_parts(order(source, place, **intake), KEY) for source in sources]


def loaded(books, place: Path | str) -> Loaded:
    return load_parts(str(place), books.visit, (), NOW)


def everything(books) -> dict[str, list[tuple[object, ...]]]:
    """The ledger but for when it was written."""
    calls = (
        "SELECT * EXCLUDE (ingested_at) REPLACE (map_entries(tags) AS tags) FROM requests ORDER BY request_id"
    )
    return {
        "requests": books.rows(calls),
        "rejects": books.rows("SELECT * EXCLUDE (rejected_at) FROM rejects ORDER BY ALL"),
        "sources": books.rows("SELECT * EXCLUDE (read_at) FROM sources ORDER BY path"),
        "prompts": books.rows(
            "SELECT * REPLACE (map_entries(tool_tokens) AS tool_tokens) FROM prompt_versions ORDER BY ALL"
        ),
        "prices": books.rows("SELECT * EXCLUDE (added_at) FROM prices ORDER BY ALL"),
        "read": books.rows(
            "SELECT source_file, sum(read), sum(set_aside) FROM ingest_runs GROUP BY 1 ORDER BY 1"
        ),
    }


@pytest.fixture
def logs(books, chat_record, as_lines) -> list[Path]:
    """Three files over two days, with a bad line, a call told twice and one without a time."""
    late = chat_record(3)
    late["response"]["created"] = 1_791_300_000
    timeless = chat_record(4)
    del timeless["response"]["created"]
    return [
        books.file("a.jsonl", as_lines([chat_record(1), chat_record(2, usage=False)]) + b"not json\n"),
        books.file("b.jsonl.gz", gzip.compress(as_lines([late, timeless]))),
        books.file("c.jsonl", as_lines([chat_record(2), chat_record(5)])),
    ]


def test_loaded_parts_give_the_ledger_that_ingest_gives(books, open_books, logs, tmp_path):
    made(logs, tmp_path / "parts")
    loaded(books, tmp_path / "parts")
    read = open_books()
    read.ingest(*logs)
    assert everything(books) == everything(read)


def test_every_format_goes_through_parts_as_it_is_read(books, open_books, samples, tmp_path):
    logs = sorted((samples / "formats").glob("*.jsonl"))
    assert [each.problem for each in made(logs, tmp_path / "parts")] == [None] * len(logs)
    loaded(books, tmp_path / "parts")
    read = open_books()
    read.ingest(*logs)
    assert everything(books) == everything(read)


def test_parts_are_kept_by_day_with_their_rows_and_digests(logs, tmp_path):
    manifest = made(logs, tmp_path / "parts")[1].manifest
    # 1,791,300,000 is 2026-10-06 13:20; the call without a time takes the file's, 2026-10-06 03:00.
    assert [(part.day.isoformat(), part.rows) for part in manifest.parts] == [("2026-10-06", 2)]
    assert all((tmp_path / "parts" / part.name).stat().st_size == part.size for part in manifest.files)


def test_a_second_run_makes_nothing_anew(logs, tmp_path):
    before = made(logs, tmp_path / "parts")
    again = made(logs, tmp_path / "parts")
    assert [each.kept for each in before + again] == [False] * 3 + [True] * 3
    assert [each.manifest for each in again] == [each.manifest for each in before]


def test_a_source_that_was_only_touched_is_read_but_not_made_anew(books, logs, tmp_path):
    (before,) = made(logs[:1], tmp_path / "parts")
    os.utime(logs[0])
    (again,) = made(logs[:1], tmp_path / "parts")
    assert again.kept
    assert again.manifest == replace(before.manifest, stamp=again.manifest.stamp)


def test_the_same_source_makes_the_same_files_at_another_place(logs, tmp_path):
    one = made(logs, tmp_path / "one")
    other = made(logs, tmp_path / "other")
    assert one == other


def test_other_attribution_rules_make_the_parts_anew(logs, tmp_path):
    made(logs[:1], tmp_path / "parts")
    (again,) = made(logs[:1], tmp_path / "parts", assume_time=NOW)
    assert not again.kept
    assert len(parts.manifests(parts.places.at(str(tmp_path / "parts")))) == 1


def test_a_source_that_grew_takes_the_place_of_what_it_was(books, chat_record, as_lines, tmp_path):
    place = tmp_path / "parts"
    log = books.file("a.jsonl", as_lines([chat_record(1)]))
    (before,) = made([log], place)
    books.file("a.jsonl", as_lines([chat_record(1), chat_record(2)]))
    (after,) = made([log], place)
    assert parts.manifests(parts.places.at(str(place))) == [after.manifest]
    # A part of before that is gone since is asked for by nobody.
    (place / before.manifest.parts[0].name).unlink()
    assert loaded(books, place).problems == ()
    assert len(books.requests()) == 2


def test_another_file_at_the_path_stands_beside_what_was_there(books, chat_record, as_lines, tmp_path):
    place = tmp_path / "parts"
    for number in (1, 2):
        made([books.file("a.jsonl", as_lines([chat_record(number)]), age_s=9 - number)], place)
    loaded(books, place)
    assert len(books.requests()) == 2


def test_parts_of_another_key_are_no_more_when_their_source_is_made_anew(books, logs, tmp_path):
    other = b"\x01" * 32
    make_parts(replace(order(logs[0], tmp_path / "parts"), key_id=key_id(other)), other)
    made(logs[:1], tmp_path / "parts")
    assert loaded(books, tmp_path / "parts").sources == 1


def test_learned_calibrations_correct_estimates_in_parts_and_leave_made_ones_alone(
    books, open_books, chat_record, as_lines, tmp_path
):
    record = chat_record(1)
    record["response"]["model"] = "deepseek-chat"
    log = books.file("a.jsonl", as_lines([record]))
    (plain,) = made([log], tmp_path / "plain")
    other = open_books()
    loaded(other, tmp_path / "plain")
    told = "SELECT counted_input_tokens, tokenizer, rules FROM requests"
    ((counted, tokenizer, rules),) = other.rows(told)
    learned = Calibration(
        version=7,
        model="deepseek-chat",
        api="openai.chat",
        category="text",
        tokenizer=tokenizer,
        rules=rules,
        factor=2.0,
        intercept=0.0,
        least=1,
        greatest=10_000,
        error=0.1,
        evidence=99,
    )
    (corrected,) = made([log], tmp_path / "parts", calibrations=(learned,))
    assert (plain.manifest.calibration, corrected.manifest.calibration) == (None, 7)
    loaded(books, tmp_path / "parts")
    assert books.rows(told) == [(2 * counted, tokenizer, f"{rules}+cal7")]
    assert made([log], tmp_path / "parts", calibrations=(replace(learned, version=8),))[0].kept


def test_parts_made_by_a_counter_that_is_now_distrusted_are_made_anew_without_it(logs, tmp_path):
    counter = fast.name()
    if counter is None:
        pytest.skip("the extra `fast` is not installed")
    plain = order(logs[0], tmp_path / "parts")
    assert make_parts(plain, KEY).manifest.counter == counter
    warned = replace(plain, distrusted=(f"{counter} counted a text otherwise on 2026-10-01",))
    try:
        again = make_parts(warned, KEY)
    finally:
        fast.renew()
    assert (again.kept, again.manifest.counter, again.manifest.doubt) == (False, None, None)
    assert make_parts(warned, KEY).kept


def test_what_a_worker_found_of_its_counter_is_told_when_its_parts_are_booked(books, logs, tmp_path):
    fast.distrust("fastokens 0.0 counted a text otherwise")
    try:
        made(logs[:1], tmp_path / "parts")
    finally:
        fast.renew()
    assert loaded(books, tmp_path / "parts").doubts == ("fastokens 0.0 counted a text otherwise",)


def test_loading_twice_changes_nothing_and_reads_no_part(books, logs, tmp_path):
    made(logs, tmp_path / "parts")
    loaded(books, tmp_path / "parts")
    before = everything(books)
    for part in (tmp_path / "parts" / "rows").rglob("*.parquet"):
        part.unlink()
    again = loaded(books, tmp_path / "parts")
    assert (again.sources, again.known, again.problems) == (0, 3, ())
    assert everything(books) == before


def test_reading_the_sources_after_loading_their_parts_finds_them_unchanged(books, logs, tmp_path):
    made(logs, tmp_path / "parts")
    loaded(books, tmp_path / "parts")
    summary = books.ingest(*logs)
    assert [file.unchanged for file in summary.files] == [True, True, True]


def test_a_damaged_part_is_named_and_made_anew(books, open_books, logs, tmp_path):
    place = tmp_path / "parts"
    damaged = made(logs, place)[2].manifest.parts[0].name
    (place / damaged).write_bytes(b"PAR1 and then nothing")
    first = loaded(books, place)
    assert len(first.problems) == 1
    assert damaged in first.problems[0]
    assert [each.kept for each in made(logs, place)] == [True, True, False]
    assert loaded(books, place).problems == ()
    read = open_books()
    read.ingest(*logs)
    assert everything(books)["requests"] == everything(read)["requests"]


def test_a_file_that_is_not_there_is_told_and_the_others_are_made(logs, tmp_path):
    found = made([logs[0], tmp_path / "gone.jsonl", logs[2]], tmp_path / "parts")
    assert [each.problem for each in found] == [
        None,
        f"cannot read {tmp_path / 'gone.jsonl'}: No such file or directory",
        None,
    ]


def test_a_file_of_unknown_format_is_told(books, tmp_path):
    odd = books.file("odd.jsonl", b'{"a": 1}\n')
    (found,) = made([odd], tmp_path / "parts")
    assert found.problem is not None
    assert "cannot tell the format" in found.problem


def test_parts_made_with_another_key_are_refused(books, logs, tmp_path):
    other = b"\x01" * 32
    make_parts(replace(order(logs[0], tmp_path / "parts"), key_id=key_id(other)), other)
    with pytest.raises(SourceError, match=f"made with key {key_id(other)}"):
        loaded(books, tmp_path / "parts")


def test_a_place_without_manifests_is_refused(books, tmp_path):
    with pytest.raises(SourceError, match="no manifests at"):
        loaded(books, tmp_path)


def test_no_file_of_the_parts_shows_the_key_or_a_prompt(books, as_lines, chat_record, tmp_path):
    secret_key = bytes(range(32))
    log = books.file("a.jsonl", as_lines([chat_record(1, text="where is my violet umbrella")]))
    make_parts(replace(order(log, tmp_path / "parts"), key_id=key_id(secret_key)), secret_key)
    kept = b"".join(path.read_bytes() for path in (tmp_path / "parts").rglob("*") if path.is_file())
    assert secret_key not in kept
    assert secret_key.hex().encode() not in kept
    assert b"umbrella" not in kept


calls = st.lists(
    st.tuples(st.integers(1, 6), st.booleans(), st.sampled_from([0, 43_200, 86_400])), min_size=1, max_size=6
)


@settings(
    max_examples=4,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files=st.lists(calls, min_size=1, max_size=4), backwards=st.booleans())
def test_any_records_in_any_order_of_files_give_what_ingest_gives(
    open_books, chat_record, as_lines, files, backwards
):
    by_parts, by_reading = open_books(), open_books()
    paths = []
    for number, told in enumerate(files):
        records = [chat_record(call, usage=usage) for call, usage, _ in told]
        for record, (_, _, later) in zip(records, told, strict=True):
            record["response"]["created"] += later
        paths.append(by_parts.file(f"{number}.jsonl", as_lines(records), age_s=number))
    place = by_parts.folder / "parts"
    made(paths[::-1] if backwards else paths, place)
    loaded(by_parts, place)
    by_reading.ingest(*paths)
    assert by_parts.requests() == by_reading.requests()
