"""Logs that are rotated in every usual way lose nothing, double nothing, and are not read twice."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
import zstandard

from collector import rotation, sources
from ledger.posting import positions

# Each line is past the size from which a file is recognised by its content.
WIDE = "parcel " * 150


@pytest.fixture
def lines(chat_record, as_lines):
    """The lines of calls with these numbers."""
    return lambda *numbers: as_lines([chat_record(number, text=WIDE) for number in numbers])


@pytest.fixture
def log(books) -> Path:
    return books.folder / "app.log"


def read(books, log: Path):
    """Ingest the log and its rotated forms, as a glob would name them."""
    return books.ingest(*sources.discover([f"{log}*"], log.parent))


def booked(books) -> list[int]:
    """The calls' numbers, as their input tokens tell: 60 uncached ones and the number."""
    return [tokens - 60 for (tokens,) in books.rows("SELECT input_tokens FROM requests ORDER BY 1")]


def write_on(log: Path, content: bytes) -> None:
    with log.open("ab") as out:
        out.write(content)


def test_a_renamed_log_is_not_read_again_and_the_new_one_is(books, log, lines):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    log.rename(f"{log}.1")
    log.write_bytes(lines(10, 11))
    summary = read(books, log)
    assert [(Path(file.path).name, file.outcome.read, file.unchanged) for file in summary.files] == [
        ("app.log", 2, False),
        ("app.log.1", 0, True),
    ]
    assert booked(books) == list(range(12))


def test_what_was_written_before_the_rename_is_read_in_the_renamed_log(books, log, lines):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    write_on(log, lines(10, 11))
    log.rename(f"{log}.1")
    log.write_bytes(lines(12))
    summary = read(books, log)
    assert summary.total("read") == 3
    assert booked(books) == list(range(13))
    assert books.rows("SELECT max(source_line) FROM requests WHERE source_file LIKE '%.1'") == [(12,)]


def test_a_chain_of_renames_is_followed(books, log, lines):
    for first in range(0, 40, 8):
        write_on(log, lines(*range(first, first + 8)))
        assert read(books, log).total("read") == 8
        for number in (3, 2, 1):
            if (older := Path(f"{log}.{number}")).exists():
                older.rename(f"{log}.{number + 1}")
        log.rename(f"{log}.1")
        log.write_bytes(b"")
    assert booked(books) == list(range(40))
    assert read(books, log).total("read") == 0


def test_copied_and_truncated_the_copy_is_known_and_the_log_begins_anew(books, log, lines):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    write_on(log, lines(10))
    shutil.copy(log, f"{log}.1")
    os.truncate(log, 0)
    write_on(log, lines(11))
    summary = read(books, log)
    assert summary.total("read") == 2
    assert booked(books) == list(range(12))


def test_truncated_and_grown_past_its_place_a_log_is_read_from_the_top(books, log, lines):
    log.write_bytes(lines(*range(5)))
    read(books, log)
    log.write_bytes(lines(*range(5, 15)))
    assert read(books, log).total("added") == 10
    assert booked(books) == list(range(15))


PACKED = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}


@pytest.mark.parametrize("suffix", PACKED)
def test_compressed_on_rotation_it_is_not_read_again(books, log, lines, suffix):
    content = lines(*range(10))
    log.write_bytes(content)
    read(books, log)
    Path(f"{log}.1{suffix}").write_bytes(PACKED[suffix](content))
    log.write_bytes(lines(10))
    summary = read(books, log)
    assert summary.total("read") == 1
    assert [file.unchanged for file in summary.files] == [False, True]
    assert read(books, log).total("read") == 0


@pytest.mark.parametrize("suffix", PACKED)
def test_compressed_with_lines_that_were_not_read_those_are(books, log, lines, suffix):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    write_on(log, lines(10, 11))
    Path(f"{log}.1{suffix}").write_bytes(PACKED[suffix](log.read_bytes()))
    log.unlink()
    assert read(books, log).total("read") == 2
    assert booked(books) == list(range(12))
    assert books.rows("SELECT max(source_line) FROM requests WHERE source_file LIKE '%.1.%'") == [(12,)]


