"""Repeats, context windows and reviews, asked of a real ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger import store
from ledger.posting import post
from ledger.prompt_costs import context_use, repeats
from ledger.prompt_reviews import Review, Verdict, alike, matching, record, reviews

NOW = datetime(2026, 10, 6, tzinfo=UTC)
START = datetime(2026, 10, 5, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START.replace(tzinfo=None) + timedelta(minutes=minutes)


def call(name: str, minutes: int, **more: object) -> dict[str, object]:
    told = {"model": "gpt-4.1", "provider": "openai", "input_tokens": 1000, "output_tokens": 0}
    return {"id": name, "ts": at(minutes), "workflow": "faq", **told, **more}


@pytest.fixture
def filled(ledger_path, records, batch):
    with store.open(ledger_path) as ledger:

        def fill(*calls: dict[str, object]):
            post(ledger, batch(records(*calls)), [], NOW)
            return ledger

        yield fill


def test_all_but_the_first_call_of_a_prompt_are_repeats(filled):
    # A thousand tokens of gpt-4.1 are $0.002; the first asked, of 2,000 tokens, is no repeat.
    ledger = filled(
        call("a", 1, prompt_hash="p", input_tokens=2000),
        call("b", 2, prompt_hash="p"),
        call("c", 3, prompt_hash="p"),
        call("d", 4, prompt_hash="other"),
        call("e", 5, prompt_hash="cold", temperature=0.0),
        call("f", 6, prompt_hash="cold", temperature=0.0),
        call("g", 7, prompt_hash="p", tenant="somebody else"),
        call("h", 8, prompt_hash="p", status="error"),
    )
    row = repeats(ledger, START, NOW).row(0, named=True)
    assert (row["workflow"], row["requests"], row["repeats"]) == ("faq", 7, 3)
    assert (row["repeats_usd"], row["fixed_usd"]) == (Decimal("0.006"), Decimal("0.002"))


def test_no_repeats_are_no_row(filled):
    assert repeats(filled(call("a", 1, prompt_hash="p")), START, NOW).is_empty()


def test_calls_near_the_window_are_counted_and_refused_ones_beside_them(filled):
    # gpt-4.1 has a window of a million tokens.
    ledger = filled(
        call("a", 1, input_tokens=950_000),
        call("b", 2, input_tokens=1000, context_chunk_tokens=[100, 300]),
        call("c", 3, input_tokens=0, status="error", error_type="context_length_exceeded"),
    )
    row = context_use(ledger, START, NOW).row(0, named=True)
    assert (row["requests"], row["near"], row["refused"]) == (2, 1, 1)
    assert row["most_share"] == pytest.approx(0.95)
    assert row["least_room"] == 50_000
    assert (row["chunks"], row["tokens_a_chunk"]) == (2, 200)


def test_one_call_that_embeds_many_texts_fills_no_window(filled):
    assert context_use(filled(call("a", 1, operation="embedding")), START, NOW).is_empty()


def test_the_newest_decision_of_a_moment_holds(filled):
    ledger = filled(call("a", 1, prompt_version="aabb"))
    early, late = NOW, NOW + timedelta(hours=1)
    record(ledger, Review("aabb", Verdict.APPROVED, "kim", "worth it", early))
    record(ledger, Review("aabb", Verdict.REJECTED, "lee", "it is not", late))
    assert reviews(ledger, early)["aabb"].verdict is Verdict.APPROVED
    assert reviews(ledger, late)["aabb"].reviewer == "lee"
    assert reviews(ledger, early - timedelta(seconds=1)) == {}
    assert ledger.rows("SELECT detail FROM audit WHERE action = 'prompt.rejected'") == [
        ("aabb by lee: it is not",)
    ]


def test_a_version_is_found_by_its_beginning_and_with_those_of_its_day(filled):
    ledger = filled(
        call("a", 1, prompt_version="aabb", tenant="x"),
        call("b", 60, prompt_version="ccdd", tenant="y"),
        call("c", 60, prompt_version="eeff", workflow="another"),
    )
    assert matching(ledger, "aa") == ["aabb"]
    assert matching(ledger, "zz") == []
    assert alike(ledger, "aabb") == ["aabb", "ccdd"]
