"""Run every benchmark, each in a process of its own, and write docs/benchmarks.md from what they print.

python -m benchmarks             all of them at full size (about half an hour on two quiet cores)
python -m benchmarks --quick     small sizes, to see that all run; writes nothing
python -m benchmarks counter hostile
python -m benchmarks.ingest --where      where the time of an ingest goes, step by step

Sampled for the time it takes: the end-to-end logs are of 120 MB (the obvious script reads 8 MB/s, five times
over; `python -m benchmarks.ingest --size-mb 300` for more), and of the 90 days in the ledger of 50 million
calls three are made anew, the others copies of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import VERDICT, Figure, Machine, line

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
MEASURED = Path(__file__).resolve().parent / "measured"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package, what it answers, and its options at full and at quick size."""

    title: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


BENCHMARKS: dict[str, Benchmark] = {
    "start": Benchmark("Starting", (), ("--quick",)),
    "ingest": Benchmark("End to end", ("--size-mb", "120"), ("--size-mb", "5", "--runs", "1")),
    "counter": Benchmark("The token counter", (), ("--quick",)),
    "hostile": Benchmark("Hostile text", (), ("--quick",)),
    "memory": Benchmark("Flat memory", (), ("--quick",)),
    "ledger": Benchmark("The ledger at size", ("--rows", "50000000"), ("--quick",)),
    "distributed": Benchmark("Past one machine", (), ("--quick",)),
    "forecast": Benchmark("Forecasts", (), ("--quick",)),
    "explain": Benchmark("Explanations", (), ("--quick",)),
}


def run(name: str, quick: bool) -> list[Figure]:
    """Run one benchmark and keep what full size gave. Raises SystemExit with what it printed if it failed."""
    options = BENCHMARKS[name].quick if quick else BENCHMARKS[name].options
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed ({done.returncode}):\n{done.stderr[-3000:]}{done.stdout[-3000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if not quick:
        MEASURED.mkdir(exist_ok=True)
        (MEASURED / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return [Figure(**figure) for figure in found["figures"]]


def page(found: dict[str, tuple[Machine, list[Figure]]]) -> str:
    """The figures as Markdown, one table a benchmark."""
    return "\n\n".join(_section(name, *found[name]) for name in BENCHMARKS if name in found)


def _section(name: str, where: Machine, figures: Sequence[Figure]) -> str:
    head = (
        f"### {BENCHMARKS[name].title}\n\n`python -m benchmarks.{name}`: {where.cpu}, {where.cores} cores, "
        f"{where.memory_gib:g} GiB, Python {where.python}, {where.measured_on}.\n\n"
        "| What | Figure | Baseline of the same run | Ratio | Aim | |\n|---|---:|---|---:|---|---|"
    )
    return "\n".join([head, *map(_row, figures)])


def _row(figure: Figure) -> str:
    baseline = "" if figure.baseline is None else f"{figure.baseline:,.4g} ({figure.baseline_name})"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}×"
    verdict = VERDICT[figure.met] if figure.aim else ""
    value = f"{figure.value:,.4g} {figure.unit}"
    return f"| {figure.name} | {value} | {baseline} | {ratio} | {figure.aim} | {verdict} |"


def write_page(text: str) -> None:
    """Put the figures between the marks of docs/benchmarks.md; what stands around them stays."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def kept() -> dict[str, tuple[Machine, list[Figure]]]:
    """What was measured before, by benchmark."""
    found = {}
    for name in BENCHMARKS:
        file = MEASURED / f"{name}.json"
        if file.exists():
            said = json.loads(file.read_text(encoding="utf-8"))
            found[name] = Machine(**said["machine"]), [Figure(**figure) for figure in said["figures"]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    parser.add_argument("--page-only", action="store_true", help="write the page from the last figures")
    wanted = parser.parse_args()
    unknown = set(wanted.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in [] if wanted.page_only else wanted.names or BENCHMARKS:
        started = time.perf_counter()
        figures = run(name, wanted.quick)
        print(f"== {name} ({time.perf_counter() - started:.0f} s)")
        for figure in figures:
            print(line(figure))
    if not wanted.quick:
        write_page(page(kept()))


if __name__ == "__main__":
    main()
