"""What the commands print on a terminal: short, aligned, nothing beyond a rule."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from ledger import units
from ledger.figures import Incident, IncidentState
from reports import names

if TYPE_CHECKING:
    from collector.ingest import Summary
    from collector.part_loading import Loaded
    from collector.parts import Made
    from collector.rollup_loading import SummedUp
    from ledger.reject_kinds import RejectKind
    from tollbook.doctor import Point
    from tollbook.jobs import Check
    from tollbook.retry import FileRetried, Retried

_SIGNS = {"ok": "ok  ", "note": "note", "fail": "FAIL"}


def width() -> int:
    """The columns of the terminal, 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def has_color() -> bool:
    """Whether standard output is a terminal that shows colour."""
    return sys.stdout.isatty()


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Aligned columns; those named in `right` are flush right."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    shown = []
    for line in lines:
        cells = [
            cell.rjust(size) if i in right else cell.ljust(size)
            for i, (cell, size) in enumerate(zip(line, widths, strict=True))
        ]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def ingested(summary: Summary) -> str:
    """What an ingest did, in one paragraph, problems last."""
    total = summary.total
    read = len([file for file in summary.files if not file.unchanged and not file.problem])
    unchanged = len([file for file in summary.files if file.unchanged])
    size = sum(file.bytes for file in summary.files)
    lines = [
        f"{_count(read, 'file')} read"
        + (f", {unchanged:,} unchanged" if unchanged else "")
        + f": {_count(total('read'), 'record')}, {units.size(size)}, {summary.seconds:.1f} s",
        f"{_count(total('added'), 'call')} added, {total('updated'):,} completed by a later record, "
        f"{total('duplicate'):,} known already, {_count(total('rejected'), 'record')} rejected",
    ]
    if summary.formats:
        lines.append(
            "formats: "
            + ", ".join(f"{name} ({_count(n, 'record')})" for name, n in sorted(summary.formats.items()))
        )
    if total("merged_identical"):
        lines.append(
            f"{total('merged_identical'):,} of those known are identical records without an id of their own"
        )
    if total("bills"):
        lines.append(f"{_count(total('bills'), 'line')} of bills new or changed: `tollbook bills` lists them")
    if total("set_aside"):
        lines.append(f"{_count(total('set_aside'), 'record')} set aside: sound, but no LLM call")
    if total("rejected"):
        lines.append("`tollbook rejects` says which records were rejected and why")
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def incidents(found: Sequence[Incident], zone: tzinfo) -> str:
    """Two lines an incident, newest last: its place and size, then what it is."""
    if not found:
        return "No open incidents."
    rows = [
        (
            incident.incident_id,
            incident.severity.value,
            incident.state.value,
            units.instant(incident.since, zone),
            units.money(incident.excess_usd),
        )
        for incident in found
    ]
    head, *lines = table(("id", "severity", "state", f"since ({zone})", "excess"), rows, right=(4,)).split(
        "\n"
    )
    what = (names.clean(f"{incident.scope.title()}: {incident.summary}") for incident in found)
    return "\n".join([head, *(f"{line}\n{_indented(text)}" for line, text in zip(lines, what, strict=True))])


def _indented(text: str) -> str:
    return textwrap.fill(text, width(), initial_indent="  ", subsequent_indent="  ")


def incident_fields(incident: Incident) -> dict[str, object]:
    """An incident for JSON."""
    return {
        "id": incident.incident_id,
        "rule": incident.rule,
        "scope": dict(incident.scope.parts()),
        "severity": incident.severity,
        "state": incident.state,
        "since": incident.since,
        "until": incident.until,
        "excess_usd": incident.excess_usd,
        "summary": incident.summary,
        "note": incident.note,
    }


def checked(done: Check, zone: tzinfo) -> str:
    """What a check left open, and what it changed and sent."""
    told = f", {_count(done.delivery.sent, 'message')} sent" if done.delivery.sent else ""
    return f"{incidents(done.incidents, zone)}\n{_count(done.changed, 'incident')} changed{told}."


def acted(incident: Incident, zone: tzinfo) -> str:
    """An incident after what a person did to it."""
    muted = incident.state in (IncidentState.SILENCED, IncidentState.EXPECTED)
    ending = f" until {units.instant(incident.until, zone)} ({zone})" if muted else ""
    what = names.clean(f"{incident.scope.title()}, {incident.summary}")
    return f"{incident.incident_id} {incident.state}{ending}: {what}"


def parts_made(done: Sequence[Made], place: str, seconds: float) -> str:
    """What a cluster made of sources, and what to do with it."""
    whole = [made.manifest for made in done if made.manifest]
    kept = sum(made.kept for made in done)
    size = sum(part.size for manifest in whole for part in manifest.files)
    files = sum(len(manifest.parts) for manifest in whole)
    return (
        f"{_count(len(whole) - kept, 'source')} made into parts, {kept:,} as before: "
        f"{sum(manifest.rows for manifest in whole):,} records, "
        f"{units.size(sum(manifest.stamp.size for manifest in whole))}, {seconds:.1f} s\n"
        f"{_count(files, 'part')}, {units.size(size)}, "
        f"{_count(sum(manifest.rejected for manifest in whole), 'record')} rejected\n"
        f"`tollbook load-parts {place}` books them"
    )


