"""How much of the machine a visit to the ledger may take."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SHARE = 0.4
# What a visit reads of a large ledger is kept until others need the room: this keeps small visits small.
_MOST_BYTES = 2 * 1024**3
_CONTAINER = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class Resources:
    """Memory (such as `2GB`), threads, and where to put what does not fit; None is the default of each.

    By default memory is 40 % of the machine's, 2 GiB at most; threads are as many as cores; what does not
    fit goes beside the ledger.
    """

    memory_limit: str | None = None
    threads: int | None = None
    temp_directory: Path | None = None

    def settings(self, file: Path) -> dict[str, str | int]:
        """The database's own settings for this ledger file."""
        beside = file.with_name(f"{file.name}.tmp")
        found: dict[str, str | int] = {
            "memory_limit": self.memory_limit or f"{_usual_bytes() // 1024**2}MiB",
            "temp_directory": str(self.temp_directory or beside),
        }
        return found if self.threads is None else {**found, "threads": self.threads}


USUAL = Resources()


def _usual_bytes() -> int:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(int(min(machine, _container_bytes() or machine) * _SHARE), _MOST_BYTES)


def _container_bytes() -> int | None:
    """The limit of the container this runs in, None where there is none."""
    try:
        told = _CONTAINER.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(told) if told.isdigit() else None
