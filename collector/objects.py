"""Read an object of a store through a local copy, of which only what is needed is fetched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from collector import places, sources
from collector.contents import is_read_whole
from collector.places import Stamp
from collector.sources import SourceError
from ledger.posting import SourcePosition

Span = tuple[int, int]


def is_known(known: SourcePosition | None, stamp: Stamp) -> bool:
    """Whether an object was read to its end as it is now: no byte of it need be fetched."""
    return known is not None and known.etag is not None and known.etag == stamp.etag


def stamps(urls: Sequence[str]) -> Mapping[str, Stamp]:
    """The stamps of objects, by one listing of each folder. Raises SourceError."""
    wanted = set(urls)
    found: dict[str, Stamp] = {}
    for folder in sorted({url.rpartition("/")[0] for url in wanted}):
        found |= {url: stamp for url, stamp in places.stamped(folder) if url in wanted}
    return found


@contextmanager
def copied(url: str, stamp: Stamp, known: SourcePosition | None) -> Iterator[str]:
    """A local file with the object's age and size, gone afterwards; what is in the books is a hole in it.

    Where the bytes before `known` are no longer those that were read, the file is whole. Raises SourceError,
    also where the object is replaced while it is fetched.
    """
    with tempfile.TemporaryDirectory(prefix="tollbook-") as folder:
        copy = Path(folder) / (url.rpartition("/")[2] or "object")
        try:
            with copy.open("w+b") as out:
                _fetch(url, stamp, known, out)
            age = stamp.modified_at.timestamp()
            os.utime(copy, (age, age))
            yield str(copy)
        except SourceError as error:
            raise SourceError(str(error).replace(str(copy), url)) from error


def _fetch(url: str, stamp: Stamp, known: SourcePosition | None, out: IO[bytes]) -> None:
    left = _unread(url, stamp, known)
    for start, end in left:
        out.seek(start)
        out.writelines(places.pieces(url, stamp, start, end))
    out.truncate(stamp.size)
    out.flush()
    if known is not None and len(left) > 1 and sources.fingerprint(out, known.position) != known.digest:
        out.seek(left[0][1])
        out.writelines(places.pieces(url, stamp, left[0][1], left[1][0]))


def _unread(url: str, stamp: Stamp, known: SourcePosition | None) -> tuple[Span, ...]:
    """What to fetch: the ends of what was read, which tell if it is still the same, and what follows."""
    whole = ((0, stamp.size),)
    if known is None or is_read_whole(url, known.format) or not 0 < known.position <= stamp.size:
        return whole
    head = min(sources.SAMPLED_BYTES, known.position)
    tail = known.position - head
    return whole if tail <= head else ((0, head), (tail, stamp.size))
