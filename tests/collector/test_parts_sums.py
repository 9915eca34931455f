"""Booked as sums, parts give the rollup that booking their calls gives, and close their days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector import rollups
from collector.ingest import Intake
from collector.part_loading import load_parts
from collector.parts import Order, make_parts
from collector.rollup_loading import load_sums, over
from collector.sources import SourceError
from ledger import closed
from ledger.keys import key_id

KEY = bytes(32)
DAY_S = 86_400
# 2026-10-05, 06:13:20 UTC; the files' own times are 2026-10-06, 03:00.
FIRST = 1_791_180_800
NOW = datetime(2026, 10, 20, tzinfo=UTC)


def made(sources, place, **intake: object) -> None:
    for source in sources:
        found = make_parts(Order(str(source), str(place), Intake(**intake), NOW, key_id(KEY)), KEY)
        assert found.problem is None


def rollup(books) -> list[tuple[object, ...]]:
    return books.rows("SELECT * FROM rollup ORDER BY ALL")


@pytest.fixture
def told(chat_record):
    """One record of a call, so many seconds after the first."""

    def one(number: int, after_s: int = 0, **more: object) -> dict[str, object]:
        record = chat_record(number, **more)
        record["response"]["created"] = FIRST + after_s
        return record

    return one


def test_sums_are_those_of_the_calls(books, open_books, told, as_lines, tmp_path):
    logs = [
        books.file("a.jsonl", as_lines([told(1), told(2, 900), told(3, DAY_S), told(1)]) + b"no json\n"),
        books.file("b.jsonl", as_lines([told(2, 900, usage=False), told(4, 2 * DAY_S)])),
    ]
    made(logs, tmp_path / "parts")
    done = load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    rows = open_books()
    load_parts(str(tmp_path / "parts"), rows.visit, (), NOW)
    assert done.calls == 4
    assert rollup(books) == rollup(rows)
    assert books.rows("SELECT count(*) FROM requests") == [(0,)]
    assert books.reasons() == rows.reasons()
    assert books.rows("SELECT path FROM sources ORDER BY 1") == rows.rows(
        "SELECT path FROM sources ORDER BY 1"
    )
    assert books.rows("SELECT price_id FROM prices ORDER BY ALL") == rows.rows(
        "SELECT price_id FROM prices ORDER BY ALL"
    )


def test_summed_days_are_closed(books, told, as_lines, tmp_path):
    made([books.file("a.jsonl", as_lines([told(1), told(2, DAY_S)]))], tmp_path / "parts")
    done = load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert done.days == (date(2026, 10, 5), date(2026, 10, 6))
    assert books.rows("SELECT period_start::DATE, kind FROM sealed ORDER BY 1") == [
        (date(2026, 10, 5), "dropped"),
        (date(2026, 10, 6), "dropped"),
    ]


def test_loading_sums_again_changes_nothing(books, told, as_lines, tmp_path):
    made([books.file("a.jsonl", as_lines([told(1), told(2, DAY_S)]))], tmp_path / "parts")
    load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    before = rollup(books)
    again = load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert (again.days, again.calls, again.late) == ((), 0, 0)
    assert rollup(books) == before


def test_records_of_a_closed_day_are_refused_and_counted_once(books, told, as_lines, tmp_path):
    place = tmp_path / "parts"
    made([books.file("a.jsonl", as_lines([told(1)]))], place)
    load_sums(str(place), books.visit, (), NOW)
    before = rollup(books)
    made([books.file("late.jsonl", as_lines([told(2), told(3)]))], place)
    first = load_sums(str(place), books.visit, (), NOW)
    assert (first.late, first.late_sources) == (2, (str(books.folder / "late.jsonl"),))
    assert load_sums(str(place), books.visit, (), NOW).late == 0
    assert rollup(books) == before
    # They are told of as every other record that is not booked: read, and among the rejects.
    assert books.rows("SELECT sum(read)::INT, sum(rejected)::INT FROM ingest_runs") == [(3, 2)]
    assert books.rows("SELECT DISTINCT reason LIKE 'its day was dropped%' FROM rejects") == [(True,)]


def test_records_that_are_in_the_sums_are_not_late_when_their_source_grew_or_was_made_anew(
    books, told, as_lines, tmp_path
):
    place = tmp_path / "parts"
    log = books.file("a.jsonl", as_lines([told(1), told(2)]))
    made([log], place)
    load_sums(str(place), books.visit, (), NOW)
    made([log], place, assume_time=NOW)
    again = load_sums(str(place), books.visit, (), NOW)
    assert (again.late, again.told_before) == (0, 2)
    made([books.file("a.jsonl", as_lines([told(1), told(2), told(3), told(4, DAY_S)]))], place)
    grown = load_sums(str(place), books.visit, (), NOW)
    assert (grown.late, grown.told_before, grown.calls) == (1, 2, 1)
    assert books.rows("SELECT sum(requests)::INT FROM rollup") == [(3,)]


def test_runs_say_of_sums_what_they_say_of_calls(books, open_books, told, as_lines, tmp_path):
    logs = [
        books.file("a.jsonl", as_lines([told(1), told(2), told(3, DAY_S), told(1)])),
        books.file("b.jsonl", as_lines([told(2, usage=False), told(4, 2 * DAY_S)]) + b"no json\n"),
    ]
    made(logs, tmp_path / "parts")
    load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    rows = open_books()
    load_parts(str(tmp_path / "parts"), rows.visit, (), NOW)
    runs = (
        "SELECT source_file, sum(read), sum(added), sum(updated), sum(duplicate), sum(rejected), sum(bytes) "
        "FROM ingest_runs GROUP BY 1 ORDER BY 1"
    )
    assert books.rows(runs) == rows.rows(runs)


@pytest.mark.parametrize("other", ["sums", "calls", "reading"])
def test_what_another_command_books_meanwhile_is_not_booked_twice(books, told, as_lines, tmp_path, other):
    log = books.file("a.jsonl", as_lines([told(1), told(2)]))
    place = str(tmp_path / "parts")
    made([log], place)
    meanwhile = {
        "sums": lambda: load_sums(place, books.visit, (), NOW),
        "calls": lambda: load_parts(place, books.visit, (), NOW),
        "reading": lambda: books.ingest(log),
    }

    def each(work, items):
        meanwhile[other]()
        return rollups.here(work, items)

    with pytest.raises(SourceError, match="another command booked calls of the same days"):
        load_sums(place, books.visit, (), NOW, each)
    assert books.rows("SELECT sum(requests)::INT FROM rollup") == [(2,)]
    assert books.rows("SELECT count(*) FROM sealed") == [(int(other == "sums"),)]


def test_files_of_the_work_are_gone_when_the_sums_are_booked(books, told, as_lines, tmp_path, monkeypatch):
    monkeypatch.setattr(rollups, "BUCKET_ROWS", 1)
    made([books.file("a.jsonl", as_lines([told(1), told(2)]))], tmp_path / "parts")
    load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        "manifests",
        "prompts",
        "rejects",
        "rows",
    ]


def test_a_day_waits_until_logs_of_a_later_day_were_made_into_parts(books, told, as_lines, tmp_path):
    place = str(tmp_path / "parts")
    before_midnight = DAY_S - (FIRST % DAY_S) - 5
    made([books.file("a.jsonl", as_lines([told(1, before_midnight, usage=False)]))], place)
    soon = datetime(2026, 10, 7, 1, tzinfo=UTC)
    assert load_sums(place, books.visit, (), soon).waiting == (date(2026, 10, 5),)
    made([books.file("b.jsonl", as_lines([told(1, before_midnight + 10)]))], place)
    load_sums(place, books.visit, (), soon)
    load_sums(place, books.visit, (), NOW)
    assert books.rows("SELECT bucket::DATE, requests::INT FROM rollup") == [(date(2026, 10, 6), 1)]


def test_a_day_waits_until_the_day_after_it_is_over(books, told, as_lines, tmp_path):
    made([books.file("a.jsonl", as_lines([told(1), told(2, DAY_S)]))], tmp_path / "parts")
    early = load_sums(str(tmp_path / "parts"), books.visit, (), datetime(2026, 10, 7, 1, tzinfo=UTC))
    assert (early.days, early.waiting) == ((date(2026, 10, 5),), (date(2026, 10, 6),))
    later = load_sums(str(tmp_path / "parts"), books.visit, (), datetime(2026, 10, 9, 1, tzinfo=UTC))
    assert (later.days, later.waiting) == ((date(2026, 10, 6),), ())
    assert books.rows("SELECT sum(requests)::INT FROM rollup") == [(2,)]


def test_a_call_told_before_and_after_midnight_is_one_call_whichever_day_comes_first(
    books, told, as_lines, tmp_path
):
    before_midnight = DAY_S - (FIRST % DAY_S) - 5
    made(
        [
            books.file(
                "a.jsonl", as_lines([told(1, before_midnight), told(1, before_midnight + 10, usage=False)])
            )
        ],
        tmp_path / "parts",
    )
    first = load_sums(str(tmp_path / "parts"), books.visit, (), datetime(2026, 10, 7, 1, tzinfo=UTC))
    second = load_sums(str(tmp_path / "parts"), books.visit, (), datetime(2026, 10, 9, 1, tzinfo=UTC))
    assert (first.calls, second.calls) == (1, 0)
    # The record with usage ranks first, so its time is the call's.
    assert books.rows("SELECT bucket::DATE, requests::INT FROM rollup") == [(date(2026, 10, 5), 1)]


def test_days_with_calls_in_the_ledger_are_left_out_by_name(books, told, as_lines, tmp_path):
    log = books.file("a.jsonl", as_lines([told(1)]))
    books.ingest(log)
    made([log, books.file("b.jsonl", as_lines([told(2), told(3, DAY_S)]))], tmp_path / "parts")
    done = load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert (done.days, done.apart) == ((date(2026, 10, 6),), (date(2026, 10, 5),))
    assert "calls of them are in the ledger one by one, or they are closed: 2026-10-05;" in done.problems[0]
    assert books.rows("SELECT bucket::DATE, requests::INT FROM rollup ORDER BY 1") == [
        (date(2026, 10, 5), 1),
        (date(2026, 10, 6), 1),
    ]


def test_a_day_that_finance_has_closed_is_not_summed_up(books, told, as_lines, tmp_path):
    made([books.file("a.jsonl", as_lines([told(1), told(2, DAY_S)]))], tmp_path / "parts")
    with books.visit() as ledger:
        noon = datetime(2026, 10, 5, 12, tzinfo=UTC)
        closed.close(ledger, noon - timedelta(days=30), noon, NOW)
    done = load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert (done.days, done.apart) == ((date(2026, 10, 6),), (date(2026, 10, 5),))


def test_a_part_that_is_gone_is_named_and_nothing_is_booked(books, told, as_lines, tmp_path):
    made([books.file("a.jsonl", as_lines([told(1)]))], tmp_path / "parts")
    (part,) = (tmp_path / "parts" / "rows").rglob("*.parquet")
    part.unlink()
    with pytest.raises(SourceError, match=f"{part.name} is gone or damaged"):
        load_sums(str(tmp_path / "parts"), books.visit, (), NOW)
    assert rollup(books) == []


@pytest.mark.parametrize(
    ("newest", "now", "ended"),
    [
        (date(2026, 10, 6), datetime(2026, 10, 6, 23, 59, tzinfo=UTC), False),
        (date(2026, 10, 6), datetime(2026, 10, 7, tzinfo=UTC), True),
        (date(2026, 10, 5), datetime(2026, 10, 7, 23, 59, tzinfo=UTC), False),
        (date(2026, 10, 5), datetime(2026, 10, 8, tzinfo=UTC), True),
    ],
)
def test_a_day_is_over_a_day_after_it_ended_or_two_where_no_later_day_has_parts(newest, now, ended):
    day = frozenset({date(2026, 10, 5)})
    assert over(set(day), newest, now) == ((day, frozenset()) if ended else (frozenset(), day))


@settings(
    max_examples=3,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    files=st.lists(
        st.lists(
            st.tuples(st.integers(1, 9), st.booleans(), st.sampled_from([0, 40_000, DAY_S])),
            min_size=1,
            max_size=8,
        ),
        min_size=1,
        max_size=3,
    ),
    buckets=st.integers(1, 4),
)
def test_sums_are_the_same_however_many_buckets_the_calls_are_split_into(
    open_books, told, as_lines, files, buckets
):
    summed, rows = open_books(), open_books()
    place = summed.folder / "parts"
    logs = [
        summed.file(
            f"{number}.jsonl", as_lines([told(call, after, usage=usage) for call, usage, after in each])
        )
        for number, each in enumerate(files)
    ]
    made(logs, place)
    total = sum(map(len, files))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rollups, "BUCKET_ROWS", -(-total // buckets))
        load_sums(str(place), summed.visit, (), NOW + timedelta(days=1))
    load_parts(str(place), rows.visit, (), NOW)
    assert rollup(summed) == rollup(rows)
    spent = summed.rows("SELECT sum(cost_usd) FROM rollup")[0][0]
    assert spent == rows.rows("SELECT sum(cost_usd) FROM requests")[0][0]
    assert isinstance(spent, Decimal)


@pytest.mark.parametrize("buckets", [1, 3])
def test_steps_and_parts_in_other_files_serve_the_calls_of_every_bucket(open_books, as_lines, buckets):
    summed, rows = open_books(), open_books()
    # 2026-10-05, 06:13:20 UTC in the first 48 bits.
    runs = [f"{FIRST * 1000:012x}" for _ in range(8)]
    ids = [f"{at[:8]}-{at[8:]}-7000-8000-{number:012d}" for number, at in enumerate(runs)]
    chain = {"event": "on_chain_start", "run_id": ids[0], "metadata": {"tenant": "acme"}}
    starts = [
        {"event": "on_llm_start", "run_id": each, "prompts": ["When?"], "metadata": {"workflow": name}}
        for each, name in zip(ids[1:], "abcdefg", strict=True)
    ]
    told = {"model_provider": "openai", "model_name": "gpt-4.1-mini-2025-04-14"}
    told["token_usage"] = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    message = {"content": "Now.", "type": "ai", "response_metadata": told}
    answer = {"generations": [[{"text": "Now.", "message": message}]]}
    ends = [
        {"event": "on_llm_end", "run_id": each, "parent_run_id": ids[0], "response": answer}
        for each in ids[1:]
    ]
    logs = [
        summed.file(f"{number}.jsonl", as_lines(each)) for number, each in enumerate([ends, starts, [chain]])
    ]
    place = summed.folder / "parts"
    made(logs, place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rollups, "BUCKET_ROWS", -(-14 // buckets))
        load_sums(str(place), summed.visit, (), NOW)
    load_parts(str(place), rows.visit, (), NOW)
    assert rollup(summed) == rollup(rows)
    expected = [("acme", name, 1) for name in "abcdefg"]
    found = "SELECT tenant, workflow, sum(requests)::INT FROM rollup GROUP BY ALL ORDER BY ALL"
    assert summed.rows(found) == expected
