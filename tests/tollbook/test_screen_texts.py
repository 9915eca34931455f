"""What the terminal shows: aligned, whole, and harmless whatever a log's names hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from ledger.figures import Incident, IncidentState, Scope, Severity
from tollbook import screen

NOON = datetime(2026, 10, 6, 12, tzinfo=UTC)


def _incident(tenant: str, summary: str) -> Incident:
    return Incident(
        incident_id="0a1b2c3d4e5f",
        fingerprint="f",
        rule="budget_hard",
        scope=Scope(tenant=tenant),
        severity=Severity.PAGE,
        state=IncidentState.FIRING,
        opened_at=NOON,
        since=NOON,
        updated_at=NOON,
        observed_usd=Decimal(18),
        expected_usd=Decimal(10),
        excess_usd=Decimal(8),
        summary=summary,
        why=(),
        action=None,
        resolved_at=None,
        until=None,
    )


def test_an_incident_is_two_lines():
    assert screen.incidents([_incident("acme", "over its budget")], UTC).splitlines() == [
        "id            severity  state   since (UTC)       excess",
        "0a1b2c3d4e5f  page      firing  2026-10-06 12:00   $8.00",
        "  acme: over its budget",
    ]


def test_a_long_text_is_wrapped_within_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = screen.incidents([_incident("acme", "much more than anybody had planned " * 4)], UTC)
    assert max(map(len, text.splitlines())) <= 60
    assert text.count("planned") == 4


def test_names_from_a_log_cannot_drive_the_terminal():
    hostile = "a\x1b[31mb\x07"
    frame = pl.DataFrame({"tenant": [hostile], "n": [1]})
    shown = screen.answer(frame) + screen.incidents([_incident(hostile, hostile)], UTC)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", shown)


def test_an_answer_aligns_numbers_right_and_counts_its_rows():
    frame = pl.DataFrame({"tenant": ["acme", None, ""], "n": [5, 1200, None]})
    assert screen.answer(frame).splitlines() == [
        "tenant     n",
        "acme       5",
        "–       1200",
        "           –",
        "3 rows",
    ]


def test_nothing_open_is_a_sentence():
    assert screen.incidents([], UTC) == "No open incidents."
    assert screen.rejects(pl.DataFrame()) == "No rejected records."
