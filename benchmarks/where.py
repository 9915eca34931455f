"""Where the time of an ingest goes: processor seconds of its steps, each with those inside it.

python -m benchmarks.ingest --where --size-mb 60 --repeat 9
"""

from __future__ import annotations

import importlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

# Where a step's function is looked up, the function's name, how deep it stands, and what it does.
STEPS = (
    ("collector.work", "batch_of", 1, "records to rows"),
    ("collector.batches", "object_of", 2, "decode the JSON"),
    ("collector.batches", "digest", 2, "digest of the record"),
    ("collector.batches", "_take", 2, "one call of a record"),
    ("collector.batches", "row", 3, "its row (the rest: read by its format)"),
    ("collector.rows", "count", 4, "count prompt and answer"),
    ("collector.rows", "attribute", 4, "tenant, workflow, environment"),
    ("collector.rows", "prompt_version", 4, "hash of what a deploy fixes"),
    ("collector.rows", "prompt_hash", 4, "hash of the prompt"),
    ("collector.batches", "records_frame", 2, "rows to columns"),
    ("collector.ingest", "post_all", 1, "merge, price and commit"),
    ("collector.ingest", "settle", 1, "add up the sums"),
)


@dataclass(slots=True)
class Spent:
    """Processor seconds and calls of a step."""

    seconds: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class Clock:
    """What was spent in each step so far."""

    spent: dict[str, Spent] = field(default_factory=dict)

    def around(self, module: str, name: str) -> AbstractContextManager[object]:
        """Time a function wherever its module calls it."""
        inner: Callable[..., object] = getattr(importlib.import_module(module), name)
        spent = self.spent[f"{module}.{name}"] = Spent()

        def timed(*given: object, **named: object) -> object:
            before = time.process_time()
            try:
                return inner(*given, **named)
            finally:
                spent.seconds += time.process_time() - before
                spent.calls += 1

        return patch(f"{module}.{name}", timed)


def measure(work: Callable[[Path, Path], object], log: Path) -> list[str]:
    """Run an ingest of the log in this process and tell where its time went, a line a step."""
    clock = Clock()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        for module, name, *_ in STEPS:
            stack.enter_context(clock.around(module, name))
        before = os.times()
        work(log, Path(folder) / "ledger.duckdb")
        after = os.times()
    whole = after.user + after.system - before.user - before.system
    lines = [_line(0, "all of it (the rest: read lines, open and close the ledger)", whole, whole, 1)]
    for module, name, depth, words in STEPS:
        spent = clock.spent[f"{module}.{name}"]
        lines.append(_line(depth, words, spent.seconds, whole, spent.calls))
    return lines


def _line(depth: int, words: str, seconds: float, whole: float, calls: int) -> str:
    return f"{seconds:8.3f} s {seconds / whole:6.1%} {calls:>9,} calls  {'  ' * depth}{words}"
