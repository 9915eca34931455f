"""Print the peak memory of ingest, its processes together, for a small log and for one ten times as large.

python -m benchmarks.memory --size-mb 300 3000 --workers 2

Memory that forked processes share counts once (PSS), sampled twenty times a second.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chat_log import Shape, write_log
from benchmarks.figures import Figure, at_most, fail, report

RUN = "from tollbook.cli import main; main()"
_GROWTH_AIM, _MB_AIM = 1.2, 1_000


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory held at one time, in MB: by the writer, by its readers, and by all of them."""

    writer: float = 0.0
    readers: float = 0.0
    together: float = 0.0


def measured(log: Path, ledger: Path, workers: int) -> Peak:
    """Ingest a log and watch the processes."""
    words = ["ingest", "--quiet", "--workers", str(workers), "--ledger", str(ledger), str(log)]
    environment = {**os.environ, "TOLLBOOK_KEY": "00" * 32}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *words], env=environment, stdout=subprocess.DEVNULL
    )
    peak = Peak()
    while process.poll() is None:
        peak = higher(peak, process.pid)
        time.sleep(0.05)
    if process.returncode:
        fail(f"ingest of {log.name} ended with {process.returncode}")
    return peak


def higher(peak: Peak, process: int) -> Peak:
    """The peak, or what is held now where that is more."""
    writer, readers = held_by(process), sum(map(held_by, children(process)))
    return Peak(max(peak.writer, writer), max(peak.readers, readers), max(peak.together, writer + readers))


def held_by(process: int) -> float:
    """A process's share of memory in MB; none where it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def children(process: int) -> Iterator[int]:
    """The processes that a process started."""
    with suppress(OSError):
        yield from map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())


def figures(sizes: list[int], peaks: list[Peak], workers: int) -> list[Figure]:
    """The peak of each size; the largest beside the smallest, and under what it may take at all."""
    smallest, largest = peaks[0].together, peaks[-1].together
    aim, met = at_most(largest / smallest, _GROWTH_AIM, "×")
    under, is_under = at_most(largest, _MB_AIM, "MB")
    named = [
        Figure(f"{size} MB, {workers} workers: {part}", getattr(peak, part), "MB")
        for size, peak in zip(sizes, peaks, strict=True)
        for part in ("writer", "readers", "together")
    ]
    growth = Figure(
        f"peak at {sizes[-1]} MB", largest, "MB", smallest, f"{sizes[0]} MB", largest / smallest, aim, met
    )
    return [*named, growth, Figure("peak in all", largest, "MB", aim=under, met=is_under)]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=int, nargs="+", default=[300, 3000], help="sizes of the logs")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=4, help="how often each text stands in the log")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="small logs, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> None:
    wanted = options()
    sizes = [40, 80] if wanted.quick else sorted(wanted.size_mb)
    peaks = []
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            log, ledger = Path(name) / f"{size}.jsonl", Path(name) / f"{size}.duckdb"
            write_log(log, Shape(size * 1_000_000, wanted.repeat, seed=wanted.seed))
            peaks.append(measured(log, ledger, wanted.workers))
            log.unlink()
            ledger.unlink()
    detail = {size: asdict(peak) for size, peak in zip(sizes, peaks, strict=True)}
    report("memory", figures(sizes, peaks, wanted.workers), as_json=wanted.json, detail=detail)


if __name__ == "__main__":
    main()
