"""Tables of calls under names of their own: which column is which key of tollbook's flat record."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from zoneinfo import ZoneInfo

from collector.apis.json_shapes import Json, shown
from collector.formats.table import ROW
from collector.formats.tollbook import BUCKETS, KNOWN, VERSION
from collector.sources import SourceError, name_of

TABLE = "table"
KEYS = KNOWN - {"tollbook"}
# Keys below which a column may have any name: what it holds is a tag, or there for the attribution rules.
OPEN_KEYS = ("tags.", "metadata.")
_TIME_UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1}
_SPAN_UNITS = {"s": Decimal(1000), "ms": Decimal(1), "us": Decimal("0.001")}
_MONEY_UNITS = {"usd": Decimal(1), "cents": Decimal("0.01"), "micros": Decimal("0.000001")}
_SPANS = ("latency_ms", "ttft_ms")
UNITS: dict[str, tuple[str, ...]] = {
    "ts": tuple(_TIME_UNITS),
    **dict.fromkeys(_SPANS, tuple(_SPAN_UNITS)),
    "reported_cost_usd": tuple(_MONEY_UNITS),
}
_WHOLE = frozenset({*BUCKETS, "http_status", "attempt", "max_output_tokens"})
_SWITCHES = frozenset({"streamed", "cache_hit"})
_CACHED = BUCKETS[1:4]


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Key of the record to column, dotted where columns are nested; what is the same in every row.

    `units` say what numbers are in where it is not UTC microseconds, milliseconds or dollars by their size;
    `time_zone` is that of times without an offset.
    """

    columns: Mapping[str, str]
    constants: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    time_zone: str = "UTC"
    input_includes_cached: bool = False
    output_includes_reasoning: bool = True
    call_id_prefix: str = ""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A column map, and the files it is for: a regular expression over the whole name of a source."""

    files: str
    columns: ColumnMap


def map_of(mapped: Sequence[Mapped], path: str) -> ColumnMap | None:
    """The map of a file: the first that names it."""
    if not mapped:
        return None
    name = name_of(path)
    return next((each.columns for each in mapped if re.fullmatch(each.files, name)), None)


def wanted_format(form: str, mapped: Sequence[Mapped], path: str) -> str:
    """The format to read a file as: one that a column map is for is a table, unless another is named."""
    return TABLE if form == "auto" and map_of(mapped, path) is not None else form


def check_key(key: str) -> None:
    """Raise ValueError for a key that no record has, with the nearest that one has."""
    if key in KEYS or key.startswith(OPEN_KEYS):
        return
    close = difflib.get_close_matches(key, sorted(KEYS), n=1)
    raise ValueError(
        f"{key!r} is no key of a record"
        + (f"; did you mean {close[0]!r}?" if close else f": there are {', '.join(sorted(KEYS))}")
    )


def check_columns(path: str, columns: ColumnMap | None, rows: Sequence[Json]) -> None:
    """Raise SourceError for no map, and for a column that none of the first rows has, with the nearest."""
    if columns is None:
        if rows and all(ROW in row for row in rows):
            return
        raise SourceError(
            f"no column map says how to read {path} as a table: `tollbook columns` proposes one, for "
            f"[[source]] or for --columns"
        )
    if not rows:
        return
    for key, column in columns.columns.items():
        if not any(_has(row, column) for row in rows):
            there = list(dict.fromkeys(name for row in rows for name in names_in(row)))
            close = difflib.get_close_matches(column, there, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(there[:20])}"
            raise SourceError(f"{path} has no column {column!r} for {key}; {hint}")


def names_in(row: Json, above: str = "") -> Iterator[str]:
    """The columns of a row, dotted where nested."""
    for name, value in row.items():
        yield f"{above}{name}"
        if isinstance(value, Mapping):
            yield from names_in(value, f"{above}{name}.")


def _has(row: Json, column: str) -> bool:
    if column in row:
        return True
    head, _, rest = column.partition(".")
    inside = row.get(head)
    return bool(rest) and isinstance(inside, Mapping) and _has(inside, rest)


def _value(row: Json, column: str) -> object:
    """What a row says in a column; an empty text says nothing."""
    if column in row:
        found = row[column]
        return None if isinstance(found, str) and not found.strip() else found
    head, _, rest = column.partition(".")
    inside = row.get(head)
    return _value(inside, rest) if rest and isinstance(inside, Mapping) else None


def record_of(columns: ColumnMap, row: Json) -> Json:
    """The flat record that a row stands for. Raises ValueError naming column, value and what was expected."""
    found: dict[str, object] = {"tollbook": VERSION}
    for key, constant in columns.constants.items():
        _put(found, key, constant)
    for key, column in columns.columns.items():
        value = _value(row, column)
        if value is not None:
            _put(found, key, _converted(key, value, columns, f"column {column!r} ({key})"))
    _make_disjoint(found, columns)
    if columns.call_id_prefix and "call_id" in found:
        found["call_id"] = f"{columns.call_id_prefix}{found['call_id']}"
    return {ROW: found}


def _put(record: dict[str, object], key: str, value: object) -> None:
    head, _, rest = key.partition(".")
    if not rest:
        record[key] = value
        return
    inside = record.setdefault(head, {})
    if isinstance(inside, dict):
        inside[rest] = value


def _converted(key: str, value: object, columns: ColumnMap, where: str) -> object:
    if key == "ts":
        return _time(value, columns, where)
    if key in _SPANS:
        return float(_number(value, where) * _SPAN_UNITS[columns.units.get(key, "ms")])
    if key == "reported_cost_usd":
        return str(_number(value, where) * _MONEY_UNITS[columns.units.get(key, "usd")])
    if key in _WHOLE:
        return _whole(value, where)
    if key == "temperature":
        return float(_number(value, where))
    return _switch(value) if key in _SWITCHES else value


def _number(value: object, where: str) -> Decimal:
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(value, bool) or not found.is_finite():
        raise ValueError(f"{where} is {shown(value)}, expected a number")
    return found


def _whole(value: object, where: str) -> int:
    found = _number(value, where)
    if found != found.to_integral_value() or abs(found) > 10**18:
        raise ValueError(f"{where} is {shown(value)}, expected a whole number")
    return int(found)


_SWITCH_WORDS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _switch(value: object) -> object:
    return _SWITCH_WORDS.get(str(value).strip().lower(), value)


def _time(value: object, columns: ColumnMap, where: str) -> object:
    """A time with its offset, as text; numbers without a unit are left to their size."""
    unit = columns.units.get("ts")
    if unit is not None:
        return _epoch(_number(value, where), _TIME_UNITS[unit], where)
    if not isinstance(value, str):
        return value
    try:
        found = _parsed(value.strip(), columns.time_format)
    except ValueError:
        expected = columns.time_format or "an ISO time or epoch number"
        raise ValueError(f"{where} is {shown(value)}, expected {expected}") from None
    if found is None:
        return value
    return (found if found.tzinfo else found.replace(tzinfo=_zone(columns.time_zone))).isoformat()


def _parsed(value: str, time_format: str | None) -> datetime | None:
    """None for what the reader of the record understands by itself: numbers, and ISO text of UTC."""
    if time_format is not None:
        return datetime.strptime(value, time_format)  # noqa: DTZ007 - the zone is put to it by the caller
    if re.fullmatch(r"[0-9.]+", value) or value.endswith(" UTC"):
        return None
    return datetime.fromisoformat(value)


def _epoch(number: Decimal, microseconds: int, where: str) -> str:
    try:
        return datetime.fromtimestamp(float(number * microseconds / 1_000_000), UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{where} is {number}, expected a time from 2015 to 2200") from None


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _make_disjoint(record: dict[str, object], columns: ColumnMap) -> None:
    """Take out of the input what was read from or written to a cache; put the reasoning into the output."""
    whole = record.get("input_tokens")
    if columns.input_includes_cached and isinstance(whole, int):
        cached = sum(count for key in _CACHED if isinstance(count := record.get(key), int))
        if cached > whole:
            raise ValueError(f"cached tokens are {cached}, more than the input of {whole} that includes them")
        record["input_tokens"] = whole - cached
    reasoning, output = record.get("reasoning_tokens"), record.get("output_tokens")
    if not columns.output_includes_reasoning and isinstance(reasoning, int) and isinstance(output, int):
        record["output_tokens"] = output + reasoning


# What other tables call the columns, without case, dots and dashes; the first that a table has is taken.
_NAMES: dict[str, tuple[str, ...]] = {
    "ts": (
        "ts",
        "timestamp",
        "created",
        "created_at",
        "start_time",
        "started_at",
        "request_time",
        "time",
        "date",
    ),
    "call_id": ("call_id", "request_id", "id", "uuid", "trace_id"),
    "response_id": ("response_id", "completion_id"),
    "model": ("model", "model_name", "model_id", "response_model", "llm"),
    "provider": ("provider", "vendor"),
    "tenant": ("tenant", "team", "customer", "organization", "org", "account"),
    "workflow": ("workflow", "feature", "app", "application", "agent"),
    "environment": ("environment", "env"),
    "end_user": ("end_user", "user_id", "user"),
    "operation": ("operation", "endpoint"),
    "input_tokens": (
        "input_tokens",
        "prompt_tokens",
        "usage_input_tokens",
        "usage_prompt_tokens",
        "tokens_in",
    ),
    "cache_read_tokens": (
        "cache_read_tokens",
        "cached_tokens",
        "cache_read_input_tokens",
        "input_cached_tokens",
    ),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens"),
    "output_tokens": (
        "output_tokens",
        "completion_tokens",
        "usage_output_tokens",
        "usage_completion_tokens",
        "tokens_out",
    ),
    "reasoning_tokens": ("reasoning_tokens",),
    "reported_cost_usd": ("reported_cost_usd", "cost_usd", "cost", "spend", "total_cost", "price"),
    "latency_ms": ("latency_ms", "duration_ms", "latency", "duration", "response_time_ms"),
    "ttft_ms": ("ttft_ms", "time_to_first_token_ms", "time_to_first_token", "ttft"),
    "status": ("status",),
    "http_status": ("http_status", "status_code"),
    "request": ("request", "request_body"),
    "response": ("response", "response_body"),
}


def proposed(rows: Sequence[Json]) -> dict[str, str]:
    """A guess of which column is which key, by names alone: for a person to look over."""
    there = {_plain(name): name for row in rows for name in reversed(list(names_in(row)))}
    found: dict[str, str] = {}
    for key, names in _NAMES.items():
        column = next((there[name] for name in names if name in there), None)
        if column is not None and column not in found.values():
            found[key] = column
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")
