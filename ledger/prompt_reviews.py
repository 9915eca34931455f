"""What people decided about prompt versions: appended, the newest decision holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from ledger.store import Ledger


class Verdict(StrEnum):
    """What a person decided."""

    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Review:
    """One decision about one prompt version."""

    version: str
    verdict: Verdict
    reviewer: str
    note: str
    at: datetime


def matching(ledger: Ledger, prefix: str) -> list[str]:
    """The known prompt versions that begin so, at most ten."""
    sql = (
        "SELECT DISTINCT prompt_version FROM prompt_use WHERE starts_with(prompt_version, ?) "
        "ORDER BY 1 LIMIT 10"
    )
    return [str(version) for (version,) in ledger.rows(sql, [prefix])]


def alike(ledger: Ledger, version: str) -> list[str]:
    """The versions of the same workflow that came within a day of this one, it among them.

    Prompts often name their tenant, so that one edit is a version with each.
    """
    sql = """
        WITH firsts AS (
            SELECT workflow, prompt_version, min(first_ts) AS seen FROM prompt_use GROUP BY ALL
        ), own AS (SELECT workflow, seen FROM firsts WHERE prompt_version = ?)
        SELECT DISTINCT prompt_version FROM firsts JOIN own USING (workflow)
        WHERE abs(date_diff('hour', own.seen, firsts.seen)) < 24 AND prompt_version IS NOT NULL ORDER BY 1
    """
    return [str(found) for (found,) in ledger.rows(sql, [version])]


def record(ledger: Ledger, review: Review) -> None:
    """Keep a decision, and in the audit that it was taken."""
    at = review.at.astimezone(UTC).replace(tzinfo=None)
    with ledger.transaction():
        ledger.execute(
            "INSERT INTO prompt_reviews VALUES (?, ?, ?, ?, ?)",
            [review.version, review.verdict.value, review.reviewer, review.note, at],
        )
        ledger.execute(
            "INSERT INTO audit VALUES (?, ?, ?)",
            [at, f"prompt.{review.verdict}", f"{review.version} by {review.reviewer}: {review.note}"],
        )


def reviews(ledger: Ledger, now: datetime) -> Mapping[str, Review]:
    """The decision that held at a moment, by prompt version."""
    sql = (
        "SELECT prompt_version, verdict, reviewer, note, reviewed_at FROM prompt_reviews "
        "WHERE reviewed_at <= ? ORDER BY reviewed_at, rowid"
    )
    rows = ledger.rows(sql, [now.astimezone(UTC).replace(tzinfo=None)])
    return {
        str(version): Review(
            str(version),
            Verdict(str(verdict)),
            str(reviewer),
            str(note),
            datetime.fromisoformat(str(at)).replace(tzinfo=UTC),
        )
        for version, verdict, reviewer, note, at in rows
    }
