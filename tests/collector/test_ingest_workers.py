"""However a log is cut and by how many processes it is read, the ledger holds the same."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import cutting, ingest, pool, work
from ledger.posting import UNFINISHED

RUN = "from tollbook.cli import main; main()"

quick = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def everything(books) -> dict[str, list[tuple[object, ...]]]:
    """All that an ingest leaves, places included; file names without their folder."""
    name = "regexp_extract({}, '[^/]+$')"
    return {
        "requests": books.rows(
            "SELECT * EXCLUDE (ingested_at) "
            f"REPLACE (map_entries(tags) AS tags, {name.format('source_file')} AS source_file) "
            "FROM requests ORDER BY request_id"
        ),
        "rejects": books.rows(
            f"SELECT * EXCLUDE (rejected_at) REPLACE ({name.format('source_file')} AS source_file) "
            "FROM rejects ORDER BY ALL"
        ),
        "sources": books.rows(
            f"SELECT {name.format('path')}, format, size, position, lines, digest FROM sources ORDER BY 1"
        ),
        "versions": books.rows(
            "SELECT * REPLACE (map_entries(tool_tokens) AS tool_tokens) FROM prompt_versions ORDER BY 1, 2"
        ),
    }


@pytest.fixture
def lines(chat_record, as_lines) -> Iterator[bytes]:
    """Lines of a log: calls, one of them twice, broken and blank ones, the last one unfinished."""
    made = [as_lines([chat_record(number, text="word " * (number % 7))]) for number in range(12)]
    made[3:3] = [b"broken\n", b"\n", b"  \n", made[2]]
    made.append(b"\n")
    made.append(as_lines([chat_record(99)])[:-30])
    return made


@quick
@given(size=st.integers(1, 3000), steps=st.lists(st.integers(0, 6000), max_size=2))
def test_stretches_of_any_size_give_what_one_reading_gives(open_books, monkeypatch, lines, size, steps):
    content = b"".join(lines)
    whole, cut = open_books(), open_books()
    whole.ingest(whole.file("a.jsonl", content))
    with monkeypatch.context() as patch:
        patch.setattr(cutting, "STRETCH_BYTES", size)
        for end in (*sorted(steps), len(content)):
            cut.ingest(cut.file("a.jsonl", content[:end]))
    assert everything(cut) == everything(whole)


def test_parts_of_other_sources_that_come_before_their_turn_change_nothing(
    books, open_books, monkeypatch, chat_record, as_lines
):
    def files(to):
        logs = [as_lines([chat_record(100 * n + k) for k in range(8)]) for n in range(4)]
        packed = to.file("0.jsonl.gz", gzip.compress(logs[0], mtime=0))
        return [packed, *(to.file(f"{n}.jsonl", logs[n]) for n in (1, 2, 3))]

    once = open_books()
    once.ingest(*files(once))
    monkeypatch.setattr(cutting, "STRETCH_BYTES", 1500)
    monkeypatch.setattr(ingest, "POOLED_FROM", 0)
    monkeypatch.setattr(pool, "_HELD", 0)
    books.ingest(*files(books), workers=2)
    assert everything(books) == everything(once)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_what_one_reading_gives(
    books, open_books, monkeypatch, lines, workers, chat_record
):
    def files(to):
        return [
            to.file("a.jsonl", b"".join(lines)),
            to.file("b.jsonl.gz", gzip.compress(b"".join(lines[2:-1]), mtime=0)),
            to.file("c.json", json.dumps([chat_record(200), 7, chat_record(201)], indent=1).encode()),
            to.file("d.jsonl", b""),
            to.file("e.jsonl", b"".join(lines[5:9])),
        ]

    once = open_books()
    expected = once.ingest(*files(once))
    monkeypatch.setattr(cutting, "STRETCH_BYTES", 1500)
    monkeypatch.setattr(ingest, "POOLED_FROM", 0)
    summary = books.ingest(*files(books), workers=workers)
    assert everything(books) == everything(once)
    assert [file.outcome for file in summary.files] == [file.outcome for file in expected.files]
    assert [file.bytes for file in summary.files] == [file.bytes for file in expected.files]
    again = books.ingest(*[Path(file.path) for file in summary.files], workers=workers)
    assert [file.unchanged for file in again.files] == [True] * 5


def test_a_file_that_cannot_be_read_among_others_is_told(books, lines, monkeypatch):
    monkeypatch.setattr(ingest, "POOLED_FROM", 0)
    torn = books.file("b.jsonl", b"no records\n" * 20)
    gone = books.folder / "c.jsonl"
    summary = books.ingest(books.file("a.jsonl", b"".join(lines)), torn, gone, workers=2)
    assert summary.problems == (
        f"cannot tell the format of {torn} from its first 20 records: name one with --format "
        f"({', '.join(ingest_formats())}), or map its columns if it is a table of your own "
        "(`tollbook columns`)",
        f"cannot read {gone}: No such file or directory",
    )
    assert books.rows("SELECT count(*) FROM requests") == [(12,)]


def ingest_formats() -> list[str]:
    from collector.formats import FORMATS

    return list(FORMATS)


@pytest.fixture
def in_pieces(monkeypatch):
    """Read a file in stretches of a few records each."""
    monkeypatch.setattr(cutting, "STRETCH_BYTES", 1500)


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something to a file when its second stretch is about to be read."""

    def set_up(act) -> None:
        begun = work._read_stretch
        seen = []

        def watched(*args):
            seen.append(args)
            if len(seen) == 2:
                act()
            return begun(*args)

        monkeypatch.setattr(work, "_read_stretch", watched)

    return set_up


