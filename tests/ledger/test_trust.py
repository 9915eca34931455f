"""A fast counter that was found wrong is remembered by its name and version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ledger import store, trust

NOW = datetime(2026, 11, 22, 18, 30, tzinfo=UTC)
WHY = "fastokens 0.3.5 counted a text of 80 characters otherwise than tiktoken (o200k_base)"


def test_a_reason_is_written_down_once_with_its_day(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        trust.distrust(ledger, WHY, NOW)
        trust.distrust(ledger, "fastokens 0.3.5 counted another text otherwise than tiktoken", NOW)
        assert trust.distrusted(ledger) == (f"{WHY} on 2026-11-22",)


def test_another_version_is_judged_by_itself(tmp_path: Path) -> None:
    with store.open(tmp_path / "books.duckdb") as ledger:
        trust.distrust(ledger, WHY, NOW)
        assert trust.reason_against(ledger, "fastokens 0.3.5") == f"{WHY} on 2026-11-22"
        assert trust.reason_against(ledger, "fastokens 0.3.6") is None
        assert trust.reason_against(ledger, None) is None
