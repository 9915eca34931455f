"""`tollbook count` counts what is not sent yet; `tollbook counts` holds our counts against the bill."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk, at_group_desk

if TYPE_CHECKING:
    from ledger.types import Calibration
    from tollbook.estimate import Estimate

_MOST_BYTES = 100_000_000
_DAYS = 28


@at_desk
def count(
    desk: Desk,
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="A text or a request body; - is standard input.")
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="The model; a request body's own by default.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", help="Who serves it; known by the model where it is the maker."),
    ] = None,
    response_budget: Annotated[
        int, typer.Option("--response-budget", min=0, help="Tokens to keep free for the answer.")
    ] = 0,
    chunk_size: Annotated[
        int | None, typer.Option("--chunk-size", help="Cut the text into chunks of at most so many tokens.")
    ] = None,
    overlap: Annotated[
        int, typer.Option("--overlap", help="Tokens that a chunk shares with the one before.")
    ] = 0,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the chunks into this folder, numbered.")
    ] = None,
    as_text: Annotated[
        bool, typer.Option("--text", help="A text, even where it looks like a request body.")
    ] = False,
) -> None:
    """Count and price a text or a request body for a model, and cut a text into chunks."""
    from collector.chunks import ChunkError
    from collector.drafts import DraftError, draft, text_of
    from tollbook import count_screen
    from tollbook.estimate import estimate

    chunking = _chunking(chunk_size, overlap, write)
    name = "standard input" if file == "-" else file
    try:
        drafted = draft(text_of(_read(file)), model, provider, as_text=as_text)
    except DraftError as error:
        raise UsageError(f"{name} {error}") from None
    if chunking and drafted.text is None:
        raise UsageError(f"{name} is a request body: --chunk-size cuts a text; --text takes it as one")
    if response_budget and drafted.request.operation == "embedding":
        raise UsageError(f"{drafted.request.model} gives no answer: leave out --response-budget")
    try:
        found = estimate(drafted, desk.config, desk.now, response_budget, chunking, partial(_learned, desk))
    except ChunkError as error:
        raise UsageError(f"--chunk-size {chunk_size}: {error}") from None
    written = [] if write is None else _write(found, write, "chunk" if file == "-" else Path(file).stem)
    desk.say(count_screen.counted(found, name, written), **count_screen.counted_fields(found, name, written))


def _learned(desk: Desk) -> tuple[Calibration, ...]:
    """The calibrations of the ledger, if any; that it cannot be read is no reason not to count."""
    from ledger import calibrations
    from ledger.keys import KeyFileError
    from ledger.store import LedgerError

    if not desk.ledger.exists():
        return ()
    try:
        with desk.look() as ledger:
            return calibrations.in_force(ledger)
    except (LedgerError, KeyFileError) as error:
        desk.warn(f"counted without what the ledger has learned: {error}")
        return ()


def _chunking(size: int | None, overlap: int, write: Path | None) -> tuple[int, int] | None:
    from collector.chunks import ChunkError, check

    if size is None:
        if overlap or write is not None:
            raise UsageError("--overlap and --write are for chunks: say how large with --chunk-size")
        return None
    try:
        check(size, overlap)
    except ChunkError as error:
        raise UsageError(f"--chunk-size {size} --overlap {overlap}: {error}") from None
    return size, overlap


def _read(file: str) -> bytes:
    try:
        if file == "-":
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(file).open("rb") as source:
                data = source.read(_MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{file} has more than {_MOST_BYTES // 10**6} MB: count it in parts")
    return data


def _write(found: Estimate, folder: Path, stem: str) -> list[str]:
    """Write each chunk as a file of its own; a file that is there stays, and nothing is written."""
    chunks = found.cuts.chunks if found.cuts else ()
    digits = max(3, len(str(len(chunks))))
    paths = [folder / f"{stem}-{number:0{digits}}.txt" for number in range(1, len(chunks) + 1)]
    there = next((path for path in paths if path.exists()), None)
    if there is not None:
        raise UsageError(f"{there} exists: name an empty folder with --write")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, chunk in zip(paths, chunks, strict=True):
            path.write_bytes(chunk.text.encode())
    except OSError as error:
        raise UsageError(f"cannot write chunks into {folder}: {error.strerror or error}") from error
    return [str(path) for path in paths]


@at_group_desk
def counts(
    desk: Desk,
    since: Annotated[str | None, typer.Option("--since", help="The first UTC day.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="The last UTC day; today by default.")] = None,
    days: Annotated[
        int | None, typer.Option("--days", min=1, help="So many days up to the last one; 28 by default.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="model, api, category or method; several with commas.")
    ] = "model",
) -> None:
    """Hold our counts against the bills: how many are equal, how far off the others are, and since when."""
    from analytics.counts import By
    from ledger import count_days, queries
    from tollbook import counts_screen

    unknown = next((name for name in by.split(",") if name not in list(By)), None)
    if unknown is not None:
        raise UsageError(f"--by {unknown!r} is unknown: there are {', '.join(By)}")
    first, last = _span(desk, since, until, days)
    start, end = _midnight(first), min(_midnight(last + timedelta(days=1)), desk.now)
    desk.need_ledger()
    with desk.look() as ledger:
        found = count_days.read(ledger, start, end)
        calls = queries.calls(ledger, start, end)
    held = counts_screen.Held(first, last, tuple(map(By, by.split(","))), calls, found)
    desk.say(counts_screen.shown(held), **counts_screen.fields(held))


def _span(desk: Desk, since: str | None, until: str | None, days: int | None) -> tuple[date, date]:
    if since is not None and days is not None:
        raise UsageError("--since and --days both say where to begin: give one of them")
    last = desk.now.astimezone(UTC).date() if until is None else _day(until, "--until")
    first = last - timedelta(days=(days or _DAYS) - 1) if since is None else _day(since, "--since")
    if first > last:
        raise UsageError(f"--since {first} is after the last day, {last}")
    return first, last


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text!r} is no day: write it as 2026-10-30") from None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
