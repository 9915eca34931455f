"""Find the user's log files and read their records as bytes with their places."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import zstandard

STDIN = "-"
MAX_RECORD_BYTES = 32 * 1024 * 1024
_WHOLE_FILE_BYTES = 64 * 1024 * 1024
_SAMPLED_BYTES = 64 * 1024
_LOG_SUFFIXES = (".jsonl", ".ndjson", ".json", ".log", ".gz", ".zst")


class SourceError(Exception):
    """A source that cannot be read; the text names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """The bytes of one record: `line` counts from 1, `offset` from the start of the plain text.

    `problem` says why the bytes are no whole record; `unfinished` that they may yet become one.
    """

    line: int
    offset: int
    data: bytes
    length: int
    problem: str | None = None
    unfinished: bool = False


def discover(patterns: Sequence[str], base: Path) -> list[str]:
    """Expand files, globs (`**` too) and folders to sorted paths; `-` stays.

    Raises SourceError naming every pattern that matches nothing.
    """
    found: dict[str, None] = {}
    missing = []
    for pattern in patterns:
        paths = _expand(pattern, base)
        if not paths:
            missing.append(pattern)
        found |= dict.fromkeys(paths)
    if missing:
        names = ", ".join(repr(name) for name in missing)
        raise SourceError(f"nothing to read at {names}: no such file, folder or match (looked from {base})")
    return list(found)


def _expand(pattern: str, base: Path) -> list[str]:
    if pattern == STDIN:
        return [STDIN]
    place = base / Path(pattern).expanduser()
    if place.is_dir():
        inside = (path for path in place.rglob("*") if path.is_file() and path.suffix in _LOG_SUFFIXES)
        return sorted(str(path) for path in inside if not path.name.startswith("."))
    if place.exists():
        return [str(place)]
    matches = glob.glob(str(place), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    return sorted(path for path in matches if Path(path).is_file())


def modified_at(path: str) -> datetime | None:
    """When the file was last written, None for standard input."""
    if path == STDIN:
        return None
    return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)


def is_compressed(path: str) -> bool:
    """Whether the bytes on disk are not the records' own."""
    return path.endswith((".gz", ".zst"))


def fingerprint(path: str, position: int) -> bytes:
    """A digest of the file's bytes before `position`: its head and its tail, so that it costs the same
    for any size. A log that was appended to keeps it, one that was rotated or rewritten does not."""
    found = hashlib.sha256(str(position).encode())
    with Path(path).open("rb") as file:
        found.update(file.read(min(_SAMPLED_BYTES, position)))
        file.seek(max(position - _SAMPLED_BYTES, 0))
        found.update(file.read(min(_SAMPLED_BYTES, position)))
    return found.digest()


def _opened_raw(path: str) -> IO[bytes]:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


@contextmanager
def opened(path: str, position: int = 0) -> Iterator[IO[bytes]]:
    """The plain text of a source from `position` on. Raises SourceError where it cannot be opened."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    with _opened_raw(path) as file:
        if path.endswith(".gz"):
            yield io.BufferedReader(gzip.GzipFile(fileobj=file))
        elif path.endswith(".zst"):
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain:
                yield io.BufferedReader(plain)
        else:
            file.seek(position)
            yield file


def records(stream: IO[bytes], first_line: int, offset: int, *, whole: bool) -> Iterator[Record]:
    """The records of a stream, one a line, blank lines skipped; reading damage is a Record with a problem.

    With `whole`, the text ends where the stream ends; without, a last line that lacks its newline may
    still be being written, and is marked unfinished.
    """
    line = first_line
    while True:
        try:
            data = stream.readline(MAX_RECORD_BYTES + 1)
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            yield Record(line, offset, b"", 0, f"the compressed data ends early or is damaged: {error}")
            return
        if not data:
            return
        length = len(data)
        ended = data.endswith(b"\n")
        if length > MAX_RECORD_BYTES and not ended:
            length += _skip_line(stream)
            limit = MAX_RECORD_BYTES // 2**20
            yield Record(
                line,
                offset,
                data[:4096],
                length,
                f"a record of {length:,} bytes is over the {limit} MiB limit",
            )
        elif data.strip():
            yield Record(line, offset, data.strip(), length, unfinished=not ended and not whole)
        offset += length
        line += 1


def _skip_line(stream: IO[bytes]) -> int:
    skipped = 0
    while chunk := stream.readline(1 << 20):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


def whole_text(path: str) -> bytes | None:
    """The whole text of a small enough file, for JSON that spreads over lines; None past the limit."""
    with opened(path) as stream:
        text = stream.read(_WHOLE_FILE_BYTES + 1)
    return text if len(text) <= _WHOLE_FILE_BYTES else None
