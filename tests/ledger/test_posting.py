"""Posting: records of one call meet, and what was added before changes nothing."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from ledger import store
from ledger.posting import REJECTS, Outcome, post
from ledger.prices import Contract, Meter

NOW = datetime(2026, 10, 6, tzinfo=UTC)
GATEWAY = {"id": "x", "source": "litellm", "tenant": "acme", "workflow": None, "latency_ms": 900}
SPAN = {
    "id": "x",
    "source": "pair",
    "tenant": None,
    "workflow": "support",
    "input_tokens": 100,
    "output_tokens": 5,
}
COMPLETE = {"id": "x", "tenant": None, "input_tokens": 60, "cache_read_tokens": 40, "output_tokens": 9}


def requests_of(path) -> pl.DataFrame:
    with store.open(path) as ledger:
        return ledger.frame(
            "SELECT * EXCLUDE (ingested_at, source, source_file, source_line, tags) FROM requests ORDER BY 1"
        )


def test_a_record_posted_twice_is_a_duplicate(ledger_path, records, batch):
    frame = records({"id": "a", "input_tokens": 5, "output_tokens": 1})
    with store.open(ledger_path) as ledger:
        first = post(ledger, batch(frame), [], NOW)
        second = post(ledger, batch(frame), [], NOW)
    assert (first.added, first.duplicate) == (1, 0)
    assert (second.added, second.updated, second.duplicate) == (0, 0, 1)
    assert len(requests_of(ledger_path)) == 1


def test_identical_records_without_an_id_merge_and_are_counted(ledger_path, records, batch):
    row = {"id": "a", "id_kind": "record", "digest": "same", "input_tokens": 5, "output_tokens": 1}
    with store.open(ledger_path) as ledger:
        outcome = post(ledger, batch(records(row, {**row, "source_line": 2})), [], NOW)
    assert outcome == Outcome(read=2, added=1, updated=0, duplicate=1, rejected=0, merged_identical=1)


def test_a_later_record_completes_a_call_and_rebooks_it(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(GATEWAY)), [], NOW)
        outcome = post(ledger, batch(records(SPAN)), [], NOW)
    row = requests_of(ledger_path).row(0, named=True)
    assert (outcome.added, outcome.updated) == (0, 1)
    assert (row["tenant"], row["workflow"], row["latency_ms"]) == ("acme", "support", 900)
    assert row["cost_usd"] == Decimal("0.000048")  # 100 × $0.40 + 5 × $1.60 a million


def test_usage_of_two_records_is_never_mixed(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(SPAN, COMPLETE)), [], NOW)
    row = requests_of(ledger_path).row(0, named=True)
    assert (row["input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (60, 40, 9)


@pytest.mark.parametrize("order", list(itertools.permutations([GATEWAY, SPAN, COMPLETE])))
@pytest.mark.parametrize("together", [True, False])
def test_any_order_of_loading_gives_the_same_row(tmp_path, records, batch, order, together):
    def loaded(name, groups):
        path = tmp_path / name
        with store.open(path) as ledger:
            for group in groups:
                post(ledger, batch(records(*group)), [], NOW)
        return requests_of(path)

    reference = loaded("a.duckdb", [[GATEWAY, SPAN, COMPLETE]])
    other = loaded("b.duckdb", [list(order)] if together else [[row] for row in order])
    assert other.equals(reference)
    assert len(other) == 1


def test_a_count_that_stood_in_gives_way_to_reported_usage(ledger_path, records, batch):
    counted = {"id": "x", "counted_input_tokens": 90, "counted_output_tokens": 4, "count_method": "exact"}
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(counted)), [], NOW)
        assert ledger.rows("SELECT usage_source, input_tokens FROM requests") == [("counted", 90)]
        post(ledger, batch(records(SPAN)), [], NOW)
        found = ledger.rows("SELECT usage_source, input_tokens, counted_input_tokens FROM requests")
    assert found == [("reported", 100, 90)]


def test_a_time_of_the_records_own_beats_the_files(ledger_path, records, batch):
    early = {**GATEWAY, "ts": datetime(2026, 10, 1), "ts_estimated": True}
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(early, SPAN)), [], NOW)
        assert ledger.rows("SELECT ts, ts_estimated FROM requests") == [(datetime(2026, 10, 5, 12), False)]


def test_a_failed_commit_leaves_nothing_behind(ledger_path, records, batch):
    good = batch(records({"id": "a", "input_tokens": 5, "output_tokens": 1}))
    broken = pl.DataFrame({"record_digest": [b"x"]})
    with store.open(ledger_path) as ledger:
        with pytest.raises(Exception, match="reason"):
            post(ledger, batch(good.records, broken), [], NOW)
        assert ledger.rows("SELECT count(*) FROM requests") == [(0,)]
        assert ledger.rows("SELECT count(*) FROM ingest_runs") == [(0,)]


def test_a_bad_record_is_kept_once(ledger_path, records, batch):
    bad = pl.DataFrame(
        [
            {
                "record_digest": b"d" * 16,
                "reason": "no JSON",
                "source": "pair",
                "source_file": "a",
                "source_line": 3,
                "source_offset": 9,
                "length": 4,
                "excerpt": "{…",
                "rejected_at": NOW.replace(tzinfo=None),
            }
        ],
        schema=REJECTS,
    )
    with store.open(ledger_path) as ledger:
        for _ in range(2):
            outcome = post(ledger, batch(records().clear(), bad), [], NOW)
        assert outcome.rejected == 1
        assert ledger.rows("SELECT count(*) FROM rejects") == [(1,)]


def test_prices_are_appended_once(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:
        for name in ("a", "b"):
            post(ledger, batch(records({"id": name, "input_tokens": 5, "output_tokens": 1})), [], NOW)
        found = ledger.rows("SELECT meter, usd_per_million FROM prices ORDER BY meter")
        used = ledger.rows(
            "SELECT DISTINCT price_id FROM requests WHERE price_id IN (SELECT price_id FROM prices)"
        )
    assert found == [
        ("cache_read", Decimal("0.1")),
        ("input", Decimal("0.4")),
        ("output", Decimal("1.6")),
    ]
    assert len(used) == 1


def test_a_booked_price_stays_when_a_later_record_adds_only_a_detail(ledger_path, records, batch):
    half = Contract(model="*", discount=Decimal("0.5"))
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(SPAN | {"tenant": "acme"})), [], NOW)
        before = ledger.rows("SELECT cost_usd, price_id FROM requests")
        post(ledger, batch(records(GATEWAY)), [half], NOW)
        after = ledger.rows("SELECT cost_usd, price_id FROM requests")
        assert ledger.rows("SELECT latency_ms FROM requests") == [(900,)]
    assert after == before


def test_a_record_that_tells_the_tenant_brings_the_tenants_own_price(ledger_path, records, batch):
    half = Contract(model="*", tenant="acme", discount=Decimal("0.5"))
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(SPAN)), [half], NOW)
        post(ledger, batch(records(GATEWAY)), [half], NOW)
        assert ledger.rows("SELECT cost_usd FROM requests") == [(Decimal("0.000024"),)]


def test_usage_that_comes_later_is_charged_at_the_price_booked_before(ledger_path, records, batch):
    counted = {"id": "x", "counted_input_tokens": 90, "counted_output_tokens": 4, "count_method": "exact"}
    half = Contract(model="*", discount=Decimal("0.5"))
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(counted)), [], NOW)
        post(ledger, batch(records(SPAN | {"tenant": "acme"})), [half], NOW)
        assert ledger.rows("SELECT cost_usd FROM requests") == [(Decimal("0.000048"),)]


def test_the_count_of_an_answer_survives_a_record_without_its_prompt(ledger_path, records, batch):
    answer = {"id": "x", "input_tokens": 1000, "streamed": True, "counted_output_tokens": 174, "digest": "b"}
    again = {"id": "x", "input_tokens": 1000, "streamed": True, "latency_ms": 7, "digest": "a"}
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(answer)), [], NOW)
        post(ledger, batch(records(again)), [], NOW)
        found = ledger.rows("SELECT usage_source, output_tokens, latency_ms FROM requests")
    assert found == [("estimated", 174, 7)]


def test_a_call_that_succeeded_at_last_does_not_carry_the_error_of_its_first_try(ledger_path, records, batch):
    failed = {"id": "x", "status": "error", "http_status": 429, "error_type": "RateLimitError"}
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(failed)), [], NOW)
        post(ledger, batch(records(SPAN)), [], NOW)
        found = ledger.rows("SELECT status, http_status, error_type FROM requests")
    assert found == [("ok", None, None)]


@pytest.mark.parametrize("days", [(3, 1), (1, 3)])
def test_of_equal_records_without_a_time_the_earliest_files_holds(ledger_path, records, batch, days):
    row = {"id": "x", "id_kind": "record", "digest": "d", "input_tokens": 1, "ts_estimated": True}
    with store.open(ledger_path) as ledger:
        for day in days:
            post(ledger, batch(records({**row, "ts": datetime(2026, 10, day)})), [], NOW)
        assert ledger.rows("SELECT ts FROM requests") == [(datetime(2026, 10, 1),)]


def test_a_reject_seen_again_is_not_counted_again(ledger_path, records, batch):
    bad = pl.DataFrame(
        [(b"d" * 16, "no JSON", "pair", "a", 3, 9, 4, "{…", NOW.replace(tzinfo=None))],
        schema=REJECTS,
        orient="row",
    )
    with store.open(ledger_path) as ledger:
        for _ in range(2):
            post(ledger, batch(records().clear(), bad), [], NOW)
        assert ledger.rows("SELECT sum(rejected) FROM ingest_runs") == [(1,)]


def test_a_call_that_had_no_price_is_priced_when_the_contract_is_completed(ledger_path, records, batch):
    house = {"model": "house", "provider": "own"}
    half = Contract(model="house", usd_per_million={Meter.INPUT: Decimal(1)})
    whole = Contract(model="house", usd_per_million={Meter.INPUT: Decimal(1), Meter.OUTPUT: Decimal(2)})
    with store.open(ledger_path) as ledger:
        post(ledger, batch(records(SPAN | house)), [half], NOW)
        assert ledger.rows("SELECT cost_usd, unpriced_reason FROM requests") == [
            (None, "no price for output")
        ]
        post(ledger, batch(records(GATEWAY | house)), [whole], NOW)
        # The gateway's record tells the tenant too; 100 × $1 + 5 × $2 a million.
        assert ledger.rows("SELECT cost_usd FROM requests") == [(Decimal("0.00011"),)]


@pytest.mark.parametrize("first", [0, 1])
def test_a_price_held_for_a_files_time_gives_way_to_the_calls_own(ledger_path, records, batch, first):
    october = Contract(model="*", discount=Decimal("0.5"), since=date(2026, 10, 1))
    tries = [
        SPAN | {"ts": datetime(2026, 10, 5), "ts_estimated": True, "digest": "a"},
        SPAN | {"ts": datetime(2026, 9, 1), "digest": "b"},
    ]
    with store.open(ledger_path) as ledger:
        for row in (tries[first], tries[1 - first]):
            post(ledger, batch(records(row)), [october], NOW)
        assert ledger.rows("SELECT cost_usd FROM requests") == [(Decimal("0.000048"),)]
