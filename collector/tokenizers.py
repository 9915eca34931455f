"""Model name to vocabulary: which one a model counts with, and how many tokens a text is in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from collector import claude_text, fast, lasting, memory, open_vocabularies
from collector.counter import TextCount
from collector.memory import Counts
from collector.vocabularies import CL100K as CL100K
from collector.vocabularies import O200K as O200K
from collector.vocabularies import reference


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """The vocabulary a model is counted with; `exact` only where it is the model's own."""

    encoding: str
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
# Claude's, as of 2026-08: opus-4.7 brought a new one, 4.8 and 5 lay it on texts otherwise; before 3, none.
_CLAUDE: tuple[tuple[str, str, bool], ...] = (
    ("*claude-[a-z]*-4[-.]7*", claude_text.CLAUDE_47, True),
    ("*claude-[a-z]*-4[-.][89]*", claude_text.CLAUDE_48, True),
    ("*claude-[a-z]*-4*", claude_text.CLAUDE_3, True),
    ("*claude-[a-z]*-[5-9]*", claude_text.CLAUDE_48, True),
    ("*claude-[34]*", claude_text.CLAUDE_3, True),
    ("*claude*", claude_text.CLAUDE_3, False),
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
    """Choose a model's vocabulary; one without any here gets o200k_base.

    Only where the framing around the text is confirmed too can a count in it be exact.
    """
    name = bare_model(model or "")
    for pattern, encoding, exact in _OPENAI + _CLAUDE:
        if fnmatchcase(name, pattern):
            return Tokenizer(encoding, exact)
    own = open_vocabularies.vocabulary_of(name)
    return _FOREIGN if own is None else Tokenizer(own, exact=False)


def knows_vocabulary(model: str | None) -> bool:
    """Whether a model is counted in a vocabulary of its own, however sure the framing around the text is."""
    found = tokenizer_for(model)
    return found.exact or found.encoding in open_vocabularies.VOCABULARIES


def measure(encoding: str, text: str) -> TextCount:
    """Count a text of any kind, special-token strings as ordinary text; never raises, never stalls."""
    return memory.counts(encoding)[text]


def count_text(encoding: str, text: str) -> int:
    """Count a text's tokens, exactness aside."""
    return memory.counts(encoding)[text].tokens


def counts(encoding: str) -> Counts:
    """What `measure` looks into, for a loop that asks often: `counts(encoding)[text]` counts what is new."""
    return memory.counts(encoding)


def begin(
    key: bytes | None, known: Mapping[bytes, int] | None = None, against_fast: str | None = None
) -> None:
    """Make ready to read logs for the ledger of this key, with its remembered counts (`token_cache.load`).

    Without a key nothing is remembered past this process. To begin again with the very same is nothing.
    `against_fast` is a reason to leave the fast counter alone.
    """
    lasting.begin(key, {} if known is None else known)
    if against_fast is not None and fast.doubt() is None:
        distrust(against_fast)


def learned() -> dict[bytes, int]:
    """What `token_cache.keep` should have: counts made or used again since the last time this was asked."""
    return lasting.learned()


def warm(encodings: Sequence[str] = (O200K,)) -> None:
    """Load what counting in these vocabularies takes (1-2 s each): before a fork, or for much to read."""
    for encoding in encodings:
        if encoding in claude_text.ENCODINGS:
            claude_text.warm(encoding)
            continue
        reference(encoding)
        fast.load(encoding)


def doubt() -> str | None:
    """Why the fast counter was switched off in this process. When this changes, counts given before may be
    wrong, and what is in the making is to be made again."""
    return fast.doubt()


def on_distrust(forget: Callable[[], None]) -> None:
    """Have a memory of what was made of counts emptied when the fast counter is found to be wrong."""
    fast.on_distrust(forget)


def distrust(why: str) -> None:
    """Count with tiktoken alone from now on, and forget every count."""
    fast.distrust(why)


def pieces(encoding: str, text: str) -> list[bytes]:
    """Return a text's tokens as bytes; the caller keeps long runs of one class of characters out of it.

    Claude's tokens have no place of their own in a text: there these are only places to cut it.
    """
    vocabulary = reference(O200K if encoding in claude_text.ENCODINGS else encoding)
    return vocabulary.decode_tokens_bytes(vocabulary.encode_ordinary(text))


def forget() -> None:
    """Empty the memory of counted texts (a benchmark's cold start)."""
    memory.forget()
