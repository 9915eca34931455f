"""Rows of tables of anybody's own, made into tollbook's flat records by a column map."""

from __future__ import annotations

from collector.apis.json_shapes import Json, shown
from collector.formats import tollbook
from collector.formats.format import Facts
from ledger.types import Request

ROW = "table_row"
KEYS = (ROW,)
FACTS = Facts(
    cache="as the map says: input_includes_cached",
    identity="the column that is mapped to response_id or call_id, else the row's values",
    times="the column that is mapped to ts, in the map's format, unit and zone",
    unknown=("whatever no column is mapped to",),
)


def matches(record: Json) -> bool:
    """Tell a row that a column map was applied to; without one no table is known for calls."""
    return ROW in record


def read(record: Json) -> Request:
    """Read one row; raises ValueError naming key, value and what was expected."""
    found = record[ROW]
    if not isinstance(found, dict) or "tollbook" not in found:
        raise ValueError(f"{ROW} is {shown(found)}, expected the record that a row was made into")
    return tollbook.read(found)
