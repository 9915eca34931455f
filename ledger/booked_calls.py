"""Single calls in the ledger: where they were read, and what they are attributed to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ledger import spans
from ledger.frames import ECHO, PART
from ledger.store import Ledger

# With fewer than six digits, many would begin so.
_ID = re.compile(r"[0-9a-f-]{6,36}")


@dataclass(frozen=True, slots=True)
class Place:
    """A record of a call: file, line and format it was read in, and the id that the record is known by.

    `digest` finds it again where it stands elsewhere by now.
    """

    source_file: str
    line: int
    form: str
    known_as: str
    digest: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class BookedCall:
    """A row of `requests` as far as attribution goes; `places` are its records', that of the row first.

    `from_above` are the dimensions that a step above the call says.
    """

    request_id: str
    ts: datetime
    model: str | None
    cost_usd: Decimal | None
    dimensions: dict[str, str | None]
    ingested_at: datetime
    configuration: str | None
    places: tuple[Place, ...]
    from_above: frozenset[str] = frozenset()


DIMENSIONS = ("tenant", "workflow", "environment", "end_user", "model_tier")
_COLUMNS = ", ".join(DIMENSIONS)


def is_id(text: str) -> bool:
    """Whether a text can be the id of a call, or begin one."""
    return _ID.fullmatch(text.lower()) is not None


def begin_with(ledger: Ledger, text: str, most: int = 5) -> list[BookedCall]:
    """The calls whose id begins so, a few at most."""
    start = text.lower()
    rows = ledger.rows(
        f"SELECT {_SELECTED} FROM requests WHERE request_id::VARCHAR LIKE ? || '%' ORDER BY ts LIMIT ?",
        [start, most],
    )
    return [_call(ledger, row) for row in rows]


_SELECTED = (
    f"request_id::VARCHAR, ts, model, cost_usd, ingested_at, source_file, source_line, source, "
    f"record_digest, span, coalesce(inherited, 0), {_COLUMNS}"
)


def _call(ledger: Ledger, row: tuple[object, ...]) -> BookedCall:
    request_id, ts, model, cost_usd, ingested_at, file, line, form, known_by, span, inherited, *dimensions = (
        row
    )
    own = _place(file, line, form, request_id, known_by)
    others = (_place(*each) for each in _parts(ledger, request_id, span))
    return BookedCall(
        request_id=str(request_id),
        ts=ts,  # type: ignore[arg-type]
        model=None if model is None else str(model),
        cost_usd=cost_usd,  # type: ignore[arg-type]
        dimensions={
            name: None if value is None else str(value)
            for name, value in zip(DIMENSIONS, dimensions, strict=True)
        },
        ingested_at=ingested_at,  # type: ignore[arg-type]
        configuration=_in_force(ledger, ingested_at),
        places=tuple(dict.fromkeys((own, *others))),
        from_above=spans.names_from_above(int(str(inherited))),
    )


def _place(file: object, line: object, form: object, known_as: object, known_by: object) -> Place:
    return Place(str(file), int(str(line)), str(form), str(known_as), known_by)  # type: ignore[arg-type]


def _parts(ledger: Ledger, request_id: object, span: object) -> list[tuple[object, ...]]:
    """The records of the call, and those that complete the call of its span."""
    return ledger.rows(
        "SELECT source_file, source_line, source, request_id, record_digest FROM record_parts "
        "WHERE request_id = ?::UUID OR (request_id = ?::UUID AND id_kind IN (?, ?)) ORDER BY ALL",
        [request_id, span, PART, ECHO],
    )


def _in_force(ledger: Ledger, at: object) -> str | None:
    """The digest of the configuration that a call was booked by."""
    found = ledger.rows(
        "SELECT digest FROM config_versions WHERE in_force_from <= ? ORDER BY in_force_from DESC LIMIT 1",
        [at],
    )
    return str(found[0][0]) if found else None
