"""Why spend moved: by factor, by contributor, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from analytics.attribution import usd_sum
from analytics.factors import IN_FORMULA, Factor, Floats, cells, closed, split
from analytics.period import Period, aware, naive
from analytics.plan import Standing
from analytics.reasons import Moved, reason
from ledger import units
from ledger.frames import CONTRIBUTORS, FACTORS, checked

LABELS = {
    Factor.VOLUME: "Volume of requests",
    Factor.MIX: "Mix of tenants, workflows and models",
    Factor.INPUT_TOKENS: "Input tokens per request",
    Factor.CACHE_HIT: "Cache hits",
    Factor.INPUT_PRICE: "Input price",
    Factor.OUTPUT_TOKENS: "Output tokens per request",
    Factor.OUTPUT_PRICE: "Output price",
    Factor.OTHER: "Other meters and corrections",
}
_KNOWN_FOR = timedelta(days=7)
_FEWEST_CALLS = 3
_WORTH_TELLING = Decimal("0.05")
_SMALLEST_SHARE = 0.05


def factors(rollup: pl.DataFrame, current: Period, versus: Period) -> pl.DataFrame:
    """The change in spend between two periods by factor, as FACTORS; sums to the change to the last digit.

    Shapley values over cells tenant × workflow × model; `other` is what the formula does not hold: cache
    writes, fees, corrections.
    """
    table = cells(rollup, current, versus)
    change = _sum(table, "cost_usd")
    explained = _sum(table, "explained_usd")
    amounts = [*closed(split(table).sum(axis=1).tolist(), explained), change - explained]
    rows = {
        "factor": [factor.value for factor in (*IN_FORMULA, Factor.OTHER)],
        "label": [LABELS[factor] for factor in (*IN_FORMULA, Factor.OTHER)],
        "change_usd": amounts,
    }
    return checked(pl.DataFrame(rows, schema=FACTORS), FACTORS, "factors")


def amount_of(factors: pl.DataFrame, factor: Factor) -> Decimal:
    """What one factor of FACTORS changed spend by."""
    return usd_sum(factors.filter(pl.col("factor") == factor)["change_usd"])


def _sum(table: pl.DataFrame, column: str) -> Decimal:
    return usd_sum(table[column]) - usd_sum(table[f"before_{column}"])


def contributors(
    rollup: pl.DataFrame,
    current: Period,
    versus: Period,
    used: pl.DataFrame | None = None,
    first: int | None = 10,
) -> pl.DataFrame:
    """The cells that moved most, largest change first, as CONTRIBUTORS with a reason in plain words.

    With `first` None all cells, whose changes sum to the change. With PROMPT_USE that reaches a week back a
    prompt that grew names its new version.
    """
    table = cells(rollup, current, versus)
    ranked = (
        table.with_row_index("place")
        .with_columns(change_usd=pl.col("cost_usd") - pl.col("before_cost_usd"))
        .sort(pl.col("change_usd").abs(), "place", descending=[True, False])
    )
    top = ranked if first is None else ranked.head(first)
    versions = {} if used is None else _newest(used, current)
    reasons = _reasons(top, ranked, split(table), versions)
    return checked(
        top.select(
            *("tenant", "workflow", "model", "cost_usd", "change_usd", "requests"),
            previous_cost_usd="before_cost_usd",
            previous_requests="before_requests",
            previous_input_per_request=_per_request("before_", INPUT),
            input_per_request=_per_request("", INPUT),
            previous_output_per_request=_per_request("before_", ("output_tokens",)),
            output_per_request=_per_request("", ("output_tokens",)),
            reason=pl.Series(reasons, dtype=pl.String),
        ),
        CONTRIBUTORS,
        "contributors",
    )


INPUT = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")


def _per_request(side: str, columns: Sequence[str]) -> pl.Expr:
    whole = pl.sum_horizontal(side + column for column in columns)
    requests = pl.col(f"{side}requests")
    return pl.when(requests > 0).then(whole / requests)


def _reasons(
    top: pl.DataFrame, ranked: pl.DataFrame, by_factor: Floats, versions: Mapping[tuple[str | None, str], str]
) -> list[str]:
    found = []
    for row in top.iter_rows(named=True):
        effects = dict(zip(IN_FORMULA, by_factor[:, row["place"]].tolist(), strict=True))
        beside = ranked.filter(
            pl.col("tenant").eq_missing(pl.lit(row["tenant"])),
            pl.col("workflow").eq_missing(pl.lit(row["workflow"])),
        )
        found.append(reason(Moved(row, effects, beside, versions.get((row["tenant"], row["workflow"])))))
    return found


@dataclass(frozen=True, slots=True)
class _Top:
    """The contributor that moved most in the direction of the whole."""

    title: str
    change_usd: Decimal
    reason: str


def sentence(
    day: date,
    total: Decimal | None,
    plan: Standing | None,
    versus_total: Decimal | None,
    versus_label: str,
    contributors: pl.DataFrame,
    factors: pl.DataFrame,
    prompts: pl.DataFrame | None = None,
    clock: str | None = None,
) -> str:
    """The first line of a report: what the day cost, against plan and before, and what moved it.

    Below 5 % and a dollar, or below 1 %, nothing moved and it says so. Of `prompts`, the day's
    PROMPT_CHANGES, the one that adds most is named from 5 % of the spend before. A day that still runs is
    told up to `clock`.
    """
    so_far = "" if clock is None else f" so far, until {clock},"
    if total is None:
        return f"{units.day(day)}{so_far.rstrip(',')}: no request is in the books."
    head = f"{units.day(day)}{so_far} cost {units.money(total)}{_against_plan(plan)}"
    if versus_total is None:
        return f"{head}; there is nothing to compare it with."
    change = total - versus_total
    if not _moved(change, versus_total):
        return f"{head}; nothing moved: {_beside(change, versus_total)} than {versus_label}."
    told = f"{head}{_joint(plan)}{_beside(change, versus_total)} than {versus_label}."
    news = "" if prompts is None else _new_prompt(prompts, versus_total)
    return " ".join(part for part in (told, _cause(change, contributors, factors), news) if part)


def _against_plan(plan: Standing | None) -> str:
    """Where a plan is for some tenants, it is their spend that is held against it, and the rest is named."""
    if plan is None or plan.allowed <= 0:
        return ""
    by = float(abs(plan.planned - plan.allowed) / plan.allowed)
    off = f"{units.money(abs(plan.planned - plan.allowed))} ({units.share(by)})"
    verdict = "on plan" if by < 0.005 else f"{off} {'over' if plan.over else 'under'} plan"
    if plan.unplanned:
        return f": tenants with a budget are {verdict}, {units.money(plan.unplanned)} is of those without"
    return f", {verdict}" if by < 0.005 else f": {verdict}"


def _joint(plan: Standing | None) -> str:
    if plan is None or plan.allowed <= 0:
        return ", "
    return "; all together that is " if plan.unplanned else "; that is "


def _moved(change: Decimal, versus: Decimal) -> bool:
    by = abs(change) / versus if versus else Decimal(1 if change else 0)
    return by >= Decimal("0.05") or (by >= Decimal("0.01") and abs(change) >= 1)


def _beside(change: Decimal, versus: Decimal) -> str:
    if change == 0:
        return "neither more nor less"
    by = f" ({units.share(float(abs(change) / versus))})" if versus else ""
    return f"{units.money(abs(change))}{by} {'more' if change > 0 else 'less'}"


def _cause(change: Decimal, contributors: pl.DataFrame, factors: pl.DataFrame) -> str:
    top = _top(change, contributors)
    if top is None:
        return ""
    part = top.change_usd / change
    direction = "rise" if change > 0 else "fall"
    if part > Decimal("1.15"):
        return f"{top.title} alone moved {units.money(top.change_usd, signed=True)}: {top.reason}."
    if part >= Decimal("0.5"):
        how_much = "Almost all" if part >= Decimal("0.85") else "Most"
        return f"{how_much} of the {direction} is {top.title}: {top.reason}."
    return (
        f"The largest part of the {direction} is {top.title}"
        f" ({units.money(top.change_usd, signed=True)}: {top.reason}){_by_factor(change, factors)}."
    )


def _new_prompt(prompts: pl.DataFrame, versus: Decimal) -> str:
    """The new prompt that adds most to a day, where that is worth a sentence."""
    known = prompts.drop_nulls("change_usd_per_day").sort("change_usd_per_day", "workflow", descending=True)
    if known.is_empty():
        return ""
    row = known.row(0, named=True)
    if not versus or row["change_usd_per_day"] / versus < _WORTH_TELLING:
        return ""
    before, now = (round(row[name]) for name in ("previous_input_per_request", "input_per_request"))
    return (
        f"A new prompt of {row['workflow']} adds {units.money(row['change_usd_per_day'])} a day:"
        f" {units.tokens(before)} → {units.tokens(now)} input tokens a request."
    )


def _top(change: Decimal, contributors: pl.DataFrame) -> _Top | None:
    same_way = contributors.filter(pl.col("change_usd") * (1 if change > 0 else -1) > 0)
    if same_way.is_empty():
        return None
    row = same_way.row(0, named=True)
    return _Top(cell_title(row), row["change_usd"], row["reason"])


def cell_title(row: Mapping[str, Any]) -> str:
    """A cell for people: `acme / support-bot`, dimensions that are not known said so."""
    if row["tenant"] is None and row["workflow"] is None:
        return "Unattributed"
    return f"{row['tenant'] or 'Unattributed'} / {row['workflow'] or 'no workflow'}"


def _by_factor(change: Decimal, factors: pl.DataFrame) -> str:
    if factors.is_empty():
        return ""
    row = factors.sort(pl.col("change_usd") * (1 if change > 0 else -1), descending=True).row(0, named=True)
    return f"; by factor, {row['label'].lower()} ({units.money(row['change_usd'], signed=True)})"


def prompt_changes(used: pl.DataFrame, period: Period) -> list[tuple[str, str, datetime]]:
    """Prompt versions that are new in the period, as (workflow, version, first seen), oldest first.

    New is what was not seen in the 7 days before, in a workflow that had versions then. A version counts
    from three calls and 5 % of the workflow's calls since it came: prompts that differ with every call
    are no change.
    """
    start = naive(period.start)
    known = used.filter(pl.col("workflow").is_not_null(), pl.col("prompt_version").is_not_null())
    before = known.filter(pl.col("ts").is_between(start - _KNOWN_FOR, start, "left"))
    during = known.filter(pl.col("ts").is_between(start, naive(period.end), "left"))
    fresh = (
        during.sort("ts", descending=True)
        .with_columns(calls_since=pl.col("requests").cum_sum().over("workflow"))
        .join(before.select("workflow").unique(), on="workflow", how="semi")
        .join(before, on=["workflow", "prompt_version"], how="anti")
        .group_by("workflow", "prompt_version")
        .agg(
            first_seen=pl.col("ts").min(),
            calls=pl.col("requests").sum(),
            calls_since=pl.col("calls_since").max(),
        )
        .filter(pl.col("calls") >= _FEWEST_CALLS, pl.col("calls") >= _SMALLEST_SHARE * pl.col("calls_since"))
        .sort("first_seen", "workflow", "prompt_version")
    )
    columns = fresh.select("workflow", "prompt_version", "first_seen").iter_rows()
    return [(workflow, version, aware(seen)) for workflow, version, seen in columns]


def _newest(used: pl.DataFrame, period: Period) -> dict[tuple[str | None, str], str]:
    """The new version that each tenant of a workflow uses: prompts often name their tenant."""
    fresh = pl.DataFrame(prompt_changes(used, period), ("workflow", "prompt_version", "seen"), orient="row")
    if fresh.is_empty():
        return {}
    fresh_used = used.join(fresh, on=["workflow", "prompt_version"], how="semi").sort("ts", "prompt_version")
    last = fresh_used.group_by("tenant", "workflow").agg(pl.col("prompt_version").last())
    return {(tenant, workflow): version for tenant, workflow, version in last.iter_rows()}
