"""Print the speed of ingest on multi-turn chat logs beside that of the obvious script, in the same run.

python -m benchmarks.ingest --size-mb 60 --repeat 9 4 1

The obvious script parses with json, counts every text with tiktoken and inserts with executemany: no memory,
no segments, no prices by date, no merging. The ceiling only parses and hashes. Each variant runs in a process
of its own that has done a small ingest before the clock starts, all of them in turn, `--runs` times; figures
are medians. All that count must reach the same
totals to the last token and picodollar, or the run fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import msgspec
import tiktoken

from benchmarks.chat_log import LANGUAGES, Shape, write_log
from benchmarks.figures import Figure, at_least, at_most, fail, report

USD_PER_INPUT, USD_PER_OUTPUT = Decimal("0.0000004"), Decimal("0.0000016")
NOW = datetime(2026, 10, 30, tzinfo=UTC)
PLAIN = Shape(size=0, repeat=9)


@dataclass(frozen=True, slots=True)
class Totals:
    """What all that count must agree on; the cost as text, exact to the picodollar."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one variant; no totals from the ceiling, which counts nothing."""

    seconds: float
    cpu_s: float
    totals: Totals | None


def obvious(log: Path, ledger: Path) -> Totals:
    from collector import vocabularies

    encoding = vocabularies.reference(vocabularies.O200K)
    with log.open(encoding="utf-8") as lines:
        rows = [_obvious_row(json.loads(line), encoding) for line in lines]
    connection = duckdb.connect(str(ledger))
    connection.execute(
        "CREATE TABLE calls (id VARCHAR PRIMARY KEY, ts BIGINT, tenant VARCHAR, model VARCHAR, "
        "input_tokens BIGINT, output_tokens BIGINT, cost_usd DECIMAL(18, 12))"
    )
    connection.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return _totals(connection, "calls")


def _obvious_row(call: dict[str, dict[str, object]], encoding: tiktoken.Encoding) -> tuple[object, ...]:
    request, response = call["request"], call["response"]
    sent = 3 + sum(
        3 + len(encoding.encode(message["role"])) + len(encoding.encode(message["content"]))
        for message in request["messages"]
    )
    answered = len(encoding.encode(response["choices"][0]["message"]["content"]))
    cost = sent * USD_PER_INPUT + answered * USD_PER_OUTPUT
    tenant = call["metadata"]["tenant"]
    return response["id"], response["created"], tenant, response["model"], sent, answered, cost


class _Body(msgspec.Struct):
    messages: list[msgspec.Raw]


class _Call(msgspec.Struct):
    request: _Body
    response: msgspec.Raw


def ceiling(log: Path, ledger: Path) -> None:
    """Parse every record, and hash it and every message: what no reader that repeats itself can beat."""
    del ledger
    decode = msgspec.json.Decoder(_Call).decode
    with log.open("rb") as lines:
        for line in lines:
            call = decode(line)
            for piece in (line, call.response, *call.request.messages):
                hashlib.sha256(piece).digest()


def ingest(log: Path, ledger: Path, workers: int = 1) -> Totals:
    """The product itself."""
    from collector.ingest import Intake
    from collector.ingest import ingest as read_in
    from ledger import store

    read_in([str(log)], lambda: store.open(ledger), Intake(), NOW, workers=workers)
    with store.open(ledger, read_only=True) as books:
        return _totals(books.connection, "requests")


def ingest_by_two(log: Path, ledger: Path) -> Totals:
    """The product with two processes that read, beside the one that writes."""
    return ingest(log, ledger, workers=2)


