"""What all reports of providers' bills are read with: lines of a meter over a period, exact amounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from collector.apis.json_shapes import Json, shown
from collector.formats import times

# What `items` gives of a report, one for each meter of each result; `read` takes these only.
KEYS = ("report", "start", "end", "meter", "result", "grouped_by")
# A period in which the report says that nothing was used: it is no gap.
NOTHING = "nothing"
_ABSENT = frozenset({"", "NULL", "null"})


def line(
    report: str, start: object, end: object, meter: str, result: Json, grouped_by: Sequence[str] = ()
) -> dict[str, object]:
    """One meter of one result of a report, as yet unread."""
    return {
        "report": report,
        "start": start,
        "end": end,
        "meter": meter,
        "result": result,
        "grouped_by": tuple(grouped_by),
    }


def result_of(line: Json) -> Json:
    """The result that a line is of. Raises ValueError where it is none."""
    found = line["result"]
    if isinstance(found, Mapping):
        return found
    raise ValueError(f"result is {shown(found)}, expected an object")


def grouping_of(line: Json) -> tuple[str, ...]:
    """What the report that a line is of is broken down by."""
    found = line["grouped_by"]
    return tuple(map(str, found)) if isinstance(found, tuple | list) else ()


def objects(value: object, field: str) -> list[Json]:
    """The objects of a list. Raises ValueError for anything else."""
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return value
    raise ValueError(f"{field} is {shown(value)}, expected a list of objects")


def first_object(value: object) -> Json:
    """The first object of a list; an empty one where there is none."""
    found = next(iter(value), None) if isinstance(value, list) else None
    return found if isinstance(found, dict) else {}


def said(result: Json, key: str) -> object:
    """A value of a result; what a table writes for nothing is None."""
    value = result.get(key)
    return None if isinstance(value, str) and value.strip() in _ABSENT else value


def decimal(value: object, field: str) -> Decimal | None:
    """A number, exactly as written; negative where something is credited."""
    if value is None:
        return None
    if not isinstance(value, int | float | str | Decimal) or isinstance(value, bool):
        raise ValueError(f"{field} is {shown(value)}, expected a number")
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{field} is {shown(value)}, expected a number") from None
    if not found.is_finite():
        raise ValueError(f"{field} is {shown(value)}, expected a finite number")
    return found


def count(result: Json, key: str) -> Decimal | None:
    """A quantity of a result, at least 0."""
    found = decimal(said(result, key), key)
    if found is not None and found < 0:
        raise ValueError(f"{key} is {found}, expected at least 0")
    return found


def less(whole: Decimal | None, parts: Iterable[Decimal | None], what: str) -> Decimal | None:
    """What the parts leave of a whole that includes them. Raises ValueError where they are more."""
    if whole is None:
        return None
    left = whole - sum((part for part in parts if part is not None), Decimal(0))
    if left < 0:
        raise ValueError(f"{what} are {-left} more than the {whole} that should include them")
    return left


def usd(value: object, currency: object, field: str) -> Decimal | None:
    """An amount of dollars; ValueError for another currency."""
    found = decimal(value, field)
    if found is not None and currency is not None and str(currency).upper() != "USD":
        raise ValueError(f"{field} is in another currency than USD, and bills are kept in US dollars")
    return found


def moment(value: object, field: str) -> datetime:
    """A time that has to be there."""
    found = times.moment(value, field)
    if found is None:
        raise ValueError(f"the line has no {field}")
    return found


def day(value: object, field: str) -> tuple[datetime, datetime]:
    """A UTC day from its midnight to the next."""
    found = moment(value, field)
    start = found.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def text(result: Json, key: str) -> str | None:
    """A name in a result: numbers and booleans as they are written in JSON."""
    value = said(result, key)
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ValueError(f"{key} is {shown(value)}, expected text")
    found = str(value).strip()
    return found.lower() if found in ("True", "False") else found


def keys_of(result: Json, names: Iterable[str]) -> dict[str, str]:
    """What a line is broken down by, of these names."""
    return {name: value for name in names if (value := text(result, name)) is not None}


def grouped_by(results: Iterable[Json], names: Sequence[str]) -> tuple[str, ...]:
    """What a report is broken down by: the names that any of its results has a value for."""
    every = list(results)
    return tuple(name for name in names if any(said(result, name) is not None for result in every))


def in_buckets(
    buckets: Sequence[Json], start: str, end: str, names: Sequence[str]
) -> Iterator[tuple[Json, Json | None, tuple[str, ...]]]:
    """Each bucket with each of its results, or None where it has none; and what all are broken down by."""
    results = [objects(bucket.get("results"), "results") for bucket in buckets]
    grouped = grouped_by((result for found in results for result in found), names)
    for bucket, found in zip(buckets, results, strict=True):
        period = {start: bucket.get(start), end: bucket.get(end)}
        if not found:
            yield period, None, grouped
        for result in found:
            yield period, result, grouped


def meters_of(result: Json, meters: Mapping[str, str]) -> list[str]:
    """The meters whose field a result has a value for."""
    return [meter for meter, key in meters.items() if said(result, key) is not None]
