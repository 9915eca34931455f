"""Moments and durations as logs write them: epoch numbers of any unit, ISO text, naive as UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from collector.apis.json_shapes import Json, number, shown
from collector.apis.reader import EARLIEST

_LATEST_S = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
# An epoch number's size gives its unit away: seconds stay below 1e11 until the year 5138.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
_DAY_MS = 86_400_000
_DIGITS = re.compile(r"[0-9]{1,40}(\.[0-9]{0,40})?")


def moment(value: object, field: str) -> datetime | None:
    """Read a time as aware UTC; None where absent, ValueError where it is none or before 2015."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        found = _written(value, field)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = _counted(value, field)
    else:
        raise ValueError(f"{field} is {shown(value)}, expected a time")
    if found < EARLIEST:
        raise ValueError(f"{field} is {found:%Y-%m-%d}, before 2015")
    return found


def _written(value: str, field: str) -> datetime:
    text = value.strip()
    # Digits alone are an epoch number; some of them would pass for an ISO date without dashes as well.
    if _DIGITS.fullmatch(text):
        return _counted(float(text), field)
    try:
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{field} is {shown(value)}, expected an ISO time or epoch number") from None


def _counted(value: float, field: str) -> datetime:
    if not math.isfinite(value):
        raise ValueError(f"{field} is {shown(value)}, expected a finite number")
    seconds = value / next(divisor for limit, divisor in _UNITS if abs(value) < limit)
    if not 0 <= seconds <= _LATEST_S:
        raise ValueError(f"{field} is {shown(value)}, expected a time from 2015 to 2200")
    return datetime.fromtimestamp(seconds, UTC)


def first_moment(record: Json, *keys: str) -> datetime | None:
    """Read the first of several spellings that is present."""
    # Most spellings are in no record: looking for the key first spares a call for each.
    for key in keys:
        if key in record and (at := moment(record[key], key)) is not None:
            return at
    return None


def first_moment_or_none(record: Json, *keys: str) -> datetime | None:
    """Read the first of several spellings that is a time; another value costs no call."""
    for key in keys:
        if key in record and (at := _moment_or_none(record[key])) is not None:
            return at
    return None


def _moment_or_none(value: object) -> datetime | None:
    try:
        return moment(value, "")
    except ValueError:
        return None


def milliseconds(value: object, per_unit: float = 1.0) -> int | None:
    """Return a duration; None where it is negative, no number, or over 30 days."""
    found = number(value)
    if found is None or not 0 <= found * per_unit <= 30 * _DAY_MS:
        return None
    return round(found * per_unit)


def first_milliseconds(record: Json, *keys: str) -> int | None:
    """Return the duration of the first of several spellings that holds one."""
    for key in keys:
        if key in record and (found := milliseconds(record[key])) is not None:
            return found
    return None


def between(start: datetime | None, end: datetime | None) -> int | None:
    """Return the milliseconds from start to end; None where either is unknown or the end comes first."""
    if start is None or end is None or end < start:
        return None
    return milliseconds((end - start).total_seconds(), 1000)
