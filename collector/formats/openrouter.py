"""OpenRouter's generation objects, as its API gives them for an id."""

from __future__ import annotations

from collector import apis
from collector.apis.json_shapes import Json, bool_or_none, mappings, text
from collector.formats import attributes, fields, generations, times
from collector.formats.format import Facts
from collector.formats.typed import typed
from collector.formats.understood import Understood, words
from ledger.types import Api, Request

KEYS = ("id", "native_tokens_prompt", "native_tokens_completion")
FACTS = Facts(
    cache="inside the input",
    identity="the generation's id, which is also that of the answer",
    times="created_at, latency",
    unknown=(
        "prompt and answer",
        "tokens written to a cache, which are inside the input and booked as uncached",
        "the time to the first token",
        "what the provider billed where your own key was used and upstream_inference_cost is missing",
    ),
    versions=("/api/v1/generation",),
)
# Of these only OpenRouter's generations have any.
_OWN = ("tokens_prompt", "upstream_id", "cache_discount", "app_id", "num_media_prompt", "provider_responses")
_OPERATIONS = {"embeddings": "embedding", "rerank": "rerank", "tts": "audio", "stt": "audio"}
_SAID = ("api_type", "app_id", "origin", "router", "data_region", "session_id", "preset_id", "provider_name")

UNDERSTANDS = Understood(
    words(
        """
    api_type app_id cache_discount cancelled created_at data_region external_user finish_reason
    generation_time http_referer id is_byok latency model moderation_latency native_finish_reason
    native_tokens_cached native_tokens_completion native_tokens_completion_images native_tokens_prompt
    native_tokens_reasoning num_fetches num_input_audio_prompt num_media_completion num_media_prompt
    num_search_results origin preset_id provider_name provider_responses request_id router service_tier
    session_id streamed tokens_completion tokens_prompt total_cost upstream_id upstream_inference_cost
    usage user_agent web_search_engine
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a generation by its counts and OpenRouter's own keys."""
    found = generations.first(record)
    return all(key in found for key in KEYS) and any(key in found for key in _OWN)


def read(record: Json) -> Request:
    """Read one generation; raises ValueError naming the field and value that cannot be booked."""
    found = typed(record, generations.Generation)
    model = fields.name(found.model, "model")
    usage = generations.usage(record)
    tried = [
        fields.http_status(response, "status") for response in mappings(record.get("provider_responses"))
    ]
    return Request(
        api=Api.OTHER,
        model=model,
        provider="openrouter",
        operation=_OPERATIONS.get(text(record.get("api_type")), "chat"),
        response_id=fields.name(found.id, "id"),
        call_id=fields.name(found.id, "id"),
        ts=times.moment(found.created_at, "created_at"),
        latency_ms=times.milliseconds(record.get("latency")),
        service_tier=apis.tier(record.get("service_tier")),
        status=generations.status(record),
        http_status=tried[-1] if tried else None,
        streamed=bool_or_none(record.get("streamed")),
        attributes=attributes.flatten({key: record[key] for key in _SAID if key in record}),
        end_user=fields.text_field(record, "external_user"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=generations.cost(record),
    )
