"""Time the making of parts on a Dask cluster beside a process pool, kill it, and compare the ledgers.

python -m benchmarks.distributed --size-mb 300 --files 16

The same unit of work reads the same files in both, two processes each, started before the clock. Then a
worker is killed while it reads, then the scheduler, and the run is repeated: the ledger of the parts must be
the one that `ingest` makes of the files, row by row, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.chat_log import Shape, write_log
from benchmarks.figures import Figure, at_most, fail, report
from collector.cluster import Target, make_all
from collector.ingest import Intake, ingest
from collector.part_loading import load_parts
from collector.parts import Made, Order, make_parts
from collector.sources import SourceError
from ledger import store
from ledger.keys import key_id

KEY = bytes(32)
NOW = datetime(2026, 10, 30, tzinfo=UTC)
WORKERS = 2
AIM = 1.3


@dataclass(frozen=True, slots=True)
class Measured:
    """What docs/scale.md's table is made from; `cpu_s` is that of all workers."""

    calls: int
    log_bytes: int
    parts_bytes: int
    ledger_bytes: int
    make_rows_per_s_per_worker: float
    load_rows_per_s: float


def logs_in(folder: Path, size: int, files: int, repeat: int, seed: int) -> list[Path]:
    """One log, cut at line ends into files of about the same size."""
    whole = folder / "whole.jsonl"
    write_log(whole, Shape(size=size, repeat=repeat, seed=seed))
    paths = [folder / f"log-{number:02d}.jsonl" for number in range(files)]
    share = whole.stat().st_size // files + 1
    with whole.open("rb") as lines:
        for path in paths:
            path.write_bytes(lines.read(share) + lines.readline())
    whole.unlink()
    return paths


def orders(logs: Sequence[Path], place: Path) -> list[Order]:
    return [Order(str(log), str(place), Intake(), NOW, key_id(KEY)) for log in logs]


def on_pool(pool: ProcessPoolExecutor, wanted: Sequence[Order]) -> list[Made]:
    return list(pool.map(partial(make_parts, key=KEY), wanted))


def on_dask(where: Target, wanted: Sequence[Order]) -> list[Made]:
    return make_all(wanted, where, KEY)


def started(stack: ExitStack, *command: str) -> subprocess.Popen[bytes]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-m", *command], **quiet)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


@contextmanager
def dask(folder: Path) -> Iterator[tuple[Target, subprocess.Popen[bytes], list[subprocess.Popen[bytes]]]]:
    """A scheduler and two workers, each a process that can be killed."""
    told = folder / f"scheduler-{time.monotonic_ns()}.json"
    flags = ("--scheduler-file", str(told), "--no-dashboard", "--host", "127.0.0.1")
    with ExitStack() as stack:
        head = started(stack, "distributed.cli.dask_scheduler", *flags, "--port", "0")
        while not (told.exists() and told.read_bytes()):
            time.sleep(0.05)
        alone = ("--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        hands = [started(stack, "distributed.cli.dask_worker", *flags, *alone) for _ in range(WORKERS)]
        yield Target(json.loads(told.read_text())["address"]), head, hands


def timed(work: Callable[[Sequence[Order]], list[Made]], logs: Sequence[Path], place: Path) -> float:
    began = time.perf_counter()
    made = work(orders(logs, place))
    seconds = time.perf_counter() - began
    problems = [each.problem for each in made if each.problem]
    if problems or any(each.kept for each in made):
        fail(f"not every part was made: {problems[:3]}")
    return seconds


def rows_digest(ledger: Path) -> str:
    """A digest of every row, but for when it was written."""
    found = hashlib.sha256()
    with store.open(ledger) as books:
        for row in books.rows("SELECT * EXCLUDE (ingested_at) FROM requests ORDER BY request_id"):
            found.update(repr(row).encode())
    return found.hexdigest()


def loaded(folder: Path, place: Path, name: str) -> tuple[str, float, int]:
    """The digest of a ledger made of parts, the seconds it took to book them, and its size."""
    ledger = folder / f"{name}.duckdb"
    done = load_parts(str(place), lambda: store.open(ledger), (), NOW)
    if done.problems:
        fail(done.problems[0])
    return rows_digest(ledger), done.seconds, ledger.stat().st_size


def killed_worker(folder: Path, logs: Sequence[Path]) -> str:
    """The rows after a worker was killed while it made parts."""
    place = folder / "worker-killed"
    with dask(folder) as (where, _, hands):
        make_all(orders(logs, place), where, KEY, lambda _: hands[0].send_signal(signal.SIGKILL))
        if hands[0].poll() is None:
            fail("the worker outlived the run")
    return loaded(folder, place, "worker-killed")[0]


def killed_scheduler(folder: Path, logs: Sequence[Path]) -> str:
    """The rows after the scheduler was killed and the run repeated."""
    place = folder / "scheduler-killed"
    with dask(folder) as (where, head, _):
        try:
            make_all(orders(logs, place), where, KEY, lambda _: head.send_signal(signal.SIGKILL))
        except SourceError:
            pass
        else:
            fail("the run outlived its scheduler")
    with dask(folder) as (where, _, _):
        again = make_all(orders(logs, place), where, KEY)
    if not any(each.kept for each in again):
        fail("nothing was kept of the run whose scheduler was killed")
    return loaded(folder, place, "scheduler-killed")[0]


def compare(folder: Path, logs: Sequence[Path], runs: int) -> tuple[list[float], list[float]]:
    """The seconds of each run on the pool and on Dask, in turn, after one of each to warm up."""
    pools, dasks = [], []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context) as pool, dask(folder) as (where, _, _):
        for number in range(runs + 1):
            # The first files of a run warm up the vocabularies of every process.
            some = logs if number else logs[: 2 * WORKERS]
            pools.append(timed(partial(on_pool, pool), some, folder / f"pool-{number}"))
            dasks.append(timed(partial(on_dask, where), some, folder / f"dask-{number}"))
    return pools[1:], dasks[1:]


