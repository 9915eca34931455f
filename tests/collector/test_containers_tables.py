"""Rows of CSV, TSV and Parquet files become records; values and files are invented."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import containers
from collector.containers import CONTAINERS, Opened
from collector.sources import LOG_SUFFIXES, Record, SourceError
from ledger.posting import UNFINISHED, SourcePosition

TOP = SourcePosition("", "", 0, 0, 0, b"")


@pytest.fixture
def rows(tmp_path):
    def read(
        name: str, content: bytes | None = None, start: SourcePosition = TOP, *, settled=True
    ) -> list[Record]:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        kind = containers.of(str(path))
        assert kind is not None
        with path.open("rb") as handle:
            return list(kind.records(Opened(str(path), handle, start, path.stat().st_size, settled)))

    return read


def values(records: list[Record]) -> list[object]:
    return [record.problem or msgspec.json.decode(record.data) for record in records]


@pytest.mark.parametrize("name", ["delimited", "parquet"])
def test_folders_pick_up_every_table(name):
    assert set(CONTAINERS[name].suffixes) <= set(LOG_SUFFIXES)


def test_rows_come_under_the_names_of_the_header_with_their_place(rows):
    found = rows("a.csv", b'model,tokens\r\ngpt-4o,12\r\n"x,y",3\n')
    assert values(found) == [{"model": "gpt-4o", "tokens": "12"}, {"model": "x,y", "tokens": "3"}]
    assert [(each.line, each.offset, each.length) for each in found] == [(2, 14, 11), (3, 25, 8)]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_the_delimiter_is_told_by_the_header_and_a_mark_before_it_is_ignored(rows, delimiter, mark):
    found = rows("a.csv", mark + b'"a,b;c"' + delimiter + b"d\n1" + delimiter + b"2\n")
    assert values(found) == [{"a,b;c": "1", "d": "2"}]


def test_a_spreadsheet_may_say_its_delimiter_in_a_line_of_its_own(rows):
    assert values(rows("a.csv", b"sep=;\na,b;c\n1;2\n")) == [{"a,b": "1", "c": "2"}]


def test_a_tsv_is_parted_by_tabs_whatever_else_its_header_holds(rows):
    assert values(rows("a.tsv", b"a,b,c\td\n1\t2\n")) == [{"a,b,c": "1", "d": "2"}]


def test_a_field_in_quotes_may_hold_lines_and_quotes(rows):
    found = rows("a.csv", b'a,b\n"one\ntwo ""2""",x\n3,4\n')
    assert values(found) == [{"a": 'one\ntwo "2"', "b": "x"}, {"a": "3", "b": "4"}]
    assert [(each.line, each.offset) for each in found] == [(2, 4), (3, 22)]


def test_a_field_longer_than_pythons_own_limit_is_read(rows):
    long = "x" * 300_000
    assert values(rows("a.csv", f"a,b\n{long},2\n".encode())) == [{"a": long, "b": "2"}]


def test_a_row_of_another_width_is_a_problem_with_its_row_number(rows):
    found = rows("a.csv", b"a,b\n1,2,3\n4,5\n6\n")
    assert values(found) == [
        "the row has 3 columns, the header has 2",
        {"a": "4", "b": "5"},
        "the row has 1 columns, the header has 2",
    ]
    assert [each.line for each in found] == [2, 3, 4]


def test_bad_quoting_and_bad_utf8_cost_their_row_only(rows):
    found = rows("a.csv", b'a,b\n"1"x,2\n3,\xff\n5,6\n')
    assert "the row is no CSV" in str(values(found)[0])
    assert values(found)[1:] == ["invalid UTF-8 in the row", {"a": "5", "b": "6"}]


def test_nameless_and_repeated_columns_get_names_of_their_own(rows):
    assert values(rows("a.csv", b"a,,a\n1,2,3\n")) == [{"a": "1", "column 2": "2", "a (2)": "3"}]


def test_utf16_is_refused_with_what_to_do(rows):
    with pytest.raises(SourceError, match="save it as UTF-8"):
        rows("a.csv", "a,b\n".encode("utf-16"))


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"a,b"])
def test_a_table_without_rows_has_no_records(rows, content):
    assert rows("a.csv", content) == []


def test_a_compressed_table_is_read_like_a_plain_one(rows):
    assert values(rows("a.csv.gz", gzip.compress(b"a,b\n1,2"))) == [{"a": "1", "b": "2"}]