def _totals(connection: duckdb.DuckDBPyConnection, table: str) -> Totals:
    sums = "count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, sum(cost_usd)::VARCHAR"
    (row,) = connection.execute(f"SELECT {sums} FROM {table}").fetchall()
    connection.close()
    return Totals(*row)


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to read the log; `fast` with the fast counter, `remembers` with a memory of pieces.

    One that is `cold` starts as the command does, with all that has to be loaded. Workers are compared so: an
    ingest before theirs would leave threads behind, and what is loaded then could not be forked any more.
    """

    work: Callable[[Path, Path], Totals | None]
    fast: bool = False
    remembers: bool = True
    cold: bool = False


VARIANTS = {
    "json + tiktoken + executemany": Variant(obvious),
    "parse and hash only": Variant(ceiling),
    "tiktoken": Variant(ingest),
    "fast counter": Variant(ingest, fast=True),
    "fast counter, no memory": Variant(ingest, fast=True, remembers=False),
    "fast counter, cold": Variant(ingest, fast=True, cold=True),
    "fast counter, cold, 2 workers": Variant(ingest_by_two, fast=True, cold=True),
}
NAIVE, CEILING, SLOW, FAST, FORGETFUL, COLD, TWO = VARIANTS


def run_here(name: str, log: Path) -> Run:
    """Run one variant in this process, which did nothing before."""
    variant = VARIANTS[name]
    os.environ["TOLLBOOK_KEY"] = "00" * 32
    if not variant.fast:
        sys.modules["fastokens"] = None  # type: ignore[assignment]  # as if it were not installed
    if not variant.remembers:
        _forget_everything()
    if not variant.cold:
        _warm_up()
    with tempfile.TemporaryDirectory() as folder:
        started, before = time.perf_counter(), os.times()
        totals = variant.work(log, Path(folder) / "ledger.duckdb")
        seconds, after = time.perf_counter() - started, os.times()
    return Run(seconds, sum(after[:4]) - sum(before[:4]), totals)


def _forget_everything() -> None:
    """Read every piece and count every text anew: readers ask for their memory when they are imported."""
    from collector import memory, pieces

    pieces.remembered = lambda read: read
    memory.Counts._keep = lambda *_: None


def _warm_up() -> None:
    """Load modules, prices and the vocabulary by a first small ingest: a log of gigabytes pays that once."""
    from collector import tokenizers

    tokenizers.warm()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "chat.jsonl"
        write_log(log, Shape(size=1, repeat=9, seed=0))
        ingest(log, Path(folder) / "ledger.duckdb")


def run_apart(name: str, log: Path) -> Run:
    command = [sys.executable, "-m", "benchmarks.ingest", "--only", name, "--log", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        fail(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Run(found["seconds"], found["cpu_s"], Totals(**found["totals"]) if found["totals"] else None)


def measure(log: Path, names: list[str], runs: int) -> dict[str, Run]:
    """The median run of each variant, all of them in turn; fails where totals differ."""
    every: dict[str, list[Run]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            every[name].append(run_apart(name, log))
    totals = {run.totals for found in every.values() for run in found if run.totals}
    if len(totals) > 1:
        fail(f"the totals differ: {totals}")
    return {
        name: sorted(found, key=lambda run: run.seconds)[len(found) // 2] for name, found in every.items()
    }


def names_for(repeat: int) -> list[str]:
    """The variants that say something of a log: where nothing repeats, what the memory costs."""
    if repeat == 1:
        return [NAIVE, CEILING, FAST, FORGETFUL]
    return list(VARIANTS) if repeat >= 9 else [NAIVE, CEILING, SLOW, FAST]


def figures(repeat: int, megabytes: float, found: dict[str, Run]) -> list[Figure]:
    """Speeds in MB/s beside the baselines that the aims speak of."""
    speed = {name: megabytes / run.seconds for name, run in found.items()}

    def figure(name: str, against: str, aim: float | None) -> Figure:
        ratio = speed[name] / speed[against]
        words, met = at_least(ratio, aim) if aim else ("", None)
        label = f"repeat {repeat}: {name}"
        return Figure(label, speed[name], "MB/s", speed[against], against, ratio, words, met)

    told = [figure(CEILING, NAIVE, None)]
    if repeat == 1:
        return [*told, figure(FAST, NAIVE, None), figure(FAST, FORGETFUL, 0.9)]
    told += [
        figure(FAST, NAIVE, 13 if repeat >= 9 else 10),
        figure(SLOW, NAIVE, 5),
        _beside_ceiling(repeat, found),
    ]
    if FORGETFUL in found:
        told += [figure(FORGETFUL, NAIVE, None), figure(COLD, FAST, None), figure(TWO, COLD, 1.8)]
    return told


def _beside_ceiling(repeat: int, found: dict[str, Run]) -> Figure:
    ours, least = found[FAST].seconds, found[CEILING].seconds
    words, met = at_most(ours / least, 2, "×")
    return Figure(f"repeat {repeat}: {FAST}, time", ours, "s", least, CEILING, ours / least, words, met)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=60, help="size of each generated log")
    parser.add_argument(
        "--repeat", type=int, nargs="+", default=[9, 4, 1], help="how often each text stands, one log each"
    )
    parser.add_argument("--message-bytes", type=int, default=PLAIN.message_bytes, help="mean of a message")
    parser.add_argument("--languages", nargs="+", default=LANGUAGES, choices=LANGUAGES)
    parser.add_argument("--seed", type=int, default=PLAIN.seed)
    parser.add_argument("--runs", type=int, default=5, help="figures are medians of this many")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--where", action="store_true", help="print where the time of one worker goes instead"
    )
    parser.add_argument("--only", choices=VARIANTS, help="run one variant on --log in this process")
    parser.add_argument("--log", type=Path)
    return parser.parse_args()


def compare(wanted: argparse.Namespace) -> None:
    told: list[Figure] = []
    detail: dict[str, object] = {}
    for repeat in wanted.repeat:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "chat.jsonl"
            size, languages = round(wanted.size_mb * 1e6), tuple(wanted.languages)
            calls = write_log(log, Shape(size, repeat, wanted.message_bytes, languages, wanted.seed))
            written = log.stat().st_size
            found = measure(log, names_for(repeat), wanted.runs)
        told += figures(repeat, written / 1e6, found)
        detail[f"repeat {repeat}"] = {
            "calls": calls,
            "bytes_a_call": written // calls,
            "runs": {name: asdict(run) for name, run in found.items()},
        }
    report("ingest", told, as_json=wanted.json, detail=detail)


def where_it_goes(wanted: argparse.Namespace) -> None:
    """Print the steps of one ingest with the fast counter, for each repeat ratio."""
    from benchmarks import where

    os.environ["TOLLBOOK_KEY"] = "00" * 32
    for repeat in wanted.repeat:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "chat.jsonl"
            write_log(log, Shape(round(wanted.size_mb * 1e6), repeat, wanted.message_bytes, seed=wanted.seed))
            _warm_up()
            print(f"repeat {repeat}, {wanted.size_mb:g} MB", *where.measure(ingest, log), sep="\n")


def main() -> None:
    wanted = options()
    if wanted.where:
        where_it_goes(wanted)
    elif wanted.only:
        print(json.dumps(asdict(run_here(wanted.only, wanted.log))))
    else:
        compare(wanted)


if __name__ == "__main__":
    main()
