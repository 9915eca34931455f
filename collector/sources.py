"""Find the user's log files and read their records as bytes with their places."""

from __future__ import annotations

import glob
import gzip
import hashlib
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec
import zstandard

from ledger.posting import DAMAGED

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STDIN = "-"
MAX_RECORD_BYTES = 32 * 1024 * 1024
_WHOLE_FILE_BYTES = 64 * 1024 * 1024
SAMPLED_BYTES = 64 * 1024
# A smaller file is read again as fast as it is recognised.
HEAD_BYTES = 4096
# Records are longer than the 8 KiB that Python reads at a time by itself.
_BUFFER_BYTES = 128 * 1024
# A frame's bytes can unfold by 30,000: read in small pieces, a hostile file costs a quarter of a gigabyte.
_ZSTD_PIECE = 8 * 1024
_BOM = b"\xef\xbb\xbf"
LOG_SUFFIXES = (
    ".jsonl",
    ".ndjson",
    ".json",
    ".log",
    ".csv",
    ".tsv",
    ".parquet",
    ".pb",
    ".binpb",
    ".gz",
    ".zst",
)


# What reading compressed bytes raises where they are cut or wrong.
DAMAGE = (OSError, EOFError, zlib.error, zstandard.ZstdError)


class SourceError(Exception):
    """A source that cannot be read; the text names it and says what to do."""


class NothingThereError(SourceError):
    """A path, glob or URL that matches nothing, for now."""


@dataclass(frozen=True, slots=True)
class Record:
    """The bytes of one record: `line` counts from 1, `offset` from the start of the plain text.

    `problem` says why there are no bytes of a whole record, and `known_by` is then a digest of what was
    read instead, if anything was. `unfinished` marks a last line that may yet be written on.
    """

    line: int
    offset: int
    data: bytes
    length: int
    problem: str | None = None
    unfinished: bool = False
    known_by: bytes | None = None


def discover(patterns: Sequence[str], base: Path) -> list[str]:
    """Expand files, globs (`**` too) and folders to sorted paths; `-` stays.

    Raises NothingThereError naming every pattern that matches nothing.
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
        raise NothingThereError(
            f"nothing to read at {names}: no such file, folder or match (looked from {base})"
        )
    return list(found)


def _expand(pattern: str, base: Path) -> list[str]:
    if pattern == STDIN:
        return [STDIN]
    place = base / Path(pattern).expanduser()
    if place.is_dir():
        inside = (path for path in place.rglob("*") if path.is_file() and path.suffix in LOG_SUFFIXES)
        return sorted(str(path) for path in inside if not path.name.startswith("."))
    if place.exists():
        return [str(place)]
    matches = glob.glob(str(place), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
    return sorted(path for path in matches if Path(path).is_file())


FileId = tuple[int, int]


def written_at(path: str, file: IO[bytes]) -> datetime | None:
    """When an open file was last written, None for standard input."""
    if path == STDIN:
        return None
    return datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)


def file_id(file: IO[bytes]) -> FileId:
    """What tells an open file from any other, whatever their names."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


def size_of(file: IO[bytes]) -> int:
    """The bytes on disk of an open file, whatever stands at its path by now."""
    return os.fstat(file.fileno()).st_size


def is_still_at(path: str, file: IO[bytes]) -> bool:
    """Whether the path still leads to the open file: a log may be rotated while it is read."""
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def name_of(path: str) -> str:
    """The name a source is known by in the ledger; bytes that are no UTF-8 are written as escapes."""
    if path == STDIN or is_url(path):
        return path
    return os.fsencode(Path(path).resolve()).decode("utf-8", "backslashreplace")


def is_url(path: str) -> bool:
    """Whether a path names an object of a store."""
    return "://" in path


def beside(path: str) -> list[str] | None:
    """The names of the files in a file's folder; None where they cannot be listed."""
    try:
        return None if is_url(path) else [each.name for each in Path(path).parent.iterdir()]
    except OSError:
        return None


def is_compressed(path: str) -> bool:
    """Whether the bytes on disk are not the records' own."""
    return path.endswith((".gz", ".zst"))


def fingerprint(file: IO[bytes], position: int) -> bytes:
    """A digest of the open file's bytes before `position`: its head and its tail, so that it costs the same
    for any size. A log that was appended to keeps it, one that was rotated or rewritten does not. Where
    the file is being read stays as it is."""
    length = min(SAMPLED_BYTES, position)
    found = hashlib.sha256(str(position).encode())
    found.update(os.pread(file.fileno(), length, 0))
    found.update(os.pread(file.fileno(), length, position - length))
    return found.digest()


def head(file: IO[bytes], position: int) -> bytes | None:
    """A digest of the open file's first bytes, None where fewer than that lie before `position`."""
    return head_digest(os.pread(file.fileno(), HEAD_BYTES, 0)) if position >= HEAD_BYTES else None


def head_digest(start: bytes) -> bytes:
    """What a file is looked up by that may have been read under another name."""
    return hashlib.sha256(start).digest()[:16]


def open_file(path: str) -> IO[bytes]:
    """The bytes of a file as they are on disk. Raises SourceError where it cannot be opened."""
    try:
        return Path(path).open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


