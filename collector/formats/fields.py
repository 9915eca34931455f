"""Typed fields of a log record, refused with field, value and expected type."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from collector.apis.json_shapes import Json, integer, shown, text_or_none

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


def is_name(value: str) -> bool:
    """Tell whether a text can be a name."""
    return 0 < len(value) <= _LONGEST_NAME


def first_text(record: Json, *keys: str) -> str | None:
    """Return the first of several keys that holds text; other types are passed over."""
    for key in keys:
        if key in record and (found := text_or_none(record[key])):
            return found
    return None


def whole_or_none(value: object, *, least: int, most: int) -> int | None:
    """Return a whole number within bounds; None for anything else, which costs no call."""
    found = integer(value)
    return found if found is not None and least <= found <= most else None


def bool_field(record: Json, key: str) -> bool | None:
    """Read true or false."""
    value = record.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise ValueError(f"{key} is {shown(value)}, expected true or false")


def is_set(value: object) -> bool:
    """Tell whether a loose switch is on: true, "true", "HIT", 1."""
    return value is True or value == 1 or (isinstance(value, str) and value.lower() in _TRUE)


def usd_or_none(value: object) -> Decimal | None:
    """Return an amount of US dollars, exact to the picodollar; None where it cannot be one."""
    found = _decimal(value)
    if found is None or not 0 <= found <= _MOST_USD:
        return None
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
    """Read the HTTP status from the first key that holds one."""
    for key in keys:
        if key in record and (found := _status_code(record[key])) is not None:
            return found
    return None


def _status_code(value: object) -> int | None:
    written = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3
    return whole_or_none(int(str(value)) if written else value, least=100, most=599)


def says_error(value: object) -> bool:
    """Tell whether a status word means a failed call."""
    return isinstance(value, str) and value.lower() in _ERROR_WORDS


def says_cancelled(value: object) -> bool:
    """Tell whether a status word means that the caller gave up."""
    return isinstance(value, str) and value.lower() in _CANCELLED_WORDS
