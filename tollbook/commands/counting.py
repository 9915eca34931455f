"""`tollbook count` counts what is not sent yet; `tollbook counts` holds our counts against the bill."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk

if TYPE_CHECKING:
    from tollbook.estimate import Estimate

_MOST_BYTES = 100_000_000


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
    found = estimate(drafted, desk.config, desk.now, response_budget, chunking)
    written = [] if write is None else _write(found, write, "chunk" if file == "-" else Path(file).stem)
    desk.say(count_screen.counted(found, name, written), **count_screen.counted_fields(found, name, written))


def _chunking(size: int | None, overlap: int, write: Path | None) -> tuple[int, int] | None:
    from collector.chunks import check

    if size is None:
        if overlap or write is not None:
            raise UsageError("--overlap and --write are for chunks: say how large with --chunk-size")
        return None
    try:
        check(size, overlap)
    except ValueError as error:
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
