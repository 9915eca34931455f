"""Moments and durations as logs write them: epoch numbers of any unit, ISO text, naive as UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from collector.apis.json_shapes import Json, shown
from collector.apis.reader import EARLIEST

_LATEST_S = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
# An epoch number's size gives its unit away: seconds stay below 1e11 until the year 5138.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
_DAY_MS = 86_400_000


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
    try:
        found = datetime.fromisoformat(text.removesuffix(" UTC"))
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return _counted(float(text), field)
    except ValueError:
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
    return next((at for key in keys if (at := moment(record.get(key), key)) is not None), None)


def milliseconds(value: object, field: str, per_unit: float = 1.0) -> int | None:
    """Read a duration; None where absent, ValueError where it is negative, no number, or over 30 days."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{field} is {shown(value)}, expected a number")
    if not 0 <= value * per_unit <= 30 * _DAY_MS:
        raise ValueError(f"{field} is {shown(value)}, expected a duration of 0 to 30 days")
    return round(value * per_unit)


def between(start: datetime | None, end: datetime | None, field: str) -> int | None:
    """Return the milliseconds from start to end; ValueError where the end lies before the start."""
    if start is None or end is None:
        return None
    if end < start:
        raise ValueError(f"{field} {end.isoformat()} lies before the start {start.isoformat()}")
    return round((end - start).total_seconds() * 1000)
