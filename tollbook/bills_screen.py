"""What `tollbook bills` prints: a line a report, with its gaps and what it is broken down by below."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from ledger import units
from tollbook.screen import table

_HEADS = ("provider", "report", "by", "from", "to", "lines", "billed", "list", "written")
_NUMBERS = (5, 6, 7)
_HOUR, _DAY, _LONGEST_MONTH = 3_600, 86_400, 31 * 86_400
_MOST_GAPS = 5
NONE = "No bills. `tollbook ingest` reads providers' usage and cost reports and FOCUS files."
APART = (
    "Each line is a report of its own: two of one provider may tell the same money, so no sum goes over both."
)


def listed(reports: pl.DataFrame) -> str:
    """The reports of BILL_REPORTS."""
    if reports.is_empty():
        return NONE
    rows = list(reports.iter_rows(named=True))
    lines = table(_HEADS, (_cells(row) for row in rows), right=_NUMBERS).splitlines()
    told = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        told += [line, *(f"    {note}" for note in _notes(row))]
    return "\n".join([*told, APART] if len(rows) > 1 else told)


def _cells(row: dict[str, object]) -> tuple[str, ...]:
    return (
        str(row["provider"]),
        str(row["report"]),
        _length(row["period_s"]),
        _moment(row["first"]),
        _moment(row["last"]),
        f"{row['lines']:,}",
        units.money(row["cost_usd"]),  # type: ignore[arg-type]
        units.money(row["list_cost_usd"]),  # type: ignore[arg-type]
        _moment(row["reported_at"]),
    )


def _length(seconds: object) -> str:
    if not isinstance(seconds, int):
        return "–"
    if seconds in (_HOUR, _DAY):
        return "hour" if seconds == _HOUR else "day"
    if 28 * _DAY <= seconds <= _LONGEST_MONTH:
        return "month"
    return f"{seconds // _DAY} days" if seconds % _DAY == 0 else f"{seconds:,} s"


def _moment(ts: object) -> str:
    return f"{ts:%Y-%m-%d}" if isinstance(ts, datetime) and not _has_hours(ts) else f"{ts:%Y-%m-%d %H:%M}"


def _has_hours(ts: datetime) -> bool:
    return bool(ts.hour or ts.minute)


def _notes(row: dict[str, object]) -> Iterator[str]:
    if row["grouped_by"]:
        yield f"broken down by {str(row['grouped_by']).replace(',', ', ')}"
    gaps = row["gaps"] if isinstance(row["gaps"], list) else []
    if gaps:
        shown = ", ".join(f"{_moment(gap['from'])} to {_moment(gap['to'])}" for gap in gaps[:_MOST_GAPS])
        more = f" and {len(gaps) - _MOST_GAPS} more" if len(gaps) > _MOST_GAPS else ""
        yield f"nothing from {shown}{more}"
    if row["is_running"]:
        yield "the last period was still running when the report was written"
