"""The ledger's secret key: hashes of prompts and people in the ledger are made with it."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

_BYTES = 32


class KeyFileError(Exception):
    """The ledger's key is missing or unreadable; the text says what to do."""


def load(ledger: Path, *, create: bool) -> bytes:
    """The key from TOLLBOOK_KEY (hex), the file TOLLBOOK_KEY_FILE names, or `LEDGER.key` beside the ledger.

    With `create`, a missing file beside the ledger is made with mode 0600.
    """
    if key := from_environment():
        return key
    file = ledger.with_suffix(".key")
    if create:
        _make(file)
    return _read(file, ledger)


def from_environment() -> bytes | None:
    """The key from TOLLBOOK_KEY or from the file TOLLBOOK_KEY_FILE names, None where neither is set."""
    if text := os.environ.get("TOLLBOOK_KEY"):
        return _parsed(text, "TOLLBOOK_KEY")
    named = os.environ.get("TOLLBOOK_KEY_FILE")
    return _read(Path(named), Path("the ledger")) if named else None


def file_of(ledger: Path) -> Path:
    """Where the ledger's key lies. Raises KeyFileError where it is in the environment itself."""
    if os.environ.get("TOLLBOOK_KEY"):
        raise KeyFileError(
            "the key is in TOLLBOOK_KEY, which cannot be changed from here: put it into a file, name that "
            "with TOLLBOOK_KEY_FILE, unset TOLLBOOK_KEY, and try again"
        )
    named = os.environ.get("TOLLBOOK_KEY_FILE")
    return Path(named) if named else ledger.with_suffix(".key")


def draft(place: Path) -> bytes:
    """Make a new key beside the place of the one in use, over an earlier draft; the key."""
    new = _draft_of(place)
    new.unlink(missing_ok=True)
    _make(new)
    return _read(new, place)


def put_in_place(place: Path, former_id: str) -> None:
    """Have the drafted key take its place, the former one stay beside it under its id."""
    with suppress(FileExistsError):
        os.link(place, kept_at(place, former_id))
    _draft_of(place).replace(place)


def drafted(ledger: Path, wanted_id: str) -> bytes | None:
    """The drafted key that a ledger belongs to already, put in place; None where there is none.

    A rotation may be killed after the ledger took the new key and before the file did.
    """
    try:
        place = file_of(ledger)
        key = _read(_draft_of(place), ledger)
        former_id = key_id(_read(place, ledger))
    except KeyFileError:
        return None
    if key_id(key) != wanted_id:
        return None
    put_in_place(place, former_id)
    return key


def kept_at(place: Path, known_by: str) -> Path:
    """Where a former key is kept."""
    return place.with_name(f"{place.name}.{known_by}")


def _draft_of(place: Path) -> Path:
    return place.with_name(f"{place.name}.new")


def _read(file: Path, ledger: Path) -> bytes:
    try:
        return _parsed(file.read_text(encoding="ascii"), str(file))
    except FileNotFoundError as error:
        raise KeyFileError(
            f"no key at {file}: put the key made with {ledger} back there, or set TOLLBOOK_KEY_FILE"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"cannot read the key at {file}: {error}") from error


def key_id(key: bytes) -> str:
    """A name for the key that does not give it away."""
    return hashlib.blake2b(b"key id", key=key, digest_size=6).hexdigest()


def keyed(key: bytes, text: bytes, size: int = 16) -> bytes:
    """A hash of `text` that nobody without the key can compute."""
    return hashlib.blake2b(text, key=key, digest_size=size).digest()


def _make(file: Path) -> None:
    """Write the key beside its place and link it there whole: a killed process leaves no half a key, and of
    two that start together the first one's key stands."""
    if file.exists():
        return
    descriptor, draft = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(secrets.token_hex(_BYTES) + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(draft, file)
    finally:
        Path(draft).unlink()


def _parsed(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise KeyFileError(f"{where} does not hold a key: expected {2 * _BYTES} hexadecimal digits")
    return key
