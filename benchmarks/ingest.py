"""Print the speed of ingest on a multi-turn chat log beside that of the obvious script, in the same run.

python benchmarks/ingest.py --size-mb 20 --repeat 9

The obvious script parses with json, counts every text with tiktoken and inserts with executemany: no memory,
no segments, no prices by date, no merging. Both must reach the same totals, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import tiktoken

from collector import tokenizers, vocabularies
from collector.ingest import Intake
from collector.ingest import ingest as read_in
from ledger import store

MODEL = "gpt-4.1-mini"
USD_PER_INPUT, USD_PER_OUTPUT = Decimal("0.0000004"), Decimal("0.0000016")
NOW = datetime(2026, 10, 30, tzinfo=UTC)
FIRST_CALL = 1_790_000_000
SYLLABLES = (
    "ba",
    "che",
    "dor",
    "en",
    "fi",
    "gla",
    "ho",
    "ir",
    "ka",
    "lum",
    "mi",
    "no",
    "per",
    "qui",
    "ran",
    "s",
)
WORDS_A_MESSAGE = 60


@dataclass(frozen=True, slots=True)
class Totals:
    """What both sides must agree on."""

    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one side was."""

    seconds: float
    user_s: float
    mb_per_s: float
    rows_per_s: float


def sentence(dice: random.Random) -> str:
    words = ("".join(dice.choices(SYLLABLES, k=dice.randint(1, 4))) for _ in range(WORDS_A_MESSAGE))
    return " ".join(words).capitalize() + "."


def conversation(dice: random.Random, turns: int, first: int) -> Iterator[dict[str, object]]:
    """The calls of one chat: each sends again all that was said before."""
    said = [{"role": "system", "content": sentence(dice)}]
    for turn in range(turns):
        said.append({"role": "user", "content": sentence(dice)})
        answer = {"role": "assistant", "content": sentence(dice)}
        yield {
            "url_path": "/v1/chat/completions",
            "status": 200,
            "metadata": {"tenant": f"tenant-{first % 7}", "workflow": "chat"},
            "request": {"model": MODEL, "messages": list(said)},
            "response": {
                "id": f"chatcmpl-{first + turn:024d}",
                "object": "chat.completion",
                "created": FIRST_CALL + first + turn,
                "model": MODEL,
                "choices": [{"index": 0, "message": answer, "finish_reason": "stop"}],
            },
        }
        said.append(answer)


def write_log(path: Path, size: int, repeat: int, seed: int) -> None:
    """A log in which every text stands `repeat` times on average: chats of 2 × repeat - 1 turns."""
    dice = random.Random(seed)
    written = calls = 0
    with path.open("w", encoding="utf-8") as log:
        while written < size:
            for call in conversation(dice, 2 * repeat - 1, calls):
                written += log.write(json.dumps(call) + "\n")
                calls += 1


def obvious(log: Path, ledger: Path) -> Totals:
    encoding = vocabularies.reference(tokenizers.O200K)
    with log.open(encoding="utf-8") as lines:
        rows = [obvious_row(json.loads(line), encoding) for line in lines]
    connection = duckdb.connect(str(ledger))
    connection.execute(
        "CREATE TABLE calls (id VARCHAR PRIMARY KEY, ts BIGINT, tenant VARCHAR, model VARCHAR, "
        "input_tokens BIGINT, output_tokens BIGINT, cost_usd DECIMAL(18, 12))"
    )
    connection.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return totals(connection, "calls")


def obvious_row(call: dict[str, dict[str, object]], encoding: tiktoken.Encoding) -> tuple[object, ...]:
    request, response = call["request"], call["response"]
    sent = 3 + sum(
        3 + len(encoding.encode(message["role"])) + len(encoding.encode(message["content"]))
        for message in request["messages"]
    )
    answered = len(encoding.encode(response["choices"][0]["message"]["content"]))
    cost = sent * USD_PER_INPUT + answered * USD_PER_OUTPUT
    tenant = call["metadata"]["tenant"]
    return response["id"], response["created"], tenant, response["model"], sent, answered, cost


def ours(log: Path, ledger: Path) -> Totals:
    tokenizers.forget()
    read_in([str(log)], lambda: store.open(ledger), Intake(), NOW)
    with store.open(ledger, read_only=True) as books:
        return totals(books.connection, "requests")


def totals(connection: duckdb.DuckDBPyConnection, table: str) -> Totals:
    sums = "count(*), sum(input_tokens)::BIGINT, sum(output_tokens)::BIGINT, sum(cost_usd)"
    (row,) = connection.execute(f"SELECT {sums} FROM {table}").fetchall()
    connection.close()
    return Totals(*row)


def timed(work: Callable[[Path, Path], Totals], log: Path, folder: Path) -> tuple[Totals, Speed]:
    started, before = time.perf_counter(), os.times().user
    found = work(log, folder / f"{work.__name__}.duckdb")
    seconds, user = time.perf_counter() - started, os.times().user - before
    return found, Speed(seconds, user, log.stat().st_size / 1e6 / seconds, found.requests / seconds)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=20, help="size of the generated log")
    parser.add_argument(
        "--repeat", type=int, default=9, help="how often each text stands in the log, on average"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def show(wanted: argparse.Namespace, naive: Speed, fast: Speed, reached: Totals) -> None:
    ratio = naive.seconds / fast.seconds
    if wanted.json:
        found = {"naive": asdict(naive), "ingest": asdict(fast), "ratio": ratio, "requests": reached.requests}
        print(json.dumps({**found, "size_mb": wanted.size_mb, "repeat": wanted.repeat}))
        return
    print(f"{wanted.size_mb:g} MB chat log, {reached.requests:,} requests, each text {wanted.repeat} times")
    for name, speed in (("json + tiktoken + executemany", naive), ("tollbook ingest", fast)):
        figures = f"{speed.mb_per_s:7.1f} MB/s {speed.rows_per_s:9,.0f} rows/s {speed.user_s:7.2f} s user CPU"
        print(f"{name:<30} {figures}")
    print(f"{ratio:.1f} times as fast, totals equal: {reached.input_tokens:,} tokens in, ${reached.cost_usd}")


def main() -> None:
    wanted = options()
    os.environ.setdefault("TOLLBOOK_KEY", "00" * 32)
    tokenizers.measure(tokenizers.O200K, "The vocabulary is loaded before the clock starts.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "chat.jsonl"
        write_log(log, round(wanted.size_mb * 1e6), wanted.repeat, wanted.seed)
        expected, naive = timed(obvious, log, folder)
        reached, fast = timed(ours, log, folder)
    if reached != expected:
        sys.exit(f"the totals differ: {expected} by the obvious script, {reached} by ingest")
    show(wanted, naive, fast, reached)


if __name__ == "__main__":
    main()
