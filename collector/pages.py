"""Pages as APIs give them: one object a page, whose list holds the records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from collector.sources import Record

# Langfuse and most others; Azure's diagnostic settings; OData.
_KEYS = ("data", "records", "value", "items")


def list_in(page: Mapping[str, object]) -> str | None:
    """The key of a page's list of objects; None for an object that is no page."""
    return next((key for key in _KEYS if _is_list_of_objects(page.get(key))), None)


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def records_in(pages: Iterable[Record]) -> Iterator[Record]:
    """The records of pages, numbered through, each with its place; what is no page stays one record."""
    number = 0
    for page in pages:
        for record in _unfolded(page):
            number += 1
            yield Record(
                number,
                record.offset,
                record.data,
                record.length,
                record.problem,
                record.unfinished,
                record.known_by,
            )


def _unfolded(page: Record) -> Iterator[Record]:
    raw = None if page.problem else _raw_list(page.data)
    if raw is None:
        yield page
        return
    end = 0
    for item in raw:
        start = page.data.find(item, end)
        end = start + len(item)
        yield Record(page.line, page.offset + start, item, len(item))


def _raw_list(data: bytes) -> list[bytes] | None:
    try:
        page = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        for key in _KEYS:
            if bytes(page.get(key, b""))[:1] == b"[":
                return [bytes(item) for item in msgspec.json.decode(page[key], type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError):
        return None
    return None
