"""Folders and object stores by URL: list, read, and write files that are there whole or not at all."""

from __future__ import annotations

import errno
import fnmatch
import functools
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from collector.sources import LOG_SUFFIXES, NothingThereError, SourceError, discover, is_url

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

_MARKS = "*?["
_LONGEST_REASON = 300
_NO_BUCKET = "NoSuchBucket"
# What a store's error says, and how it is told.
_CAUSES = (
    (f"{_NO_BUCKET}|ContainerNotFound|bucket does not exist", "there is no such bucket"),
    (
        "status code: 40[13]|PermissionDenied|Unauthenticated|InvalidAccessKeyId",
        "no permission: check the credentials in the environment",
    ),
    ("status code: 412|Precondition", "it was replaced while it was read: the next ingest reads it"),
    ("credential|169[.]254[.]169[.]254", "no credentials: set them in the environment"),
    ("error sending request|onnect|timed out|dns error", "no answer: check the network and the endpoint"),
)
_PATIENCE = timedelta(seconds=60)
_RETRIES: RetryConfig = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells a changed file from the one read before without reading it: `etag` only in object stores."""

    size: int
    modified_at: datetime
    etag: str | None = None


class Place(Protocol):
    """Where parts are kept. Names are relative, with `/` between folders."""

    def names(self, under: str) -> list[str]:
        """The files below a folder, sorted; none where there is no such folder."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes, None where there is no such file. Raises SourceError where it cannot be read."""

    def keep(self, name: str, content: bytes) -> None:
        """Write a file that readers see whole or not at all. Raises SourceError."""

    def drop(self, name: str) -> None:
        """Delete a file, if it is there. Raises SourceError."""

    def holds(self, name: str, size: int, sha256: str, /) -> bool:
        """Whether a file is there as it was written; a store answers without giving the file."""


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def check_writable(place: str) -> None:
    """Raise SourceError where nothing can be kept at a place."""
    kept, probe = at(place), f"work/probe-{secrets.token_hex(4)}"
    kept.keep(probe, b"")
    kept.drop(probe)


def at(place: str) -> Place:
    """The folder or the object store that a path or URL names. Raises SourceError for no bucket."""
    if is_url(place):
        _check_bucket(place)
    return Bucket(place.rstrip("/")) if is_url(place) else Folder(Path(place).expanduser().resolve())


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that every worker sees at the same path."""

    root: Path

    def names(self, under: str) -> list[str]:
        """The files below a folder; drafts of files being written are left out."""
        found = (path for path in (self.root / under).rglob("*") if not path.name.startswith("."))
        return sorted(path.relative_to(self.root).as_posix() for path in found if path.is_file())

    def read(self, name: str) -> bytes | None:
        """A file's bytes."""
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SourceError(f"cannot read {self.root / name}: {error.strerror or error}") from error

    def keep(self, name: str, content: bytes) -> None:
        """Write beside the file's place, then rename: a killed writer leaves a hidden draft at most."""
        path = self.root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
            with os.fdopen(descriptor, "wb") as out:
                out.write(content)
                out.flush()
                os.fsync(out.fileno())
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        except OSError as error:
            raise SourceError(f"cannot write {path}: {error.strerror or error}") from error

    def holds(self, name: str, size: int, sha256: str, /) -> bool:
        """Whether a file has this content."""
        content = self.read(name)
        return content is not None and len(content) == size and _sha256(content) == sha256

    def drop(self, name: str) -> None:
        """Delete a file, and the folders that are empty without it."""
        path = self.root / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise SourceError(f"cannot delete {path}: {error.strerror or error}") from error
        with suppress(OSError):
            for folder in path.parents[: len(Path(name).parts) - 1]:
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A prefix of an object store, where a put is whole or not at all by itself."""

    url: str

    def names(self, under: str) -> list[str]:
        """The objects whose key begins with the folder."""
        with _told(self.url):
            return sorted(_below(self.url, name) for name, _ in stamped(f"{self.url}/{under.rstrip('/')}"))

    def read(self, name: str) -> bytes | None:
        """An object's bytes."""
        import obstore

        store, key = _opened(f"{self.url}/{name}")
        with _told(f"{self.url}/{name}"):
            try:
                return bytes(obstore.get(store, key).bytes())
            except FileNotFoundError:
                return None

    def keep(self, name: str, content: bytes) -> None:
        """Put an object."""
        store, key = _opened(f"{self.url}/{name}")
        import obstore

        with _told(f"{self.url}/{name}"):
            obstore.put(store, key, content)

    def holds(self, name: str, size: int, _sha256: str, /) -> bool:
        """Whether an object has this size: stores see to it that objects stay as they were put."""
        try:
            return stamp_of(f"{self.url}/{name}").size == size
        except FileNotFoundError:
            return False

    def drop(self, name: str) -> None:
        """Delete an object."""
        store, key = _opened(f"{self.url}/{name}")
        import obstore

        with _told(f"{self.url}/{name}"), suppress(FileNotFoundError):
            obstore.delete(store, key)


