"""Cut what is to be read into tasks: large files into stretches, small ones together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from collector import objects, sources
from collector.columns import TABLE, Mapped, check_columns, map_of, wanted_format
from collector.contents import fits, is_lines, is_read_whole, read_contents, where_to_start
from collector.places import Stamp, stamp_of
from collector.rotation import NOTHING_READ, ReadBefore
from collector.sources import STDIN, SourceError
from collector.work import Part, Source, Stretch, Unit
from ledger.posting import SourcePosition

STRETCH_BYTES = 8 * 1024 * 1024
_TOGETHER = 64
_PATH_LETTERS = 16 * 1024


@dataclass(frozen=True, slots=True)
class Numbered:
    """A unit of work of the source with this number."""

    number: int
    unit: Unit


Task = tuple[Numbered, ...]


@dataclass(slots=True)
class OpenFile:
    """A file that is cut into stretches: kept open, as the path may lead to another one before all are
    read. `lines` counts those of the stretches that were read."""

    handle: IO[bytes]
    lines: int


@dataclass(frozen=True, slots=True)
class Cutting:
    """What the sources are cut with; `settle` is told of those that need no reading or cannot be read."""

    known: Mapping[str, SourcePosition]
    wanted: str
    settle: Callable[[int, Part], None]
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    read_before: ReadBefore = NOTHING_READ
    tables: Sequence[Mapped] = ()
    open_files: dict[int, OpenFile] = field(default_factory=dict)

    def tasks(self, paths: Sequence[str]) -> Iterator[Task]:
        """Tasks in the order of the sources, each about a stretch's worth of bytes."""
        waiting: list[tuple[Numbered, int]] = []
        for number, path in enumerate(paths):
            for unit, size in self._units(number, path):
                if waiting and not _fit(waiting, size, path):
                    yield tuple(each for each, _ in waiting)
                    waiting = []
                waiting.append((Numbered(number, unit), size))
        if waiting:
            yield tuple(each for each, _ in waiting)

    def _wanted(self, path: str) -> str:
        return wanted_format(self.wanted, self.tables, path)

    def close(self, number: int) -> None:
        """A source's last stretch is read."""
        found = self.open_files.pop(number, None)
        if found is not None:
            found.handle.close()

    def close_all(self) -> None:
        """Nothing more is read."""
        for number in list(self.open_files):
            self.close(number)

    def _units(self, number: int, path: str) -> Iterator[tuple[Unit, int]]:
        try:
            yield from self._cut(number, path)
        except SourceError as error:
            self.settle(number, Part(last=True, problem=str(error)))
        except OSError as error:
            self.settle(number, Part(last=True, problem=f"cannot read {path}: {error.strerror or error}"))

    def _cut(self, number: int, path: str) -> Iterator[tuple[Unit, int]]:
        if path == STDIN:
            yield Source(path), STRETCH_BYTES
            return
        if sources.is_url(path):
            yield from self._object(number, path)
            return
        handle = sources.open_file(path)
        try:
            known, start = self._start(path, handle)
            size = sources.size_of(handle)
            form = None if start is None else self._form_of_lines(path, handle, start, size)
            if start is not None and form is not None:
                self.open_files[number] = OpenFile(handle, start.lines)
        finally:
            if number not in self.open_files:
                handle.close()
        if start is None and known is not None and known.path != sources.name_of(path):
            # Its place is to be kept under the name that it has now.
            yield Source(path, known), 0
        elif start is None:
            self.settle(number, Part(size=size, last=True, unchanged=True))
        elif form is None:
            yield Source(path, known), max(size - start.position, 0)
        else:
            yield from _stretches(path, handle, form, start.position, size)

    def _start(self, path: str, handle: IO[bytes]) -> tuple[SourcePosition | None, SourcePosition | None]:
        """How far the file was read, under this name or another one, and where to read on."""
        known = self.known.get(sources.name_of(path))
        start = where_to_start(path, handle, known, self._wanted(path))
        elsewhere = None if start is None or start.position else self.read_before.find(path, handle)
        if elsewhere is None:
            return known, start
        return elsewhere, where_to_start(path, handle, elsewhere, self._wanted(path))

    def _object(self, number: int, url: str) -> Iterator[tuple[Unit, int]]:
        known = self.known.get(url)
        stamp = self.stamps.get(url) or stamp_of(url)
        if known is not None and not fits(known, self._wanted(url)):
            known = None
        if objects.is_known(known, stamp):
            self.settle(number, Part(size=stamp.size, last=True, unchanged=True))
        else:
            yield Source(url, known, stamp), _left_of(stamp.size, known)

    def _form_of_lines(self, path: str, handle: IO[bytes], start: SourcePosition, size: int) -> str | None:
        """The format of a file of lines that is worth cutting; None where it is read as one."""
        small = size - start.position <= STRETCH_BYTES
        if small or sources.is_compressed(path) or not is_lines(path, handle):
            return None
        contents = read_contents(path, handle, start, self._wanted(path), size)
        if contents.form == TABLE:
            check_columns(path, map_of(self.tables, path), contents.first)
        return None if contents.spread or is_read_whole(path, contents.form) else contents.form


def _fit(waiting: Sequence[tuple[Numbered, int]], size: int, path: str) -> bool:
    """Whether one more makes no more than a stretch, and a task that goes through a pipe at once."""
    letters = sum(len(each.unit.path) for each, _ in waiting) + len(path)
    together = sum(weight for _, weight in waiting) + size <= STRETCH_BYTES
    return together and len(waiting) < _TOGETHER and letters < _PATH_LETTERS


def _stretches(path: str, handle: IO[bytes], form: str, start: int, size: int) -> Iterator[tuple[Unit, int]]:
    file_id, written_at = sources.file_id(handle), sources.written_at(path, handle)
    while start < size:
        end = sources.line_end_after(handle, start + STRETCH_BYTES, size)
        yield Stretch(path, form, start, end, size, file_id, written_at), end - start
        start = end


def left_to_read(
    paths: Sequence[str], known: Mapping[str, SourcePosition], stamps: Mapping[str, Stamp]
) -> int:
    """About how many bytes there are to read, by sizes alone; standard input counts nothing."""
    return sum(_left(path, known, stamps.get(path)) for path in paths if path != STDIN)


def _left(path: str, known: Mapping[str, SourcePosition], stamp: Stamp | None) -> int:
    before = known.get(sources.name_of(path))
    if stamp is not None:
        return 0 if objects.is_known(before, stamp) else _left_of(stamp.size, before)
    try:
        return 0 if sources.is_url(path) else _left_of(Path(path).stat().st_size, before)
    except OSError:
        return 0


def _left_of(size: int, before: SourcePosition | None) -> int:
    return size - before.position if before is not None and before.position <= size else size
