"""Calibrations at ingest: they correct estimates, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from analytics.calibration import refit
from collector.counting import RULES_VERSION, count
from collector.counting.learned import by_key, calibrated
from ledger import calibrations
from ledger.types import SEGMENTS, Api, Calibration, Message, Part, PartKind, Prompt, Request, Tool


def learned(*key: str, factor: float = 2.0, intercept: float = 10.0, least: float = 3.0) -> Calibration:
    """As learned of counts of `least` to 400 tokens."""
    return Calibration(4, *key, factor, intercept, least, 400.0, 0.02, 90)


GEMINI = ("gemini-2.5-flash", "gemini.generate", "text", "o200k_base", RULES_VERSION)
LEARNED = learned(*GEMINI)


def asked(text: str, model: str = "gemini-2.5-flash", api: Api = Api.GEMINI_GENERATE) -> Request:
    prompt = Prompt((Message("user", (Part(PartKind.TEXT, text),)),))
    return Request(api=api, model=model, prompt=prompt)


def test_an_estimate_is_corrected_and_says_by_which_version() -> None:
    request = asked("Say hello")
    counted = calibrated(count(request), request, by_key([LEARNED]))
    assert (counted.input_tokens, counted.error) == (2 * 3 + 10, 0.02)
    assert counted.rules == f"{RULES_VERSION}+cal4"
    assert sum(getattr(counted.segments, name) for name in SEGMENTS) == 16


def test_an_exact_count_is_never_corrected() -> None:
    request = asked("hello", "gpt-4o", Api.OPENAI_CHAT)
    known = learned("gpt-4o", "openai.chat", "text", "o200k_base", RULES_VERSION)
    assert calibrated(count(request), request, by_key([known])) == count(request)


def test_another_category_of_the_model_is_left_alone() -> None:
    prompt = Prompt((Message("user", (Part(PartKind.TEXT, "Say hello"),)),), tools=(Tool("look"),))
    request = Request(api=Api.GEMINI_GENERATE, model="gemini-2.5-flash", prompt=prompt)
    assert calibrated(count(request), request, by_key([LEARNED])) == count(request)


def test_smaller_and_larger_prompts_than_it_was_learned_from_are_left_alone() -> None:
    known = by_key([learned(*GEMINI, factor=1.301, intercept=-68.3, least=200.0)])
    for request in (asked("Say hello"), asked(" word" * 500)):
        assert calibrated(count(request), request, known) == count(request)


def test_no_calibration_takes_away_from_the_visible_text() -> None:
    request = asked(" word" * 100)
    known = by_key([learned(*GEMINI, factor=1.0, intercept=-68.0)])
    assert calibrated(count(request), request, known).input_tokens == count(request).input_tokens


def test_what_each_call_costs_besides_is_not_laid_on_the_text() -> None:
    request = asked("Say hello")
    parts = calibrated(count(request), request, by_key([learned(*GEMINI, intercept=500.0)])).segments
    assert (parts.user, parts.unexplained) == (2 * count(request).segments.user, 500)


@pytest.mark.parametrize("other", [(*GEMINI[:4], "2026-10.9"), (*GEMINI[:3], "tekken", RULES_VERSION)])
def test_what_was_learned_of_other_rules_or_another_vocabulary_is_not_applied(other) -> None:
    request = asked("Say hello")
    assert calibrated(count(request), request, by_key([learned(*other)])) == count(request)


def test_a_ledger_learns_from_its_bills_and_counts_by_what_it_learned(books, as_lines):
    def record(number: int, usage: bool = True) -> dict[str, object]:
        words = " word" * (10 + number)
        response: dict[str, object] = {
            "modelVersion": "gemini-2.5-flash",
            "responseId": f"learned{number:020}",
            "createTime": "2026-10-05T12:00:00Z",
            "candidates": [{"content": {"parts": [{"text": "ok"}]}}],
        }
        if usage:
            # This provider bills half as much again as we count, and 20.
            billed = round(1.5 * (1.02 * (10 + number) + 1)) + 20
            response["usageMetadata"] = {"promptTokenCount": billed, "candidatesTokenCount": 1}
        return {
            "url_path": "/v1beta/models/gemini-2.5-flash:generateContent",
            "request": {"contents": [{"role": "user", "parts": [{"text": words}]}]},
            "response": response,
        }

    books.ingest(books.file("a.jsonl", as_lines([record(number) for number in range(80)])))
    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    naive = [moment.replace(tzinfo=None) for moment in (start, end, end)]
    with books.visit() as ledger:
        known = calibrations.pairs(ledger, start, end, RULES_VERSION)
        assert known.height == 80
        calibrations.keep(ledger, refit(known, (), calibrations.next_version(ledger), *naive))
        assert [one.version for one in calibrations.in_force(ledger)] == [1]
    books.ingest(books.file("b.jsonl", as_lines([record(60, usage=False)])))
    found = books.rows(
        "SELECT counted_input_tokens, input_tokens, usage_source, rules FROM requests"
        " WHERE rules LIKE '%cal%'"
    )
    expected = 1.5 * (1.02 * 70 + 1) + 20
    assert len(found) == 1
    assert abs(found[0][0] - expected) / expected < 0.02
    assert found[0][1:] == (found[0][0], "estimated", f"{RULES_VERSION}+cal1")
    with books.visit() as ledger:
        again = calibrations.pairs(ledger, start, end, RULES_VERSION)
        assert again.equals(known)
        assert calibrations.pairs(ledger, start, end, "2026-10.9").is_empty()
