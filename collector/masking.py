"""Show the shape of a bad record without a word of what it says."""

from __future__ import annotations

import msgspec

_LIMIT = 200
_KEY_LIMIT = 40


def excerpt(data: bytes) -> str:
    """The record's structure with every string value as `…`, cut to 200 characters.

    Bytes that are not JSON show only their first character and number: their text cannot be told from
    their structure.
    """
    try:
        shape = _masked(msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        opening = data[:1].decode("ascii", "replace")
        return f"{opening}… ({len(data):,} bytes, not JSON)"
    text = msgspec.json.encode(shape).decode()
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _masked(value: object) -> object:
    if isinstance(value, str):
        return "…"
    if isinstance(value, dict):
        return {str(key)[:_KEY_LIMIT]: _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value[:8]]
    return value
