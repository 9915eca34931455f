"""Show the shape of a bad record without a word of what it says."""

from __future__ import annotations

import json
import re

from collector.decoding import decoded
from collector.redaction import holds_secret

_LIMIT = 200
_ITEMS = 8
# Keys that programs write. Anything else may be a person's text used as a key.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,39}")


def excerpt(data: bytes) -> str:
    """The record's structure with every string, and every key that is no plain name, as `…`.

    It is cut to 200 characters. Bytes that are not JSON show only their first character and number:
    their text cannot be told from their structure.
    """
    try:
        text = json.dumps(_masked(decoded(data)), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        opening = data[:1] if data[:1] in (b"{", b"[", b"<") else b""
        return f"{opening.decode()}… ({len(data):,} bytes, not JSON)"
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


def _masked(value: object) -> object:
    if isinstance(value, str):
        return "…"
    if isinstance(value, dict):
        return {_shown(key): _masked(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value[:_ITEMS]]
    return value


def _shown(key: str) -> str:
    return key if _NAME.fullmatch(key) and not holds_secret(key) else "…"
