"""Find what was read of a log under another name, as it was before it was rotated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from collector import containers, sources
from ledger.posting import SourcePosition


@dataclass(frozen=True, slots=True)
class ReadBefore:
    """What was read of all files, by a digest of their first bytes; small files are not here."""

    by_head: Mapping[bytes, Sequence[SourcePosition]]

    def find(self, path: str, file: IO[bytes]) -> SourcePosition | None:
        """How far this file was read under another name, the furthest where there are several; else None.

        A compressed file may hold what was read before it was compressed. Where the open file is being read
        stays as it is.
        """
        name = sources.name_of(path)
        for known in self._like(sources.head(file, sources.size_of(file))):
            if known.path != name and _packing(known.path) == _packing(path) and _is_of(file, known):
                return known
        return self._unpacked(path, file) if sources.is_compressed(path) else None

    def _unpacked(self, path: str, file: IO[bytes]) -> SourcePosition | None:
        if containers.of(path) is not None:
            return None
        for known in self._like(_plain_head(path, file)):
            if not sources.is_compressed(known.path) and plain_rest(path, file, known) is not None:
                return known
        return None

    def _like(self, head: bytes | None) -> Iterable[SourcePosition]:
        return () if head is None else self.by_head.get(head, ())


NOTHING_READ = ReadBefore({})


def read_before(known: Iterable[SourcePosition]) -> ReadBefore:
    """Put what was read of all files in order, what was read furthest first."""
    by_head: dict[bytes, list[SourcePosition]] = {}
    for each in sorted(known, key=lambda position: position.position, reverse=True):
        if each.head is not None:
            by_head.setdefault(each.head, []).append(each)
    return ReadBefore(by_head)


def _packing(path: str) -> str:
    return path[path.rfind(".") :] if sources.is_compressed(path) else ""


def _is_of(file: IO[bytes], known: SourcePosition) -> bool:
    is_long_enough = sources.size_of(file) >= known.position
    return is_long_enough and sources.fingerprint(file, known.position) == known.digest


def _plain_head(path: str, file: IO[bytes]) -> bytes | None:
    try:
        start = _from_top(path, file).read(sources.HEAD_BYTES)
    except sources.DAMAGE:
        return None
    finally:
        file.seek(0)
    return sources.head_digest(start) if len(start) == sources.HEAD_BYTES else None


def plain_rest(path: str, file: IO[bytes], known: SourcePosition) -> bool | None:
    """Whether a compressed file goes on after what was read before it was compressed; None if another's."""
    try:
        stream = _from_top(path, file)
        is_same = _fingerprint(stream, known.position) == known.digest
        return bool(stream.read(1)) if is_same else None
    except sources.DAMAGE:
        return None
    finally:
        file.seek(0)


def _from_top(path: str, file: IO[bytes]) -> IO[bytes]:
    file.seek(0)
    return sources.plain_text(path, file)


def _fingerprint(stream: IO[bytes], position: int) -> bytes:
    """What sources.fingerprint gives of a plain file, of a stream that cannot seek."""
    length = min(sources.SAMPLED_BYTES, position)
    head = stream.read(length)
    tail, at = head, len(head)
    while at < position and (piece := stream.read(min(1 << 20, position - at))):
        at += len(piece)
        tail = (tail + piece)[-length:]
    found = hashlib.sha256(str(position).encode())
    found.update(head)
    found.update(tail)
    return found.digest()
