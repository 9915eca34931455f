"""Bad input has a defined outcome, is never a traceback, and the rest of the file still goes in."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
import zstandard

from collector import sources
from collector.sources import SourceError, discover
from ledger.posting import DAMAGED, UNFINISHED


@pytest.fixture
def around(books, chat_record, as_lines):
    """Ingest a bad line between two good ones."""

    def ingest(bad: bytes, **intake):
        good = [as_lines([chat_record(number)]) for number in (1, 2)]
        return books.ingest(books.file("a.jsonl", good[0] + bad + b"\n" + good[1]), **intake)

    return ingest


def edited(record, **more) -> bytes:
    return json.dumps({**record, **more}).encode()


def with_usage(record, **usage) -> bytes:
    response = {**record["response"], "usage": usage}
    return edited(record, response=response)


BROKEN_LINES = {
    "cut JSON": (b'{"request": {"model": "gp', "invalid JSON: Input data was truncated"),
    "a plain sentence": (b"Starting server on port 80", "invalid JSON: JSON is malformed"),
    "invalid UTF-8": (b'{"request": {"model": "gp\xff"}, "response": {}}', "invalid UTF-8"),
    "a NUL byte": (b'{"request": {"model": "g\x00p"}, "response": {}}', "invalid JSON: JSON is malformed"),
    "nothing but NUL bytes": (b"\x00" * 64, "invalid JSON: JSON is malformed"),
    "an array": (b'[{"request": 1}]', "a JSON array where an object is expected"),
    "a text": (b'"hello"', "a JSON string where an object is expected"),
    "a number": (b"42", "a JSON number where an object is expected"),
    "null": (b"null", "a JSON null where an object is expected"),
    "NaN": (b'{"request": {"temperature": NaN}, "response": {}}', "invalid JSON: JSON is malformed"),
    "a number past any float": (b'{"request": {"top_p": 1e999}, "response": {}}', "invalid JSON"),
    "a number of 5,000 digits": (b'{"request": {"n": %s}, "response": {}}' % (b"9" * 5000), "invalid JSON"),
    "nested past the stack": (
        b'{"request": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "the record is nested too deeply to be read",
    ),
}


@pytest.mark.parametrize(("bad", "reason"), BROKEN_LINES.values(), ids=BROKEN_LINES)
def test_a_broken_line_is_rejected_with_its_place_and_the_rest_goes_in(books, around, bad, reason):
    summary = around(bad)
    assert (summary.total("added"), summary.total("rejected"), summary.problems) == (2, 1, ())
    ((line, found),) = books.reasons()
    assert line == 2
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({"prompt_tokens": -5, "completion_tokens": 1}, "usage.prompt_tokens is -5"),
        ({"prompt_tokens": 10**12, "completion_tokens": 1}, "usage.prompt_tokens is 1000000000000"),
        ({"prompt_tokens": "many", "completion_tokens": 1}, "usage.prompt_tokens is text"),
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}},
            "usage has 11 cached",
        ),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            "usage has 3 reasoning tokens",
        ),
    ],
)
def test_usage_that_cannot_be_true_is_rejected(books, around, chat_record, usage, reason):
    summary = around(with_usage(chat_record(9), **usage))
    assert (summary.total("added"), summary.total("rejected")) == (2, 1)
    assert books.reasons()[0][1].startswith(reason)


def test_a_call_from_the_future_is_rejected(books, around, chat_record):
    around(edited(chat_record(9), timestamp="2026-10-09T12:00:00Z"))
    assert books.reasons() == [(2, "the time of the call, 2026-10-09 12:00 UTC, is in the future")]


def test_a_clock_some_hours_ahead_is_believed(books, around, chat_record):
    around(edited(chat_record(9), timestamp="2026-10-08T02:00:00Z"))
    assert books.reasons() == []


def test_a_call_without_a_time_gets_the_files(books, around, chat_record):
    record = chat_record(9)
    record["response"].pop("created")
    around(edited(record))
    assert books.rows("SELECT ts::VARCHAR, ts_estimated FROM requests WHERE source_line = 2") == [
        ("2026-10-06 03:00:00", True)
    ]


def test_an_unknown_model_is_booked_without_a_price(books, around, chat_record):
    record = chat_record(9)
    record["response"]["model"] = record["request"]["model"] = "house-llm-9"
    around(edited(record))
    assert books.rows("SELECT cost_usd, input_tokens FROM requests WHERE model = 'house-llm-9'") == [
        (None, 69)
    ]
    ((reason,),) = books.rows("SELECT unpriced_reason FROM requests WHERE model = 'house-llm-9'")
    assert reason == "provider unknown"


def test_a_half_emoji_costs_one_character_not_the_record(books, around, chat_record):
    record = edited(chat_record(9, text="CUT")).replace(b"CUT", rb"so \ud83d it was")
    around(record)
    assert books.reasons() == []
    assert len(books.requests()) == 3


def test_of_a_key_given_twice_the_last_value_counts(books, around, chat_record):
    line = edited(chat_record(9))[:-1] + b', "status": 500}'
    around(line)
    assert books.rows("SELECT http_status, status FROM requests WHERE source_line = 2") == [(500, "error")]


def test_a_huge_number_in_a_tools_schema_is_no_obstacle(books, around, chat_record):
    record = chat_record(9)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 10**30}}}
    record["request"]["tools"] = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    around(edited(record))
    assert books.reasons() == []
    assert len(books.requests()) == 3


def test_a_huge_output_limit_costs_no_call(books, around, chat_record):
    record = chat_record(9)
    record["request"]["max_tokens"] = 10**30
    around(edited(record))
    assert books.reasons() == []
    assert len(books.requests()) == 3


def test_an_image_larger_than_any_costs_no_more_than_the_largest(books, around, chat_record):
    record = chat_record(9)
    claimed = {"type": "image_url", "image_url": {"url": {"width": 10**15, "height": 10**15}}}
    source = {"type": "image", "source": {"type": "base64", "data": {"width": 10**15, "height": 10**15}}}
    record["request"] = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [source, claimed]}],
    }
    record["response"] = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    around(edited(record, url_path="/v1/messages"))
    assert books.reasons() == []
    # Scaled down to 1568 pixels a side, an image is at most 1568 patches and 3 tokens of framing.
    assert books.rows("SELECT max(seg_media) FROM requests") == [(1571,)]


def test_a_nul_in_a_tenants_name_is_kept(books, around, chat_record):
    around(edited(chat_record(9), metadata={"tenant": "ac\x00me"}))
    assert books.reasons() == []
    assert ("ac\x00me",) in books.rows("SELECT tenant FROM requests")


def test_a_line_of_50_megabytes_is_rejected_unread(books, around):
    summary = around(b'{"request": "' + b"x" * 50_000_000 + b'"}')
    assert summary.total("added") == 2
    assert books.reasons() == [(2, "a record of 50,000,016 bytes is over the 32 MiB limit")]


def test_two_overlong_lines_with_the_same_start_are_two_rejects(books, monkeypatch):
    monkeypatch.setattr(sources, "MAX_RECORD_BYTES", 20_000)
    start = b'{"request": "' + b"x" * 30_000
    books.ingest(books.file("a.jsonl", start + b"1\n" + start + b"2\n"), format="pair")
    assert [line for line, _ in books.reasons()] == [1, 2]


def test_a_byte_order_mark_is_passed_over(books, chat_record, as_lines):
    content = as_lines([chat_record(1), chat_record(2)])
    books.ingest(books.file("a.jsonl", b"\xef\xbb\xbf" + content))
    plain = books.requests()
    assert (len(plain), books.reasons()) == (2, [])
    books.ingest(books.file("b.jsonl", content))
    assert books.requests() == plain


def test_windows_line_ends_make_no_difference(books, chat_record, as_lines):
    content = as_lines([chat_record(1), chat_record(2)])
    books.ingest(books.file("a.jsonl", content.replace(b"\n", b"\r\n")))
    summary = books.ingest(books.file("b.jsonl", content))
    assert (summary.total("duplicate"), summary.total("added")) == (2, 0)


def test_an_empty_file_is_nothing_wrong_and_may_grow(books, chat_record, as_lines):
    assert books.ingest(books.file("a.jsonl", b"")).problems == ()
    assert books.ingest(books.file("a.jsonl", as_lines([chat_record(1)]))).total("added") == 1


def test_many_broken_lines_first_do_not_hide_the_format(books, chat_record, as_lines):
    summary = books.ingest(books.file("a.jsonl", b"not json\n" * 100 + as_lines([chat_record(1)])))
    assert (summary.total("added"), summary.total("rejected"), summary.problems) == (1, 100, ())
    assert len(books.reasons()) == 1, "the same bytes are one reject"


def test_a_file_of_no_known_format_is_a_problem_and_the_other_files_go_in(books, chat_record, as_lines):
    strange = books.file("a.jsonl", b'{"level": "info", "msg": "started"}\n')
    summary = books.ingest(strange, books.file("b.jsonl", as_lines([chat_record(1)])))
    (problem,) = summary.problems
    assert "cannot tell the format of" in problem
    assert "--format" in problem
    assert summary.total("added") == 1


def test_a_file_that_cannot_be_read_is_a_problem_and_the_other_files_go_in(books, chat_record, as_lines):
    (books.folder / "gone.jsonl").symlink_to(books.folder / "nowhere")
    good = books.file("b.jsonl", as_lines([chat_record(1)]))
    summary = books.ingest(books.folder / "gone.jsonl", books.folder, good)
    assert len(summary.problems) == 2
    assert all(problem.startswith("cannot read ") for problem in summary.problems)
    assert summary.total("added") == 1


def test_a_path_that_matches_nothing_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"nothing to read at 'logs/\*\.jsonl'"):
        discover(["logs/*.jsonl"], tmp_path)


def test_an_unfinished_last_line_is_told_and_then_read_when_it_is_complete(books, chat_record, as_lines):
    content = as_lines([chat_record(1), chat_record(2)])
    books.ingest(books.file("a.jsonl", content[:-50]))
    assert books.reasons() == [(2, UNFINISHED)]
    summary = books.ingest(books.file("a.jsonl", content))
    assert (summary.total("added"), summary.total("duplicate")) == (1, 0)
    assert books.reasons() == []


def test_a_last_line_cut_inside_a_character_is_unfinished_too(books, chat_record, as_lines):
    line = json.dumps(chat_record(1, text="grüße"), ensure_ascii=False).encode()
    cut = line.index("ü".encode()) + 1
    books.ingest(books.file("a.jsonl", as_lines([chat_record(2)]) + line[:cut]))
    assert books.reasons() == [(2, UNFINISHED)]
    books.ingest(books.file("a.jsonl", as_lines([chat_record(2)]) + line + b"\n"))
    assert (books.reasons(), len(books.requests())) == ([], 2)


def test_line_numbers_go_on_after_a_last_line_without_its_end(books, chat_record, as_lines):
    first = as_lines([chat_record(1)])
    books.ingest(books.file("a.jsonl", first[:-1]))
    books.ingest(books.file("a.jsonl", first + b"broken\n" + as_lines([chat_record(2)])))
    assert [line for line, _ in books.reasons()] == [2]
    assert books.rows("SELECT source_line FROM requests ORDER BY 1") == [(1,), (3,)]


COMPRESS = {".gz": lambda data: gzip.compress(data, mtime=0), ".zst": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_cut_compressed_file_gives_what_it_holds_and_says_so(books, chat_record, as_lines, suffix):
    # Text that differs from line to line, so that the cut falls between many lines.
    records = [chat_record(n, text=" ".join(str(n * k * k) for k in range(60))) for n in range(400)]
    packed = COMPRESS[suffix](as_lines(records))
    summary = books.ingest(books.file("a.jsonl" + suffix, packed[: len(packed) // 2]))
    assert 20 < summary.total("added") < 380
    assert [reason for _, reason in books.reasons()][-1] == DAMAGED
    books.ingest(books.file("a.jsonl" + suffix, packed))
    assert (books.reasons(), len(books.requests())) == ([], 400)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_two_cut_files_are_two_rejects(books, suffix):
    packed = COMPRESS[suffix](bytes(range(256)) * 100)
    paths = [books.file(name + suffix, packed[: len(packed) // 2]) for name in ("a", "b")]
    books.ingest(*paths, format="pair")
    assert [reason for _, reason in books.reasons()].count(DAMAGED) == 2


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_file_that_is_not_what_its_name_says_is_damaged(books, chat_record, as_lines, suffix):
    books.ingest(books.file("a.jsonl" + suffix, as_lines([chat_record(1)])))
    assert [reason for _, reason in books.reasons()] == [DAMAGED]


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_pieces_one_after_another_are_one_file(books, chat_record, as_lines, suffix):
    pieces = [COMPRESS[suffix](as_lines([chat_record(number)])) for number in range(3)]
    assert books.ingest(books.file("a.jsonl" + suffix, b"".join(pieces))).total("added") == 3


def test_a_cut_last_line_in_a_whole_compressed_file_is_final(books, chat_record, as_lines):
    content = as_lines([chat_record(1), chat_record(2)])[:-40]
    books.ingest(books.file("a.jsonl.gz", gzip.compress(content)))
    assert books.reasons() == [(2, "invalid JSON: Input data was truncated")]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_over_any_lines_is_read_item_by_item(books, chat_record, indent):
    items = [chat_record(1), 7, chat_record(2)]
    summary = books.ingest(books.file("a.json", json.dumps(items, indent=indent).encode()))
    assert (summary.total("added"), summary.total("rejected")) == (2, 1)
    assert books.reasons() == [(2, "a JSON number where an object is expected")]
    assert books.ingest(books.folder / "a.json").files[0].unchanged


def test_an_object_over_many_lines_is_one_record(books, chat_record):
    path = books.file("a.json", json.dumps(chat_record(1), indent=4).encode() + b"\n\n")
    assert books.ingest(path).total("added") == 1


def test_an_array_that_was_written_anew_with_more_is_read_from_the_top(books, chat_record):
    books.ingest(books.file("a.json", json.dumps([chat_record(1)], indent=1).encode()))
    longer = json.dumps([chat_record(1), chat_record(2)], indent=1).encode()
    summary = books.ingest(books.file("a.json", longer))
    assert (summary.total("added"), summary.total("duplicate"), summary.total("rejected")) == (1, 1, 0)


def test_a_file_read_as_the_wrong_format_is_read_again_as_the_right_one(books, chat_record, as_lines):
    path = books.file("a.jsonl", as_lines([chat_record(1), chat_record(2)]))
    assert books.ingest(path, format="tollbook").total("rejected") == 2
    assert books.ingest(path, format="pair").total("added") == 2
    assert books.reasons() == []
    assert books.ingest(path, format="pair").files[0].unchanged


def test_a_file_that_was_rotated_is_read_from_the_top(books, chat_record, as_lines):
    books.ingest(books.file("a.jsonl", as_lines([chat_record(1), chat_record(2)])))
    summary = books.ingest(books.file("a.jsonl", as_lines([chat_record(number) for number in range(3, 9)])))
    assert summary.total("added") == 6


def test_what_is_written_during_the_reading_is_read_next_time(books, chat_record, as_lines, monkeypatch):
    path = books.file("a.jsonl", as_lines([chat_record(1)]))
    taken = sources.fingerprint

    def while_read(file, position: int) -> bytes:
        with path.open("ab") as log:
            log.write(as_lines([chat_record(2)]))
        return taken(file, position)

    with monkeypatch.context() as patch:
        patch.setattr(sources, "fingerprint", while_read)
        books.ingest(path)
    assert books.ingest(path).total("added") == 1


ROTATED = {
    "moved away, a new one begun": lambda path: path.rename(path.with_suffix(".1")),
    "written anew in its place": lambda path: path.write_bytes(b""),
    "removed": lambda path: path.unlink(),
}


@pytest.mark.parametrize("rotate", ROTATED.values(), ids=ROTATED)
@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_a_log_rotated_during_the_reading_is_read_from_the_top(
    books, chat_record, as_lines, monkeypatch, rotate, suffix
):
    pack = gzip.compress if suffix.endswith(".gz") else bytes
    path = books.file("a" + suffix, pack(as_lines([chat_record(number) for number in (1, 2)])))
    new = pack(as_lines([chat_record(number) for number in (3, 4, 5)]))
    read = sources.records

    def rotated_while_read(*args, **more):
        rotate(path)
        path.write_bytes(new)
        return read(*args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(sources, "records", rotated_while_read)
        books.ingest(path)
    books.ingest(path)
    assert books.rows("SELECT count(*) FROM requests WHERE input_tokens >= 63") == [(3,)]
    assert books.ingest(path).files[0].unchanged


def test_a_log_removed_during_the_reading_is_booked(books, chat_record, as_lines, monkeypatch):
    path = books.file("a.jsonl", as_lines([chat_record(1)]))
    taken = sources.fingerprint

    def removed_first(file, position: int) -> bytes:
        path.unlink()
        return taken(file, position)

    monkeypatch.setattr(sources, "fingerprint", removed_first)
    summary = books.ingest(path)
    assert (summary.total("added"), summary.problems) == (1, ())
    assert books.rows("SELECT count(*) FROM sources") == [(0,)]


def test_a_name_that_is_no_utf8_is_read_all_the_same(books, chat_record, as_lines):
    path = os.fsdecode(os.fsencode(books.folder) + b"/log-\xff.jsonl")
    with Path(path).open("wb") as log:
        log.write(as_lines([chat_record(1)]))
    assert books.ingest(path).total("added") == 1
    assert books.ingest(path).files[0].unchanged
