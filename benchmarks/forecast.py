"""Hold forecasts against a straight line: how often they are nearer, and how much the band holds.

python -m benchmarks.forecast                             on made-up series, seeded
python -m benchmarks.forecast --traces hourly.parquet     on hourly traffic: model, client, hour, requests,
                                                          in_tok_per_req, out_tok_per_req

Each series is told from every midnight of its second week to the end of it, at $1 per million input and $4
per million output tokens. Regular series have fewer than a tenth of empty hours and a robust deviation of the
logarithm of their hourly spend below 0.30; steady ones have fewer than a tenth of empty hours.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from analytics.forecast import Forecast, by_value
from analytics.period import Period
from analytics.projection import Floats
from benchmarks.figures import Figure, report
from ledger.frames import USD

_START = datetime(2026, 1, 5, tzinfo=UTC)
_HOURS, _WEEK = 336, 168
_UTC = ZoneInfo("UTC")
_BETTER_AIM, _BAND_LEAST, _BAND_MOST = 0.80, 0.85, 0.95


@dataclass(frozen=True, slots=True)
class Told:
    """One series: mean relative errors of the forecast and of a straight line, and shares within the band."""

    error: float
    straight: float
    within: tuple[bool, ...]


def made_up(count: int, seed: int) -> dict[str, Floats]:
    """Series with hours, weekdays and a level that wanders."""
    random = np.random.default_rng(seed)
    hour, day = np.arange(_HOURS) % 24, np.arange(_HOURS) // 24
    found = {}
    for number in range(count):
        daily = 1 + random.uniform(0.1, 0.6) * np.sin((hour - 9) * np.pi / 12)
        weekly = np.where(day % 7 >= 5, random.uniform(0.4, 1.0), 1.0)
        level = np.exp(np.cumsum(random.normal(0, 0.06, 14)))[day]
        found[f"series {number}"] = daily * weekly * level * np.exp(random.normal(0, 0.12, _HOURS))
    return found


def traffic(file: Path) -> dict[str, Floats]:
    """Hourly dollars of each client of a trace."""
    usd = pl.col("requests") * (pl.col("in_tok_per_req") + 4 * pl.col("out_tok_per_req")) / 1e6
    rows = pl.read_parquet(file).with_columns(usd=usd.fill_null(0.0))
    found = {}
    for (model, client), own in rows.sort("hour").group_by("model", "client", maintain_order=True):
        hours = np.zeros(_HOURS)
        hours[own["hour"].to_numpy()] = own["usd"].to_numpy()
        found[f"{model} {client}"] = hours
    return dict(sorted(found.items()))


def is_steady(hours: Floats) -> bool:
    return bool((hours == 0).mean() < 0.1)


def is_regular(hours: Floats) -> bool:
    logs = np.log(hours[hours > 0])
    spread = 1.4826 * np.median(np.abs(logs - np.median(logs))) if logs.size else np.inf
    return is_steady(hours) and bool(spread < 0.30)


def told_of(series: Mapping[str, Floats]) -> dict[str, Told]:
    """What is told of every series at each midnight of the second week, held against what came."""
    span = Period(_START, _START + timedelta(hours=_HOURS))
    rows: dict[str, list[tuple[Forecast, float, float, float]]] = {name: [] for name in series}
    for origin in range(_WEEK, _HOURS, 24):
        now = _START + timedelta(hours=origin)
        ahead = by_value(_frame(series, origin), span, now, _UTC)
        for name, hours in series.items():
            straight = float(hours[:origin].mean()) * (_HOURS - origin)
            rows[name].append(
                (ahead[name], straight, float(hours[:origin].sum()), float(hours[origin:].sum()))
            )
    return {name: _told(found) for name, found in rows.items()}


def _frame(series: Mapping[str, Floats], origin: int) -> pl.DataFrame:
    first = _START.replace(tzinfo=None)
    buckets = pl.datetime_range(first, first + timedelta(hours=origin - 1), "1h", eager=True).cast(
        pl.Datetime("us")
    )
    parts = [
        pl.DataFrame({"bucket": buckets, "amount": hours[:origin]}).with_columns(
            pl.lit(name).alias("value"), pl.col("amount").cast(USD)
        )
        for name, hours in series.items()
    ]
    return pl.concat(parts)


def _told(rows: list[tuple[Forecast, float, float, float]]) -> Told:
    errors, straights, within = [], [], []
    for ahead, straight, spent, came in rows:
        assert ahead.value is not None
        errors.append(abs(float(ahead.value) - spent - came) / max(came, 1e-9))
        straights.append(abs(straight - came) / max(came, 1e-9))
        if ahead.low is not None and ahead.high is not None:
            within.append(float(ahead.low) <= spent + came <= float(ahead.high))
    return Told(float(np.mean(errors)), float(np.mean(straights)), tuple(within))


def figures(group: str, told: list[Told], *, judged: bool) -> list[Figure]:
    """How often the forecast was nearer, its error beside the straight line's, and what the band held."""
    better = sum(each.error < each.straight for each in told) / len(told)
    error, straight = (
        float(np.median([getattr(each, name) for each in told])) for name in ("error", "straight")
    )
    within = [hit for each in told for hit in each.within]
    held = sum(within) / max(1, len(within))
    return [
        Figure(
            f"{group} ({len(told)}): nearer than a straight line",
            100 * better,
            "%",
            aim=f"≥ {100 * _BETTER_AIM:g} %" if judged else "",
            met=better >= _BETTER_AIM if judged else None,
        ),
        Figure(
            f"{group}: median error",
            100 * error,
            "%",
            baseline=100 * straight,
            baseline_name="straight line",
            ratio=error / straight,
        ),
        Figure(
            f"{group}: outcomes within the band",
            100 * held,
            "%",
            aim=f"{100 * _BAND_LEAST:g} to {100 * _BAND_MOST:g} %" if judged else "",
            met=_BAND_LEAST <= held <= _BAND_MOST if judged else None,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--traces", type=Path, help="a Parquet file of hourly traffic")
    parser.add_argument("--series", type=int, default=200, help="how many are made up")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="20 made-up series")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    count = 20 if wanted.quick else wanted.series
    series = traffic(wanted.traces) if wanted.traces else made_up(count, wanted.seed)
    started = time.perf_counter()
    told = told_of(series)
    seconds = time.perf_counter() - started
    steady = [name for name, hours in series.items() if is_steady(hours)]
    regular = [name for name in steady if is_regular(series[name])]
    groups = {"regular": regular, "steady": steady, "steady, every other one": steady[1::2]}
    if not wanted.traces:
        groups = {"made up": list(series)}
    found = [
        figure
        for name, members in groups.items()
        for figure in figures(name, [told[each] for each in members], judged=name in ("regular", "made up"))
    ]
    each_ms = 1000 * seconds / (len(series) * 7)
    report("forecast", [*found, Figure("one forecast", each_ms, "ms")], as_json=wanted.json)


if __name__ == "__main__":
    main()
