"""Measure what a call weighs in parts and in the ledger, and write the sizing table of docs/scale.md.

python -m benchmarks.sizing                  measure a million calls, then write the table
python -m benchmarks.sizing --table-only     write it from what was measured before

Times are processor time, so that another program on the machine changes them little. Every figure of the
table says whether it was measured (m) or extrapolated (x) from what was.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.distributed import logs_in, orders
from benchmarks.figures import machine
from benchmarks.ledger_rows import records
from collector import places
from collector.counting import RULES_VERSION
from collector.part_loading import load_parts
from collector.parts import LAYOUT, Manifest, PartFile, Writer, make_parts
from collector.places import Stamp
from collector.rollup_loading import load_sums
from ledger import derived, store
from ledger.keys import key_id
from ledger.posting import PROMPT_VERSIONS, REJECTS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
MEASURED = Path(__file__).resolve().parent / "measured"
BEGIN, END = "<!-- sizing: begin -->", "<!-- sizing: end -->"
KEY = bytes(32)
DAY = datetime(2026, 10, 5)  # noqa: DTZ001 - frames hold naive UTC
NOW = datetime(2026, 10, 9, tzinfo=UTC)
ROWS_A_PART = 200_000
QUARTERS = 96
READ_WITHIN_H = 4
REPEAT = 9
VOLUMES = (10**6, 10**8, 10**9)


# What weighs most in a real call: a hash that no other call has, and its usage as it was logged.
PROMPT = pl.col("record_digest").bin.encode("hex").alias("prompt_hash")
USAGE = pl.concat_str(
    pl.lit('{"prompt_tokens":'),
    pl.col("input_tokens") + pl.col("cache_read_tokens"),
    pl.lit(',"completion_tokens":'),
    pl.col("output_tokens"),
    pl.lit(',"prompt_tokens_details":{"cached_tokens":'),
    pl.col("cache_read_tokens"),
    pl.lit("}}"),
).alias("usage_json")


@dataclass(frozen=True, slots=True)
class Weight:
    """What so many calls of one day weigh, and the processor time that booking them takes."""

    calls: int
    parts_bytes: int
    ledger_bytes: int
    load_s: float
    sums_ledger_bytes: int
    sum_s: float
    sum_rows: int
    most_sum_rows: int


@dataclass(frozen=True, slots=True)
class Reading:
    """How one worker reads a chat log in which each text stands `repeat` times on average.

    `counter` is the one that was at work, tiktoken where no fast one is installed.
    """

    log_bytes_a_call: float
    calls_per_s_per_worker: float
    repeat: int
    counter: str


def read_log(folder: Path, log_bytes: int, seed: int) -> Reading:
    """Read one half of a log to warm up, and time the other."""
    logs = logs_in(folder, log_bytes, 2, REPEAT, seed)
    for log in logs:
        began = time.process_time()
        made = make_parts(orders([log], folder / "read")[0], KEY)
        seconds = time.process_time() - began
    if made.manifest is None:
        raise SystemExit(made.problem)
    calls = made.manifest.rows
    counter = made.manifest.counter or "tiktoken"
    return Reading(logs[-1].stat().st_size / calls, calls / seconds, REPEAT, counter)


def invent_parts(place: str, calls: int, seed: int) -> int:
    """Parts of invented calls as a cluster would have made them; their size."""
    writer = Writer(places.at(place), "sizing")
    parts: list[PartFile] = []
    for first in range(0, calls, ROWS_A_PART):
        rows = records(min(ROWS_A_PART, calls - first), seed + first, DAY, timedelta(days=1))
        parts += writer.days(rows.with_columns(PROMPT, USAGE), len(parts))
    empty = REJECTS.to_frame().drop("source_file", "rejected_at")
    manifest = Manifest(
        layout=LAYOUT,
        source="invented.jsonl",
        stamp=Stamp(0, NOW),
        digest="00" * 32,
        settings="sizing",
        rules=RULES_VERSION,
        key_id=key_id(KEY),
        format="pair",
        rows=calls,
        rejected=0,
        set_aside=0,
        counter=None,
        doubt=None,
        calibration=None,
        parts=tuple(parts),
        rejects=writer.file("rejects", empty),
        prompt_versions=writer.file("prompts", PROMPT_VERSIONS.to_frame()),
        position=None,
    )
    manifest.keep(places.at(place))
    return sum(part.size for part in manifest.files)


def weigh(folder: Path, calls: int, seed: int) -> Weight:
    place = str(folder / "parts")
    parts_bytes = invent_parts(place, calls, seed)
    raw, sums = folder / "raw.duckdb", folder / "sums.duckdb"
    began = time.process_time()
    loaded = load_parts(place, lambda: store.open(raw), (), NOW)
    load_s = time.process_time() - began
    began = time.process_time()
    summed = load_sums(place, lambda: store.open(sums), (), NOW)
    sum_s = time.process_time() - began
    if not loaded.outcome.added == summed.calls == calls:
        raise SystemExit(f"of {calls} calls {loaded.outcome.added} were booked and {summed.calls} summed up")
    rows, most = sum_rows(sums)
    sizes = raw.stat().st_size, sums.stat().st_size
    return Weight(calls, parts_bytes, sizes[0], load_s, sizes[1], sum_s, rows, most)


def sum_rows(ledger: Path) -> tuple[int, int]:
    """The rows of all derived tables, and how many they were if no group missed a quarter of an hour."""
    rows = most = 0
    with store.open(ledger) as books:
        for name, table in derived.DERIVED.items():
            groups = ", ".join(table.keys[1:])
            found = books.rows(
                f"SELECT (SELECT count(*) FROM {name}), count(*) FROM (SELECT DISTINCT {groups} FROM {name})"
            )
            rows += int(str(found[0][0]))
            most += int(str(found[0][1])) * (QUARTERS if table.time == "bucket" else 1)
    return rows, most


def table(weight: Weight, reading: Reading) -> str:
    """The sizing table as Markdown."""
    columns = [column(calls, weight, reading) for calls in VOLUMES]
    heads = ("", *(f"{calls // 10**6:,} M calls a day" for calls in VOLUMES))
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * len(VOLUMES)}|"]
    lines.extend(f"| {name} | {' | '.join(each[name] for each in columns)} |" for name in columns[0])
    return "\n".join(lines)


def column(calls: int, weight: Weight, reading: Reading) -> dict[str, str]:
    """One volume's figures; (m) where this many calls were measured, (x) where it is extrapolated."""
    sign = "(m)" if calls == weight.calls else "(x)"
    many = calls / weight.calls
    core_s = calls / reading.calls_per_s_per_worker
    workers = max(1, -(-core_s // (READ_WITHIN_H * 3600)))
    sums_bytes = weight.sums_ledger_bytes * min(max(many, 1.0), weight.most_sum_rows / weight.sum_rows)
    return {
        "logs a day": f"{size(calls * reading.log_bytes_a_call)} (x)",
        f"workers (cores) that read them in {READ_WITHIN_H} hours": f"{workers:,.0f} (x)",
        "parts a day": f"{size(weight.parts_bytes * many)} {sign}",
        "`load-parts`, processor time": f"{span(weight.load_s * many)} {sign}",
        "ledger, one day of calls": f"{size(weight.ledger_bytes * many)} {sign}",
        "ledger, 90 days of calls": f"{size(weight.ledger_bytes * many * 90)} (x)",
        "`load-parts --rollup-only`, processor time": f"{span(weight.sum_s * many)} {sign}",
        "ledger, one day of sums": f"{size(sums_bytes)} {sign}",
        "ledger, a year of sums": f"{size(sums_bytes * 365)} (x)",
    }


def size(number: float) -> str:
    """Bytes in a unit that keeps them short."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if number < 1000 or unit == "TB":
            break
        number /= 1000
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"


def span(seconds: float) -> str:
    """Seconds in a unit that keeps them short."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def write_page(text: str) -> None:
    """Put the table between the marks of docs/scale.md."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


def described(weight: Weight, where: dict[str, object], reading: Reading) -> str:
    """What the table is made from."""
    calls = weight.calls
    speed = reading.calls_per_s_per_worker * reading.log_bytes_a_call / 1e6
    return (
        f"Measured on {where['cpu']}, {where['cores']} cores, {where['measured_on']}: {calls:,} invented "
        f"calls of one day (50 tenants, 40 workflows, 5 models) weigh {weight.parts_bytes / calls:.0f} B a "
        f"call in parts and {weight.ledger_bytes / calls:.0f} B in the ledger; a core's second books "
        f"{calls / weight.load_s:,.0f} calls or sums up {calls / weight.sum_s:,.0f}. The sums have "
        f"{weight.sum_rows:,} rows, {weight.most_sum_rows:,} if every group had calls in every quarter of "
        f"an hour, which is where they stop growing. Logs of {reading.log_bytes_a_call:,.0f} B a call, in "
        f"which each text stands {reading.repeat} times on average, are read at "
        f"{reading.calls_per_s_per_worker:,.0f} calls ({speed:,.0f} MB) a second and worker, with "
        f"{reading.counter}. The rest is these figures times the number of calls: (m) is measured, (x) "
        f"extrapolated."
    )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many calls to weigh")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="20,000 calls; writes nothing")
    parser.add_argument("--table-only", action="store_true", help="write the table from the last figures")
    parser.add_argument("--json", action="store_true", help="print what was measured as one JSON object")
    return parser.parse_args()


def measured(wanted: argparse.Namespace) -> dict[str, object]:
    kept = MEASURED / "sizing.json"
    if wanted.table_only:
        found: dict[str, object] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    os.environ["TOLLBOOK_KEY"] = KEY.hex()
    with tempfile.TemporaryDirectory() as folder:
        reading = read_log(Path(folder), 2_000_000 if wanted.quick else 40_000_000, wanted.seed)
        weight = weigh(Path(folder), 20_000 if wanted.quick else wanted.rows, wanted.seed)
    found = {
        "machine": asdict(machine(datetime.now(UTC))),
        "reading": asdict(reading),
        "weight": asdict(weight),
    }
    if not wanted.quick:
        MEASURED.mkdir(exist_ok=True)
        kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def main() -> None:
    wanted = options()
    found = measured(wanted)
    if wanted.json:
        print(json.dumps(found))
    if wanted.quick:
        return
    weight, reading = Weight(**found["weight"]), Reading(**found["reading"])
    text = f"{described(weight, found['machine'], reading)}\n\n{table(weight, reading)}"
    write_page(text)
    print(text)


if __name__ == "__main__":
    main()
