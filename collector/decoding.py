"""Decode a record's bytes to its JSON object, forgiving only what sound loggers are known to write."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from collector.sources import Record
from ledger.posting import UNFINISHED

_TOO_DEEP = "the record is nested too deeply to be read"
_KINDS = {list: "array", str: "string", bool: "true or false", type(None): "null"}
# JavaScript writes an emoji that was cut in half as a lone surrogate, which no UTF-8 can hold. The rest of
# the record is sound, so only that character is replaced.
_LONE_SURROGATE = re.compile(
    rb"(?<!\\)\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F][0-9a-fA-F]{2})"
)


def decoded(data: bytes) -> object:
    """Decode JSON, lone surrogates replaced. Raises ValueError with a reason that quotes nothing of it."""
    try:
        return _decoded(data)
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start}") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"invalid JSON: {error}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        # A lone surrogate in the last few bytes is told as a truncation.
        if not any(word in str(error) for word in ("surrogate", "truncated")):
            raise
    return msgspec.json.decode(_LONE_SURROGATE.sub(rb"\\ufffd", data))


def object_of(record: Record) -> Mapping[str, object]:
    """The record's object. Raises ValueError saying why there is none."""
    if record.problem is not None:
        raise ValueError(record.problem)
    try:
        found = decoded(record.data)
    except ValueError:
        if record.unfinished:
            raise ValueError(UNFINISHED) from None
        raise
    if not isinstance(found, dict):
        raise ValueError(f"a JSON {_KINDS.get(type(found), 'number')} where an object is expected")
    return found


def is_cut(record: Record) -> bool:
    """Whether the record is a last line whose rest is yet to be written."""
    if not record.unfinished:
        return False
    try:
        decoded(record.data)
    except ValueError:
        return True
    return False
