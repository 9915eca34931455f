"""What `tollbook counts` prints: our counts beside the bills, by group and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from analytics import counts
from analytics.counts import By
from ledger import units
from reports import names
from tollbook.screen import table

_HEADS = ("calls", "equal", "within 2", "mean", "median", "sum")
_LONGEST, _LEAST = 34, 12
_MOST_TIMES = 14
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Held:
    """COUNT_DAYS of some UTC days, how they are to be grouped, and how many calls there were in all."""

    first: date
    last: date
    by: tuple[By, ...]
    calls: int
    days: pl.DataFrame


def shown(held: Held) -> str:
    """The whole answer for people."""
    compared = int(held.days["compared"].sum())
    title = f"Our count of the input beside the bill, {held.first} to {held.last} (UTC)"
    if not compared:
        return f"{title}\nNone of {held.calls:,} calls can be compared: that takes usage and a prompt."
    head = f"{title}\n{compared:,} of {held.calls:,} calls can be compared."
    return "\n\n".join((head, _groups(held), *_trend(held)))


def _groups(held: Held) -> str:
    both = (counts.summary(held.days, *held.by), counts.total(held.days))
    rows = [_row(each) for frame in both for each in frame.iter_rows(named=True)]
    legend = "mean, median: error of a call; sum: of all their tokens (− is below the bill)"
    return f"{table((counts.SEPARATOR.join(held.by), *_HEADS), rows, right=range(1, 7))}\n{legend}"


def _row(each: dict[str, object]) -> tuple[str, ...]:
    return (
        _name(str(each["group"] or "unknown")),
        f"{each['compared']:,}",
        units.share_of_all(_number(each["exact_share"])),
        units.share_of_all(_number(each["within_2_share"])),
        units.share(_number(each["mean_error"])),
        units.share(_number(each["median_error"])),
        units.share(_number(each["drift"]), signed=True),
    )


def _name(group: str) -> str:
    """A group's name, of several the first cut shortest: it is the longest."""
    first, *rest = group.split(counts.SEPARATOR)
    others = "".join(f"{counts.SEPARATOR}{names.clean(one)}" for one in rest)
    return names.cut(first, max(_LEAST, _LONGEST - len(others))) + others


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _trend(held: Held) -> Sequence[str]:
    """Over time only those calls that should be equal: they are the alarm."""
    sure = counts.sure(held.days)
    if sure.is_empty():
        return ()
    step = counts.step_of(held.first, held.last)
    trend = counts.over_time(sure, step)
    bars = "".join(map(_bar, trend["exact_share"].to_list()))
    rows = [
        (
            row["group"],
            f"{row['compared']:,}",
            units.share_of_all(row["exact_share"]),
            units.share(row["drift"], signed=True),
        )
        for row in trend.tail(_MOST_TIMES).iter_rows(named=True)
    ]
    heads = ("day" if step is counts.Step.DAY else "week of", "calls", "equal", "sum")
    return (
        f"Text-only calls by exact rules: these should be equal\n{table(heads, rows, right=(1, 2, 3))}",
        f"equal by {step.value}  {bars}",
    )


def _bar(share: float) -> str:
    return _BARS[min(int(share * len(_BARS)), len(_BARS) - 1)]


def fields(held: Held) -> dict[str, object]:
    """The answer for JSON."""
    sure = counts.sure(held.days)
    step = counts.step_of(held.first, held.last)
    return {
        "since": held.first,
        "until": held.last,
        "calls": held.calls,
        "compared": int(held.days["compared"].sum()),
        "by": ",".join(held.by),
        "groups": counts.summary(held.days, *held.by).to_dicts(),
        "total": next(counts.total(held.days).iter_rows(named=True), None),
        "text_only": {
            "total": next(counts.total(sure).iter_rows(named=True), None),
            "step": step,
            "trend": counts.over_time(sure, step).to_dicts(),
        },
    }
