"""What `tollbook prompts` prints: new prompts, repeats, context windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.prompts import Change
from ledger import units
from ledger.prompt_reviews import Review
from reports import names
from tollbook.screen import table

_NOBODY = "Unattributed"
_CHANGES = ("since", "workflow", "version", "tokens a request", "requests a day", "a month", "review")
_REPEATS = ("asked again", "requests", "repeats", "a cache saves", "at temperature 0")
_CONTEXT = ("window", "p50", "p95", "fullest", "near", "refused", "chunks", "tokens each", "chunks cost")


def review_state(change: Change, decided: Mapping[str, Review]) -> str:
    """What people decided about the versions of a change: rejected if any is, approved if all are."""
    reviews = (decided.get(version) for version in change.versions)
    verdicts = {"open" if review is None else review.verdict.value for review in reviews}
    if "rejected" in verdicts:
        return "rejected"
    return "approved" if verdicts == {"approved"} else "open"


def change_fields(change: Change, decided: Mapping[str, Review]) -> dict[str, object]:
    """A prompt change for JSON."""
    return {
        "workflow": change.workflow,
        "versions": list(change.versions),
        "since": change.seen,
        "previous_input_per_request": change.before and change.before.tokens,
        "input_per_request": change.after and change.after.tokens,
        "previous_usd_per_request": change.before and change.before.usd,
        "usd_per_request": change.after and change.after.usd,
        "requests_per_day": change.a_day,
        "change_usd_per_month": change.usd_a_month,
        "review": review_state(change, decided),
        "reviews": [
            {"version": v, "by": decided[v].reviewer, "note": decided[v].note, "at": decided[v].at}
            for v in change.versions
            if v in decided
        ],
    }


def prompts(
    found: Sequence[Change],
    decided: Mapping[str, Review],
    repeated: pl.DataFrame,
    context: pl.DataFrame,
    days: int,
    zone: ZoneInfo,
) -> str:
    """Three tables: what came, what was asked again, how full the windows were."""
    head = f"The last {days} days"
    parts = [f"{head}: {len(found)} prompt change{'' if len(found) == 1 else 's'}"]
    if found:
        parts.append(table(_CHANGES, [_change(each, decided, zone) for each in found], right=(3, 4, 5)))
    if repeated.height:
        again = [_repeat(row) for row in repeated.iter_rows(named=True)]
        parts.append("\n" + table(_REPEATS, again, right=(1, 2, 3, 4)))
    if context.height:
        windows = [_context(row) for row in context.iter_rows(named=True)]
        parts.append("\n" + table(_CONTEXT, windows, right=range(1, 9)))
        parts.append("near: from 90 % of the window on. Half as many chunks would save half their cost.")
    return "\n".join(parts)


def _change(change: Change, decided: Mapping[str, Review], zone: ZoneInfo) -> tuple[str, ...]:
    more = f" +{len(change.versions) - 1}" if len(change.versions) > 1 else ""
    sides = (change.before, change.after)
    before, after = (units.tokens(None if side is None else round(side.tokens)) for side in sides)
    return (
        units.instant(change.seen, zone),
        names.clean(change.workflow),
        change.versions[0][:12] + more,
        f"{before} → {after}",
        f"{change.a_day:,}",
        units.money(change.usd_a_month, signed=True),
        review_state(change, decided),
    )


def _repeat(row: Mapping[str, object]) -> tuple[str, ...]:
    return (
        names.clean(str(row["workflow"] or _NOBODY)),
        f"{row['requests']:,}",
        f"{row['repeats']:,}",
        units.money(Decimal(str(row["repeats_usd"]))),
        units.money(Decimal(str(row["fixed_usd"]))),
    )


def _context(row: Mapping[str, object]) -> tuple[str, ...]:
    shares = (row["p50_share"], row["p95_share"], row["most_share"])
    chunks, size = row["chunks"], row["tokens_a_chunk"]
    return (
        names.clean(str(row["workflow"] or _NOBODY)),
        *(units.share(None if share is None else float(str(share))) for share in shares),
        f"{row['near']:,}",
        f"{row['refused']:,}",
        units.UNKNOWN if chunks is None else f"{float(str(chunks)):.1f}",
        units.tokens(None if size is None else round(float(str(size)))),
        units.money(Decimal(str(row["context_usd"]))),
    )