def test_a_compressed_log_that_is_renamed_is_not_read_again(books, log, lines):
    Path(f"{log}.1.gz").write_bytes(gzip.compress(os.urandom(6000).hex().encode() + b"\n" + lines(1, 2)))
    read(books, log)
    Path(f"{log}.1.gz").rename(f"{log}.2.gz")
    summary = read(books, log)
    assert [file.unchanged for file in summary.files] == [True]
    assert booked(books) == [1, 2]


def test_a_log_that_only_begins_like_another_is_read(books, log, lines):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    Path(f"{log}.1").write_bytes(lines(*range(8), 20, 21, 22))
    assert read(books, log).total("added") == 3
    assert booked(books) == [*range(10), 20, 21, 22]


def test_records_without_ids_in_a_rotated_copy_are_no_second_calls(books, log):
    line = b'{"tollbook":1,"ts":"2026-10-06T09:00:00Z","input_tokens":%d,"workflow":"' + b"w" * 200 + b'"}\n'
    content = b"".join(line % (n // 2) for n in range(40))
    log.write_bytes(content)
    first = read(books, log)
    assert (first.total("added"), first.total("merged_identical")) == (20, 20)
    Path(f"{log}.1.gz").write_bytes(gzip.compress(content))
    log.write_bytes(line % 99)
    read(books, log)
    assert books.rows("SELECT count(*) FROM requests") == [(21,)]
    assert books.rows("SELECT sum(merged_identical)::BIGINT FROM ingest_runs") == [(20,)]


def test_a_damaged_copy_of_a_log_that_was_read_is_told_and_doubles_nothing(books, log, lines):
    content = lines(*range(40))
    log.write_bytes(content)
    read(books, log)
    Path(f"{log}.1.gz").write_bytes(gzip.compress(content)[:-40])
    read(books, log)
    assert booked(books) == list(range(40))
    assert [reason.split(":")[0] for _, reason in books.reasons()] == [
        "the compressed data ends early or is damaged"
    ]


def test_the_digest_of_a_compressed_text_is_that_of_the_plain_file(books, log, lines, tmp_path):
    content = lines(*range(200))
    log.write_bytes(content)
    read(books, log)
    with books.visit() as ledger:
        known = positions(ledger)[str(log)]
    packed = tmp_path / "other.gz"
    for extra, goes_on in ((b"", False), (b"x", True)):
        packed.write_bytes(gzip.compress(content + extra))
        with packed.open("rb") as file:
            assert rotation.plain_rest(str(packed), file, known) is goes_on
    packed.write_bytes(gzip.compress(content[:-1]))
    with packed.open("rb") as file:
        assert rotation.plain_rest(str(packed), file, known) is None


def test_any_interleaving_of_writes_rotations_and_ingests_books_each_call_once(open_books, lines):
    """A dozen random walks: nothing that was written is lost, as the glob reads every form of the log."""
    import random

    for seed in range(12):
        chance, books = random.Random(seed), open_books()
        log, written = books.folder / "app.log", 0
        log.write_bytes(b"")
        for step in range(10):
            act = chance.choice(["write", "write", "read", "rename", "copy", "pack"])
            rotated = Path(f"{log}.{step:02d}")
            if act == "write":
                more = chance.randrange(1, 6)
                write_on(log, lines(*range(written, written + more)))
                written += more
            elif act == "read":
                read(books, log)
            elif act == "rename":
                log.rename(rotated)
                log.write_bytes(b"")
            elif act == "copy":
                shutil.copy(log, rotated)
                os.truncate(log, 0)
            else:
                rotated.with_name(f"{rotated.name}.gz").write_bytes(gzip.compress(log.read_bytes()))
                os.truncate(log, 0)
        read(books, log)
        assert booked(books) == list(range(written)), seed
        assert read(books, log).total("read") == 0


def test_a_ledger_of_before_knows_no_heads_and_reads_as_ever(books, log, lines):
    log.write_bytes(lines(*range(10)))
    read(books, log)
    with books.visit() as ledger:
        ledger.execute("UPDATE sources SET head = NULL")
    log.rename(f"{log}.1")
    assert read(books, log).total("duplicate") == 10
