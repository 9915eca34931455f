"""The ledger at size: opening, committing, loading, reporting and asking, on millions of invented calls.

python -m benchmarks.ledger                      2 million calls over 90 days
python -m benchmarks.ledger --rows 50000000      as many as a busy gateway has in three months

One day of calls is booked by the product's own posting; the first days are that day again under other ids,
their sums made by the product's own queries; those days are then copied, sums and all, whole days later. That
the sums are those of the rows is checked. All figures are of one run; commits are timed after a first one,
which loads the price book.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks import figures
from benchmarks.figures import Figure
from benchmarks.ledger_rows import records
from ledger import derived, store
from ledger.booking import book
from ledger.posting import PROMPT_VERSIONS, REJECTS, Batch, post

DAYS, BLOCK_DAYS = 90, 3
FIRST = datetime(2026, 8, 1, tzinfo=UTC).replace(tzinfo=None)
NOW = datetime(2026, 10, 30, 7, tzinfo=UTC)
TEMPLATE = 50_000
CONFIG = """
[ledger]
path = "tollbook.duckdb"
[[envelope]]
workflow = "workflow-0"
input = {p50 = 500, p95 = 5000}
[[envelope]]
workflow = "workflow-7"
output = {p95 = 600}
[[budget]]
tenant = "*"
period = "month"
hard_usd = 100000
"""


def batch_of(frame: pl.DataFrame) -> Batch:
    return Batch(
        frame,
        pl.DataFrame(schema=REJECTS),
        pl.DataFrame(schema=PROMPT_VERSIONS),
        None,
        "invented.jsonl",
        "pair",
        0,
    )


def fill(path: Path, rows: int, seed: int) -> None:
    """A ledger of so many calls, the same number each day: a block of days made anew, then copied."""
    a_day = -(-rows // DAYS)
    first = records(min(TEMPLATE, a_day), seed, FIRST, timedelta(days=1))
    with store.open(path) as ledger:
        post(ledger, batch_of(first), [], NOW)
        ledger.execute("CREATE TEMP TABLE template AS SELECT * FROM requests")
        for name in ("requests", *derived.DERIVED, "unsettled"):
            ledger.execute(f"DELETE FROM {name}")
        for day in range(BLOCK_DAYS):
            _day(ledger, day, a_day)
        for days in range(BLOCK_DAYS, DAYS, BLOCK_DAYS):
            with ledger.transaction():
                _copy(ledger, days)
        ledger.execute("CHECKPOINT")


def _day(ledger: store.Ledger, day: int, rows: int) -> None:
    """A day of calls, each an invented one under an id of its own, and its sums by the product's queries."""
    copies, start = -(-rows // TEMPLATE), FIRST + timedelta(days=day)
    # Each copy at other hours: equal calls in one quarter of an hour would make the sums too small.
    ts = (
        f"TIMESTAMP '{start}' + to_microseconds((epoch_us(ts) - epoch_us(TIMESTAMP '{FIRST}') "
        "+ copy * 2220000000) % 86400000000)"
    )
    ledger.execute(
        "INSERT INTO requests SELECT * EXCLUDE (copy) REPLACE ("
        "md5(concat(request_id, '-', ?, '-', copy))::UUID AS request_id, "
        "unhex(md5(concat(request_id, ?, copy))) AS record_digest, "
        f"{ts} AS ts, {ts} AS ingested_at) "
        "FROM template CROSS JOIN range(?) AS copies(copy) ORDER BY ts LIMIT ?",
        [day, day, copies, rows],
    )
    of_day = f"ts >= '{start}' AND ts < '{start + timedelta(days=1)}'"
    derived.add(ledger, f"(SELECT * FROM requests WHERE {of_day})")


def _copy(ledger: store.Ledger, days: int) -> None:
    """The block of days again so many days later: calls under fresh ids, and their sums."""
    block = f"TIMESTAMP '{FIRST + timedelta(days=BLOCK_DAYS)}'"
    ledger.execute(
        f"INSERT INTO requests SELECT * REPLACE (uuid() AS request_id, ts + to_days({days}) AS ts, "
        f"ingested_at + to_days({days}) AS ingested_at) FROM requests WHERE ts < {block}"
    )
    for name, table in derived.DERIVED.items():
        later = [f"({each} + to_days({days})) AS {each}" for each in (*table.least, *table.most)]
        key = table.keys[0]
        kind = "DATE" if key == "day" else "TIMESTAMP"
        later.append(f"({key} + to_days({days}))::{kind} AS {key}")
        ledger.execute(
            f"INSERT INTO {name} SELECT * REPLACE ({', '.join(later)}) FROM {name} WHERE {key} < {block}"
        )


def median_s(work: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


_VISIT = """
import re, sys, time
from datetime import timedelta
from pathlib import Path
from benchmarks.ledger import FIRST, DAYS, NOW, batch_of
from benchmarks.ledger_rows import records
from ledger import store
from ledger.posting import post
ledger, scratch, seed, rows = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
last = FIRST + timedelta(days=DAYS - 1, hours=12)
made = [batch_of(records(rows, seed + n, last, timedelta(hours=1))) for n in range(2)]
with store.open(scratch) as books:
    post(books, made[0], [], NOW)
started = time.perf_counter()
with store.open(ledger) as books:
    post(books, made[1], [], NOW)
taken = time.perf_counter() - started
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
print(taken, peak)
"""


def visits(path: Path, rows: int, runs: int) -> tuple[float, float]:
    """Seconds of open + commit + close, and peak bytes of a process that does it; medians."""
    said = []
    for run in range(runs):
        command = [sys.executable, "-c", _VISIT, path, path.with_name(f"scratch{run}.duckdb")]
        done = subprocess.run(
            [*map(str, command), str(1000 * rows + 10 * run), str(rows)],
            capture_output=True,
            text=True,
            check=True,
        )
        said.append([float(word) for word in done.stdout.split()])
    return statistics.median(s for s, _ in said), statistics.median(b for _, b in said)


def commits(path: Path, runs: int) -> tuple[float, float]:
    """Seconds of a commit of 1,000 booked rows with their sums, and of the same with merging and booking."""
    last = FIRST + timedelta(days=DAYS - 1, hours=13)
    whole, plain = [], []
    with store.open(path) as ledger:
        for run in range(runs + 1):
            frame = records(1_000, 77 + run, last, timedelta(hours=1))
            started = time.perf_counter()
            book(frame, [])
            booking = time.perf_counter() - started
            started = time.perf_counter()
            post(ledger, batch_of(frame), [], NOW)
            whole.append(time.perf_counter() - started)
            plain.append(whole[-1] - booking)
    return statistics.median(plain[1:]), statistics.median(whole[1:])


def loading(folder: Path) -> tuple[float, float]:
    """Rows a second into `requests`: from a frame, and by executemany."""
    booked, _ = book(records(20_000, 5, FIRST, timedelta(days=1)), [])
    names = [name for name, dtype in booked.schema.items() if not dtype.is_nested()]
    plain = booked.select(names)
    few = plain.head(300)
    with store.open(folder / "load.duckdb") as ledger:
        with ledger.scanning("booked", plain):
            ledger.execute("CREATE TABLE loaded AS FROM booked WHERE false")
        by_frame = len(plain) / median_s(lambda: ledger.append("loaded", plain), 3)
        slots = ", ".join("?" for _ in names)
        rows = few.rows()
        by_row = len(few) / median_s(
            lambda: ledger.connection.executemany(f"INSERT INTO loaded VALUES ({slots})", rows), 1
        )
    return by_frame, by_row


def redone(path: Path) -> float:
    """Seconds to add up the sums of one day again."""
    day = FIRST + timedelta(days=DAYS // 2)
    quarters = pl.Series("ts", [day + timedelta(minutes=15 * n) for n in range(96)], dtype=pl.Datetime("us"))
    with store.open(path) as ledger:
        derived.settle(ledger)
        derived.unsettle(ledger, quarters)
        return median_s(lambda: derived.settle(ledger), 1)


def asked(path: Path, config: Path) -> tuple[float, float]:
    """Seconds of the queries of a daily report, and of the report as a value with all of its analysis."""
    from tollbook import jobs
    from tollbook.config import load

    spent: list[float] = []
    settings = load(config)
    day = (NOW - timedelta(days=1)).date()
    with store.open(path, read_only=True) as ledger:
        timed = _Timed(ledger, spent)
        whole = median_s(lambda: jobs.daily_of(timed, settings, day, NOW), 3)  # type: ignore[arg-type]
    return sum(spent) / 3, whole


class _Timed:
    """A ledger that adds up how long its answers take."""

    def __init__(self, ledger: store.Ledger, spent: list[float]) -> None:
        self._ledger, self._spent = ledger, spent

    def scanning(self, name: str, frame: pl.DataFrame) -> AbstractContextManager[None]:
        return self._ledger.scanning(name, frame)

    def frame(self, sql: str, params: object = ()) -> pl.DataFrame:
        started = time.perf_counter()
        answer = self._ledger.frame(sql, params)  # type: ignore[arg-type]
        self._spent.append(time.perf_counter() - started)
        return answer

    def rows(self, sql: str, params: object = ()) -> list[tuple[object, ...]]:
        started = time.perf_counter()
        answer = self._ledger.rows(sql, params)  # type: ignore[arg-type]
        self._spent.append(time.perf_counter() - started)
        return answer


# A small process between: a child's peak starts at that of the process that started it.
_COMMAND = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], capture_output=True)
taken = time.perf_counter() - started
print(done.returncode, taken, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
sys.stderr.buffer.write(done.stderr[-2000:])
"""


def command(*words: str) -> tuple[float, float]:
    """Seconds and peak bytes of a tollbook command, interpreter and all."""
    script = str(Path(sys.executable).with_name("tollbook"))
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, script, *words], capture_output=True, text=True, check=True
    )
    status, taken, peak = done.stdout.split()
    if int(status):
        figures.fail(f"tollbook {' '.join(words)} ended with {status}: {done.stderr}")
    return float(taken), float(peak)


def commands(config: Path, size: str) -> list[Figure]:
    common = ("--config", str(config), "--as-of", f"{NOW:%Y-%m-%dT%H:%M:%SZ}", "--quiet")
    wanted = {
        "tollbook report daily": ("report", "daily", *common),
        "tollbook check": ("check", *common),
        "tollbook doctor": ("doctor", *common),
        "tollbook sql, spend by tenant of all rows": (
            "sql",
            "SELECT tenant, sum(cost_usd) FROM requests GROUP BY 1 ORDER BY 2 DESC",
            *common,
        ),
        "tollbook sql, the same from the rollup": (
            "sql",
            "SELECT tenant, sum(cost_usd) FROM rollup GROUP BY 1 ORDER BY 2 DESC",
            *common,
        ),
    }
    found = []
    for name, words in wanted.items():
        seconds, peak = command(*words)
        aim, met = figures.at_most(seconds, 2.0, "s") if "report" in name else ("", None)
        found += [
            Figure(f"{name}, {size}", seconds, "s", aim=aim, met=met),
            Figure(f"{name}: peak memory", peak / 2**20, "MiB"),
        ]
    return found


_TOTALS = {
    "rollup": (
        "count(*), sum(cost_usd), sum(input_tokens), sum(seg_history) FROM requests",
        "sum(requests), sum(cost_usd), sum(input_tokens), sum(seg_history) FROM rollup",
    ),
    "prompt_use": (
        "count(*), sum(cost_usd), sum(output_tokens) FROM requests WHERE NOT ts_estimated",
        "sum(requests), sum(cost_usd), sum(output_tokens) FROM prompt_use",
    ),
    "size_bins": (
        "count(output_tokens), sum(output_tokens) FROM requests WHERE status = 'ok' AND NOT ts_estimated",
        "sum(requests), sum(tokens) FROM size_bins WHERE side = 'output'",
    ),
    "count_days": (
        "count(*), sum(counted_input_tokens) FROM requests WHERE usage_source = 'reported' AND NOT cache_hit "
        "AND count_method <> 'none' AND input_tokens + cache_read_tokens > 0",
        "sum(compared), sum(counted_tokens) FROM count_days",
    ),
}


def check_totals(path: Path) -> None:
    """What the tables of sums say is what the rows say, or no figure is worth anything."""
    with store.open(path, read_only=True) as ledger:
        for name, sides in _TOTALS.items():
            rows, sums = ([str(total) for total in ledger.rows(f"SELECT {side}")[0]] for side in sides)
            if rows != sums:
                figures.fail(f"{name} says {sums}, the rows {rows}")


def measure(folder: Path, rows: int, runs: int, seed: int) -> list[Figure]:
    path, config = folder / "tollbook.duckdb", folder / "tollbook.toml"
    config.write_text(CONFIG, encoding="utf-8")
    started = time.perf_counter()
    fill(path, rows, seed)
    filled = time.perf_counter() - started
    size = f"{rows / 1e6:g} M rows"
    per_million = path.stat().st_size / 2**20 / (rows / 1e6)
    visit, peak = visits(path, 5_000, runs)
    small, whole = commits(path, runs)
    by_frame, by_row = loading(folder)
    redo = redone(path)
    answers, value = asked(path, config)
    check_totals(path)
    return [
        Figure(f"filled, {size}", filled, "s"),
        Figure("file size per million rows", per_million, "MiB"),
        _aimed(f"open + commit of 5,000 + close, {size}", visit, 0.3, "s"),
        _aimed("the same: peak memory", peak / 2**20, 1024, "MiB"),
        _aimed(f"commit of 1,000 booked rows, {size}", small * 1000, 30, "ms"),
        Figure("the same with merging and booking", whole * 1000, "ms"),
        _faster("load", by_frame, by_row),
        Figure("sums of a day added up again", redo * 1000, "ms"),
        _aimed(f"queries of a daily report, {size}", answers * 1000, 100, "ms"),
        Figure("a daily report as a value", value * 1000, "ms"),
        *commands(config, size),
    ]


def _aimed(name: str, value: float, aim: float, unit: str) -> Figure:
    words, met = figures.at_most(value, aim, unit)
    return Figure(name, value, unit, aim=words, met=met)


def _faster(name: str, value: float, baseline: float) -> Figure:
    words, met = figures.at_least(value / baseline, 250)
    return Figure(name, value, "rows/s", baseline, "executemany", value / baseline, words, met)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=5, help="commits, of which the median counts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where to put the ledger; a temporary folder by default")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("TOLLBOOK_KEY", "00" * 32)
    rows, runs = (50_000, 1) if given.quick else (given.rows, given.runs)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = measure(Path(folder), rows, runs, given.seed)
    figures.report("ledger", found, as_json=given.json)


if __name__ == "__main__":
    main()
