"""Commands around the books: write a configuration, examine it and the ledger, put the ledger in order."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tollbook.desk import FOUND, Desk, UsageError, at_desk, show


def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("tollbook.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented tollbook.toml."""
    from importlib import resources

    if path.exists() and not force:
        raise UsageError(f"{path} exists: edit it, or write it anew with --force")
    starter = resources.files("tollbook").joinpath("starter.toml").read_text("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(starter, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    show(f"{path} written: name your logs under [[source]], then run `tollbook ingest`")


@at_desk
def doctor(
    desk: Desk,
    deep: Annotated[
        bool, typer.Option("--deep", help="Check every row, not only those of the newest 7 days.")
    ] = False,
) -> None:
    """Say what is configured, reachable, stale, unpriced, unattributed, and whether the books tie."""
    from tollbook import screen
    from tollbook.doctor import Verdict, examine

    points = examine(desk.config, desk.ledger, desk.look, desk.now, deep=deep)
    desk.say(
        screen.examination(points),
        points=[{"verdict": p.verdict, "about": p.about, "text": p.text} for p in points],
        failed=sum(point.verdict is Verdict.FAIL for point in points),
    )
    if any(point.verdict is Verdict.FAIL for point in points):
        raise typer.Exit(FOUND)


@at_desk
def tidy(desk: Desk) -> None:
    """Put the ledger in order: one row a call, sums added up, rows past `keep_raw_days` dropped."""
    from tollbook.jobs import tidy

    desk.need_ledger()
    tidied = tidy(desk.config, desk.visit, desk.now)
    days = f"{tidied.dropped.days:,} day{'' if tidied.dropped.days == 1 else 's'}"
    kept = desk.config.settings.ledger.keep_raw_days
    dropped = "all rows are kept" if kept is None else f"{tidied.dropped.requests:,} rows of {days} dropped"
    desk.say(
        f"{tidied.united:,} calls united that were booked twice; {dropped}",
        united=tidied.united,
        dropped_days=tidied.dropped.days,
        dropped_requests=tidied.dropped.requests,
        dropped_samples=tidied.samples,
    )