def test_a_file_moved_away_between_two_stretches_is_read_to_its_end(
    books, chat_record, as_lines, in_pieces, meanwhile
):
    path = books.file("a.jsonl", as_lines([chat_record(number) for number in range(12)]))

    def rotated():
        path.rename(books.folder / "a.1")
        path.write_bytes(as_lines([chat_record(number) for number in range(20, 23)]))

    meanwhile(rotated)
    assert books.ingest(path).total("added") == 12
    assert books.rows("SELECT max(source_line) FROM requests") == [(12,)]
    assert books.ingest(path).total("added") == 3
    assert books.ingest(path).files[0].unchanged


def test_a_file_cut_short_between_two_stretches_is_read_anew(
    books, chat_record, as_lines, in_pieces, meanwhile
):
    path = books.file("a.jsonl", as_lines([chat_record(number) for number in range(12)]))
    meanwhile(lambda: path.write_bytes(as_lines([chat_record(20)])))
    first = books.ingest(path)
    assert first.problems == ()
    assert first.total("added") < 12
    books.ingest(path)
    assert books.rows("SELECT count(*) FROM requests WHERE input_tokens = 80") == [(1,)]
    assert books.ingest(path).files[0].unchanged


def test_what_is_written_to_a_file_between_two_stretches_is_read_next_time(
    books, chat_record, as_lines, in_pieces, meanwhile
):
    path = books.file("a.jsonl", as_lines([chat_record(number) for number in range(12)]))

    def grown():
        with path.open("ab") as log:
            log.write(as_lines([chat_record(20)]))

    meanwhile(grown)
    assert books.ingest(path).total("added") == 12
    assert books.ingest(path).total("added") == 1


def test_an_unfinished_line_at_the_end_of_the_last_stretch_is_read_when_it_is_whole(
    books, chat_record, as_lines, in_pieces
):
    content = as_lines([chat_record(number) for number in range(12)])
    books.ingest(books.file("a.jsonl", content[:-40]))
    assert books.reasons() == [(12, UNFINISHED)]
    books.ingest(books.file("a.jsonl", content))
    assert (books.reasons(), len(books.requests())) == ([], 12)


@pytest.mark.parametrize("workers", [1, 2])
def test_counts_of_long_texts_are_kept_by_who_writes(books, chat_record, as_lines, monkeypatch, workers):
    monkeypatch.setattr(ingest, "POOLED_FROM", 0)
    texts = [f"{number} " * 200 for number in range(3)]
    content = as_lines([chat_record(number, text=text) for number, text in enumerate(texts)])
    books.ingest(books.file("a.jsonl", content), workers=workers)
    assert books.rows("SELECT count(*) FROM token_cache") == [(3,)]


# The command with processes of its own, killed and stopped.


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A log worth several processes: few texts, so that counting them takes no time."""
    folder = tmp_path_factory.mktemp("large")
    texts = [f"Chapter {number}. " + "All is well, and more is to come. " * 400 for number in range(20)]
    path = folder / "large.jsonl"
    with path.open("w") as log:
        for number in range(2_500):
            log.write(json.dumps(call(number, texts[number % 20])) + "\n")
    return path


def call(number: int, text: str) -> dict[str, object]:
    answer = {
        "id": f"chatcmpl-Synthetic{number:012d}",
        "object": "chat.completion",
        "created": 1_790_000_000 + number,
        "model": "gpt-4.1-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Thanks."}}],
        "usage": {"prompt_tokens": 3000 + number, "completion_tokens": 2, "total_tokens": 3002 + number},
    }
    request = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": text}]}
    return {"request": request, "response": answer, "status": 200}


@pytest.fixture(scope="module")
def undisturbed(open_books, large):
    books = open_books()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOLLBOOK_KEY", "00" * 32)
        books.ingest(large)
        return everything(books)


@pytest.fixture
def started(books, large):
    """Start the command on the large log; give its processes' ids once they are at work."""
    running = []

    def start() -> tuple[subprocess.Popen[bytes], list[int]]:
        words = ["ingest", "--workers", "2", "--ledger", str(books.ledger), str(large)]
        process = subprocess.Popen([sys.executable, "-c", RUN, *words], stderr=subprocess.PIPE)
        running.append(process)
        return process, until(lambda: children(process.pid), 60)

    yield start
    for process in running:
        process.kill()
        process.communicate()


def until(found, seconds: float):
    """Wait for an answer that is not empty."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return answer


def children(process: int) -> list[int]:
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(child) for child in listed if len(listed) >= 2]


def are_gone(processes: list[int]) -> bool:
    return not any(re.search(r"^State:\s+[^ZX\s]", status(each), re.MULTILINE) for each in processes)


def status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


@on_linux
def test_a_killed_worker_changes_nothing(books, started, undisturbed):
    process, workers = started()
    os.kill(workers[0], signal.SIGKILL)
    _, complaint = process.communicate(timeout=120)
    assert (process.returncode, complaint) == (0, b"")
    assert everything(books) == undisturbed


@on_linux
@pytest.mark.parametrize("after_s", [0.0, 0.5])
def test_a_killed_command_leaves_no_process_behind_and_goes_on_where_it_was(
    books, started, large, undisturbed, after_s
):
    process, workers = started()
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    until(lambda: are_gone(workers), 20)
    books.ingest(large)
    assert everything(books) == undisturbed


@on_linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_leave_it_says_so_and_leaves_no_process_behind(books, started, large, undisturbed, number):
    process, workers = started()
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint) == (
        130,
        b"tollbook: stopped; what was committed stays, run it again to go on\n",
    )
    until(lambda: are_gone(workers), 5)
    books.ingest(large)
    assert everything(books) == undisturbed
