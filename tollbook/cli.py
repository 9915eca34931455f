"""The command line: options in, one job, text or JSON out, an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from ledger.store import Ledger
    from tollbook.config import Configuration

OK, FOUND, USER = 0, 1, 2

app = typer.Typer(
    name="tollbook",
    help="The books for LLM spend: recount tokens, attribute cost, compare with plan, alert, report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
report_app = typer.Typer(help="Render a report.", no_args_is_help=True)
incidents_app = typer.Typer(help="List incidents, or act on one.")
rejects_app = typer.Typer(help="List records that could not be booked, or read them again.")
app.add_typer(report_app, name="report")
app.add_typer(incidents_app, name="incidents")
app.add_typer(rejects_app, name="rejects")

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The configuration; ./tollbook.toml where it exists.")
]
LedgerOption = Annotated[
    Path | None, typer.Option("--ledger", help="The ledger file, over the configuration's.")
]
AsOfOption = Annotated[
    str | None, typer.Option("--as-of", help="Act as at that moment (ISO 8601, UTC where no zone is given).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and problems only.")]


class UsageError(Exception):
    """The user must change an option; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command works with: settings, the way to the ledger, and now."""

    config: Configuration
    ledger: Path
    now: datetime
    as_json: bool
    quiet: bool

    def visit(self) -> AbstractContextManager[Ledger]:
        """Open the ledger for a short visit."""
        from ledger import store

        return store.open(self.ledger, wait_s=self._wait_s(), notice=self.note)

    def look(self) -> AbstractContextManager[Ledger]:
        """Open the ledger for reading only."""
        from ledger import store

        return store.open(self.ledger, wait_s=self._wait_s(), read_only=True)

    def _wait_s(self) -> float:
        return self.config.settings.ledger.wait.total_seconds()

    def say(self, text: str, **fields: object) -> None:
        """Print the result: the fields as JSON where asked for, else the text."""
        print(json.dumps(fields, default=str, ensure_ascii=False) if self.as_json else text)

    def note(self, text: str) -> None:
        """Tell something on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr)


def _desk(config: Path | None, ledger: Path | None, as_of: str | None, as_json: bool, quiet: bool) -> Desk:
    from tollbook.config import load

    configuration = load(config)
    place = ledger if ledger is not None else configuration.path(configuration.settings.ledger.path)
    return Desk(configuration, place, _moment(as_of), as_json, quiet)


def _clock() -> datetime:
    return datetime.now(UTC)


def _moment(text: str | None) -> datetime:
    return _clock() if text is None else _time(text, "--as-of")


