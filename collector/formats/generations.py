"""What gateways' generation objects have in common: their envelope, counts by the provider, cost."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from collector.apis import token_buckets
from collector.apis.json_shapes import Json, mapping, mappings
from collector.formats import fields
from ledger.types import Status

_COUNTED = "native_tokens_"
_READ, _WRITTEN = "native_tokens_cached", ("native_tokens_cache_creation", "native_tokens_cache_write")


class Generation(msgspec.Struct):
    """The fields of a generation that are booked."""

    id: str
    model: str | None = None
    provider_name: str | None = None
    created_at: object = None
    external_user: str | int | None = None


def first(record: Json) -> Json:
    """The generation in an envelope, or the first of a list of them; the record where it is in none."""
    data = record.get("data")
    return next(mappings(data), record) if isinstance(data, list) else mapping(data) or record


def items(record: Json) -> Iterator[Json]:
    """The generations of an envelope or list, or a generation by itself."""
    data = record.get("data")
    yield from mappings(data) if isinstance(data, list) else (mapping(data) or record,)


def usage(record: Json) -> token_buckets.Reported | None:
    """Read the provider's counts; zeros alone say that nothing is known.

    The input includes the cache, unless the cache is larger: then it cannot.
    """
    found = {key: value for key, value in record.items() if key.startswith(_COUNTED) and value is not None}
    if not any(found.values()):
        return None
    given = token_buckets.tokens(found, "native_tokens_prompt")
    read = token_buckets.tokens(found, _READ)
    written = token_buckets.first_tokens(found, *_WRITTEN)
    cached = (read or 0) + (written or 0)
    if given is not None and cached > given:
        given += cached
    return token_buckets.inclusive(
        found,
        input_tokens=given,
        output_tokens=token_buckets.tokens(found, "native_tokens_completion"),
        cache_read=read,
        cache_write=written,
        reasoning=token_buckets.tokens(found, "native_tokens_reasoning"),
    )


def cost(record: Json) -> Decimal | None:
    """What the call cost in all: with a key of one's own, the gateway's fee and the provider's bill."""
    charged = fields.usd_or_none(record.get("total_cost"))
    upstream = fields.usd_or_none(record.get("upstream_inference_cost"))
    if charged is None or record.get("is_byok") is not True:
        return charged
    return None if upstream is None else charged + upstream


def status(record: Json) -> Status:
    """How the generation ended."""
    if record.get("cancelled") is True:
        return Status.CANCELLED
    return Status.ERROR if fields.says_error(record.get("finish_reason")) else Status.OK
