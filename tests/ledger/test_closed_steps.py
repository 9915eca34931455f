"""What a step or a part tells of a call that came late for a closed period is in its corrections."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from ledger import closed, store
from ledger.frames import PART, RECORDS, SPANS
from ledger.posting import post

NOW = datetime(2026, 11, 3, tzinfo=UTC)
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
CALL, TOP = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


@pytest.fixture
def told(records, batch):
    """A call of the closed October, a part of it and the step above it, each a batch of its own."""
    none = {"tenant": None, "workflow": None, "span": CALL}
    call = records({"id": "b", "parent_span": TOP, "input_tokens": 500_000, "output_tokens": 0, **none})
    part = records({"id": "p", "id_kind": PART, "environment": "prod", **none})
    step = {
        **dict.fromkeys(SPANS),
        "span": TOP,
        "ts": datetime(2026, 10, 5, 12),
        "ts_estimated": False,
        "tenant": "acme",
        "workflow": "triage",
    }
    above = replace(batch(call.clear()), records=RECORDS.to_frame(), spans=pl.DataFrame([step], schema=SPANS))
    return [batch(call), batch(part.with_columns(request_id=pl.lit(CALL))), above]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_late_call_is_corrected_by_its_part_and_the_step_above_it_in_any_order(ledger_path, told, order):
    with store.open(ledger_path) as ledger:
        closed.close(ledger, *OCTOBER, NOW)
        for number in [*order, *order]:
            post(ledger, told[number], [], NOW)
        found = dict(
            ledger.rows(
                "SELECT column_name, new_value FROM corrections "
                "WHERE column_name IN ('tenant', 'workflow', 'environment', 'cost_usd')"
            )
        )
        assert ledger.rows("SELECT count(*) FROM requests") == [(0,)]
    # 500,000 × $0.40 a million
    assert found == {
        "tenant": "acme",
        "workflow": "triage",
        "environment": "prod",
        "cost_usd": "0.200000000000",
    }


def test_a_late_step_counts_as_an_update_of_the_late_call_once(ledger_path, told):
    call, _, above = told
    with store.open(ledger_path) as ledger:
        closed.close(ledger, *OCTOBER, NOW)
        post(ledger, call, [], NOW)
        assert [post(ledger, above, [], NOW).updated for _ in range(2)] == [1, 0]
