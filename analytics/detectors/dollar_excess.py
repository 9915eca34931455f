"""Find tenants and workflows that spend far above their own usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from analytics import excess
from analytics.attribution import total_usd
from analytics.books import Books
from analytics.excess import Excess, Floats, Hourly
from analytics.explain import cell_title, contributors, factors, prompt_changes
from analytics.period import Period, days_before
from ledger import units
from ledger.figures import Finding, Scope, Severity

RULE = "dollar_excess"
UNATTRIBUTED = "Unattributed"
_OF_TENANT = 0.05
_OF_FLEET = 0.002
_EXPLAINS = 0.8
_SCALE = Decimal("1e-12")
_TOLD = 3


@dataclass(frozen=True, slots=True)
class _Case:
    """One excess, in whose rows it is, and its key: (tenant,) or (tenant, workflow)."""

    key: tuple[str | None, ...]
    series: Hourly
    found: Excess


def find(books: Books) -> list[Finding]:
    """Tenants, and workflows of tenants, whose excess in some window is worth a page; one finding each.

    A tenant's finding is narrowed to its workflow where one explains at least 80 % of the excess; a
    workflow's own is told only where its tenant's is not.
    """
    if books.datable.is_empty() or not books.windows_h:
        return []
    tenants, cells = (_series(books, by) for by in (["tenant"], ["tenant", "workflow"]))
    gate = _gate(books, tenants)
    of_tenant = dict(zip(tenants.keys["tenant"].to_list(), gate.tolist(), strict=True))
    cell_gate = np.array([of_tenant[tenant] for tenant in cells.keys["tenant"]])
    wide = _cases(tenants, books.windows_h, gate)
    told = {case.key[0] for case in wide}
    narrow = [c for c in _cases(cells, books.windows_h, cell_gate) if c.key[0] not in told]
    return [_finding(books, case) for case in (*(_narrowed(case, cells) for case in wide), *narrow)]


def _series(books: Books, by: Sequence[str]) -> Hourly:
    """The series that spent enough to be told, or to explain one that is."""
    least_usd = _EXPLAINS * float(books.floor_usd)
    rows = excess.spending(books.datable, by, books.end, books.windows_h, least_usd)
    return excess.hourly(rows, by, books.end, books.windows_h)


def _gate(books: Books, tenants: Hourly) -> Floats:
    """The least excess that matters for each tenant: of its own day, of the fleet's, and the floor."""
    buckets = books.datable.group_by("bucket", fleet=pl.lit("all")).agg(pl.col("cost_usd").sum())
    fleet = excess.daily_spend(excess.hourly(buckets, ["fleet"], books.end, books.windows_h))
    of_fleet = _OF_FLEET * float(fleet.sum())
    least: Floats = np.maximum(
        _OF_TENANT * excess.daily_spend(tenants), max(of_fleet, float(books.floor_usd))
    )
    return least


def _cases(series: Hourly, windows: Sequence[int], gate: Floats) -> list[_Case]:
    return [
        _Case(series.keys.row(found.series), series, found)
        for found in excess.above_usual(series, windows, gate)
    ]


def _narrowed(case: _Case, cells: Hourly) -> _Case:
    """The case of the tenant's workflow that explains it, else the case itself."""
    own = cells.keys["tenant"].eq_missing(case.key[0]).arg_true().to_numpy().astype(np.int64)
    rows, end = cells.only(own), np.array([cells.hours])
    expected = excess.usual(rows, end, case.found.window, 1)[:, 0]
    above = rows.spend(end, case.found.window)[:, 0] - np.nan_to_num(expected, nan=0.0)
    top = int(np.argmax(above))
    if above[top] < _EXPLAINS * case.found.excess_usd or cells.keys["workflow"][int(own[top])] is None:
        return case
    usual_usd = float(np.nan_to_num(expected[top], nan=0.0))
    found = Excess(int(own[top]), case.found.window, usual_usd, float(above[top]), case.found.score)
    return _Case(cells.keys.row(found.series), cells, found)


def _finding(books: Books, case: _Case) -> Finding:
    span = books.last(case.found.window)
    rows = books.datable.filter(*_own(case))
    observed = total_usd(rows, span)
    expected = Decimal(case.found.usual_usd).quantize(_SCALE)
    last = "hour" if case.found.window == 1 else f"{case.found.window} hours"
    above = observed - expected
    return Finding(
        rule=RULE,
        scope=_scope(case.key),
        severity=Severity.PAGE,
        found_at=books.now,
        since=excess.began(case.series, case.found.series) or span.start,
        window_start=span.start,
        window_end=span.end,
        observed_usd=observed,
        expected_usd=expected,
        excess_usd=above,
        summary=f"{units.money(above)} above usual in the last {last}",
        why=(
            f"{units.money(observed)} where {units.money(expected)} is usual (median of the same hours)",
            *_movers(rows, span),
            *_factors(rows, span),
            *_prompts(books, case),
        ),
    )


def _own(case: _Case) -> list[pl.Expr]:
    named: Mapping[str, str | None] = dict(zip(case.series.keys.columns, case.key, strict=True))
    return [pl.col(name).eq_missing(pl.lit(value, pl.String)) for name, value in named.items()]


def _scope(key: tuple[str | None, ...]) -> Scope:
    tenant, workflow = (*key, None)[:2]
    return Scope(tenant=tenant or UNATTRIBUTED, workflow=workflow)


def _movers(rows: pl.DataFrame, span: Period) -> list[str]:
    """The cells that grew most against the same hours a week before, each with its reason."""
    grown = contributors(rows, span, days_before(span, 7), first=_TOLD).filter(pl.col("change_usd") > 0)
    return [
        f"{cell_title(row)} on {row['model'] or 'unknown model'}:"
        f" {units.money(row['change_usd'], signed=True)}, {row['reason']}"
        for row in grown.iter_rows(named=True)
    ]


def _factors(rows: pl.DataFrame, span: Period) -> list[str]:
    split = factors(rows, span, days_before(span, 7)).filter(pl.col("change_usd").abs() >= Decimal("0.01"))
    top = split.sort(pl.col("change_usd").abs(), descending=True).head(_TOLD)
    told = [f"{label.lower()} {units.money(usd, signed=True)}" for _, label, usd in top.iter_rows()]
    return [f"by factor, against the same hours a week before: {', '.join(told)}"] if told else []


def _prompts(books: Books, case: _Case) -> list[str]:
    own = books.prompts.filter(*_own(case))
    day = Period(books.end - timedelta(hours=24), books.end)
    return [_prompt(*change) for change in prompt_changes(own, day)]


def _prompt(workflow: str, version: str, seen: datetime) -> str:
    return f"new prompt version {version[:8]} of {workflow} since {seen:%H:%M} UTC"
