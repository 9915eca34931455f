"""Vocabularies of open models, read from the packages that ship them where those are installed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import tiktoken

TEKKEN: Final = "tekken"
QWEN: Final = "qwen"
_QWEN_PATTERN: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True)
class OpenVocabulary:
    """The extra and the package that bring a vocabulary, where it stands in it, and how it is read."""

    extra: str
    package: str
    file: str
    read: Callable[[bytes], tiktoken.Encoding]


def _tekken(content: bytes) -> tiktoken.Encoding:
    document = json.loads(content)
    config = document["config"]
    words = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in document["vocab"][:words]}
    return tiktoken.Encoding(TEKKEN, pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})


def _qwen(content: bytes) -> tiktoken.Encoding:
    split = (line.partition(b" ") for line in content.splitlines() if line)
    ranks = {base64.b64decode(token): int(rank) for token, _, rank in split}
    return tiktoken.Encoding(QWEN, pat_str=_QWEN_PATTERN, mergeable_ranks=ranks, special_tokens={})


VOCABULARIES: Mapping[str, OpenVocabulary] = {
    TEKKEN: OpenVocabulary("mistral", "mistral_common", "data/tekken_240911.json", _tekken),
    QWEN: OpenVocabulary("qwen", "dashscope", "resources/qwen.tiktoken", _qwen),
}

# First match wins, on bare names in lower case. Mistral's older models (7b, 8x7b) have others, and so
# have those of 2023 and 2024 that these names would take in: small-2409, large-2407, large-2411.
_OLDER: Final = re.compile(r"mistral-(small|medium|large)(-instruct)?-2[34]\d\d(?!\d)")
_MODELS: tuple[tuple[str, str], ...] = (
    ("mistral-nemo", TEKKEN),
    ("ministral", TEKKEN),
    ("pixtral", TEKKEN),
    ("magistral", TEKKEN),
    ("devstral", TEKKEN),
    ("mistral-small", TEKKEN),
    ("mistral-medium", TEKKEN),
    ("mistral-large", TEKKEN),
    ("qwen", QWEN),
    ("qwq", QWEN),
)


@cache
def path(name: str) -> Path | None:
    """Where a vocabulary stands, None where its package is not installed; imports nothing of it."""
    vocabulary = VOCABULARIES[name]
    found = find_spec(vocabulary.package)
    folders = (found.submodule_search_locations or []) if found else []
    files = (Path(folder) / vocabulary.file for folder in folders)
    return next((file for file in files if file.is_file()), None)


def vocabulary_of(model: str) -> str | None:
    """The installed vocabulary of a bare model name, None where it has none here."""
    name = None if _OLDER.search(model) else next((name for part, name in _MODELS if part in model), None)
    return name if name is not None and path(name) is not None else None


def encoding(name: str) -> tiktoken.Encoding:
    """Read an installed vocabulary. Raises ValueError with the extra to install."""
    file = path(name)
    if file is None:
        raise ValueError(
            f"the vocabulary {name} is not installed: pip install 'tollbook[{VOCABULARIES[name].extra}]'"
        )
    return VOCABULARIES[name].read(file.read_bytes())
