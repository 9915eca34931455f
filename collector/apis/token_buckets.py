"""Token counts out of usage objects, refused with a reason where they cannot be true."""

from __future__ import annotations

import re
from functools import lru_cache

from collector.apis.json_shapes import Json, compact, shown
from collector.redaction import holds_secret
from ledger.types import Usage

# No provider takes a billion tokens in one call; a count above it is a broken log, not a large bill.
ABSURD_TOKENS = 1_000_000_000

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{0,40}")
_DEEPEST = 6

Reported = tuple[Usage, str]


def tokens(usage: Json, key: str) -> int | None:
    """Read one count: None where absent or null; raises ValueError where it is no sane whole number."""
    value = usage.get(key)
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ValueError(f"usage.{key} is {shown(value)}, expected a whole number of tokens")
    if not 0 <= value <= ABSURD_TOKENS:
        raise ValueError(f"usage.{key} is {shown(value)}, expected 0 to {ABSURD_TOKENS}")
    return value


def first_tokens(usage: Json, *keys: str) -> int | None:
    """Read the first of several spellings that holds a count."""
    return next((count for key in keys if (count := tokens(usage, key)) is not None), None)


def parts(usage: Json, key: str) -> Json:
    """Return a nested breakdown; absent is empty, anything but an object raises ValueError."""
    value = usage.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"usage.{key} is {shown(value)}, expected an object")
    return value


def total(*counts: int | None) -> int | None:
    """Add the counts that are known; None where none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def uncached(input_tokens: int, cache_read: int | None, cache_write: int | None) -> int:
    """Take the cached parts out of an input count that includes them; raises where they exceed it."""
    rest = input_tokens - (cache_read or 0) - (cache_write or 0)
    if rest < 0:
        raise ValueError(
            f"usage has {cache_read or 0} cached and {cache_write or 0} cache-written tokens"
            f" inside an input of {input_tokens}: the input count must include them"
        )
    return rest


def within(part: int | None, whole: int | None, names: str) -> int | None:
    """Return the part; raises ValueError where it is larger than the whole it belongs to."""
    if part is not None and whole is not None and part > whole:
        raise ValueError(f"usage has {part} {names} of {whole}: a part cannot exceed its whole")
    return part


def reported(usage: Json, buckets: Usage) -> Reported:
    """Pair the buckets with the usage object as logged, without any text that is no plain name."""
    return buckets, compact(_plain(usage, 0))


def estimated(usage: Json, buckets: Usage) -> Reported:
    """Pair buckets that somebody estimated with the usage object, which says so first."""
    return reported({"estimated": True, **usage}, buckets)


def _plain(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _name(value)
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {
            _name(key): inner if type(inner) is int else _plain(inner, depth + 1)
            for key, inner in value.items()
        }
    return [_plain(inner, depth + 1) for inner in value] if isinstance(value, list) else value


@lru_cache(maxsize=1024)
def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) and not holds_secret(text) else "…"


def inclusive(
    usage: Json,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read: int | None,
    cache_write: int | None,
    reasoning: int | None,
    cache_write_1h: int | None = None,
    audio_input: int | None = None,
    audio_output: int | None = None,
) -> Reported | None:
    """Build buckets from counts whose input includes the cached tokens; None without an input count.

    `cache_write` is all of it; `cache_write_1h` says how much of that lives for an hour.
    """
    if input_tokens is None:
        return None
    output = _with_reasoning(usage, input_tokens, output_tokens, reasoning)
    _check_cache_inside(usage, input_tokens, output, cache_read, cache_write)
    buckets = Usage(
        input_tokens=uncached(input_tokens, cache_read, cache_write),
        cache_read_tokens=cache_read,
        cache_write_tokens=_short_lived(cache_write, cache_write_1h),
        cache_write_1h_tokens=cache_write_1h,
        output_tokens=output,
        reasoning_tokens=within(reasoning, output, "reasoning tokens in an output"),
        audio_input_tokens=within(audio_input, input_tokens, "audio tokens in an input"),
        audio_output_tokens=within(audio_output, output, "audio tokens in an output"),
    )
    return reported(usage, buckets)


def _short_lived(cache_write: int | None, one_hour: int | None) -> int | None:
    within(one_hour, cache_write, "one-hour tokens in a cache write")
    return cache_write if cache_write is None else cache_write - (one_hour or 0)


def _with_reasoning(
    usage: Json, input_tokens: int, output_tokens: int | None, reasoning: int | None
) -> int | None:
    """Fold reasoning into the output where the log's own total says that it stands beside it (xAI)."""
    if not reasoning or output_tokens is None:
        return output_tokens
    beside = input_tokens + output_tokens + reasoning
    return output_tokens + reasoning if usage.get("total_tokens") == beside else output_tokens


def _check_cache_inside(
    usage: Json, input_tokens: int, output: int | None, cache_read: int | None, cache_write: int | None
) -> None:
    """Refuse a total that counts cached tokens on top of an input said to include them."""
    cached = (cache_read or 0) + (cache_write or 0)
    logged = tokens(usage, "total_tokens")
    if cached and logged == input_tokens + (output or 0) + cached:
        raise ValueError(
            f"usage.total_tokens {logged} counts {cached} cached tokens on top of the input {input_tokens},"
            " but this API's input includes them"
        )
