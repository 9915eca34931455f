"""A progress bar for long reads, on standard error and only where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bar(paths: Sequence[str], *, shown: bool) -> Iterator[Callable[[int], None]]:
    """Give a function to tell of bytes read; compressed files count by their plain size as it shows."""
    if not (shown and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=_total(paths))
        yield lambda size: progress.advance(task, size)


def _total(paths: Sequence[str]) -> int | None:
    sizes = [Path(path).stat().st_size for path in paths if Path(path).is_file()]
    known = len(sizes) == len(paths) and not any(path.endswith((".gz", ".zst")) for path in paths)
    return sum(sizes) if known else None
