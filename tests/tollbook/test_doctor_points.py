"""The doctor names what is missing, stale or wrong, and only what is wrong makes it fail."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

from ledger import store
from tollbook import jobs
from tollbook.config import load
from tollbook.doctor import Point, Verdict, examine

MORNING = datetime(2026, 10, 7, 7, tzinfo=UTC)


@pytest.fixture
def place(folder: Path) -> Path:
    return folder / "tollbook.duckdb"


def _examine(folder: Path, place: Path, now: datetime = MORNING) -> list[Point]:
    return examine(load(folder / "tollbook.toml"), place, lambda: store.open(place, read_only=True), now)


def _texts(points: list[Point], about: str, verdict: Verdict) -> list[str]:
    return [point.text for point in points if point.about == about and point.verdict is verdict]


@pytest.fixture
def booked(folder: Path, place: Path) -> Path:
    jobs.ingest_sources(load(folder / "tollbook.toml"), lambda: store.open(place), MORNING)
    return folder


def test_before_the_first_ingest_it_says_what_to_run(folder: Path, place: Path):
    points = _examine(folder, place)
    assert _texts(points, "source", Verdict.OK) == ["logs/*.jsonl: 1 file"]
    assert "run `tollbook ingest`" in _texts(points, "ledger", Verdict.NOTE)[0]
    assert not place.exists()


def test_sound_books_pass_every_self_check(booked: Path, place: Path):
    points = _examine(booked, place)
    assert len(_texts(points, "books", Verdict.OK)) == 5
    assert not [point for point in points if point.verdict is Verdict.FAIL]


def test_the_vocabularies_that_are_here_are_named(folder: Path, place: Path):
    (said,) = _texts(_examine(folder, place), "vocabularies", Verdict.OK)
    assert said.startswith("OpenAI's and Claude's")
    for extra, package in (("mistral", "mistral_common"), ("qwen", "dashscope")):
        assert f"`{extra}`" in said
        assert (f"that of the extra `{extra}`" in said) == (find_spec(package) is not None)


def test_gaps_are_named_with_their_size(booked: Path, place: Path):
    points = _examine(booked, place)
    assert _texts(points, "unpriced", Verdict.NOTE) == ["house-llama-9: 1 request, provider unknown"]
    assert _texts(points, "unattributed", Verdict.NOTE) == [
        "tenant: 11 % of requests, 1 of 9, which cost $1.00"
    ]
    assert _texts(points, "rejects", Verdict.NOTE) == ["2 records: `tollbook rejects` lists them"]


def test_alerts_that_reached_nobody_are_told(booked: Path, place: Path):
    with store.open(place) as ledger:
        for name, state in (("a", "failed"), ("b", "pending"), ("c", "given_up")):
            ledger.execute(
                "INSERT INTO notifications "
                "VALUES (?, ?, 'hook', 'first', ?, '{}', ?, 1, ?, ?, NULL, NULL, NULL, '')",
                [name, name, name, state, MORNING.replace(tzinfo=None), MORNING.replace(tzinfo=None)],
            )
    points = _examine(booked, place)
    assert _texts(points, "notifications", Verdict.NOTE) == ["2 messages waiting to be sent"]
    assert _texts(points, "notifications", Verdict.FAIL)[0].startswith("1 message given up")
    with store.open(place) as ledger:
        health = jobs.daily_of(ledger, load(booked / "tollbook.toml"), MORNING.date(), MORNING).health
    assert (health.undelivered, health.given_up) == (2, 1)


def test_old_data_is_noted(booked: Path, place: Path):
    texts = _texts(_examine(booked, place, datetime(2026, 10, 9, 7, tzinfo=UTC)), "data", Verdict.NOTE)
    assert texts == ["from 2026-10-05 to 2026-10-06, the newest call 2 d 7 h ago"]


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("INSERT INTO requests SELECT * FROM requests LIMIT 1", "every call is booked once"),
        ("UPDATE requests SET cost_usd = cost_usd + 1 WHERE cost_usd > 3", "meters sum to the cost"),
        (
            "UPDATE requests SET cost_answer_usd = cost_answer_usd + 1 WHERE cost_usd > 3",
            "segments and answers sum to the cost",
        ),
        ("UPDATE requests SET seg_user = coalesce(seg_user, 0) + 1", "segments sum to the billed input"),
    ],
)
def test_damaged_books_fail(booked: Path, place: Path, damage: str, check: str):
    with store.open(place) as ledger:
        ledger.execute(damage)
    failed = _texts(_examine(booked, place), "books", Verdict.FAIL)
    assert any(text.startswith(check) for text in failed)


def test_a_channel_without_its_secret_fails(booked: Path, place: Path):
    with (booked / "tollbook.toml").open("a") as config:
        config.write('\n[[channel]]\nname = "oncall"\ntype = "slack"\nurl_env = "SLACK_URL"\n')
    assert "SLACK_URL is not set" in _texts(_examine(booked, place), "channels", Verdict.FAIL)[0]


def test_a_source_that_matches_nothing_is_noted(folder: Path, place: Path):
    with (folder / "tollbook.toml").open("a") as config:
        config.write('\n[[source]]\npath = "elsewhere/*.jsonl"\n')
    assert _texts(_examine(folder, place), "source", Verdict.NOTE) == ["elsewhere/*.jsonl: no file matches"]


OLD_DAMAGE = (
    "INSERT INTO requests SELECT * REPLACE (gen_random_uuid() AS request_id, ts - INTERVAL 30 DAY AS ts, "
    "cost_usd + 1 AS cost_usd) FROM requests WHERE cost_usd IS NOT NULL LIMIT 3",
    "INSERT INTO rollup BY NAME SELECT sum(cost_usd) AS cost_usd, min(time_bucket(INTERVAL 15 MINUTE, ts)) "
    "AS bucket, count(*) AS requests FROM requests "
    "WHERE ts < (SELECT max(ts) FROM requests) - INTERVAL 7 DAY",
)


@pytest.fixture
def damaged_long_ago(booked: Path, place: Path) -> Path:
    with store.open(place) as ledger:
        for damage in OLD_DAMAGE:
            ledger.execute(damage)
    return booked


def test_rows_older_than_a_week_are_left_to_a_deep_look(damaged_long_ago: Path, place: Path):
    points = _examine(damaged_long_ago, place)
    assert _texts(points, "books", Verdict.FAIL) == []
    said = _texts(points, "books", Verdict.OK)
    assert [text.endswith("in the newest 7 days (`--deep`: in all)") for text in said] == [True] * 4 + [False]


def test_a_deep_look_finds_what_is_wrong_in_old_rows(damaged_long_ago: Path, place: Path):
    config = load(damaged_long_ago / "tollbook.toml")
    points = examine(config, place, lambda: store.open(place, read_only=True), MORNING, deep=True)
    assert _texts(points, "books", Verdict.FAIL) == [
        "meters sum to the cost: not so for 3 rows",
        "segments and answers sum to the cost: not so for 3 rows",
    ]
    assert "every call is booked once" in _texts(points, "books", Verdict.OK)
