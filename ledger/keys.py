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