def test_damaged_compression_gives_the_rows_before_it(rows):
    whole = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(40_000)))
    found = rows("a.csv.gz", whole[: len(whole) // 2])
    assert found[-1].problem is not None
    assert len(found) > 100


def test_the_last_row_without_a_line_end_waits_while_the_file_is_being_written(rows):
    found = rows("a.csv", b"a,b\n1,2\n3,4", settled=False)
    assert values(found) == [{"a": "1", "b": "2"}, UNFINISHED]
    assert found[-1].unfinished
    assert values(rows("a.csv", settled=True))[-1] == {"a": "3", "b": "4"}


def test_reading_goes_on_below_what_was_read(rows):
    before = SourcePosition("", "", 8, 8, 2, b"")
    found = rows("a.csv", b"a,b\n1,2\n3,4\n", before)
    assert [(each.line, each.offset) for each in found] == [(3, 8)]
    assert values(found) == [{"a": "3", "b": "4"}]


pieces = st.sampled_from(
    [b'"', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"a", b"sep=", b" "]
)


@given(content=st.lists(st.one_of(pieces, st.binary(max_size=3)), max_size=60).map(b"".join))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_rows_problems_or_a_sentence(rows, content):
    try:
        found = rows("any.csv", content)
    except SourceError:
        return
    assert all(each.problem or isinstance(msgspec.json.decode(each.data), dict) for each in found)
    ends = [each.offset + each.length for each in found]
    assert ends == sorted(ends)
    assert all(end <= len(content) for end in ends)


def test_parquet_keeps_nesting_times_and_every_digit_of_decimals(rows, tmp_path):
    at = datetime(2026, 3, 2, 8, 15, 0, 250_000, tzinfo=UTC)
    pl.DataFrame(
        {
            "at": [at],
            "naive": [at.replace(tzinfo=None)],
            "day": [date(2026, 3, 2)],
            "cost": [Decimal("0.000000000125")],
            "usage": [{"prompt": 12, "parts": [1, 2]}],
            "blob": [b"ab"],
            "nothing": pl.Series([None], dtype=pl.Int64),
        }
    ).write_parquet(tmp_path / "a.parquet")
    assert values(rows("a.parquet")) == [
        {
            "at": "2026-03-02T08:15:00.250000Z",
            "naive": "2026-03-02T08:15:00.250000",
            "day": "2026-03-02",
            "cost": "1.25E-10",
            "usage": {"prompt": 12, "parts": [1, 2]},
            "blob": "YWI=",
            "nothing": None,
        }
    ]


def test_rows_of_many_parquet_groups_come_in_their_order(rows, tmp_path):
    pl.DataFrame({"n": range(12_000)}).write_parquet(tmp_path / "a.parquet", row_group_size=1_000)
    found = rows("a.parquet")
    assert [msgspec.json.decode(each.data)["n"] for each in found] == list(range(12_000))
    assert (found[-1].line, found[-1].offset) == (12_000, 11_999)


@pytest.mark.parametrize("kept", [0, 4, 60, -10])
def test_a_parquet_file_that_is_cut_says_so(rows, tmp_path, kept):
    pl.DataFrame({"n": range(100)}).write_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    with pytest.raises(SourceError, match="cannot read .* as Parquet"):
        rows("b.parquet", whole[:kept])


def test_parquet_is_known_by_its_first_bytes_under_any_name(tmp_path):
    pl.DataFrame({"n": [1]}).write_parquet(tmp_path / "export")
    with (tmp_path / "export").open("rb") as handle:
        assert containers.of(str(tmp_path / "export"), handle) is CONTAINERS["parquet"]


def typed(number: int) -> dict[str, object]:
    return {
        "tollbook": 1,
        "call_id": f"call-{number:08d}",
        "ts": datetime(2026, 9, 1, 10, tzinfo=UTC),
        "model": "gpt-4o",
        "input_tokens": number,
        "output_tokens": 1,
    }


def test_a_parquet_file_of_calls_is_booked_once(books):
    path = books.folder / "calls.parquet"
    pl.DataFrame([typed(number) for number in range(1, 4)]).write_parquet(path)
    assert books.ingest(path).total("added") == 3
    assert books.ingest(path).files[0].unchanged
    assert books.rows("SELECT sum(input_tokens)::INT, max(source_line) FROM requests") == [(6, 3)]


def test_a_parquet_file_written_anew_adds_only_what_is_new(books):
    path = books.folder / "calls.parquet"
    pl.DataFrame([typed(number) for number in range(1, 4)]).write_parquet(path)
    books.ingest(path)
    pl.DataFrame([typed(number) for number in range(1, 6)]).write_parquet(path)
    done = books.ingest(path)
    assert (done.total("added"), done.total("duplicate")) == (2, 3)


def test_a_cut_parquet_file_is_a_problem_and_is_read_when_it_is_whole(books):
    path = books.folder / "calls.parquet"
    pl.DataFrame([typed(1)]).write_parquet(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert "as Parquet" in books.ingest(path).problems[0]
    path.write_bytes(whole)
    assert books.ingest(path).total("added") == 1
