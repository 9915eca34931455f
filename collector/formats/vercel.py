"""Vercel AI Gateway's generation objects, as its API gives them for an id."""

from __future__ import annotations

from collector import apis
from collector.apis.json_shapes import Json, bool_or_none
from collector.formats import attributes, conversations, fields, generations, times
from collector.formats.format import Facts
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Api, Request

KEYS = ("id", "native_tokens_prompt", "native_tokens_completion", "is_byok")
FACTS = Facts(
    cache="inside the input, unless it is larger than the input",
    identity="the generation's id",
    times="created_at, generation_time; latency is the time to the first token",
    unknown=(
        "prompt and answer",
        "tenant, workflow and end user: reports by user and tag have them, generations have not",
        "the provider's id of the answer",
        "web searches are billed inside total_cost, not by tokens",
    ),
    versions=("/v1/generation",),
)
_SAID = ("provider_name", "is_byok", "billable_web_search_calls", "user", "tags")

UNDERSTANDS = Understood(
    words(
        """
    billable_web_search_calls created_at finish_reason generation_time id is_byok latency model
    native_tokens_cache_creation native_tokens_cached native_tokens_completion native_tokens_prompt
    native_tokens_reasoning provider_name streamed total_cost upstream_inference_cost usage
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a generation by its counts and its word on whose key was used."""
    return all(key in generations.first(record) for key in KEYS)


def read(record: Json) -> Request:
    """Read one generation; raises ValueError naming the field and value that cannot be booked."""
    found = typed(record, generations.Generation)
    vendor, slash, bare = (found.model or "").partition("/")
    model = fields.name(bare if slash else vendor or None, "model")
    usage = generations.usage(record)
    return Request(
        api=Api.OTHER,
        model=model,
        provider=_provider(found, model),
        call_id=fields.name(found.id, "id"),
        ts=times.moment(found.created_at, "created_at"),
        latency_ms=times.milliseconds(record.get("generation_time")),
        ttft_ms=times.milliseconds(record.get("latency")),
        status=generations.status(record),
        streamed=bool_or_none(record.get("streamed")),
        attributes=attributes.flatten({key: record[key] for key in _SAID if key in record}),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=generations.cost(record),
    )


def _provider(found: generations.Generation, model: str | None) -> str | None:
    """Who served the call: Vercel charges that provider's own prices."""
    said = found.provider_name or ""
    by_model = apis.provider(None, conversations.counting_api(None, model), model)
    return apis.named(said) if fields.is_name(said) else by_model