def figures(folder: Path, logs: Sequence[Path], runs: int) -> tuple[list[Figure], Measured]:
    pools, dasks = compare(folder, logs, runs)
    on_pool_s, on_dask_s = statistics.median(pools), statistics.median(dasks)
    ledger = folder / "read.duckdb"
    began = time.perf_counter()
    read = ingest([str(log) for log in logs], lambda: store.open(ledger), Intake(), NOW, workers=WORKERS)
    ingest_s = time.perf_counter() - began
    expected = rows_digest(ledger)
    by_parts, load_s, ledger_bytes = loaded(folder, folder / "dask-1", "by-parts")
    found = {
        "parts on Dask": by_parts,
        "after a worker was killed": killed_worker(folder, logs),
        "after the scheduler was killed": killed_scheduler(folder, logs),
    }
    for name, digest in found.items():
        if digest != expected:
            fail(f"{name}: the ledger's rows differ from those of ingest")
    ratio = statistics.median(d / p for d, p in zip(dasks, pools, strict=True))
    aim, met = at_most(ratio, AIM, "×")
    size, calls = sum(log.stat().st_size for log in logs), read.total("added")
    parts_bytes = sum(path.stat().st_size for path in (folder / "dask-1").rglob("*") if path.is_file())
    measured = Measured(calls, size, parts_bytes, ledger_bytes, calls / on_dask_s / WORKERS, calls / load_s)
    return [
        Figure("parts on Dask, 2 workers", on_dask_s, "s", on_pool_s, "process pool, 2", ratio, aim, met),
        Figure("parts on Dask", size / 1e6 / on_dask_s, "MB/s"),
        Figure(
            "parts on Dask, then load-parts",
            on_dask_s + load_s,
            "s",
            ingest_s,
            "ingest --workers 2",
            (on_dask_s + load_s) / ingest_s,
        ),
        Figure("load-parts", calls / load_s, "rows/s"),
        Figure("parts", parts_bytes / calls, "B/call", size / calls, "log", parts_bytes / size),
        Figure("ledgers equal after killing a worker", 1, "", aim="equal", met=True),
        Figure("ledgers equal after killing the scheduler", 1, "", aim="equal", met=True),
    ], measured


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=300, help="size of all logs together")
    parser.add_argument("--files", type=int, default=16, help="how many files they are")
    parser.add_argument("--repeat", type=int, default=9, help="how often each text stands in the logs")
    parser.add_argument("--runs", type=int, default=5, help="how often each side is timed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="20 MB, timed once")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def main() -> None:
    wanted = options()
    os.environ["TOLLBOOK_KEY"] = KEY.hex()
    megabytes, runs = (20.0, 1) if wanted.quick else (wanted.size_mb, wanted.runs)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logs = logs_in(folder, round(megabytes * 1e6), wanted.files, wanted.repeat, wanted.seed)
        found, measured = figures(folder, logs, runs)
    report("distributed", found, as_json=wanted.json, detail=asdict(measured))


if __name__ == "__main__":
    main()
