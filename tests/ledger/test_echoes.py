"""Echoes of calls: rows until the call itself is told, and parts of it from then on."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest

from ledger import store
from ledger.closed import close
from ledger.frames import ECHO
from ledger.merges import merged_sources
from ledger.posting import post, post_all
from ledger.retention import drop
from ledger.rows import unite

NOW = datetime(2026, 10, 7, tzinfo=UTC)
NOON = datetime(2026, 10, 4, 12)
NAME = str(uuid.UUID(bytes=b"echo".ljust(16, b".")))
USAGE = {"input_tokens": 100, "output_tokens": 5, "ts": NOON}
CALL = {"id": "call", "source": "file", "span": NAME, "latency_ms": None, **USAGE}
HEARD = {"id": "heard", "id_kind": ECHO, "request_id": NAME, "source": "event", "span": NAME, **USAGE}
GATEWAY = {"id": "gateway", "source": "gateway", **USAGE}
ROWS = "SELECT count(*), sum(output_tokens)::BIGINT FROM requests"
SUMS = "SELECT sum(requests)::BIGINT, sum(output_tokens)::BIGINT FROM rollup"


@pytest.fixture
def told(records, batch):
    """Batches of the call, of its echo, and of a gateway's record under the call's own id."""
    call = records(CALL)
    gateway = records({**GATEWAY, "request_id": call["request_id"][0]})
    return {"call": batch(call), "echo": batch(records(HEARD)), "gateway": batch(gateway)}


@pytest.mark.parametrize("order", list(permutations(["call", "echo", "gateway"])))
def test_a_call_its_echo_and_another_record_of_it_are_one_row_in_any_order(ledger_path, told, order):
    with store.open(ledger_path) as ledger:
        for name in (*order, *order):
            post(ledger, told[name], [], NOW)
        assert ledger.rows(ROWS) == ledger.rows(SUMS) == [(1, 5)]
        assert unite(ledger, [], NOW) == 0


def test_a_call_and_its_echo_in_one_commit_are_one_row(ledger_path, told):
    with store.open(ledger_path) as ledger:
        found = post_all(ledger, [told["echo"], told["call"]], [], NOW)
        assert ledger.rows(ROWS) == [(1, 5)]
    assert [(each.added, each.updated, each.set_aside) for each in found] == [(0, 1, 0), (1, 0, 0)]


def test_a_call_that_takes_its_echos_place_is_no_new_one(ledger_path, told):
    with store.open(ledger_path) as ledger:
        before, after, again = (post(ledger, told[name], [], NOW) for name in ("echo", "call", "echo"))
    assert (before.added, before.updated, before.set_aside) == (1, 0, 0)
    assert (after.added, after.updated, after.duplicate) == (0, 1, 0)
    assert (again.added, again.updated, again.duplicate) == (0, 0, 1)


def test_a_call_and_its_echo_are_shown_as_told_by_both(ledger_path, told):
    with store.open(ledger_path) as ledger:
        for name in ("echo", "call"):
            post(ledger, told[name], [], NOW)
        (found,) = merged_sources(ledger, NOW - timedelta(days=30), NOW)
    # 100 × 0.40 + 5 × 1.60 dollars a million
    assert (found.sources, found.requests, found.usd) == ("event + file", 1, Decimal("0.000048"))


@pytest.mark.parametrize("order", list(permutations(["call", "echo"])))
def test_an_echo_that_tells_of_more_output_gives_the_usage_and_not_the_place(
    ledger_path, told, records, batch, order
):
    louder = {**told, "echo": batch(records({**HEARD, "output_tokens": 50}))}
    with store.open(ledger_path) as ledger:
        for name in order:
            post(ledger, louder[name], [], NOW)
        found = ledger.rows("SELECT output_tokens, source, id_kind FROM requests")
    assert found == [(50, "file", "response")]


def test_an_echo_of_a_closed_call_changes_no_row(ledger_path, told):
    with store.open(ledger_path) as ledger:
        post(ledger, told["call"], [], NOW)
        close(ledger, datetime(2026, 10, 1, tzinfo=UTC), NOW, NOW)
        post(ledger, told["echo"], [], NOW)
        assert ledger.rows(ROWS) == ledger.rows(SUMS) == [(1, 5)]


def test_a_call_whose_echo_is_closed_corrects_it_and_adds_nothing(ledger_path, records, batch, told):
    said_more = batch(records({**CALL, "output_tokens": 7}))
    with store.open(ledger_path) as ledger:
        post(ledger, told["echo"], [], NOW)
        close(ledger, datetime(2026, 10, 1, tzinfo=UTC), NOW, NOW)
        for name in ("first", "again"):
            found = post(ledger, said_more, [], NOW)
            assert (found.added, found.duplicate) == (0, int(name == "again"))
        assert ledger.rows(ROWS) == ledger.rows(SUMS) == [(1, 5)]
        corrected = "SELECT old_value, new_value FROM corrections WHERE column_name = 'output_tokens'"
        assert ledger.rows(corrected) == [("5", "7")]


def test_an_echo_goes_with_the_day_of_its_call(ledger_path, told):
    with store.open(ledger_path) as ledger:
        for name in ("echo", "call"):
            post(ledger, told[name], [], NOW)
        drop(ledger, 1, NOW)
        assert ledger.rows("SELECT count(*) FROM record_parts") == [(0,)]
