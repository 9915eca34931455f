"""Logs in an object store are read as files are: from a real S3 server on loopback."""

from __future__ import annotations

import gzip
import json
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector import objects, places
from collector.ingest import Intake
from collector.sources import NothingThereError, SourceError
from tollbook.retry import retry

pytest.importorskip("obstore")
moto_server = pytest.importorskip("moto.server")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    running = moto_server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}"
    running.stop()


@pytest.fixture
def bucket(server, monkeypatch, request) -> places.Place:
    """An empty bucket of its own; the store reads where it is from the environment."""
    import httpx2

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"logs-{abs(hash(request.node.name)):x}"
    assert httpx2.put(f"{server}/{name}").status_code == 200
    return places.at(f"s3://{name}")


def found(bucket, pattern: str = "") -> list[str]:
    return places.find([f"{bucket.url}/{pattern}"], Path())


def test_globs_prefixes_and_single_objects_are_found(bucket):
    for name in ("app/a.jsonl", "app/b.jsonl.gz", "app/deep/c.jsonl", "other/d.jsonl", "app/readme.txt"):
        bucket.keep(name, b"{}\n")
    below = bucket.url
    assert found(bucket, "app/*.jsonl") == [f"{below}/app/a.jsonl", f"{below}/app/deep/c.jsonl"]
    assert found(bucket, "app") == [
        f"{below}/app/a.jsonl",
        f"{below}/app/b.jsonl.gz",
        f"{below}/app/deep/c.jsonl",
    ]
    assert found(bucket, "other/d.jsonl") == [f"{below}/other/d.jsonl"]


def test_objects_give_the_calls_that_files_give(books, open_books, bucket, chat_record, as_lines):
    plain, packed = as_lines([chat_record(1), chat_record(2)]), gzip.compress(as_lines([chat_record(3)]))
    bucket.keep("a.jsonl", plain)
    bucket.keep("b.jsonl.gz", packed)
    summary = books.ingest(*found(bucket))
    assert (summary.total("added"), summary.problems) == (3, ())
    local = open_books()
    local.ingest(local.file("a.jsonl", plain), local.file("b.jsonl.gz", packed))
    assert books.requests() == local.requests()
    assert books.rows("SELECT DISTINCT source_file FROM requests ORDER BY 1") == [
        (f"{bucket.url}/a.jsonl",),
        (f"{bucket.url}/b.jsonl.gz",),
    ]


def test_what_is_booked_is_not_fetched_again(books, bucket, chat_record, as_lines):
    bucket.keep("a.jsonl", as_lines([chat_record(1)]))
    bucket.keep("b.jsonl.gz", gzip.compress(as_lines([chat_record(2)])))
    books.ingest(*found(bucket))
    summary = books.ingest(*found(bucket))
    assert [file.unchanged for file in summary.files] == [True, True]
    assert (summary.total("read"), [file.bytes for file in summary.files]) == (0, [0, 0])


def test_of_a_grown_object_only_the_ends_and_what_is_new_are_fetched(books, bucket, chat_record, as_lines):
    old = as_lines([chat_record(n, text="parcel " * 300) for n in range(200)])
    new = as_lines([chat_record(n) for n in range(200, 203)])
    bucket.keep("a.jsonl", old)
    (url,) = found(bucket)
    books.ingest(url)
    bucket.keep("a.jsonl", old + new)
    with books.visit() as ledger:
        from ledger.posting import positions

        known = positions(ledger)[url]
    stamp = places.stamp_of(url)
    with objects.copied(url, stamp, known) as copy:
        status = Path(copy).stat()
        assert status.st_size == len(old) + len(new)
        assert status.st_blocks * 512 < 200_000 < len(old)
    summary = books.ingest(url)
    assert (summary.total("read"), summary.total("added")) == (3, 3)
    assert books.rows("SELECT max(source_line), count(*) FROM requests") == [(203, 203)]


def test_an_object_whose_beginning_changed_is_read_from_the_top(books, bucket, chat_record, as_lines):
    bucket.keep("a.jsonl", as_lines([chat_record(n, text="parcel " * 300) for n in range(100)]))
    (url,) = found(bucket)
    books.ingest(url)
    bucket.keep("a.jsonl", as_lines([chat_record(n, text="letter " * 300) for n in range(100, 220)]))
    assert books.ingest(url).total("added") == 120


