"""The shipped vocabularies, as tiktoken reads them: the reference that every other count is held to."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import as_file, files
from pathlib import Path
from types import FunctionType
from typing import Final

import tiktoken
from tiktoken_ext import openai_public  # type: ignore[import-untyped]  # ships with tiktoken, untyped

from collector import open_vocabularies

O200K: Final = "o200k_base"
CL100K: Final = "cl100k_base"


@cache
def reference(name: str) -> tiktoken.Encoding:
    """tiktoken's encoding of a vocabulary, read from the package: no network, no cache folder."""
    if name in open_vocabularies.VOCABULARIES:
        return open_vocabularies.encoding(name)
    # tiktoken's definitions fetch their ranks through a module global. Running them over our own reader
    # takes pattern and special tokens from the installed tiktoken without touching its cache folder,
    # its environment variables or the network.
    definition: Callable[[], object] = getattr(openai_public, name)
    scope = {**vars(openai_public), "load_tiktoken_bpe": _read_ranks}
    return tiktoken.Encoding(**FunctionType(definition.__code__, scope)())


def vocabulary_file(name: str) -> Path:
    """Where a shipped vocabulary stands on disk."""
    with as_file(files("collector") / "vocab" / f"{name}.tiktoken") as path:
        return path


def _read_ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """Read the shipped copy of a vocabulary, held to the hash that tiktoken itself expects."""
    shipped = files("collector") / "vocab" / url.rsplit("/", 1)[-1]
    content = shipped.read_bytes()
    if sha256(content).hexdigest() != expected_hash:
        raise ValueError(f"{shipped} is not the published vocabulary (sha256 differs): reinstall tollbook")
    split = (line.partition(b" ") for line in content.splitlines())
    return {base64.b64decode(token): int(rank) for token, _, rank in split}
