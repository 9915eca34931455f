"""Commands over what the ledger holds of people: purge it, rotate the key that hashes it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk, moment

if TYPE_CHECKING:
    from ledger.purging import Purged


@at_desk
def purge(
    desk: Desk,
    before: Annotated[str, typer.Option("--before", help="Only calls that began before that time.")],
    tenant: Annotated[str | None, typer.Option("--tenant", help="Whose calls.")] = None,
    end_user: Annotated[
        str | None, typer.Option("--end-user", help="On whose behalf, as the log names them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete samples, hashes of people and prompts, and tags of calls; tokens and money stay booked."""
    from ledger.purging import Purge, carry_out, find

    if tenant is None and end_user is None:
        raise UsageError("purge of whom? Name --tenant, --end-user or both")
    desk.need_ledger()
    wanted = Purge(moment(before, "--before"), tenant, end_user)
    with desk.visit() as ledger:
        found = find(ledger, wanted)
    if dry_run or not _agreed(desk, found, yes=yes):
        desk.say(f"would go: {_told(found)}; nothing was changed", **asdict(found), purged=False)
        return
    with desk.visit() as ledger:
        done = carry_out(ledger, wanted, desk.now)
    desk.say(f"gone: {_told(done)}; tokens and money stay as they are", **asdict(done), purged=True)


def _told(found: Purged) -> str:
    return (
        f"{found.samples:,} samples; of {found.calls:,} calls {found.end_users:,} hashes of end users, "
        f"{found.prompt_hashes:,} of prompts, the tags of {found.tagged:,}"
    )


def _agreed(desk: Desk, found: Purged, *, yes: bool) -> bool:
    if yes:
        return True
    if desk.as_json or not sys.stdin.isatty():
        raise UsageError(f"{_told(found)} would go: say --yes to delete, or --dry-run to look")
    return typer.confirm(f"{_told(found)}: delete?", err=True)


@at_desk
def key_rotate(desk: Desk) -> None:
    """Make a new key for the hashes of people and prompts; what was hashed before stays as it is."""
    from ledger.key_change import rotate

    desk.need_ledger()
    with desk.visit() as ledger:
        change = rotate(ledger, desk.now)
    desk.say(
        f"key {change.new_id} in force, {change.former_id} before\n"
        f"cannot be compared across the change: {change.end_users:,} end users and "
        f"{change.prompt_versions:,} prompt versions (each is new once more), prompt hashes, parts made with "
        f"the former key; {change.remembered_counts:,} remembered counts are forgotten\n"
        f"the former key is kept at {change.kept}: copies of the ledger from before need it, delete it "
        f"with them",
        **asdict(change),
    )


@at_desk
def samples(
    desk: Desk,
    workflow: Annotated[str | None, typer.Option("--workflow", help="Only of this workflow.")] = None,
    most: Annotated[int, typer.Option("--last", min=1, help="How many, newest first.")] = 10,
) -> None:
    """Show the redacted texts of the calls that are kept as samples."""
    from ledger.samples import listed
    from tollbook import screen

    with desk.look() as ledger:
        found = listed(ledger, workflow, most)
    desk.say(screen.samples(found), samples=found.to_dicts())
