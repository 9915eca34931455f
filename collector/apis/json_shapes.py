"""Lenient access to parsed JSON: a value where it has the wanted shape, else the empty form of that shape."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

Json = Mapping[str, object]
EMPTY: Json = {}


def mapping(value: object) -> Json:
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else EMPTY


def sequence(value: object) -> Sequence[object]:
    """Return the list, or an empty one."""
    return value if isinstance(value, list | tuple) else ()


def all_of(value: object) -> Sequence[object]:
    """Return the list; what is no list is the only one of its kind, null is none."""
    return value if isinstance(value, list | tuple) else () if value is None else (value,)


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


def bool_or_none(value: object) -> bool | None:
    """Return true or false, else None."""
    return value if isinstance(value, bool) else None


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


def shown(value: object) -> str:
    """Write a value for an error message: numbers and booleans as they are, anything else by type and size.

    A reason is kept in the ledger and read by others, so it never quotes what may be somebody's words.
    """
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)} entries"
    written = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return written if len(written) <= 64 else written[:61] + "..."
