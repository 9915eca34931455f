"""What detectors look at: the books at one moment, with what was planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from analytics.budget import STALE_AFTER
from analytics.counters import quarter
from analytics.period import Period, naive
from analytics.plan import Budget, Envelope
from ledger.frames import COUNT_DAYS, empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The ledger as of `now` (aware UTC).

    `rollup` reaches back 36 days where there are so many, `sizes` (SIZE_BINS of the workflows that have an
    envelope) a day, `prompts` (PROMPT_USE) 15 days. `timed` is the part of the rollup whose times are the
    calls' own: only those, as in `sizes`, can say when something was unusual; None where that is all of it.
    `last_data` is when anything last came in. An excess below `floor_usd` is not
    told. `windows_h` are the hours over which excess is measured. `stale_after` is how old the last data may
    be; `last_check` is the moment of the check before. `counts` (COUNT_DAYS) reaches as far back as `rollup`,
    and a share of equal counts that falls by `exact_share_fall` is told. `approvals` says of prompt versions
    that were reviewed whether they were approved; a new prompt that adds `review_from_usd` a month wants
    one.
    """

    rollup: pl.DataFrame
    sizes: pl.DataFrame
    prompts: pl.DataFrame
    now: datetime
    zone: ZoneInfo
    envelopes: tuple[Envelope, ...] = ()
    budgets: tuple[Budget, ...] = ()
    last_data: datetime | None = None
    floor_usd: Decimal = Decimal(1)
    windows_h: tuple[int, ...] = (1, 6, 24)
    timed: pl.DataFrame | None = None
    stale_after: timedelta = STALE_AFTER
    last_check: datetime | None = None
    counts: pl.DataFrame = field(default_factory=lambda: empty(COUNT_DAYS))
    exact_share_fall: float = 0.05
    approvals: Mapping[str, bool] = field(default_factory=dict)
    review_from_usd: Decimal | None = None

    @property
    def datable(self) -> pl.DataFrame:
        """The spend that can be held against the hours before."""
        return self.rollup if self.timed is None else self.timed

    @property
    def end(self) -> datetime:
        """Where the last window ends: now, back to the rollup's quarter of an hour."""
        return quarter(self.now)

    def last(self, hours: int) -> Period:
        """The hours up to `end`."""
        return Period(self.end - timedelta(hours=hours), self.end)


def used_within(prompts: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The prompts whose use began in the period."""
    return prompts.filter(pl.col("ts").is_between(naive(period.start), naive(period.end), "left"))
