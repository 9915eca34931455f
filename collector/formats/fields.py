"""Typed fields of a log record, refused with field, value and expected type."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from collector.apis.json_shapes import Json, integer, number, shown, text_or_none

# The column holds 18 digits, 12 of them behind the point.
_MOST_USD = Decimal(999_999)
_PICODOLLAR = Decimal("0.000000000001")
_LONGEST_NAME = 256
_TRUE = frozenset({"true", "hit", "yes", "1"})


def text_field(record: Json, key: str) -> str | None:
    """Read a short text; numbers are taken as written, an empty text as absent."""
    value = record.get(key)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{key} is {shown(value)}, expected text")
    return name(str(value), key)


def name(value: str | None, key: str) -> str | None:
    """Return a name or id; ValueError where it is longer than any that is one."""
    if value is not None and len(value) > _LONGEST_NAME:
        raise ValueError(f"{key} has {len(value)} characters, expected at most {_LONGEST_NAME}")
    return value


def first_text(record: Json, *keys: str) -> str | None:
    """Return the first of several keys that holds text; other types are passed over."""
    return next((found for key in keys if (found := text_or_none(record.get(key)))), None)


def whole_field(record: Json, key: str, *, least: int, most: int) -> int | None:
    """Read a whole number within bounds."""
    value = record.get(key)
    if value is None:
        return None
    found = integer(value)
    if found is None:
        raise ValueError(f"{key} is {shown(value)}, expected a whole number")
    if not least <= found <= most:
        raise ValueError(f"{key} is {shown(value)}, expected {least} to {most}")
    return found


def number_field(record: Json, key: str) -> float | None:
    """Read a finite number."""
    value = record.get(key)
    found = number(value)
    if value is not None and found is None:
        raise ValueError(f"{key} is {shown(value)}, expected a number")
    return found


def bool_field(record: Json, key: str) -> bool | None:
    """Read true or false."""
    value = record.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"{key} is {shown(value)}, expected true or false")


def is_set(value: object) -> bool:
    """Tell whether a loose switch is on: true, "true", "HIT", 1."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in _TRUE)


def usd_field(record: Json, key: str) -> Decimal | None:
    """Read an amount of US dollars, exact to the picodollar; ValueError where it cannot be one."""
    value = record.get(key)
    if value is None:
        return None
    found = _decimal(value)
    if found is None or not 0 <= found <= _MOST_USD:
        raise ValueError(f"{key} is {shown(value)}, expected dollars from 0 to {_MOST_USD}")
    return found.quantize(_PICODOLLAR, ROUND_HALF_EVEN)


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        found = Decimal(str(value))
    except ArithmeticError:
        return None
    return found if found.is_finite() else None


_ERROR_WORDS = frozenset({"error", "failed", "failure", "timeout", "exception"})
_CANCELLED_WORDS = frozenset({"cancelled", "canceled", "aborted"})


def http_status(record: Json, *keys: str) -> int | None:
    """Read the HTTP status from the first key that holds a number; 0 means that there was no answer."""
    for key in keys:
        value = record.get(key)
        found = (
            int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else integer(value)
        )
        if found is None or found == 0:
            continue
        if not 100 <= found <= 599:
            raise ValueError(f"{key} is {shown(value)}, expected an HTTP status from 100 to 599")
        return found
    return None


def says_error(value: object) -> bool:
    """Tell whether a status word means a failed call."""
    return isinstance(value, str) and value.lower() in _ERROR_WORDS


def says_cancelled(value: object) -> bool:
    """Tell whether a status word means that the caller gave up."""
    return isinstance(value, str) and value.lower() in _CANCELLED_WORDS
