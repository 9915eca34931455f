"""Sources and parts are found in folders and in object stores by the same calls."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector import places
from collector.ingest import Intake
from collector.part_loading import load_parts
from collector.parts import Order, make_parts
from collector.sources import SourceError
from ledger.keys import key_id

KEY = bytes(32)
NOW = datetime(2026, 10, 7, 12, tzinfo=UTC)


@pytest.fixture(params=["folder", "object store"])
def place(request, tmp_path) -> places.Place:
    if request.param == "folder":
        return places.at(str(tmp_path))
    pytest.importorskip("obstore")
    return places.at(f"file://{tmp_path}")


def test_what_is_kept_is_read_and_listed(place):
    place.keep("a/b/one.json", b"1")
    place.keep("a/two.json", b"2")
    place.keep("c/three.json", b"3")
    assert place.read("a/two.json") == b"2"
    assert place.names("a") == ["a/b/one.json", "a/two.json"]


def test_what_is_kept_again_takes_the_place_of_the_first(place):
    place.keep("a.json", b"1")
    place.keep("a.json", b"2")
    assert place.read("a.json") == b"2"


def test_what_is_not_there_is_none_and_an_empty_list(place):
    assert place.read("a/none.json") is None
    assert place.names("a") == []


def test_a_draft_of_a_killed_writer_is_not_listed(tmp_path):
    (tmp_path / ".one.json.x1").write_bytes(b"half")
    assert places.at(str(tmp_path)).names("") == []


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "a").write_bytes(b"a file")
    with pytest.raises(SourceError, match="cannot write .*Not a directory|cannot write .*File exists"):
        places.at(str(tmp_path)).keep("a/b.json", b"1")


@pytest.fixture
def stored(tmp_path) -> str:
    """Logs in an object store, and what is no log beside them."""
    pytest.importorskip("obstore")
    for name in ("logs/a.jsonl", "logs/b.jsonl.gz", "logs/deep/c.jsonl", "logs/readme.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}\n")
    return f"file://{tmp_path}"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("logs", ["logs/a.jsonl", "logs/b.jsonl.gz", "logs/deep/c.jsonl"]),
        ("logs/*.gz", ["logs/b.jsonl.gz"]),
        ("logs/a.jsonl", ["logs/a.jsonl"]),
        ("logs/[ab].*", ["logs/a.jsonl", "logs/b.jsonl.gz"]),
    ],
)
def test_urls_name_objects_prefixes_and_globs(stored, pattern, names):
    assert places.find([f"{stored}/{pattern}"], Path()) == [f"{stored}/{name}" for name in names]


def test_a_url_that_matches_nothing_is_a_sentence(stored):
    with pytest.raises(SourceError, match="nothing to read at .*none/"):
        places.find([f"{stored}/none/*.gz"], Path())


def test_logs_in_an_object_store_give_the_calls_that_files_give(
    books, open_books, chat_record, as_lines, tmp_path
):
    pytest.importorskip("obstore")
    logs = [
        books.file("a.jsonl", as_lines([chat_record(1), chat_record(2)])),
        books.file("b.jsonl.gz", gzip.compress(as_lines([chat_record(3)]))),
    ]
    place = f"file://{tmp_path}/parts"
    for log in logs:
        order = Order(f"file://{log}", place, Intake(), NOW, key_id(KEY))
        assert make_parts(order, KEY).problem is None
        assert make_parts(order, KEY).kept
    load_parts(place, books.visit, (), NOW)
    read = open_books()
    read.ingest(*logs)
    assert books.requests() == read.requests()
    assert books.rows("SELECT path FROM sources ORDER BY 1") == [(f"file://{log}",) for log in logs]


def test_an_object_that_is_gone_is_told_in_a_line(tmp_path):
    pytest.importorskip("obstore")
    found = make_parts(Order(f"file://{tmp_path}/gone.jsonl", str(tmp_path), Intake(), NOW, key_id(KEY)), KEY)
    assert found.problem is not None
    assert found.problem.startswith(f"cannot read file://{tmp_path}/gone.jsonl: ")
    assert "\n" not in found.problem


def test_a_copy_of_an_object_is_as_old_as_the_object_and_goes(stored, tmp_path):
    os.utime(tmp_path / "logs/a.jsonl", (1_790_000_000, 1_790_000_000))
    url = f"{stored}/logs/a.jsonl"
    with places.at_hand(url, places.stamp_of(url)) as path:
        assert Path(path).stat().st_mtime == 1_790_000_000
        assert Path(path).read_bytes() == b"{}\n"
    assert not Path(path).exists()
