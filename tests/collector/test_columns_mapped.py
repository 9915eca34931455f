"""A column map makes rows of any table into calls; tables are invented, their calls derived by hand."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl
import pytest

from collector.columns import ColumnMap, Mapped, check_key, proposed, record_of
from collector.formats import FORMATS
from ledger.types import Request, Usage

BASE = {"ts": "when", "model": "llm", "input_tokens": "in", "output_tokens": "out"}
ROW = {"when": "2026-09-02T12:30:00Z", "llm": "gpt-4.1-mini", "in": "1000", "out": "50"}


def call(row: Mapping[str, object], columns: Mapping[str, str] | None = None, **semantics: object) -> Request:
    found = FORMATS["table"].read(
        record_of(ColumnMap(BASE | dict(columns or {}), **semantics), ROW | dict(row))
    )
    assert isinstance(found, Request)
    return found


def refused(row: Mapping[str, object], columns: Mapping[str, str] | None = None, **semantics: object) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        call(row, columns, **semantics)
    return str(caught.value)


def test_text_of_a_csv_becomes_counts_and_times():
    found = call({})
    assert found.usage == Usage(input_tokens=1000, output_tokens=50)
    assert (found.model, found.ts) == ("gpt-4.1-mini", datetime(2026, 9, 2, 12, 30, tzinfo=UTC))


def test_an_empty_field_is_unknown_and_not_zero():
    assert call({"out": " "}).usage == Usage(input_tokens=1000)


def test_nested_columns_are_dotted_and_a_dot_may_stand_in_a_name():
    columns = {"input_tokens": "usage.prompt", "output_tokens": "usage.out"}
    found = call({"usage": {"prompt": 7}, "usage.out": 3}, columns)
    assert found.usage == Usage(input_tokens=7, output_tokens=3)


def test_cached_tokens_are_taken_out_of_an_input_that_includes_them():
    columns = {"cache_read_tokens": "read", "cache_write_tokens": "written"}
    row = {"read": "400", "written": "100"}
    assert call(row, columns, input_includes_cached=True).usage == Usage(
        input_tokens=500, cache_read_tokens=400, cache_write_tokens=100, output_tokens=50
    )
    assert call(row, columns).usage == Usage(
        input_tokens=1000, cache_read_tokens=400, cache_write_tokens=100, output_tokens=50
    )


def test_more_cached_tokens_than_input_are_refused_never_clamped():
    said = refused({"read": "1001"}, {"cache_read_tokens": "read"}, input_includes_cached=True)
    assert said == "cached tokens are 1001, more than the input of 1000 that includes them"


def test_reasoning_beside_the_output_is_put_into_it():
    columns = {"reasoning_tokens": "thought"}
    found = call({"thought": 30}, columns, output_includes_reasoning=False)
    assert found.usage == Usage(input_tokens=1000, output_tokens=80, reasoning_tokens=30)


@pytest.mark.parametrize(
    ("said", "unit"), [("1788352200", "s"), ("1788352200000", "ms"), (1788352200000000, "us")]
)
def test_times_may_be_numbers_of_a_unit(said, unit):
    assert call({"when": said}, units={"ts": unit}).ts == datetime(2026, 9, 2, 12, 30, tzinfo=UTC)


def test_times_may_have_a_form_and_a_zone_of_their_own():
    semantics = {"time_format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"}
    assert call({"when": "02.09.2026 14:30"}, **semantics).ts == datetime(2026, 9, 2, 12, 30, tzinfo=UTC)
    # Winter time is an hour off, summer time two.
    assert call({"when": "02.01.2026 14:30"}, **semantics).ts == datetime(2026, 1, 2, 13, 30, tzinfo=UTC)


def test_a_zone_leaves_times_with_an_offset_alone():
    found = call({"when": "2026-09-02T14:30:00+02:00"}, time_zone="Asia/Tokyo")
    assert found.ts == datetime(2026, 9, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("unit", "dollars"),
    [("usd", "12.000000000000"), ("cents", "0.120000000000"), ("micros", "0.000012000000")],
)
def test_costs_are_exact_in_their_unit(unit, dollars):
    found = call({"price": "12"}, {"reported_cost_usd": "price"}, units={"reported_cost_usd": unit})
    assert str(found.reported_cost_usd) == dollars


def test_durations_have_units_too():
    assert call({"took": "1.5"}, {"latency_ms": "took"}, units={"latency_ms": "s"}).latency_ms == 1500


def test_constants_tags_and_metadata_are_in_every_row():
    found = call(
        {"feature": "search", "cc": 42},
        {"tags.feature": "feature", "metadata.cost_centre": "cc"},
        constants={"provider": "openai", "tenant": "acme"},
    )
    assert (found.provider, found.tags) == ("openai", {"feature": "search"})
    assert (found.attributes["tenant"], found.attributes["metadata.cost_centre"]) == ("acme", "42")


def test_ids_of_one_table_may_get_something_in_front():
    assert call({"id": 123}, {"call_id": "id"}, call_id_prefix="shop-").call_id == "shop-123"


def test_a_wrong_value_is_refused_with_its_column_and_no_text_of_it():
    assert refused({"in": "many"}) == "column 'in' (input_tokens) is text of 4 characters, expected a number"
    assert (
        refused({"in": "1.5"})
        == "column 'in' (input_tokens) is text of 3 characters, expected a whole number"
    )
    assert refused({"when": "noon"}) == (
        "column 'when' (ts) is text of 4 characters, expected an ISO time or epoch number"
    )


def test_a_wrong_key_is_told_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'input_tokens'"):
        check_key("input_token")


def test_a_map_is_proposed_by_the_names_of_the_columns():
    row = {
        "createdAt": "",
        "Model Name": "",
        "usage": {"prompt_tokens": 1},
        "completion_tokens": 2,
        "Team": "",
    }
    assert proposed([row]) == {
        "ts": "createdAt",
        "model": "Model Name",
        "tenant": "Team",
        "input_tokens": "usage.prompt_tokens",
        "output_tokens": "completion_tokens",
    }


MAP = (Mapped(".*", ColumnMap(BASE | {"call_id": "id"})),)
HEAD = "id,when,llm,in,out\n"


def line(number: int, count: object = 10) -> str:
    return f"run-{number:08d},2026-09-02T12:30:00Z,gpt-4.1-mini,{count},5\n"


def table(books, *lines: str, age_s: int = 0):
    return books.file("calls.csv", (HEAD + "".join(lines)).encode(), age_s)


def sums(books) -> list[tuple[object, ...]]:
    return books.rows("SELECT count(*), sum(input_tokens)::INT, max(source_line) FROM requests")


def test_a_table_is_booked_by_its_map(books):
    done = books.ingest(table(books, line(1), line(2, 20)), tables=MAP)
    assert (done.total("added"), dict(done.formats)) == (2, {"table": 2})
    assert sums(books) == [(2, 30, 3)]


def test_a_table_that_grows_is_read_on_and_nothing_is_doubled(books):
    books.ingest(table(books, line(1), age_s=120), tables=MAP)
    grown = books.ingest(table(books, line(1), line(2), age_s=90), tables=MAP)
    assert (grown.total("read"), grown.total("added")) == (1, 1)
    assert books.ingest(table(books, line(1), line(2), age_s=90), tables=MAP).files[0].unchanged


def test_a_row_that_is_being_written_waits_for_its_rest(books):
    written = datetime(2026, 10, 6, 3, tzinfo=UTC)
    table(books, line(1), line(2, 1234)[:-7])
    path = books.folder / "calls.csv"
    first = books.ingest(path, now=written, tables=MAP)
    assert (first.total("added"), sums(books)) == (1, [(1, 10, 2)])
    table(books, line(1), line(2, 1234))
    assert books.ingest(path, now=written, tables=MAP).total("added") == 1
    assert sums(books) == [(2, 1244, 3)]
    assert books.reasons() == []


def test_the_last_row_of_a_file_without_a_line_end_is_booked_once_it_is_left_alone(books):
    written = datetime(2026, 10, 6, 3, tzinfo=UTC)
    path = table(books, line(1), line(2).rstrip())
    books.ingest(path, now=written, tables=MAP)
    assert sums(books)[0][0] == 1
    books.ingest(path, tables=MAP)
    assert sums(books)[0][0] == 2
    assert books.ingest(path, tables=MAP).files[0].unchanged


def test_a_column_that_is_not_there_is_told_with_the_nearest_and_nothing_is_read(books):
    wrong = (Mapped(".*", ColumnMap(BASE | {"tenant": "whem"})),)
    (problem,) = books.ingest(table(books, line(1)), tables=wrong).problems
    assert "has no column 'whem' for tenant; did you mean 'when'?" in problem
    assert sums(books)[0][0] == 0


def test_a_table_without_a_map_is_told_what_to_do(books):
    (problem,) = books.ingest(table(books, line(1)), format="table").problems
    assert "`tollbook columns` proposes one" in problem


def test_a_bad_row_is_a_reject_with_its_row_number(books):
    books.ingest(table(books, line(1), line(2, "x"), "a,b\n", line(4)), tables=MAP)
    assert books.reasons() == [
        (3, "column 'in' (input_tokens) is text of 1 characters, expected a number"),
        (4, "the row has 2 columns, the header has 5"),
    ]
    assert sums(books) == [(2, 20, 5)]


def test_a_parquet_table_gives_the_same_calls_as_its_csv(books, open_books):
    path = books.folder / "calls.parquet"
    pl.DataFrame(
        {
            "id": ["run-00000001"],
            "when": [datetime(2026, 9, 2, 12, 30)],
            "llm": ["gpt-4.1-mini"],
            "in": [10],
            "out": [5],
        }
    ).write_parquet(path)
    books.ingest(path, tables=MAP)
    other = open_books()
    other.ingest(table(other, line(1)), tables=MAP)
    same = "SELECT request_id, ts, model, input_tokens, output_tokens, cost_usd FROM requests"
    assert books.rows(same) == other.rows(same)


def test_a_table_that_is_packed_after_it_was_read_gives_only_what_is_new(books):
    path = table(books, line(1), line(2), age_s=90)
    books.ingest(path, tables=MAP)
    packed = gzip.compress(path.read_bytes() + line(3).encode())
    path.unlink()
    done = books.ingest(books.file("calls.csv.gz", packed), tables=MAP)
    assert done.total("added") == 1
    assert sums(books) == [(3, 30, 4)]


def test_a_table_that_is_renamed_is_not_doubled(books):
    path = table(books, line(1), line(2), age_s=90)
    books.ingest(path, tables=MAP)
    later = path.rename(books.folder / "calls-1.csv")
    fresh = table(books, line(7), age_s=60)
    assert books.ingest(later, fresh, tables=MAP).total("added") == 1
    assert sums(books) == [(3, 30, 3)]
