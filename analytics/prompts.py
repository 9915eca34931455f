"""What new prompts cost: the versions that came into use, held against what the same tenants sent before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise

import polars as pl

from analytics.books import used_within
from analytics.explain import prompt_changes
from analytics.period import Period, naive
from ledger.frames import PROMPT_CHANGES, checked
from ledger.types import Status

_BEFORE = timedelta(days=7)
# Prompts name their tenant, so that one edit is a new version with each: those of a day are one change.
_ONE_CHANGE = timedelta(hours=24)
_SCALE = Decimal("1e-12")
# A twelfth of a year.
DAYS_A_MONTH = Decimal("30.4375")


@dataclass(frozen=True, slots=True)
class Group:
    """Requests of one side of a change: how many, tokens and dollars of each."""

    requests: int
    tokens: float
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """The new prompt versions of a workflow, oldest first, beside what the same tenants sent before.

    `a_day` is how many requests those tenants sent a day before the change. A side without any priced
    request of known size is None.
    """

    workflow: str
    versions: tuple[str, ...]
    seen: datetime
    before: Group | None
    after: Group | None
    a_day: int

    @property
    def usd_a_day(self) -> Decimal | None:
        """What the new prompt adds to a day of as many requests as before."""
        if self.before is None or self.after is None:
            return None
        return ((self.after.usd - self.before.usd) * self.a_day).quantize(_SCALE)

    @property
    def usd_a_month(self) -> Decimal | None:
        """The same over a mean month."""
        a_day = self.usd_a_day
        return None if a_day is None else (a_day * DAYS_A_MONTH).quantize(_SCALE)


def changes(used: pl.DataFrame, period: Period) -> list[Change]:
    """The prompt changes of a period by workflow, then by time; `used` reaches 7 days further back."""
    answered = used.filter(pl.col("status") == Status.OK)
    fresh = sorted(prompt_changes(answered, period), key=lambda new: new[0])
    return [
        _measured(answered, workflow, versions, span)
        for workflow, found in groupby(fresh, key=lambda new: new[0])
        for versions, span in _apart([(version, seen) for _, version, seen in found], period.end)
    ]


def _apart(found: Sequence[tuple[str, datetime]], end: datetime) -> Iterator[tuple[tuple[str, ...], Period]]:
    """Split a workflow's new versions, oldest first, into changes; each lasts until the next."""
    starts: list[datetime] = []
    for _, seen in found:
        if not starts or seen - starts[-1] > _ONE_CHANGE:
            starts.append(seen)
    for start, after in pairwise([*starts, end]):
        versions = tuple(version for version, seen in found if start <= seen < after)
        yield versions, Period(start, after)


def _measured(used: pl.DataFrame, workflow: str, versions: tuple[str, ...], span: Period) -> Change:
    own = used.filter(pl.col("workflow") == workflow)
    new = used_within(own, span).filter(pl.col("prompt_version").is_in(versions))
    earlier = used_within(own, Period(span.start - _BEFORE, span.start))
    same = earlier.join(new, on="tenant", how="semi", nulls_equal=True)
    return Change(workflow, versions, span.start, _group(same), _group(new), _a_day(same, span.start))


def _a_day(rows: pl.DataFrame, end: datetime) -> int:
    """Requests a day up to `end`: steadier than the few hours since a change."""
    times = rows["ts"].sort().head(1).to_list()
    days = [(naive(end) - first) / timedelta(days=1) for first in times]
    return round(int(rows["requests"].sum()) / max(1.0, *days)) if days else 0


def _group(rows: pl.DataFrame) -> Group | None:
    count = int(rows["measured_requests"].sum())
    if not count:
        return None
    usd = Decimal(rows["measured_usd"].sum()) / count
    return Group(count, int(rows["measured_tokens"].sum()) / count, usd)


def table(used: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The prompt changes of a period as PROMPT_CHANGES, newest first."""
    found = sorted(changes(used, period), key=lambda change: (change.seen, change.workflow), reverse=True)
    rows = [
        (
            change.workflow,
            change.versions[0],
            len(change.versions),
            naive(change.seen),
            change.before and change.before.tokens,
            change.after and change.after.tokens,
            change.a_day,
            change.usd_a_day,
        )
        for change in found
    ]
    return checked(pl.DataFrame(rows, PROMPT_CHANGES, orient="row"), PROMPT_CHANGES, "prompt changes")