def find(patterns: Sequence[str], base: Path) -> list[str]:
    """Expand files, globs, folders and URLs of them. Raises SourceError for one that matches nothing."""
    found: dict[str, None] = {}
    for pattern in patterns:
        found |= dict.fromkeys(_objects(pattern) if is_url(pattern) else discover([pattern], base))
    return list(found)


def _objects(pattern: str) -> list[str]:
    """The URLs of the log files that a URL names: the object itself, those below it, or a glob's."""
    start = min((pattern.find(mark) for mark in _MARKS if mark in pattern), default=len(pattern))
    prefix = pattern if start == len(pattern) else pattern[: pattern.rfind("/", 0, start)]
    with _told(pattern):
        found = [name for name, _ in stamped(prefix)]
    if start < len(pattern):
        chosen = [name for name in found if fnmatch.fnmatchcase(name, pattern)]
    else:
        chosen = [name for name in found if name.endswith(LOG_SUFFIXES)] or _itself(pattern)
    if not chosen:
        raise NothingThereError(f"nothing to read at {pattern!r}: no such object, prefix or match")
    return sorted(chosen)


def _itself(url: str) -> list[str]:
    try:
        stamp_of(url)
    except FileNotFoundError:
        return []
    return [url]


def stamp_of(path: str) -> Stamp:
    """A source's size and age. Raises OSError, for a source that is not there FileNotFoundError."""
    if not is_url(path):
        found = Path(path).stat()
        return Stamp(found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
    import obstore

    store, key = _opened(path)
    with _told(path):
        meta = obstore.head(store, key)
    return _stamp(meta)


def _stamp(meta: ObjectMeta) -> Stamp:
    return Stamp(meta["size"], meta["last_modified"], meta["e_tag"])


@contextmanager
def at_hand(path: str, stamp: Stamp) -> Iterator[str]:
    """A local path of a source: itself, or a copy of an object with its age, gone afterwards."""
    if not is_url(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tollbook-") as folder:
        copy = Path(folder) / (path.rpartition("/")[2] or "object")
        with copy.open("wb") as out:
            out.writelines(pieces(path, stamp, 0, stamp.size))
        age = stamp.modified_at.timestamp()
        os.utime(copy, (age, age))
        yield str(copy)


def pieces(url: str, stamp: Stamp, start: int, end: int) -> Iterator[bytes]:
    """The bytes [start, end) of an object as it was stamped, some megabytes at a time. Raises SourceError."""
    import obstore

    if start >= end:
        return
    store, key = _opened(url)
    options: GetOptions = {"range": (start, end)}
    if stamp.etag is not None:
        options["if_match"] = stamp.etag
    with _told(url):
        for piece in obstore.get(store, key, options=options):
            yield bytes(piece)


def stamped(url: str) -> Iterator[tuple[str, Stamp]]:
    """The URL and stamp of each object below one. Raises SourceError."""
    import obstore

    store, key = _opened(url)
    root = _root(url)
    with _told(url):
        for page in obstore.list(store, key or None):
            yield from ((f"{root}/{meta['path']}", _stamp(meta)) for meta in page)


def _below(url: str, name: str) -> str:
    return name.removeprefix(f"{url}/")


def _root(url: str) -> str:
    """The part of a URL that names the store: its scheme and bucket."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _opened(url: str) -> tuple[ObjectStore, str]:
    """The store of an object, and the object's key in it."""
    root = _root(url)
    _check_bucket(root)
    return _store(root), url.removeprefix(root).strip("/")


def _check_bucket(url: str) -> None:
    root = _root(url)
    if root.endswith("://") and not root.startswith(("file:", "memory:")):
        raise SourceError(f"{url} names no bucket: write it as {root}BUCKET/FOLDER")


@functools.cache
def _store(root: str) -> ObjectStore:
    try:
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise SourceError(
            f"{root} is an object store, which needs the extra: pip install 'tollbook[objectstore]'"
        ) from None
    with _told(root):
        address = f"{root}/" if root.endswith("://") else root
        if root.startswith(("file:", "memory:")):
            return from_url(address)
        return from_url(address, client_options=_client_options(), retry_config=_RETRIES)


def _client_options() -> ClientConfig:
    """A server on the own network may speak plain HTTP, where the environment names it so."""
    is_plain = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")
    return {"allow_http": True, "timeout": _PATIENCE} if is_plain else {"timeout": _PATIENCE}


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Tell an object store's error in a line; that something is not there stays FileNotFoundError."""
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        said = str(error)
        if isinstance(error, FileNotFoundError) and _NO_BUCKET not in said:
            raise FileNotFoundError(errno.ENOENT, "no such object", url) from error
        cause = next((cause for sign, cause in _CAUSES if re.search(sign, said)), _first_line(said))
        raise SourceError(f"cannot reach {url}: {cause}") from error


def _first_line(said: str) -> str:
    line = said.splitlines()[0]
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
