"""Counts of long texts, remembered in the ledger by keyed digest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger import store, token_cache

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
ONE, TWO, THREE = bytes(15) + b"1", bytes(15) + b"2", bytes(15) + b"3"


def test_what_is_kept_is_loaded_again(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {ONE: 100, TWO: 250}, NOW)
    with store.open(tmp_path / "books.duckdb") as ledger:
        assert token_cache.load(ledger) == {ONE: 100, TWO: 250}


def test_keeping_a_count_again_adds_no_second_one(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {ONE: 100}, NOW)
        token_cache.keep(ledger, {ONE: 100, TWO: 250}, NOW + timedelta(minutes=5))
        assert ledger.rows("SELECT key, tokens FROM token_cache ORDER BY key") == [(ONE, 100), (TWO, 250)]


def test_the_counts_used_last_are_loaded_first(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {ONE: 1, TWO: 2, THREE: 3}, NOW)
        token_cache.keep(ledger, {TWO: 2}, NOW + timedelta(days=1))
        assert token_cache.load(ledger, most=1) == {TWO: 2}


def test_an_older_use_does_not_take_the_day_back(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {ONE: 1}, NOW)
        token_cache.keep(ledger, {ONE: 1}, NOW - timedelta(days=3))
        assert ledger.rows("SELECT used_at FROM token_cache") == [(datetime(2026, 11, 22),)]


def test_pruning_leaves_the_counts_used_last(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {ONE: 1}, NOW)
        token_cache.keep(ledger, {TWO: 2, THREE: 3}, NOW + timedelta(days=1))
        assert token_cache.prune(ledger, most=2) == 1
        assert token_cache.prune(ledger, most=2) == 0
        assert token_cache.load(ledger) == {TWO: 2, THREE: 3}


def test_keeping_nothing_is_nothing(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        token_cache.keep(ledger, {}, NOW)
        assert token_cache.load(ledger) == {}
