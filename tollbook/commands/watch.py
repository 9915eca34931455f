"""`tollbook check` looks once; `tollbook run` does everything, on schedule or once."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.commands.intake import ingested_fields
from tollbook.commands.reporting import say_daily
from tollbook.desk import FOUND, USER, Desk, UsageError, at_desk, clock

if TYPE_CHECKING:
    from tollbook.jobs import Check


@at_desk
def check(
    desk: Desk,
    fail_on_firing: Annotated[
        bool, typer.Option("--fail-on-firing", help="Exit with 1 while an incident is firing.")
    ] = False,
) -> None:
    """Evaluate envelopes, budgets and anomalies once; keep incidents; deliver alerts."""
    from ledger.figures import IncidentState
    from tollbook import jobs, screen

    desk.need_ledger()
    with _messages_aside(desk):
        done = jobs.check(desk.config, desk.visit, desk.now, clock)
    _note_past(desk, done)
    desk.say(screen.checked(done, desk.config.zone), **_check_fields(done))
    for sentence in (*done.delivery.errors, *done.delivery.given_up):
        desk.warn(sentence)
    if fail_on_firing and any(incident.state is IncidentState.FIRING for incident in done.incidents):
        raise typer.Exit(FOUND)


def _note_past(desk: Desk, done: Check) -> None:
    if done.is_past:
        desk.warn(
            "a later moment has been checked already: this only looked, nothing is kept and nobody told"
        )


def _check_fields(done: object) -> dict[str, object]:
    from tollbook import screen
    from tollbook.jobs import Check

    assert isinstance(done, Check)
    return {
        "findings": len(done.findings),
        "changed": done.changed,
        "sent": done.delivery.sent,
        "failed": done.delivery.failed,
        "given_up": list(done.delivery.given_up),
        "incidents": [screen.incident_fields(incident) for incident in done.incidents],
    }


@contextlib.contextmanager
def _messages_aside(desk: Desk) -> Iterator[None]:
    """With --json, what a stdout channel prints goes to standard error: the answer is one object."""
    with contextlib.redirect_stdout(sys.stderr) if desk.as_json else contextlib.nullcontext():
        yield


@at_desk
def run(
    desk: Desk,
    once: Annotated[bool, typer.Option("--once", help="Do everything once, then exit.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write the log as JSON lines.")] = False,
) -> None:
    """Do everything the configuration asks for, on schedule until SIGTERM, or once."""
    from tollbook import logs, schedule

    if not once and desk.is_replay:
        raise UsageError("--as-of replays one moment: use it with --once")
    if not once and desk.as_json:
        raise UsageError("--json answers once: use it with --once, or --log-json for a log in JSON")
    logs.configure(as_json=log_json, quiet=desk.quiet)
    if once:
        _run_once(desk)
    else:
        schedule.run(desk.config, desk.visit_within, clock)


def _run_once(desk: Desk) -> None:
    from tollbook import schedule, screen

    with _messages_aside(desk):
        summary, checked, reports = schedule.once(desk.config, desk.visit, desk.now, clock)
    desk.note(screen.ingested(summary))
    _note_past(desk, checked)
    fields = {"ingested": ingested_fields(summary), "checked": _check_fields(checked)}
    if reports:
        say_daily(desk, reports[-1], **fields)
    else:
        desk.say(f"{screen.checked(checked, desk.config.zone)}\nNo report is due.", report=None, **fields)
    for problem in (*summary.problems, *checked.delivery.errors, *checked.delivery.given_up):
        desk.warn(problem)
    if summary.problems:
        raise typer.Exit(USER)