class _Plain(io.RawIOBase):
    """A raw stream over pieces of bytes, as io.BufferedReader wants one."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        wanted = memoryview(buffer).cast("B")
        taken = min(len(wanted), len(self._left))
        wanted[:taken] = self._left[:taken]
        self._left = self._left[taken:]
        return taken


def _unfolded_zstd(file: IO[bytes]) -> Iterator[bytes]:
    """Unfold frame after frame. zstandard's own reader ends a cut frame as if it were whole."""
    frame = None
    data = file.read(_ZSTD_PIECE)
    while data:
        if frame is None or frame.eof:
            frame = zstandard.ZstdDecompressor().decompressobj()
        yield frame.decompress(data)
        data = frame.unused_data if frame.eof else b""
        data = data or file.read(_ZSTD_PIECE)
    if frame is not None and not frame.eof:
        raise EOFError("the last frame is cut")


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """The bytes of a source as they are on disk. Raises SourceError where it cannot be opened."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    with open_file(path) as file:
        yield file


def plain_text(path: str, file: IO[bytes], position: int = 0) -> IO[bytes]:
    """The plain text of an open source; `position` is where to begin in one that is not compressed."""
    if path.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=file))
    if path.endswith(".zst"):
        return io.BufferedReader(_Plain(_unfolded_zstd(file)))
    if path != STDIN:
        file.seek(position)
    return file


def records(
    stream: IO[bytes], first_line: int, offset: int, *, whole: bool, end: int | None = None
) -> Iterator[Record]:
    """The records of a stream, one a line, blank lines skipped; reading damage is a Record with a problem.

    With `whole`, the text ends where the stream ends; without, a last line that lacks its newline may
    still be being written, and is marked unfinished. Nothing is read from `end` on.
    """
    line = first_line
    stop = sys.maxsize if end is None else end
    while offset < stop:
        try:
            data = stream.readline(min(MAX_RECORD_BYTES + 1, stop - offset))
        except DAMAGE:
            yield Record(line, offset, b"", 0, DAMAGED)
            return
        if not data:
            return
        length = len(data)
        ended = data.endswith(b"\n")
        if length > MAX_RECORD_BYTES and not ended:
            record = _too_long(line, offset, data, stream, stop)
            length = record.length
            yield record
        elif content := trimmed(data):
            yield Record(line, offset, content, length, unfinished=not ended and not whole)
        offset += length
        line += 1


def lines_in(file: IO[bytes], start: int, end: int) -> int:
    """How many lines end in these bytes of an open file."""
    return sum(piece.count(b"\n") for _, piece in _pieces(file, start, end))


def line_end_after(file: IO[bytes], position: int, stop: int) -> int:
    """Where the first line end at or after a position of an open file is over; `stop` where none is."""
    for offset, piece in _pieces(file, position, stop):
        found = piece.find(b"\n")
        if found >= 0:
            return offset + found + 1
    return stop


def _pieces(file: IO[bytes], start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The bytes with their offsets, in pieces; where the file is being read stays as it is."""
    while start < end and (piece := os.pread(file.fileno(), min(end - start, 1 << 20), start)):
        yield start, piece
        start += len(piece)


def skip(stream: IO[bytes], position: int, wanted: int) -> int:
    """Read on to a later position of the plain text, for streams that cannot seek."""
    while position < wanted:
        passed = len(stream.read(min(wanted - position, 1 << 20)))
        if not passed:
            break
        position += passed
    return position


def trimmed(data: bytes) -> bytes:
    """A record's bytes without the line's end or the mark that editors put at the start of a file."""
    return data.strip().removeprefix(_BOM)


def _too_long(line: int, offset: int, start: bytes, stream: IO[bytes], stop: int) -> Record:
    """Pass over a line past the limit, keeping its digest."""
    digest = hashlib.sha256(start)
    length = len(start)
    while chunk := stream.readline(min(1 << 20, stop - offset - length)):
        digest.update(chunk)
        length += len(chunk)
        if chunk.endswith(b"\n"):
            break
    problem = f"a record of {length:,} bytes is over the {MAX_RECORD_BYTES // 2**20} MiB limit"
    return Record(line, offset, b"", length, problem, known_by=digest.digest()[:16])


def whole_text(path: str) -> bytes | None:
    """The whole text of a small enough file, for JSON that spreads over lines; None past the limit."""
    with opened(path) as file:
        text = plain_text(path, file).read(_WHOLE_FILE_BYTES + 1)
    return text if len(text) <= _WHOLE_FILE_BYTES else None


def spread(path: str) -> list[Record] | None:
    """The records of a file that is one JSON object or array over any lines; None where it is not.

    `line` is then the record's number in the file.
    """
    text = whole_text(path)
    if text is None:
        return None
    found: list[Record] = []
    end = 0
    for raw in _items(trimmed(text)):
        start = text.find(raw, end)
        end = start + len(raw)
        found.append(Record(len(found) + 1, start, raw, len(raw)))
    return found if any(record.data.startswith(b"{") for record in found) else None


def _items(text: bytes) -> list[bytes]:
    listed = text.startswith(b"[")
    try:
        if listed:
            return [bytes(raw) for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]
        return [bytes(msgspec.json.decode(text, type=msgspec.Raw))]
    except (msgspec.DecodeError, RecursionError):
        return []
