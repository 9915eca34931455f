"""`tollbook ingest` reads logs into the ledger; `tollbook rejects` shows what could not be booked."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.commands.cluster import TOTALS, make_parts
from tollbook.desk import USER, Desk, UsageError, at_desk, at_group_desk, moment

if TYPE_CHECKING:
    from collector.columns import Mapped
    from collector.ingest import Intake, Summary

_FOR_PATHS = "--format, --assume-time and --quarantine are for paths: give PATHs, or set format in [[source]]"


@at_desk
def ingest(
    desk: Desk,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files, globs, folders, .gz, .zst, URLs, or - ; without any, every source configured."
        ),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="auto, or the name of a format.")] = "auto",
    assume_time: Annotated[
        str | None, typer.Option("--assume-time", help="The time of records that carry none.")
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option("--quarantine", help="Keep the text of records rejected from standard input here."),
    ] = None,
    columns: Annotated[
        Path | None, typer.Option("--columns", help="With --format table: the file of the column map.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that read; as many as cores, up to 8.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", help="Make parts on a cluster: local, local:N or dask://HOST:PORT."),
    ] = None,
    place: Annotated[
        str | None, typer.Option("--parts", help="With --on: the folder or URL that keeps the parts.")
    ] = None,
) -> None:
    """Read logs into the ledger."""
    from tollbook import parts

    check_format(form)
    tables = _column_map(form, columns, paths)
    time = None if assume_time is None else moment(assume_time, "--assume-time")
    if on is not None or place is not None:
        if workers is not None or quarantine is not None:
            raise UsageError(
                "--workers and --quarantine are for this machine: leave them out, --on local:N says how many "
                "processes read, and rejects are read again in their files"
            )
        if not paths and (form != "auto" or time is not None):
            raise UsageError(_FOR_PATHS)
        make_parts(desk, paths or [], parts.intake(desk.config, form, time, tables=tables), on, place)
        return
    if paths:
        intake = parts.intake(desk.config, form, time, quarantine, tables)
        summary = _read_paths(desk, paths, intake, workers)
    elif form != "auto" or time is not None or quarantine is not None:
        raise UsageError(_FOR_PATHS)
    else:
        summary = _read_sources(desk, workers)
    _say_ingested(desk, summary)


def _column_map(form: str, file: Path | None, paths: list[str] | None) -> tuple[Mapped, ...]:
    """The map that is named for what is read now."""
    if file is None:
        return ()
    if form != "table" or not paths:
        raise UsageError(
            "--columns goes with --format table and PATHs; a [[source]] has [source.columns] instead"
        )
    from tollbook import column_maps

    return (column_maps.of_file(file),)


def check_format(form: str) -> None:
    """Refuse a format that there is not."""
    from collector.formats import FORMATS

    if form not in ("auto", *FORMATS):
        raise UsageError(f"--format {form!r} is unknown: there are auto, {', '.join(FORMATS)}")


def _read_paths(desk: Desk, paths: list[str], intake: Intake, workers: int | None) -> Summary:
    from collector.ingest import ingest as read_in
    from collector.places import find
    from tollbook import jobs, parts, progress
    from tollbook.retry import retry_due
    from tollbook.stopping import between_commits

    found = find(paths, Path.cwd())
    jobs.record_configuration(desk.config, desk.visit, desk.now)
    retry_due(desk.visit, parts.intake(desk.config), desk.now)
    intake = replace(intake, samples=parts.sample_rules(desk.config.settings, desk.now))
    readers = workers or parts.workers(desk.config.settings)
    with between_commits() as undisturbed, progress.bar(found, shown=not desk.quiet) as advance:
        return read_in(found, desk.visit, intake, desk.now, advance, workers=readers, undisturbed=undisturbed)


def _read_sources(desk: Desk, workers: int | None) -> Summary:
    from tollbook import jobs, parts, progress
    from tollbook.stopping import between_commits

    readers = workers or parts.workers(desk.config.settings)
    files = jobs.source_files(desk.config)
    with between_commits() as undisturbed, progress.bar(files, shown=not desk.quiet) as advance:
        return jobs.ingest_sources(
            desk.config, desk.visit, desk.now, advance, workers=readers, undisturbed=undisturbed
        )


def _say_ingested(desk: Desk, summary: Summary) -> None:
    from tollbook import screen

    desk.say(screen.ingested(summary), **ingested_fields(summary))
    for problem in summary.problems:
        desk.warn(problem)
    for doubt in summary.doubts:
        desk.warn(
            f"{doubt}; tiktoken counts in its place, and counts committed before may be off: "
            f"`tollbook recount --every` makes them anew"
        )
    if summary.problems:
        raise typer.Exit(USER)


def ingested_fields(summary: Summary) -> dict[str, object]:
    """What an ingest did, for JSON."""
    return {
        **{name: summary.total(name) for name in TOTALS},
        "bytes": sum(file.bytes for file in summary.files),
        "seconds": round(summary.seconds, 3),
        "formats": dict(summary.formats),
        "files": len(summary.files),
        "unchanged": sum(file.unchanged for file in summary.files),
        "problems": list(summary.problems),
    }


@at_group_desk
def rejects(
    desk: Desk,
    singly: Annotated[bool, typer.Option("--list", help="List the single records, newest first.")] = False,
    most: Annotated[int, typer.Option("--last", min=1, help="With --list: how many.")] = 50,
) -> None:
    """Say what could not be booked, by kind of reason, with an example and what mends it."""
    if singly:
        _list_rejects(desk, most)
        return
    from ledger.reject_kinds import kinds
    from tollbook import screen
    from tollbook.reject_fixes import fix

    with desk.look() as found:
        grouped = kinds(found)
    fixes = [fix(kind.reason) for kind in grouped]
    desk.say(
        screen.reject_kinds(list(zip(grouped, fixes, strict=True))),
        kinds=[{**asdict(kind), "fix": said} for kind, said in zip(grouped, fixes, strict=True)],
        total=sum(kind.count for kind in grouped),
    )


def _list_rejects(desk: Desk, most: int) -> None:
    from tollbook import screen

    with desk.look() as found:
        listed = found.frame(
            "SELECT source_file, source_line, source_offset, length, reason, excerpt, rejected_at "
            "FROM rejects ORDER BY rejected_at DESC, source_file, source_line LIMIT ?",
            [most],
        )
        count = found.rows("SELECT count(*) FROM rejects")[0][0]
    more = "" if count == len(listed) else f"\n{len(listed)} of {count}: --last N lists more"
    desk.say(screen.rejects(listed) + more, rejects=listed.to_dicts(), total=count)


@at_desk
def rejects_retry(
    desk: Desk,
    form: Annotated[
        str, typer.Option("--format", help="auto (as they were read before), or the name of a format.")
    ] = "auto",
) -> None:
    """Read rejected records again where they stand in their files."""
    from tollbook import parts, screen
    from tollbook.retry import retry_files, total

    check_format(form)
    desk.need_ledger()
    files = retry_files(desk.visit, parts.intake(desk.config, form), desk.now)
    done = total(files)
    desk.say(
        screen.retried(files, done),
        booked=done.booked,
        still_rejected=done.still_rejected,
        gone=done.gone,
        files=[{"file": each.file, **asdict(each.retried)} for each in files],
    )
