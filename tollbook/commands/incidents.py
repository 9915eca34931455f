"""`tollbook incidents` lists what is open, and takes what a person decides about one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk, at_group_desk, moment

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The incident's id, or its beginning.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="Why; kept with the incident.")]
ForOption = Annotated[str | None, typer.Option("--for", help="For how long: 30m, 4h, 2d.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Until when (ISO 8601).")]


@at_group_desk
def listed(
    desk: Desk,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
) -> None:
    """List the open incidents, or act on one."""
    from alerts import book
    from tollbook import screen

    with desk.look() as ledger:
        found = book.load_all(ledger) if everything else book.load_open(ledger)
    text = screen.incidents(found, desk.config.zone)
    desk.say(text, incidents=[screen.incident_fields(incident) for incident in found])


@at_desk
def ack(desk: Desk, incident_id: IdArgument, note: NoteOption = None) -> None:
    """Acknowledge: somebody is on it; no repeats."""
    _act(desk, "ack", incident_id, note, None)


@at_desk
def silence(
    desk: Desk,
    incident_id: IdArgument,
    span: ForOption = None,
    until: UntilOption = None,
    note: NoteOption = None,
) -> None:
    """Silence for a time."""
    _act(desk, "silence", incident_id, note, _end(span, until, desk.now))


@at_desk
def expect(
    desk: Desk,
    incident_id: IdArgument,
    note: NoteOption = None,
    span: ForOption = None,
    until: UntilOption = None,
) -> None:
    """Say that this is expected, why, and until when."""
    _act(desk, "expect", incident_id, note, _end(span, until, desk.now))


@at_desk
def resolve(desk: Desk, incident_id: IdArgument, note: NoteOption = None) -> None:
    """Resolve, with what it was."""
    _act(desk, "resolve", incident_id, note, None)


def _end(span: str | None, until: str | None, now: datetime) -> datetime:
    if (span is None) == (until is None):
        raise UsageError("say how long: --for 4h, or --until 2026-10-31T18:00 (one of them)")
    return now + _span(span) if span is not None else moment(until or "", "--until")


def _span(text: str) -> timedelta:
    from tollbook.tables import duration

    try:
        return duration(text)
    except ValueError:
        raise UsageError(f"--for {text!r} is no duration: write it as 30m, 4h or 2d") from None


def _act(desk: Desk, verb: str, incident_id: str, note: str | None, until: datetime | None) -> None:
    from alerts.book import Verb
    from alerts.evaluation import act
    from tollbook import parts, screen

    desk.need_ledger()
    try:
        with desk.visit() as ledger:
            after = act(ledger, incident_id, Verb(verb), parts.policy(desk.config), desk.now, until, note)
    except ValueError as error:
        raise UsageError(str(error)) from error
    desk.say(screen.acted(after, desk.config.zone), **screen.incident_fields(after))
