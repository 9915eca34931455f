"""Records of a log that was rotated since are read again in the files beside it, each once."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.attribution import Rules
from collector.ingest import Intake
from collector.reattribution import Order, Summary, reattribute_files
from collector.recounting import Summary as Recounted
from collector.recounting import recount_files
from collector.rotated import rotated
from ledger.recounting import Which

NOW = datetime(2026, 10, 8, tzinfo=UTC)
EVERY = Which(every=True)
OLDER = Rules(tenant=())
NEWER = Rules(tenant=("metadata.team",), environment=("source.name",))


@pytest.fixture
def lines(chat_record, as_lines) -> list[bytes]:
    """Six calls of six teams."""
    return [as_lines([chat_record(n, metadata={"team": f"t-{n}"})]) for n in range(6)]


@pytest.fixture
def log(books, lines) -> Path:
    """A log of all of them, booked by the rules of before."""
    path = books.file("app.log", b"".join(lines))
    books.ingest(path, rules=OLDER)
    return path


@pytest.fixture
def apply(books):
    def again(*, dry_run: bool = False) -> Summary:
        order = Order(EVERY, dry_run=dry_run)
        return reattribute_files(None, books.visit, Intake(rules=NEWER), NOW, order)

    return again


@pytest.fixture
def recount(books):
    def again() -> Recounted:
        return recount_files(None, books.visit, Intake(rules=NEWER), NOW, EVERY)

    return again


def tenants(books) -> list[object]:
    return [tenant for (tenant,) in books.rows("SELECT tenant FROM requests ORDER BY tenant")]


ALL = [f"t-{n}" for n in range(6)]


@pytest.mark.parametrize("left", ["nothing", "others", "some"])
def test_calls_are_attributed_again_wherever_their_log_was_rotated_to(
    books, log, lines, apply, chat_record, as_lines, left
):
    # Two days' files, one of them compressed, and what is written to the log since.
    books.file("app.log.1", b"".join(lines[3:5]))
    books.file("app.log-20261006.gz", gzip.compress(b"".join(lines[:3])))
    if left == "some":
        log.write_bytes(lines[5])
    else:
        books.file("app.log.3", lines[5])
        log.write_bytes(as_lines([chat_record(99)]))
    if left == "nothing":
        log.unlink()
    done = apply()
    assert (done.done.calls, done.done.changed, done.not_found) == (6, 6, 0)
    assert (done.gone, done.problems) == ((), ())
    assert tenants(books) == ALL
    # The rules of a source go by the name that the log was read under.
    assert books.rows("SELECT DISTINCT environment FROM requests") == [("app.log",)]
    assert apply().done.changed == 0


def test_a_record_that_stands_in_several_files_counts_once(books, log, lines, apply, recount):
    log.write_bytes(lines[0])
    for name in ("app.log.1", "app.log.2", "app.log.bak"):
        books.file(name, b"".join(lines[:4]))
    done = apply(dry_run=True)
    assert (done.done.calls, done.done.changed, done.not_found) == (4, 4, 2)
    counted = recount()
    assert (counted.calls, counted.not_found) == (4, 2)


def test_a_copy_beside_a_log_that_has_all_changes_nothing(books, log, apply):
    books.file("app.log.bak", log.read_bytes())
    done = apply()
    assert (done.done.calls, done.not_found, done.problems) == (6, 0, ())


def test_a_record_that_nobody_booked_is_not_taken_from_beside_a_log(books, log, apply, chat_record, as_lines):
    books.file("app.log.1", log.read_bytes() + as_lines([chat_record(77, metadata={"team": "t-77"})]))
    log.unlink()
    assert apply().done.calls == 6
    assert tenants(books) == ALL


def test_calls_are_counted_again_wherever_their_log_was_rotated_to(books, log, recount):
    log.rename(log.with_name("app.log.1"))
    done = recount()
    assert (done.calls, done.not_found, done.gone, done.problems) == (6, 0, (), ())


def test_a_rotated_log_that_lost_records_is_said_to_be_gone(books, log, lines, apply):
    log.unlink()
    books.file("app.log.1", b"".join(lines[:2]))
    done = apply()
    assert (done.done.calls, done.not_found, done.gone) == (2, 4, (str(log.resolve()),))


def test_what_was_read_of_a_rotated_log_is_looked_for_under_its_next_name(books, lines, apply):
    path = books.file("app.log.1", b"".join(lines))
    books.ingest(path, rules=OLDER)
    path.rename(path.with_name("app.log.2"))
    path.write_bytes(b"")
    done = apply()
    assert (done.done.calls, done.not_found) == (6, 0)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("app.log", ["app.log-20261101.gz", "app.log.1", "app.log.2.gz"]),
        ("app.log.1", ["app.log-20261101.gz", "app.log.2.gz"]),
        ("app.log.2.gz", ["app.log-20261101.gz", "app.log.1"]),
        ("apps.log", []),
        ("app", ["app.log", "app.log-20261101.gz", "app.log.1", "app.log.2.gz"]),
    ],
)
def test_rotated_files_are_those_whose_names_go_on(tmp_path: Path, name: str, beside: list[str]):
    for each in ("app.log", "app.log.1", "app.log.2.gz", "app.log-20261101.gz", "apple.log.1", "other.log"):
        (tmp_path / each).touch()
    (tmp_path / "app.log.d").mkdir()
    assert rotated(str(tmp_path / name)) == [str(tmp_path / each) for each in beside]


def test_an_object_in_a_store_has_no_rotated_files():
    assert rotated("s3://bucket/logs/app.log") == []
