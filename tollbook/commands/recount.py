"""`tollbook recount` counts booked calls again after the counting rules changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import USER, Desk, at_desk, moment

if TYPE_CHECKING:
    from collector.recounting import Summary


@at_desk
def recount(
    desk: Desk,
    paths: Annotated[
        list[str] | None, typer.Argument(help="Only calls of these files, globs or folders.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only calls from that time on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only calls before that time.")] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Also calls that the rules of today have counted.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Count booked calls again by the rules of today, from the files they came from; no bill changes."""
    from collector.places import find
    from collector.recounting import recount_files
    from ledger.recounting import Which
    from tollbook import parts
    from tollbook.stopping import between_commits

    desk.need_ledger()
    which = Which(
        None if since is None else moment(since, "--since"),
        None if until is None else moment(until, "--until"),
        every,
    )
    found = find(paths, Path.cwd()) if paths else None
    with between_commits() as undisturbed:
        done = recount_files(
            found,
            desk.visit,
            parts.intake(desk.config),
            desk.now,
            which,
            dry_run=dry_run,
            undisturbed=undisturbed,
        )
    _say(desk, done, dry_run)


def _say(desk: Desk, done: Summary, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    lines = [
        f"{done.calls:,} calls of {done.files:,} files {would}counted again, "
        f"{done.changed:,} otherwise than before"
    ]
    if done.not_found:
        lines.append(f"{done.not_found:,} keep their count, as their text is not found any more")
    desk.say(
        "\n".join(lines),
        calls=done.calls,
        changed=done.changed,
        not_found=done.not_found,
        files=done.files,
        gone=list(done.gone),
        problems=list(done.problems),
        dry_run=dry_run,
    )
    for file in done.gone:
        desk.warn(f"{file} is there no more")
    for problem in done.problems:
        desk.warn(problem)
    if done.problems:
        raise typer.Exit(USER)
