"""Find costly new prompts that nobody approved."""

from __future__ import annotations

from decimal import Decimal

from analytics.books import Books
from analytics.prompts import DAYS_A_MONTH, Change, changes
from ledger import units
from ledger.figures import Finding, Scope, Severity

_HOURS = 7 * 24


def find(books: Books) -> list[Finding]:
    """New prompts of the last week that add the threshold a month or more, until each version is approved."""
    if books.review_from_usd is None:
        return []
    found = changes(books.prompts, books.last(_HOURS))
    told = (_told(books, change, books.review_from_usd) for change in found)
    return [finding for finding in told if finding]


def _told(books: Books, change: Change, least: Decimal) -> Finding | None:
    before, after, a_month = change.before, change.after, change.usd_a_month
    waiting = [version for version in change.versions if not books.approvals.get(version, False)]
    if before is None or after is None or a_month is None or a_month < least or not waiting:
        return None
    small, large = (units.tokens(round(group.tokens)) for group in (before, after))
    refused = any(books.approvals.get(version) is False for version in waiting)
    said = "was rejected" if refused else "is not reviewed"
    return Finding(
        rule="prompt_review",
        scope=Scope(workflow=change.workflow),
        severity=Severity.TICKET,
        found_at=books.now,
        since=change.seen,
        window_start=change.seen,
        window_end=books.end,
        observed_usd=(after.usd * change.a_day * DAYS_A_MONTH),
        expected_usd=(before.usd * change.a_day * DAYS_A_MONTH),
        excess_usd=a_month,
        summary=f"a new prompt adds {units.money(a_month)} a month and {said}",
        why=(
            f"{small} → {large} input tokens a request, {change.a_day:,} requests a day",
            f"{len(waiting)} of {len(change.versions)} versions wait, {waiting[0][:12]} first",
            f"`tollbook prompts approve {waiting[0][:12]} --by NAME --note WHY` closes it, or reject",
        ),
    )
