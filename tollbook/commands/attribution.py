"""`tollbook attribution` says how calls come to their tenant and workflow, and makes it anew on request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import USER, Desk, UsageError, at_desk

if TYPE_CHECKING:
    from ledger.booked_calls import BookedCall


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
