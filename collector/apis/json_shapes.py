"""Lenient access to parsed JSON: a value where it has the wanted shape, else the empty form of that shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

_TYPE_NAMES = {
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}

Json = Mapping[str, object]
EMPTY: Json = {}


def mapping(value: object) -> Json:
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else EMPTY


def sequence(value: object) -> Sequence[object]:
    """Return the list, or an empty one."""
    return value if isinstance(value, list | tuple) else ()


def mappings(value: object) -> Iterator[Json]:
    """Yield the objects of a list; what is not an object is skipped."""
    return (item for item in sequence(value) if isinstance(item, dict))


def text(value: object) -> str:
    """Return the text, or an empty one."""
    return value if isinstance(value, str) else ""


def text_or_none(value: object) -> str | None:
    """Return the text where there is one and it is not empty."""
    return value if isinstance(value, str) and value else None


def integer(value: object) -> int | None:
    """Return a whole number (12 or 12.0), else None; booleans are not numbers."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def number(value: object) -> float | None:
    """Return a finite number, else None; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def position(value: object) -> int:
    """Return the index of a choice or block; 0 where the log gives none."""
    return integer(value) or 0


def compact(value: object) -> str:
    """Write JSON without spaces, key order as given, as it stood on the wire."""
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        # Lone surrogates and integers past 64 bits, which only the slower writer takes.
        return json.dumps(value, separators=(",", ":"))


def kind(value: object) -> str:
    """Name a JSON value's type for an error message."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def shown(value: object) -> str:
    """Write a value for an error message: scalars cut to 60 characters, containers by their size."""
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    written = repr(value[:60] if isinstance(value, str) else value)
    return written if len(written) <= 64 else written[:61] + "..."
