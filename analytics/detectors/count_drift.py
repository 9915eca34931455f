"""Find models whose calls no longer count as they are billed, though they used to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import sqrt

import numpy as np
import polars as pl

from analytics import counts
from analytics.books import Books
from ledger import units
from ledger.figures import Finding, Scope, Severity

RULE = "count_drift"
# The newest calls are those of today and as many days before as it takes to have enough of them.
_CALLS, _DAYS = 20, 3
_FEWEST_OFF = 10
_USUAL_DAYS, _USUAL_CALLS, _CALLS_A_DAY = 3, 50, 5
_BACK = timedelta(days=28)
_SCORE = 3.0
_MAD_TO_SIGMA = 1.4826
_TOKEN = 0.5


@dataclass(frozen=True, slots=True)
class _Fall:
    """A model's equal share of its newest calls below its usual one."""

    model: str | None
    since: date
    calls: int
    equal: int
    usual: float
    tokens_off: float

    @property
    def share(self) -> float:
        return self.equal / self.calls


def find(books: Books) -> list[Finding]:
    """A ticket for each model of which fewer text-only calls count as billed than in the four weeks before.

    Text-only calls by exact rules should all be equal; where they were and are not, the log is cut, something
    adds to the prompt on its way, or the provider changed its framing.
    """
    sure = counts.sure(books.counts).filter(~pl.col("ts_estimated"))
    days = sure.group_by("model", "day").agg(
        pl.col("compared", "equal", "reported_tokens", "counted_tokens").sum()
    )
    today = books.now.astimezone(UTC).date()
    falls = (_fall(key[0], own, today, books.exact_share_fall) for key, own in days.group_by("model"))
    return [_finding(books, fall) for fall in sorted(filter(None, falls), key=lambda fall: str(fall.model))]


def _fall(model: object, days: pl.DataFrame, today: date, least: float) -> _Fall | None:
    first = _first_of_newest(days, today)
    if first is None:
        return None
    newest = days.filter(pl.col("day") >= first)
    before = days.filter(pl.col("day") < first, pl.col("day") >= first - _BACK)
    known = before.filter(pl.col("compared") >= _CALLS_A_DAY)
    if len(known) < _USUAL_DAYS or known["compared"].sum() < _USUAL_CALLS:
        return None
    shares = (known["equal"] / known["compared"]).to_numpy()
    usual = float(np.median(shares))
    calls, equal = int(newest["compared"].sum()), int(newest["equal"].sum())
    if calls - equal < _FEWEST_OFF:
        return None
    spread = _MAD_TO_SIGMA * float(np.median(np.abs(shares - usual)))
    if usual - equal / calls < max(least, _SCORE * spread, _SCORE * _chance(usual, calls)):
        return None
    since = _since(days, first, usual - least)
    off = int((newest["reported_tokens"] - newest["counted_tokens"]).sum()) / max(calls - equal, 1)
    return _Fall(None if model is None else str(model), since, calls, equal, usual, off)


def _first_of_newest(days: pl.DataFrame, today: date) -> date | None:
    """The day that the newest calls begin with, None where there are too few of them."""
    for back in range(_DAYS):
        first = today - timedelta(days=back)
        if days.filter(pl.col("day") >= first)["compared"].sum() >= _CALLS:
            return first
    return None


def _chance(usual: float, calls: int) -> float:
    """How far a share of so many calls strays by chance; a usual share of one says little of few calls."""
    share = min(max(usual, 1 / (2 * calls)), 1 - 1 / (2 * calls))
    return sqrt(share * (1 - share) / calls)


def _since(days: pl.DataFrame, first: date, below: float) -> date:
    """The first of the low days in a row up to the newest calls; days of few calls are passed over."""
    since = first
    told = days.filter(pl.col("day") < first, pl.col("compared") >= _CALLS_A_DAY).sort("day", descending=True)
    for day, compared, equal in told.select("day", "compared", "equal").iter_rows():
        if equal / compared >= below:
            break
        since = day
    return since


def _finding(books: Books, fall: _Fall) -> Finding:
    since = datetime.combine(fall.since, time.min, UTC)
    return Finding(
        rule=RULE,
        scope=Scope(model=fall.model or "unknown model"),
        severity=Severity.TICKET,
        found_at=books.now,
        since=since,
        window_start=since,
        window_end=books.now,
        observed_usd=None,
        expected_usd=None,
        excess_usd=None,
        summary=(
            f"{units.share_of_all(fall.share)} of {fall.calls:,} text-only calls count as billed,"
            f" {units.share_of_all(fall.usual)} is usual"
        ),
        why=tuple(_why(fall)),
    )


def _why(fall: _Fall) -> Iterator[str]:
    if abs(fall.tokens_off) >= _TOKEN:
        side = "above" if fall.tokens_off > 0 else "below"
        tokens = f"{abs(fall.tokens_off):,.0f} token{'' if round(abs(fall.tokens_off)) == 1 else 's'}"
        yield f"the bill is {tokens} a call {side} our count, in {fall.calls - fall.equal:,} calls"
    yield "the log is cut, something injects prompt on its way, or the provider changed its framing"
    yield "hold one logged request against what was sent; `tollbook counts --by model` shows since when"
