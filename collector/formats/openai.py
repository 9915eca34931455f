"""OpenAI's own response objects: stored completions, and what its SDK gives by `model_dump_json()`."""

from __future__ import annotations

from dataclasses import replace

from collector.apis.json_shapes import EMPTY, Json
from collector.formats import attributes, calls, fields
from ledger.types import Request

_OBJECTS = frozenset({"chat.completion", "response", "text_completion"})
KEYS = ("object", "id", "model")


def matches(record: Json) -> bool:
    """Tell a response object by its kind; one beside its request is another format's."""
    kind = record.get("object")
    return isinstance(kind, str) and kind in _OBJECTS and all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one response; what asked for it is stored elsewhere, so the prompt is unknown and not counted."""
    call = calls.read(EMPTY, record)
    read_alone = calls.request_of(call)
    metadata = attributes.tags(record.get("metadata"))
    return replace(
        read_alone,
        attributes=attributes.join(attributes.flatten(record), attributes.as_attributes(metadata)),
        tags=attributes.stored(metadata),
        end_user=fields.first_text(record, "input_user", "user", "safety_identifier"),
        prompt=None,
    )
