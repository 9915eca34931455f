"""What a benchmark found: figures beside their baselines, printed for people or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `ratio` compares it with the `baseline` of the same run, `met` is None without an aim."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    baseline_name: str = ""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when figures were measured: absolute ones mean little elsewhere."""

    cpu: str
    cores: int
    memory_gib: float
    python: str
    measured_on: str


def machine(now: datetime) -> Machine:
    """Describe this machine by its processor, never by its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(_cpu(), cores, round(memory, 1), platform.python_version(), f"{now:%Y-%m-%d}")


def _cpu() -> str:
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def at_least(ratio: float, aim: float) -> tuple[str, bool]:
    """The aim in words and whether the ratio reaches it."""
    return f"≥ {aim:g}×", ratio >= aim


def at_most(value: float, aim: float, unit: str) -> tuple[str, bool]:
    """The aim in words and whether the value stays under it."""
    return f"≤ {aim:g} {unit}".rstrip(), value <= aim


def report(benchmark: str, figures: Sequence[Figure], *, as_json: bool, detail: object = None) -> None:
    """Print the figures, as JSON one object with the machine and any detail beside them."""
    if as_json:
        said = {
            "benchmark": benchmark,
            "machine": asdict(machine(datetime.now(UTC))),
            "figures": [asdict(figure) for figure in figures],
            "detail": detail,
        }
        print(json.dumps(said, default=str))
        return
    for figure in figures:
        print(line(figure))


def line(figure: Figure) -> str:
    """One figure in one line."""
    parts = [f"{figure.name:<44} {_number(figure.value):>10} {figure.unit:<8}"]
    if figure.baseline is not None:
        parts.append(f"against {_number(figure.baseline)} {figure.unit} ({figure.baseline_name})")
    if figure.ratio is not None:
        parts.append(f"{figure.ratio:.2f}×")
    if figure.aim:
        parts.append(f"aim {figure.aim}: {VERDICT[figure.met]}")
    return "  ".join(parts)


VERDICT = {True: "met", False: "missed", None: "not judged"}


def _number(value: float) -> str:
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def fail(reason: str) -> None:
    """End the benchmark as failed: a wrong total makes every figure worthless."""
    sys.exit(f"benchmark failed: {reason}")
