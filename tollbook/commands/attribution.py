"""`tollbook attribution` says how calls come to their tenant and workflow, and makes it anew on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import USER, Desk, UsageError, at_desk, moment

if TYPE_CHECKING:
    from collector.reattribution import Order, Summary
    from ledger.booked_calls import BookedCall
    from ledger.recounting import Which


@at_desk
def explain(
    desk: Desk,
    request: Annotated[
        str, typer.Argument(metavar="REQUEST", help="The call's id or its beginning, or FILE:LINE.")
    ],
) -> None:
    """Say which rule gave a call each of its values, and which were asked before."""
    from tollbook import attribution_screen, explaining, parts

    place = explaining.place_in(request)
    if place is not None:
        file = str(Path(place[0]).expanduser())
        records = explaining.of_line(file, place[1], parts.intake(desk.config), desk.now, _key(desk))
        if records[0].problem:
            raise UsageError(f"{file} line {place[1]}: {records[0].problem}")
        call = None
    else:
        call = _booked(desk, request)
        records = explaining.of_call(call, parts.intake(desk.config), desk.now, _key(desk) or b"")
    shown = attribution_screen.explained(call, records)
    desk.say(shown, **attribution_screen.explained_fields(call, records))


def _key(desk: Desk) -> bytes | None:
    """The ledger's key, by which it knows people; None where there is no ledger yet."""
    if not desk.ledger.exists():
        return None
    with desk.look() as ledger:
        return ledger.key


def _booked(desk: Desk, request: str) -> BookedCall:
    from tollbook import explaining

    desk.need_ledger()
    with desk.look() as ledger:
        found = explaining.booked(ledger, request)
    if not found:
        raise UsageError(
            f"no call {request!r} in {desk.ledger}: give request_id or its first digits, as `tollbook sql` "
            "shows it, or FILE:LINE of its record"
        )
    if len(found) > 1:
        ids = ", ".join(call.request_id for call in found)
        raise UsageError(f"several calls begin with {request!r}: {ids}; give more of the id")
    return found[0]


@at_desk
def try_on(
    desk: Desk,
    paths: Annotated[list[str], typer.Argument(help="Files, globs, folders, .gz, .zst, or -.")],
    form: Annotated[str, typer.Option("--format", help="auto, or the name of a format.")] = "auto",
) -> None:
    """Say how the calls of files would be attributed by the configuration; books nothing."""
    from collector import places
    from tollbook import attribution_screen, explaining, parts
    from tollbook.commands.intake import check_format

    check_format(form)
    found = explaining.try_on(places.find(paths, Path.cwd()), parts.intake(desk.config, form), desk.now)
    desk.say(attribution_screen.tested(found), **attribution_screen.tested_fields(found))
    for problem in found.problems:
        desk.warn(problem)
    if found.problems:
        raise typer.Exit(USER)


@at_desk
def apply(
    desk: Desk,
    paths: Annotated[
        list[str] | None, typer.Argument(help="Only calls of these files, globs or folders.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", help="Only calls from that time on.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Only calls before that time.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    by: Annotated[str | None, typer.Option("--by", help="Who asks for it; kept in the audit.")] = None,
    note: Annotated[str | None, typer.Option("--note", help="Why; kept in the audit.")] = None,
) -> None:
    """Attribute booked calls by the rules of today, from the files they came from; no cost changes."""
    from collector import places
    from collector.reattribution import Order, reattribute_files
    from ledger.recounting import Which
    from tollbook import jobs, parts
    from tollbook.stopping import between_commits

    desk.need_ledger()
    which = Which(
        None if since is None else moment(since, "--from"),
        None if until is None else moment(until, "--to"),
        every=True,
    )
    _refuse_closed(desk, which)
    found = places.find(paths, Path.cwd()) if paths else None
    if not dry_run:
        jobs.record_configuration(desk.config, desk.visit, desk.now)
    order = Order(which, by, note, dry_run)
    with between_commits() as undisturbed:
        done = reattribute_files(
            found, desk.visit, parts.intake(desk.config), desk.now, order, undisturbed=undisturbed
        )
    _say_applied(desk, done, order)


def _refuse_closed(desk: Desk, which: Which) -> None:
    """A time that is asked for by name must be open; without one, closed periods are left out and said."""
    if which.since is None and which.until is None:
        return
    from ledger.reattribution import closed_within

    with desk.look() as ledger:
        closed = closed_within(ledger, which)
    if closed is not None:
        start, end = closed
        raise UsageError(
            f"the period from {start:%Y-%m-%d} to {end:%Y-%m-%d} is closed and takes no more changes: give a "
            f"time outside it with --from and --to"
        )


def _say_applied(desk: Desk, done: Summary, order: Order) -> None:
    from collector.reattribution import digest_of
    from tollbook import attribution_screen, parts

    intake = parts.intake(desk.config)
    fields = attribution_screen.applied_fields(done, digest_of(intake.rules), dry_run=order.dry_run)
    desk.say(attribution_screen.applied(done, intake.contracts, dry_run=order.dry_run), **fields)
    for file in done.gone:
        desk.warn(f"{file} is there no more")
    for problem in done.problems:
        desk.warn(problem)
    if done.problems:
        raise typer.Exit(USER)
