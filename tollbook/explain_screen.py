"""What `tollbook explain` prints: a sentence, the factors, the parts of the prompt, who moved."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.period import Period
from analytics.reasons import SEGMENT_NAMES
from ledger import units
from ledger.frames import MOVERS
from reports import names
from tollbook.screen import table

_TOLD = 3
_WORTH_TELLING = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Explained:
    """A change in spend between two periods and what it is made of."""

    current: Period
    versus: Period
    zone: ZoneInfo
    now_usd: Decimal
    before_usd: Decimal
    factors: pl.DataFrame
    segments: pl.DataFrame
    ranked: pl.DataFrame


def as_movers(contributors: pl.DataFrame) -> pl.DataFrame:
    """Contributors, whose reasons are told in more words, as MOVERS of the same cells."""
    cell = pl.concat_list("tenant", "workflow", "model").alias("cell")
    return contributors.select(cell, *(name for name in MOVERS if name != "cell"))


def sentence(told: Explained) -> str:
    """The change, and the few that moved most of it with their reasons."""
    change = told.now_usd - told.before_usd
    if change == 0:
        return f"{units.money(told.now_usd)} in both periods."
    by = f" ({units.share(float(change / told.before_usd), signed=True)})" if told.before_usd else ""
    head = f"{units.money(change, signed=True)}{by}"
    largest = [
        row
        for row in told.ranked.head(_TOLD).iter_rows(named=True)
        if abs(row["change_usd"]) >= _WORTH_TELLING * abs(change)
    ]
    parts = [
        f"{units.money(row['change_usd'], signed=True)} {_title(row['cell'])} ({row['reason']})"
        for row in largest
    ]
    rest = change - sum((row["change_usd"] for row in largest), Decimal(0))
    if abs(rest) >= Decimal("0.01"):
        parts.append(f"{units.money(rest, signed=True)} all others")
    return f"{head}: {'; '.join(parts)}."


def _title(cell: list[str | None]) -> str:
    return names.clean(" / ".join(value or "Unattributed" for value in cell))


def explained(told: Explained) -> str:
    """The sentence and three tables; amounts of each sum to the change, or to the factor they split."""
    title = f"{_span(told.current, told.zone)} against {_span(told.versus, told.zone)} ({told.zone.key})"
    totals = f"{units.money(told.before_usd)} → {units.money(told.now_usd)}"
    factors = [
        (row["label"], units.money(row["change_usd"], signed=True))
        for row in told.factors.iter_rows(named=True)
        if row["change_usd"]
    ]
    parts = [title, f"{totals}: {sentence(told)}"]
    if factors:
        parts.append("\n" + table(("by factor", "change"), factors, right=(1,)))
    if segments := _segments(told.segments):
        parts.append("\n" + segments)
    if told.ranked.height:
        parts.append("\n" + _ranked(told.ranked))
    return "\n".join(parts)


def _span(span: Period, zone: ZoneInfo) -> str:
    return f"{units.instant(span.start, zone)} to {units.instant(span.end, zone)}"


def _segments(segments: pl.DataFrame) -> str:
    rows = [
        (
            SEGMENT_NAMES.get(row["segment"], "less what cache writes took"),
            f"{_tokens(row['previous_per_request'])} → {_tokens(row['per_request'])}",
            units.money(row["change_usd"], signed=True),
        )
        for row in segments.iter_rows(named=True)
        if row["change_usd"]
    ]
    heads = ("input tokens by part", "tokens a request", "change")
    return table(heads, rows, right=(1, 2)) if rows else ""


def _tokens(count: float | None) -> str:
    return units.tokens(None if count is None else round(count))


def _ranked(ranked: pl.DataFrame) -> str:
    rows = [
        (
            _title(row["cell"]),
            units.money(row["previous_cost_usd"]),
            units.money(row["cost_usd"]),
            units.money(row["change_usd"], signed=True),
            names.clean(row["reason"]),
        )
        for row in ranked.iter_rows(named=True)
    ]
    return table(("who", "before", "now", "change", "why"), rows, right=(1, 2, 3))


def held_against_plan(held: pl.DataFrame, current: Period, zone: ZoneInfo) -> str:
    """Spend beside plan, largest gap first."""
    title = f"{_span(current, zone)} against plan ({zone.key})"
    if held.is_empty():
        return f"{title}\nNothing is planned: a [[budget]] in dollars, of all or of a tenant, is a plan."
    rows = [
        (
            names.clean(row["tenant"]) if row["tenant"] else _unnamed(row["plan_usd"]),
            units.money(row["plan_usd"]),
            units.money(row["cost_usd"]),
            units.money(row["change_usd"], signed=True),
        )
        for row in held.iter_rows(named=True)
    ]
    sums = [Decimal(held[name].sum() or 0) for name in ("plan_usd", "cost_usd", "change_usd")]
    rows.append(("Total", units.money(sums[0]), units.money(sums[1]), units.money(sums[2], signed=True)))
    return f"{title}\n{table(('', 'plan', 'spent', 'gap'), rows, right=(1, 2, 3))}"


def _unnamed(plan: Decimal | None) -> str:
    return "without a plan" if plan is None else "all spend"
