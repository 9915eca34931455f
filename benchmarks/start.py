"""What it costs to start: the processor time of commands that do next to nothing, beside a bare interpreter.

python -m benchmarks.start
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import figures
from benchmarks.figures import Figure, at_most

_HELP_AIM_S = 0.3


def cpu_s(command: Sequence[str], runs: int, folder: Path) -> float:
    """The median processor seconds of a command, after a first run that fills the caches of files."""
    environment = {**os.environ, "TOLLBOOK_KEY": "00" * 32}
    taken = []
    for _ in range(runs + 1):
        before = os.times()
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, env=environment
        )
        after = os.times()
        if done.returncode:
            figures.fail(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
        taken.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    return statistics.median(taken[1:])


def measure(runs: int) -> list[Figure]:
    script = str(Path(sys.executable).with_name("tollbook"))
    log = '{"request": {"model": "gpt-4.1-mini"}, "response": {"id": "x"}, "ts": "2026-10-05T12:00:00Z"}\n'
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one.jsonl").write_text(log, encoding="utf-8")
        bare = cpu_s([sys.executable, "-c", "pass"], runs, folder)
        wanted = {
            "tollbook --help": ([script, "--help"], _HELP_AIM_S),
            "tollbook ingest of one record": ([script, "ingest", "one.jsonl", "--quiet"], None),
            "tollbook sql of one row": ([script, "sql", "SELECT count(*) FROM requests"], None),
        }
        return [
            _figure(name, cpu_s(command, runs, folder), bare, aim) for name, (command, aim) in wanted.items()
        ]


def _figure(name: str, value: float, bare: float, aim: float | None) -> Figure:
    words, met = ("", None) if aim is None else at_most(value, aim, "s")
    return Figure(f"{name}, processor time", value, "s", bare, "a bare interpreter", value / bare, words, met)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="figures are medians of this many")
    parser.add_argument("--quick", action="store_true", help="each command once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    figures.report("start", measure(1 if given.quick else given.runs), as_json=given.json)


if __name__ == "__main__":
    main()
