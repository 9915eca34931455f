"""`tollbook counts`, and the alarm of `tollbook check` when calls no longer count as they are billed."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

FIRST = datetime(2026, 10, 1, 9, tzinfo=UTC)
AS_OF = ("--as-of", "2026-10-15T18:00:00Z")
INJECTED = 37


def call(number: int, ts: datetime, extra: int = 0, model: str = "gpt-4.1-mini") -> str:
    """A call of so many words of one token; framing is 7 more, and `extra` what the log does not show."""
    words = 20 + number % 30
    usage = {"prompt_tokens": words + 7 + extra, "completion_tokens": 2, "total_tokens": words + 9 + extra}
    answer = {
        "id": f"chatcmpl-Invented{number:012d}",
        "object": "chat.completion",
        "model": model,
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}
        ],
        "usage": usage,
    }
    request = {"model": model, "messages": [{"role": "user", "content": " the" * words}]}
    return json.dumps({"request": request, "response": answer, "status": 200, "ts": ts.isoformat()}) + "\n"


def two_weeks() -> list[str]:
    days = [FIRST + timedelta(days=day) for day in range(14)]
    return [call(10 * day + n, ts + timedelta(minutes=n)) for day, ts in enumerate(days) for n in range(10)]


def newest(extra: int, calls: int = 25) -> list[str]:
    start = FIRST + timedelta(days=14)
    return [call(900 + n, start + timedelta(minutes=n), extra) for n in range(calls)]


def incidents(tollbook, *lines: str) -> list[dict]:
    done = tollbook("ingest", "-", "--json", *AS_OF, stdin="".join(lines))
    assert json.loads(done.out)["added"] == len(lines), done.err
    listed = json.loads(tollbook("check", "--json", *AS_OF).out)["incidents"]
    return [each for each in listed if each["rule"] == "count_drift"]


def test_a_prompt_that_something_adds_to_on_its_way_is_told_by_model(in_folder):
    (found,) = incidents(in_folder, *two_weeks(), *newest(INJECTED))
    assert found["scope"] == {"model": "gpt-4.1-mini"}
    assert found["severity"] == "ticket"
    assert found["since"].startswith("2026-10-15")
    assert found["summary"] == "0 % of 25 text-only calls count as billed, 100 % is usual"
    why = json.loads(in_folder("sql", "SELECT why FROM incidents WHERE rule = 'count_drift'", "--json").out)
    assert why["rows"][0][0][0] == "the bill is 37 tokens a call above our count, in 25 calls"


def test_two_weeks_of_equal_counts_are_no_finding(in_folder):
    assert incidents(in_folder, *two_weeks(), *newest(0)) == []


def test_a_few_calls_that_differ_are_too_little_evidence(in_folder):
    assert incidents(in_folder, *two_weeks(), *newest(INJECTED, calls=4)) == []


def test_a_model_without_a_past_is_not_held_against_another(in_folder):
    start = FIRST + timedelta(days=14)
    other = [call(500 + n, start + timedelta(minutes=n), INJECTED, "gpt-4o") for n in range(25)]
    assert incidents(in_folder, *two_weeks(), *other) == []


@pytest.fixture(scope="module")
def drifted(tmp_path_factory, spawn_run) -> Path:
    folder = tmp_path_factory.mktemp("drifted")
    done = spawn_run(folder)("ingest", "-", *AS_OF, stdin="".join([*two_weeks(), *newest(INJECTED)]))
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def asked(drifted: Path, tmp_path: Path, run_in):
    return run_in(Path(shutil.copytree(drifted, tmp_path / "copy")))


def test_counts_are_held_against_the_bills_by_model(asked):
    found = json.loads(asked("counts", "--json", *AS_OF).out)
    assert (found["calls"], found["compared"]) == (165, 165)
    (group,) = found["groups"]
    assert group["group"] == "gpt-4.1-mini"
    assert group["exact_share"] == pytest.approx(140 / 165)
    # Most calls are equal, so the middle error is none; the 25 others are off by 37 of 64 to 93.
    assert group["median_error"] == 0
    assert 0.05 < group["mean_error"] < 0.1
    assert group["drift"] < 0


def test_a_span_of_days_is_asked_for_by_its_ends_or_its_length(asked):
    found = json.loads(
        asked("counts", "--since", "2026-10-01", "--until", "2026-10-02", "--json", *AS_OF).out
    )
    assert (found["calls"], found["total"]["exact_share"]) == (20, 1.0)
    found = json.loads(asked("counts", "--days", "1", "--by", "category", "--json", *AS_OF).out)
    assert [group["group"] for group in found["groups"]] == ["text"]
    # 37 more than the 57 to 74 tokens that are seen: the middle of 25 is within 5 % of its own size.
    assert found["total"]["median_error"] == pytest.approx(37 / 77, rel=0.07)


def test_counts_are_asked_for_by_several_dimensions_at_once(asked):
    found = json.loads(asked("counts", "--by", "model,category", "--json", *AS_OF).out)
    assert [(group["group"], group["compared"]) for group in found["groups"]] == [("gpt-4.1-mini, text", 165)]
    assert found["by"] == "model,category"
    assert "model, category" in asked("counts", "--by", "model,category", *AS_OF).out


def test_the_terminal_shows_groups_and_days_within_its_width(asked):
    out = asked("counts", *AS_OF).out
    assert "\ngpt-4.1-mini  " in out
    assert "165 of 165 calls can be compared." in out
    # The week from 12 October has 30 equal calls of 55.
    assert "equal by week  ██▅" in out
    assert max(map(len, out.splitlines())) <= 80


def test_nothing_to_compare_is_said(desk_of_morning):
    done = desk_of_morning("counts", "--as-of", "2026-10-07T07:00:00Z")
    assert done.code == 0
    assert "None of 9 calls can be compared" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--by", "tenant"), "there are model, api, category, method"),
        (("--by", "model,tenant"), "--by 'tenant' is unknown"),
        (("--since", "2026-10-01", "--days", "3"), "give one of them"),
        (("--since", "yesterday"), "write it as"),
        (("--since", "2026-10-03", "--until", "2026-10-01"), "after the last day"),
    ],
)
def test_a_span_or_group_that_cannot_be_is_a_sentence(asked, arguments, words):
    done = asked("counts", *arguments, *AS_OF)
    assert (done.code, words in done.err) == (2, True), done.err
