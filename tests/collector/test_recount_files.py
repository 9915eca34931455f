"""A recount gives booked calls the counts that a first reading by the rules of today would give them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest

from collector.counting import RULES_VERSION
from collector.ingest import Intake
from collector.recounting import Summary, recount_files
from collector.segments import SegmentRules
from ledger import derived
from ledger.recounting import Which

NOW = datetime(2026, 10, 8, tzinfo=UTC)
ALL = Which()
# What is between these tags is retrieved text by the rules of today, and was the user's own before.
NEWER = SegmentRules(context_tags=("notes",), context_headings=(), context_names=())
OLDER = SegmentRules(context_tags=(), context_headings=(), context_names=())
TEXT = "<notes>A parcel can be sent back within thirty days of its delivery.</notes>\nHow do I return one?"


def contents(books) -> dict[str, list[tuple[object, ...]]]:
    """Rows, and the sums kept beside them, without what differs from run to run."""
    rows = (
        "SELECT * EXCLUDE (ingested_at, source_file) REPLACE (map_entries(tags) AS tags) FROM {} ORDER BY ALL"
    )
    return {
        "requests": books.rows(rows.format("requests")),
        "record_parts": books.rows(rows.format("record_parts")),
        **{name: books.rows(f"SELECT * FROM {name} ORDER BY ALL") for name in derived.DERIVED},
    }


@pytest.fixture
def older(books, monkeypatch):
    """Read files by older rules."""

    def read(*paths):
        with monkeypatch.context() as patch:
            patch.setattr("collector.counting.RULES_VERSION", "1999-01.1")
            books.ingest(*paths, segment_rules=OLDER)

    return read


@pytest.fixture
def again(books):
    def recount(*paths, which=ALL, **more) -> Summary:
        names = [str(path) for path in paths] or None
        return recount_files(names, books.visit, Intake(segment_rules=NEWER), NOW, which, **more)

    return recount


@pytest.fixture
def log(chat_record, as_lines) -> bytes:
    """Calls with and without usage, one told of twice, one by a model without a price, one without a time."""
    unpriced = chat_record(3, text=TEXT)
    unpriced["response"]["model"] = unpriced["request"]["model"] = "house-llm-9"
    untimed = chat_record(5, text=TEXT)
    del untimed["response"]["created"]
    untimed.pop("timestamp", None)
    return as_lines(
        [
            chat_record(1, text=TEXT),
            chat_record(2, text=TEXT, usage=False),
            unpriced,
            chat_record(4, text=TEXT),
            chat_record(4, text=TEXT, status=201),
            untimed,
        ]
    )


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_it_ends_as_if_the_rules_of_today_had_read_the_files(books, open_books, older, again, log, suffix):
    pack = gzip.compress if suffix else bytes
    older(books.file("a.jsonl" + suffix, pack(log)))
    assert books.rows("SELECT sum(seg_context)::BIGINT FROM requests") == [(0,)]
    assert again() == Summary(calls=5, changed=5, files=1)
    fresh = open_books()
    fresh.ingest(fresh.file("a.jsonl" + suffix, pack(log)), segment_rules=NEWER)
    assert contents(books) == contents(fresh)
    assert books.rows("SELECT action FROM audit") == [("counts.recounted",)]
    assert again() == Summary()


def test_records_of_one_call_in_two_files_are_both_counted_again(
    books, open_books, older, again, chat_record, as_lines
):
    def files(to):
        return [
            to.file("a.jsonl", as_lines([chat_record(1, text=TEXT, usage=False)])),
            to.file("b.jsonl", as_lines([chat_record(1, text=TEXT)])),
        ]

    older(*files(books))
    again()
    fresh = open_books()
    fresh.ingest(*files(fresh), segment_rules=NEWER)
    assert contents(books)["requests"] == contents(fresh)["requests"]
    assert contents(books)["rollup"] == contents(fresh)["rollup"]


def test_what_was_billed_by_a_count_stays_as_it_was_billed(books, older, again, chat_record, as_lines):
    older(books.file("a.jsonl", as_lines([chat_record(1, text=TEXT, usage=False)])))
    billed = "SELECT input_tokens, output_tokens, usage_source, cost_usd, price_id FROM requests"
    before = books.rows(billed)
    assert before[0][2] in ("counted", "estimated")
    again()
    assert books.rows(billed) == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(books, older, again, log):
    older(books.file("a.jsonl", log))
    before = contents(books)
    assert again(dry_run=True) == Summary(calls=5, changed=5, files=1)
    assert contents(books) == before
    assert books.rows("SELECT count(*) FROM audit") == [(0,)]


def test_calls_counted_by_the_rules_of_today_are_counted_again_only_when_asked(books, again, log):
    books.ingest(books.file("a.jsonl", log), segment_rules=OLDER)
    assert again() == Summary()
    assert again(which=Which(every=True)) == Summary(calls=5, changed=5, files=1)


def test_an_estimate_that_was_corrected_is_counted_by_the_rules_of_today_too(
    books, again, chat_record, as_lines, learn
):
    record = chat_record(1)
    record["response"]["model"] = "deepseek-chat"
    log = books.file("a.jsonl", as_lines([record]))
    with books.visit() as ledger:
        learn(ledger, "deepseek-chat", "openai.chat", RULES_VERSION, 2.0, 0.0)
    books.ingest(log)
    assert books.rows("SELECT rules FROM requests") == [(f"{RULES_VERSION}+cal3",)]
    assert again() == Summary()


def test_only_the_files_and_the_time_that_are_named_are_counted_again(
    books, older, again, chat_record, as_lines
):
    one = books.file("a.jsonl", as_lines([chat_record(1, text=TEXT)]))
    two = books.file("b.jsonl", as_lines([chat_record(2, text=TEXT)]))
    older(one, two)
    ((ts,),) = books.rows("SELECT max(ts) FROM requests")
    assert again(which=Which(until=datetime(2020, 1, 1, tzinfo=UTC))) == Summary()
    assert again(two) == Summary(calls=1, changed=1, files=1)
    assert again(which=Which(until=ts.replace(tzinfo=UTC))).calls <= 1


def test_a_file_that_is_gone_is_named_and_its_calls_stay(books, older, again, log):
    path = books.file("a.jsonl", log)
    older(path)
    before = contents(books)
    path.unlink()
    assert again() == Summary(not_found=5, gone=(str(path),))
    assert contents(books) == before


def test_a_record_that_is_no_longer_in_its_file_keeps_its_count(books, older, again, chat_record, as_lines):
    records = [chat_record(number, text=TEXT) for number in (1, 2)]
    older(books.file("a.jsonl", as_lines(records)))
    books.file("a.jsonl", as_lines(records[:1]))
    assert again() == Summary(calls=1, changed=1, not_found=1, files=1)


def test_calls_of_a_closed_period_are_left_alone(books, older, again, log):
    older(books.file("a.jsonl", log))
    with books.visit() as ledger:
        ledger.execute(
            "INSERT INTO sealed VALUES "
            "(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01', 'closed', TIMESTAMP '2026-10-07')"
        )
    assert again() == Summary()


def test_a_call_whose_prompt_stands_in_another_record_is_counted_again(books, older, again, open_books):
    run = "01990000-0000-7000-8000-000000000001"  # 2025-09-01, 00:50 UTC
    start = {"event": "on_llm_start", "run_id": run, "prompts": [TEXT]}
    start["metadata"] = {"ls_provider": "openai"}
    said = {"response_metadata": {"model_provider": "openai", "model_name": "gpt-4.1-mini-2025-04-14"}}
    end = {"event": "on_llm_end", "run_id": run}
    answer = {"text": "By post.", "message": {"content": "By post.", "type": "ai", **said}}
    end["response"] = {"generations": [[answer]]}
    contents_of = {name: json.dumps(each).encode() + b"\n" for name, each in (("s", start), ("e", end))}
    fresh = open_books()
    logs = {
        each: [each.file(f"{n}.jsonl", data) for n, data in contents_of.items()] for each in (books, fresh)
    }
    older(*logs[books])
    before = books.rows("SELECT cost_usd FROM requests")
    fresh.ingest(*logs[fresh], segment_rules=NEWER)
    assert contents(books)["requests"] != contents(fresh)["requests"]
    done = again()
    assert (done.changed, done.not_found) == (1, 0)
    counted = "SELECT seg_context, seg_user, counted_input_tokens, rules FROM requests"
    assert books.rows(counted) == fresh.rows(counted)
    assert books.rows("SELECT cost_usd FROM requests") == before
    assert again().calls == 0
