"""Model name to vocabulary: which one a model counts with, and how many tokens a text is in it."""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from hashlib import blake2b, sha256
from importlib.resources import files
from itertools import groupby
from types import FunctionType
from typing import Final

import tiktoken
from tiktoken_ext import openai_public  # type: ignore[import-untyped]  # ships with tiktoken, untyped

O200K: Final = "o200k_base"
CL100K: Final = "cl100k_base"


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """The vocabulary a model is counted with; `exact` only where it is the model's own."""

    encoding: str
    exact: bool


@dataclass(frozen=True, slots=True)
class TextCount:
    """Tokens of one text; not `exact` where a hostile run had to be cut to stay fast."""

    tokens: int
    exact: bool


# First match wins, on the model's bare name in lower case. As of 2026-07: open-weight gpt-oss is served by
# many hosts with their own framing, and the p50k family (text-davinci-*) is retired: neither is exact.
_OPENAI: tuple[tuple[str, str, bool], ...] = (
    ("gpt-oss*", O200K, False),
    ("gpt-4o*", O200K, True),
    ("gpt-4.1*", O200K, True),
    ("gpt-4.5*", O200K, True),
    ("chatgpt-4o*", O200K, True),
    ("o1*", O200K, True),
    ("o3*", O200K, True),
    ("o4-*", O200K, True),
    ("gpt-5*", O200K, True),
    ("gpt-audio*", O200K, True),
    ("gpt-realtime*", O200K, True),
    ("codex*", O200K, True),
    ("computer-use*", O200K, True),
    ("gpt-4", CL100K, True),
    ("gpt-4-*", CL100K, True),
    ("gpt-3.5*", CL100K, True),
    ("gpt-35*", CL100K, True),
    ("text-embedding-ada-002*", CL100K, True),
    ("text-embedding-3-*", CL100K, True),
    ("davinci-002*", CL100K, True),
    ("babbage-002*", CL100K, True),
)
# Gateways and hosts that serve OpenAI's own models under their own prefix.
_PREFIX = re.compile(r"^(?:(?:openrouter|litellm|azure|openai|azure_ai|models)/)+")
_FOREIGN = Tokenizer(O200K, exact=False)


def bare_model(model: str) -> str:
    """Strip what a gateway, a host or a fine-tune puts around OpenAI's model name, in lower case."""
    name = _PREFIX.sub("", model.strip().lower())
    if name.startswith("ft:"):
        name = name[3:].partition(":")[0]
    return name


@lru_cache(maxsize=4096)
def tokenizer_for(model: str | None) -> Tokenizer:
    """Choose a model's vocabulary; a model of another maker gets o200k_base, marked inexact."""
    name = bare_model(model or "")
    for pattern, encoding, exact in _OPENAI:
        if fnmatchcase(name, pattern):
            return Tokenizer(encoding, exact)
    return _FOREIGN


def _read_ranks(url: str, expected_hash: str | None = None) -> dict[bytes, int]:
    """Read the shipped copy of a vocabulary, held to the hash that tiktoken itself expects."""
    shipped = files("collector") / "vocab" / url.rsplit("/", 1)[-1]
    content = shipped.read_bytes()
    if sha256(content).hexdigest() != expected_hash:
        raise ValueError(f"{shipped} is not the published vocabulary (sha256 differs): reinstall tollbook")
    split = (line.partition(b" ") for line in content.splitlines())
    return {base64.b64decode(token): int(rank) for token, _, rank in split}


@cache
def _encoding(name: str) -> tiktoken.Encoding:
    # tiktoken's definitions fetch their ranks through a module global. Running them over our own reader
    # takes pattern and special tokens from the installed tiktoken without touching its cache folder,
    # its environment variables or the network.
    definition: Callable[[], object] = getattr(openai_public, name)
    scope = {**vars(openai_public), "load_tiktoken_bpe": _read_ranks}
    return tiktoken.Encoding(**FunctionType(definition.__code__, scope)())


# A run of one class of characters is one pre-token: tiktoken's regex overflows its stack on a million spaces
# (a panic that is no Exception) and takes seconds on a million letters. Any run of two windows fills one.
WINDOW: Final = 5_000
_ONE_CLASS = re.compile(r"\s++|[^\W\d_]++|[^\w\s]++|_++")


def _is_run(window: str) -> bool:
    return len(window) == WINDOW and _ONE_CLASS.fullmatch(window) is not None


def _measure(encoding: str, text: str) -> TextCount:
    encode = _encoding(encoding).encode_ordinary
    windows = [text[start : start + WINDOW] for start in range(0, len(text), WINDOW)]
    if not any(map(_is_run, windows)):
        return TextCount(len(encode(text)), exact=True)
    tokens = 0
    for hostile, stretch in groupby(windows, key=_is_run):
        tokens += sum(len(encode(chunk)) for chunk in (stretch if hostile else ("".join(stretch),)))
    return TextCount(tokens, exact=False)


# Logs repeat their own text about ten times. A key is the text itself or, past a digest's worth, its
# digest, so that a full memory stays near 60 MB whatever the texts.
REMEMBERED: Final = 200_000
_DIGEST_PAST: Final = 64
_memory: OrderedDict[tuple[str, str | bytes], TextCount] = OrderedDict()


def _key(text: str) -> str | bytes:
    if len(text) <= _DIGEST_PAST:
        return text
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def measure(encoding: str, text: str) -> TextCount:
    """Count a text of any kind, special-token strings as ordinary text; never raises, never stalls."""
    key = (encoding, _key(text))
    known = _memory.get(key)
    if known is not None:
        _memory.move_to_end(key)
        return known
    counted = _measure(encoding, text)
    _memory[key] = counted
    if len(_memory) > REMEMBERED:
        _memory.popitem(last=False)
    return counted


def count_text(encoding: str, text: str) -> int:
    """Count a text's tokens, exactness aside."""
    return measure(encoding, text).tokens


def forget() -> None:
    """Empty the memory of counted texts (a benchmark's cold start)."""
    _memory.clear()


def pieces(encoding: str, text: str) -> list[bytes]:
    """Return a text's tokens as bytes; the caller keeps long runs of one class of characters out of it."""
    vocabulary = _encoding(encoding)
    return vocabulary.decode_tokens_bytes(vocabulary.encode_ordinary(text))