def _time(text: str, option: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no time: write it as 2026-10-31T07:00:00Z") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--date {text!r} is no day: write it as 2026-10-30") from None


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("tollbook.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a commented tollbook.toml."""
    from importlib import resources

    if path.exists() and not force:
        raise UsageError(f"{path} exists: edit it, or write it anew with --force")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(resources.files("tollbook").joinpath("starter.toml").read_text("utf-8"), encoding="utf-8")
    print(f"{path} written: name your logs under [[source]], then run `tollbook ingest`")


@app.command()
def ingest(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Files, globs, folders, .gz, .zst, or - ; default: every [[source]]."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="auto, or the name of a format.")] = "auto",
    assume_time: Annotated[
        str | None, typer.Option("--assume-time", help="The time of records that carry none.")
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option("--quarantine", help="Keep the text of records rejected from standard input here."),
    ] = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read logs into the ledger."""
    from collector.formats import FORMATS
    from collector.ingest import AUTO
    from collector.ingest import ingest as read_in
    from collector.sources import discover
    from tollbook import jobs, parts, progress, screen

    desk = _desk(config, ledger, as_of, as_json, quiet)
    if form not in (AUTO, *FORMATS):
        raise UsageError(f"--format {form!r} is unknown: there are auto, {', '.join(FORMATS)}")
    moment = None if assume_time is None else _time(assume_time, "--assume-time")
    if paths:
        jobs.record_configuration(desk.config, desk.visit, desk.now)
        found = discover(paths, Path.cwd())
        with progress.bar(found, shown=not quiet) as advance:
            intake = parts.intake(desk.config, form, moment, quarantine)
            summary = read_in(found, desk.visit, intake, desk.now, advance)
    else:
        with progress.bar(jobs.source_files(desk.config), shown=not quiet) as advance:
            summary = jobs.ingest_sources(desk.config, desk.visit, desk.now, advance)
    totals = {name: summary.total(name) for name in ("read", "added", "updated", "duplicate", "rejected")}
    desk.say(
        screen.ingested(summary),
        **totals,
        merged_identical=summary.total("merged_identical"),
        bytes=sum(file.bytes for file in summary.files),
        seconds=round(summary.seconds, 3),
        formats=dict(summary.formats),
        files=len(summary.files),
        unchanged=sum(file.unchanged for file in summary.files),
        problems=list(summary.problems),
    )
    for problem in summary.problems:
        print(f"tollbook: {problem}", file=sys.stderr)
    if summary.problems:
        raise typer.Exit(USER)


@report_app.command("daily")
def report_daily(
    day: Annotated[str | None, typer.Option("--date", help="The day, default the last whole one.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder for the page.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Render the daily report as one HTML file and as text."""
    from tollbook import jobs

    desk = _desk(config, ledger, as_of, as_json, quiet)
    _need_ledger(desk)
    wanted = _day(day) if day else jobs.last_whole_day(desk.config, desk.now)
    folder = out if out is not None else desk.config.path(desk.config.settings.report.daily.out)
    report = jobs.report_daily(desk.config, desk.visit, wanted, folder, desk.now)
    _say_report(desk, report.daily, report.path)
    if open_page:
        typer.launch(str(report.path))


def _need_ledger(desk: Desk) -> None:
    if not desk.ledger.exists():
        raise UsageError(
            f"no ledger at {desk.ledger}: run `tollbook ingest` first, or name another with --ledger"
        )


def _say_report(desk: Desk, daily: object, path: Path) -> None:
    from reports.daily import Daily, render_text
    from tollbook import screen

    assert isinstance(daily, Daily)
    spent = next((figure.value_usd for figure in daily.headlines), None)
    text = render_text(daily, screen.width(), screen.has_color())
    desk.say(
        f"{text}\nReport: {path}",
        report=str(path),
        day=str(daily.day),
        sentence=daily.sentence,
        spent_usd=spent,
        open_incidents=len(daily.incidents),
    )


@app.command()
def check(
    fail_on_firing: Annotated[
        bool, typer.Option("--fail-on-firing", help="Exit with 1 while an incident is firing.")
    ] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Evaluate envelopes, budgets and anomalies once; keep incidents; deliver alerts."""
    from ledger.figures import IncidentState
    from tollbook import jobs, screen

    desk = _desk(config, ledger, as_of, as_json, quiet)
    _need_ledger(desk)
    done = jobs.check(desk.config, desk.visit, desk.now, _clock)
    delivery = done.delivery
    desk.say(
        screen.incidents(done.incidents, desk.config.zone),
        findings=len(done.findings),
        changed=len(done.evaluation.changes),
        sent=delivery.sent,
        failed=delivery.failed,
        given_up=list(delivery.given_up),
        incidents=[_incident_fields(incident) for incident in done.incidents],
    )
    for sentence in (*delivery.errors, *delivery.given_up):
        print(f"tollbook: {sentence}", file=sys.stderr)
    if fail_on_firing and any(incident.state is IncidentState.FIRING for incident in done.incidents):
        raise typer.Exit(FOUND)


def _incident_fields(incident: object) -> dict[str, object]:
    from ledger.figures import Incident

    assert isinstance(incident, Incident)
    return {
        "id": incident.incident_id,
        "rule": incident.rule,
        "scope": dict(incident.scope.parts()),
        "severity": incident.severity,
        "state": incident.state,
        "since": incident.since.isoformat(),
        "excess_usd": incident.excess_usd,
        "summary": incident.summary,
    }


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Do everything once, then exit.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write the log as JSON lines.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Do everything the configuration asks for, on schedule until SIGTERM, or once."""
    from tollbook import logs, schedule, screen

    desk = _desk(config, ledger, as_of, as_json, quiet)
    logs.configure(as_json=log_json, quiet=quiet)
    if not once:
        if as_of is not None:
            raise UsageError("--as-of replays one moment: use it with --once")
        schedule.run(desk.config, desk.visit, _clock)
        return
    summary, checked, reports = schedule.once(desk.config, desk.visit, desk.now, _clock)
    desk.note(screen.ingested(summary))
    for problem in (*summary.problems, *checked.delivery.errors, *checked.delivery.given_up):
        print(f"tollbook: {problem}", file=sys.stderr)
    if reports:
        _say_report(desk, reports[-1].daily, reports[-1].path)
    else:
        desk.say(
            screen.incidents(checked.incidents, desk.config.zone),
            report=None,
            open_incidents=len(checked.incidents),
        )
    if summary.problems:
        raise typer.Exit(USER)


@incidents_app.callback(invoke_without_command=True)
def incidents(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the open incidents."""
    if context.invoked_subcommand is not None:
        return
    from alerts import book
    from tollbook import screen

    desk = _desk(config, ledger, None, as_json, False)
    with desk.look() as found:
        listed = book.load_all(found) if everything else book.load_open(found)
    desk.say(
        screen.incidents(listed, desk.config.zone),
        incidents=[_incident_fields(incident) for incident in listed],
    )


IdArgument = Annotated[str, typer.Argument(help="The incident's id, or its beginning.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="Why; kept with the incident.")]
ForOption = Annotated[str | None, typer.Option("--for", help="For how long: 30m, 4h, 2d.")]
UntilOption = Annotated[str | None, typer.Option("--until", help="Until when (ISO 8601).")]


@incidents_app.command("ack")
def incidents_ack(
    incident_id: IdArgument,
    note: NoteOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
) -> None:
    """Acknowledge: somebody is on it; no repeats."""
    _act("ack", incident_id, note, None, _desk(config, ledger, as_of, False, False))


@incidents_app.command("silence")
def incidents_silence(
    incident_id: IdArgument,
    span: ForOption = None,
    until: UntilOption = None,
    note: NoteOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
) -> None:
    """Silence for a time."""
    desk = _desk(config, ledger, as_of, False, False)
    _act("silence", incident_id, note, _end(span, until, desk.now), desk)


@incidents_app.command("expect")
def incidents_expect(
    incident_id: IdArgument,
    note: NoteOption = None,
    span: ForOption = None,
    until: UntilOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
) -> None:
    """Say that this is expected, why, and until when."""
    desk = _desk(config, ledger, as_of, False, False)
    _act("expect", incident_id, note, _end(span, until, desk.now), desk)


@incidents_app.command("resolve")
def incidents_resolve(
    incident_id: IdArgument,
    note: NoteOption = None,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
) -> None:
    """Resolve, with what it was."""
    _act("resolve", incident_id, note, None, _desk(config, ledger, as_of, False, False))


def _end(span: str | None, until: str | None, now: datetime) -> datetime | None:
    if span is not None and until is not None:
        raise UsageError("give --for or --until, not both")
    if until is not None:
        return _time(until, "--until")
    return None if span is None else now + _span(span)


def _span(text: str) -> timedelta:
    from tollbook.config import duration

    try:
        return duration(text)
    except ValueError:
        raise UsageError(f"--for {text!r} is no duration: write it as 30m, 4h or 2d") from None


def _act(verb: str, incident_id: str, note: str | None, until: datetime | None, desk: Desk) -> None:
    from alerts import book

    _need_ledger(desk)
    try:
        with desk.visit() as ledger:
            incident = book.act(ledger, incident_id, book.Verb(verb), desk.now, until, note)
    except ValueError as error:
        raise UsageError(str(error)) from error
    print(f"{incident.incident_id} {incident.scope.title()}: {incident.state}")


@rejects_app.callback(invoke_without_command=True)
def rejects(
    context: typer.Context,
    most: Annotated[int, typer.Option("--last", help="How many to list, newest first.")] = 50,
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List records that could not be booked: where, why, what shape."""
    if context.invoked_subcommand is not None:
        return
    from tollbook import screen

    desk = _desk(config, ledger, None, as_json, False)
    with desk.look() as found:
        listed = found.frame(
            "SELECT source_file, source_line, source_offset, length, reason, excerpt, rejected_at "
            "FROM rejects "
            "ORDER BY rejected_at DESC, source_file, source_line LIMIT ?",
            [most],
        )
        count = found.rows("SELECT count(*) FROM rejects")[0][0]
    more = "" if count == len(listed) else f"\n{count} in all; --last lists more"
    desk.say(screen.rejects(listed) + more, rejects=listed.to_dicts(), total=count)


@rejects_app.command("retry")
def rejects_retry(
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read rejected records again where they stand in their files."""
    from tollbook import parts
    from tollbook.retry import retry

    desk = _desk(config, ledger, as_of, as_json, False)
    _need_ledger(desk)
    done = retry(desk.visit, parts.intake(desk.config), desk.now)
    desk.say(
        f"{done.booked:,} booked, {done.still_rejected:,} still rejected, "
        f"{done.gone:,} no longer in their file",
        booked=done.booked,
        still_rejected=done.still_rejected,
        gone=done.gone,
    )


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="A query on the ledger's tables.")],
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a read-only query on the ledger."""
    from ledger.store import QueryError
    from tollbook import screen

    desk = _desk(config, ledger, None, as_json, False)
    try:
        with desk.look() as found:
            answer = found.frame(query)
    except QueryError as error:
        raise UsageError(str(error)) from error
    desk.say(screen.answer(answer), columns=answer.columns, rows=[list(row) for row in answer.iter_rows()])


@app.command()
def doctor(
    config: ConfigOption = None,
    ledger: LedgerOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is configured, reachable, stale, unpriced, unattributed, and whether the books tie."""
    from tollbook import screen
    from tollbook.doctor import Verdict, examine

    desk = _desk(config, ledger, as_of, as_json, False)
    points = examine(desk.config, desk.ledger, desk.look, desk.now)
    desk.say(
        screen.examination(points),
        points=[{"verdict": p.verdict, "about": p.about, "text": p.text} for p in points],
    )
    if any(point.verdict is Verdict.FAIL for point in points):
        raise typer.Exit(FOUND)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tollbook {version('tollbook')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """The books for LLM spend."""


def main() -> NoReturn:
    """Run the command line; what the user must change is a sentence and exit code 2, a bug a traceback."""
    sys.exit(_guarded(app))


def _guarded(command: Callable[[], object]) -> int:
    from collector.sources import SourceError
    from ledger.keys import KeyFileError
    from ledger.store import LedgerError
    from tollbook.config import ConfigError

    try:
        command()
    except (UsageError, ConfigError, LedgerError, KeyFileError, SourceError) as error:
        print(f"tollbook: {error}", file=sys.stderr)
        return USER
    except KeyboardInterrupt:
        print("tollbook: stopped; what was committed stays, run it again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else OK
    return OK
