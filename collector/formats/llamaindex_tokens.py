"""LlamaIndex's token counting events: counts that may be its own estimate, without time and model."""

from __future__ import annotations

import msgspec

from collector.apis import token_buckets
from collector.apis.json_shapes import Json
from collector.formats import fields
from collector.formats.format import Facts
from collector.formats.typed import typed
from collector.formats.understood import Understood
from ledger.types import Api, Request, Usage

KEYS = ("prompt_token_count", "completion_token_count", "event_id")
FACTS = Facts(
    cache="not told; all input is booked as uncached",
    identity="event_id, where it is one",
    times="none: the file's own time stands in, marked as estimated",
    unknown=(
        "the time of the call",
        "model and provider, so that nothing can be priced",
        "whether the provider reported the counts or LlamaIndex made them: they are marked as estimated",
        "cached tokens and reasoning",
        "whether it was a chat or an embedding",
        "tenant and workflow, unless the source names them",
    ),
    versions=("llama-index-core 0.10 to 0.14",),
)


class Event(msgspec.Struct):
    """The fields of an event that are booked; its texts are LlamaIndex's rendering of what was said."""

    event_id: str
    prompt_token_count: object = None
    completion_token_count: object = None
    total_token_count: object = None


UNDERSTANDS = Understood(frozenset(Event.__struct_encode_fields__) | {"prompt", "completion"})


def matches(record: Json) -> bool:
    """Tell an event by its own names for the counts."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one event; raises ValueError naming the field and value that cannot be booked."""
    event = typed(record, Event)
    usage = _usage({key: record[key] for key in (*KEYS[:2], "total_token_count") if key in record})
    return Request(
        api=Api.OTHER,
        model=None,
        operation="other",
        call_id=fields.name(event.event_id, "event_id"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
    )


def _usage(found: Json) -> token_buckets.Reported | None:
    given = token_buckets.tokens(found, "prompt_token_count")
    answered = token_buckets.tokens(found, "completion_token_count")
    total = token_buckets.tokens(found, "total_token_count")
    if not (given or answered):
        return None
    if total is not None and total != (given or 0) + (answered or 0):
        raise ValueError(
            f"usage.total_token_count is {total}, expected the sum of {given or 0} and {answered or 0}"
        )
    return token_buckets.estimated(found, Usage(input_tokens=given, output_tokens=answered))