def parts_loaded(loaded: Loaded) -> str:
    """What loading parts did."""
    total = loaded.outcome
    return (
        f"{_count(loaded.sources, 'source')} booked, {loaded.known:,} known already: "
        f"{total.read:,} records, {_count(loaded.parts, 'part')}, {loaded.seconds:.1f} s\n"
        f"{_count(total.added, 'call')} added, {total.updated:,} completed by a later record, "
        f"{total.duplicate:,} known already, {_count(total.rejected, 'record')} rejected"
    )


def sums_loaded(done: SummedUp) -> str:
    """What booking the sums of parts did."""
    days = ", ".join(str(day) for day in done.days) or "none"
    lines = [f"{_count(done.calls, 'call')} summed up, {done.seconds:.1f} s; days closed: {days}"]
    if done.waiting:
        waiting = ", ".join(str(day) for day in done.waiting)
        lines.append(f"not over yet, or no later day has parts yet: {waiting}")
    if done.late:
        sources = ", ".join(done.late_sources)
        lines.append(f"{_count(done.late, 'record')} refused, of days that were summed up before: {sources}")
    if done.told_before:
        lines.append(f"{_count(done.told_before, 'record')} of such days told again: they are in the sums")
    return "\n".join(lines)


def rejects(frame: pl.DataFrame) -> str:
    """Rejected records: where, why, what shape."""
    if frame.is_empty():
        return "No rejected records."
    rows = [
        (
            names.clean(f"{row['source_file']}:{row['source_line']}"),
            names.clean(row["reason"]),
            names.cut(row["excerpt"], 60),
        )
        for row in frame.iter_rows(named=True)
    ]
    return table(("where", "why", "shape (values masked)"), rows)


def reject_kinds(found: Sequence[tuple[RejectKind, str]]) -> str:
    """Kinds of reject, each with its number, times, an example and what mends it."""
    if not found:
        return "No rejected records."
    together = sum(kind.count for kind, _ in found)
    heading = f"{_count(together, 'rejected record')} of {_count(len(found), 'kind')}"
    return "\n\n".join(
        [heading, *(_reject_kind(kind, fix) for kind, fix in found), "`tollbook rejects --list` lists them"]
    )


def _reject_kind(kind: RejectKind, fix: str) -> str:
    times = f"{kind.first:%Y-%m-%d %H:%M}"
    if kind.last != kind.first:
        times += f" to {kind.last:%Y-%m-%d %H:%M}"
    files = "" if kind.files == 1 else f" in {kind.files:,} files"
    shape = f"  {names.cut(kind.excerpt, 60)}" if kind.excerpt else ""
    return "\n".join(
        [
            f"{kind.count:,} × {names.clean(kind.reason)}",
            f"  {', '.join(kind.formats) or 'no format'}{files}, refused {times} UTC",
            _indented(f"fix: {fix}"),
            f"  e.g. {names.clean(f'{kind.file}:{kind.line}')}{shape}",
        ]
    )


def retried(files: Sequence[FileRetried], done: Retried) -> str:
    """What became of rejects that were read again, in all and by file."""
    lines = [
        f"  {names.clean(each.file)}: {each.retried.booked:,} booked, "
        f"{each.retried.still_rejected:,} still rejected, {each.retried.gone:,} gone"
        for each in files
    ]
    heading = (
        f"{done.booked:,} booked, {done.still_rejected:,} still rejected, "
        f"{done.gone:,} no longer in their file"
    )
    return "\n".join([heading, *lines])


def samples(frame: pl.DataFrame) -> str:
    """Kept texts of calls, newest first."""
    if frame.is_empty():
        return "No samples: `[samples] keep` in the configuration says how many to keep."
    return "\n\n".join(_sample(row) for row in frame.iter_rows(named=True))


def _sample(row: Mapping[str, object]) -> str:
    about = (row["tenant"], row["workflow"], row["model"])
    named = " / ".join(names.clean(str(each)) if each else units.UNKNOWN for each in about)
    texts = "\n".join(
        _indented(names.clean(line)) for line in f"{row['prompt']}\n→ {row['answer']}".splitlines()
    )
    return f"{row['ts']:%Y-%m-%d %H:%M} UTC  {named}  {row['request_id']}\n{texts}"


def answer(frame: pl.DataFrame) -> str:
    """A query's whole answer, every row and column."""
    rows = [[_cell(value) for value in row] for row in frame.iter_rows()]
    numeric = [i for i, dtype in enumerate(frame.dtypes) if dtype.is_numeric()]
    return f"{table(frame.columns, rows, right=numeric)}\n{_count(len(frame), 'row')}"


def _cell(value: object) -> str:
    if value is None:
        return units.UNKNOWN
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    # A name from a log could drive the terminal.
    return names.clean(str(value)) if str(value) else ""


def examination(points: Sequence[Point]) -> str:
    """The doctor's findings, one a line."""
    size = max(len(point.about) for point in points)
    return "\n".join(f"{_SIGNS[point.verdict]}  {point.about.ljust(size)}  {point.text}" for point in points)
