"""What was refused, by kind: reasons that differ only in their numbers are one kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.store import Ledger


@dataclass(frozen=True, slots=True)
class RejectKind:
    """Rejects of one kind: how many, from when to when, and the first of them by place as an example.

    `reason` is the example's with its numbers as `…`; what comes after ", expected" stays as it is.
    """

    reason: str
    count: int
    files: int
    formats: tuple[str, ...]
    first: datetime
    last: datetime
    file: str
    line: int
    excerpt: str


# A number that is a word of its own: `prompt.0.role` has one, `UTF-8` and `o200k` have none.
_NUMBERS = r"(^|[^0-9A-Za-z_-])[-+]?[0-9]+(?:[-,.:][0-9]+)*"
_KIND = f"""regexp_replace(split_part(reason, ', expected', 1), '{_NUMBERS}', '\\1…', 'g')
    || substr(reason, length(split_part(reason, ', expected', 1)) + 1)"""
_KINDS = f"""
    SELECT {_KIND} AS kind, count(*), count(DISTINCT source_file), list_sort(list_distinct(list(source))),
        min(rejected_at), max(rejected_at),
        arg_min((source_file, source_line, excerpt), (source_file, source_line))
    FROM rejects GROUP BY kind ORDER BY count(*) DESC, kind
"""


def kinds(ledger: Ledger) -> tuple[RejectKind, ...]:
    """Every kind of reject, the most frequent first."""
    return tuple(_kind(*row) for row in ledger.rows(_KINDS))  # type: ignore[arg-type]


def _kind(
    reason: str,
    count: int,
    files: int,
    formats: list[str],
    first: datetime,
    last: datetime,
    example: tuple[str, int, str] | dict[str, object],
) -> RejectKind:
    place = tuple(example.values()) if isinstance(example, dict) else example
    file, line, excerpt = str(place[0]), int(str(place[1])), str(place[2])
    return RejectKind(reason, count, files, tuple(filter(None, formats)), first, last, file, line, excerpt)