def test_an_object_read_in_part_by_a_killed_ingest_is_read_on(books, bucket, chat_record, as_lines):
    """Only the last commit of an object knows it by its etag."""
    bucket.keep("a.jsonl", as_lines([chat_record(n) for n in range(30)]))
    (url,) = found(bucket)
    from collector import work

    whole = list(work.batches(url, Intake(), datetime(2026, 10, 7, tzinfo=UTC), bytes(32)))
    assert [batch.source.etag for batch in whole] == [places.stamp_of(url).etag]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(work, "PART_RECORDS", 10)
        parts = list(work.batches(url, Intake(), datetime(2026, 10, 7, tzinfo=UTC), bytes(32)))
    assert [batch.source.etag is None for batch in parts] == [True, True, False]


def test_rejects_of_an_object_are_read_again_there(books, bucket, chat_record, as_lines):
    bucket.keep("a.jsonl", as_lines([chat_record(1), chat_record(2)]))
    books.ingest(*found(bucket), format="tollbook")
    assert len(books.reasons()) == 2
    done = retry(books.visit, Intake(format="pair"), datetime(2026, 10, 7, 12, tzinfo=UTC))
    assert (done.booked, done.still_rejected, done.gone) == (2, 0, 0)


def test_a_pattern_without_a_match_is_nothing_there(bucket):
    with pytest.raises(NothingThereError, match="nothing to read at .*none"):
        found(bucket, "none/*.gz")


def test_a_missing_bucket_is_said(bucket):
    with pytest.raises(SourceError, match=r"cannot reach s3://no-such-bucket/a: there is no such bucket"):
        places.find(["s3://no-such-bucket/a/*.jsonl"], Path())


def test_an_object_replaced_while_it_is_read_is_left_for_the_next_ingest(
    books, bucket, chat_record, as_lines
):
    bucket.keep("a.jsonl", as_lines([chat_record(1)]))
    (url,) = found(bucket)
    stale = places.stamp_of(url)
    bucket.keep("a.jsonl", as_lines([chat_record(2)]))
    with pytest.raises(SourceError, match="replaced while it was read: the next ingest reads it"):
        list(places.pieces(url, stale, 0, stale.size))


def test_an_object_that_is_gone_is_a_problem_and_the_others_go_in(books, bucket, chat_record, as_lines):
    bucket.keep("a.jsonl", as_lines([chat_record(1)]))
    summary = books.ingest(f"{bucket.url}/gone.jsonl", f"{bucket.url}/a.jsonl")
    assert summary.problems == (f"cannot read {bucket.url}/gone.jsonl: no such object",)
    assert summary.total("added") == 1


def test_a_server_that_does_not_answer_is_said(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="no answer: check the network and the endpoint"):
        places.find(["s3://unreachable/a/*.jsonl"], Path())


def test_a_source_that_cannot_be_reached_keeps_no_other_from_being_read(
    books, bucket, chat_record, as_lines, tmp_path
):
    from tollbook.config import load
    from tollbook.jobs import ingest_sources

    books.file("a.jsonl", as_lines([chat_record(1)]))
    (tmp_path / "tollbook.toml").write_text(
        '[[source]]\npath = "s3://no-such-bucket/x/*.jsonl"\n[[source]]\npath = "a.jsonl"\n'
    )
    now = datetime(2026, 10, 7, 12, tzinfo=UTC)
    summary = ingest_sources(load(tmp_path / "tollbook.toml"), books.visit, now)
    assert summary.total("added") == 1
    assert summary.problems == ("cannot reach s3://no-such-bucket/x: there is no such bucket",)


def test_a_format_that_cannot_be_told_names_the_object(books, bucket):
    bucket.keep("a.jsonl", json.dumps({"what": 1}).encode() + b"\n")
    (problem,) = books.ingest(*found(bucket)).problems
    assert f"cannot tell the format of {bucket.url}/a.jsonl" in problem
