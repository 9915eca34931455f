"""The steps that bring an older ledger to the schema of this version."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from ledger import derived

LATEST = 3
# What a rollup view told was made anew at each question; from here on the derived tables are kept.
_DERIVED_SINCE = 2


def steps(version: int) -> Iterator[tuple[int, str]]:
    """The statements from `version` to LATEST, one (number, SQL) for each version on the way."""
    folder = resources.files("ledger").joinpath("migrations")
    for number in range(version + 1, LATEST + 1):
        text = folder.joinpath(f"{number:04d}.sql").read_text(encoding="utf-8")
        yield number, text + derived.statements() if number == _DERIVED_SINCE else text


def copy_aside(file: Path, version: int) -> Path:
    """Copy the ledger to `NAME.vN.bak` beside it, never over an earlier copy; return the copy's path."""
    copy = file.with_name(f"{file.name}.v{version}.bak")
    number = 1
    while copy.exists():
        number += 1
        copy = file.with_name(f"{file.name}.v{version}.{number}.bak")
    shutil.copy2(file, copy)
    return copy
