"""Tell records that are newer than their format's reader: of a later version, or with unknown fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from collector.apis.json_shapes import Json, mapping, text_or_none
from collector.redaction import holds_secret
from ledger.types import Newer

_MOST_FIELDS = 12
# A key that is no plain name may be a person's words, or a secret.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,59}")
_LONG_WORD = re.compile(r"[A-Za-z0-9]{25}")
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Understood:
    """What the reader of a format knows: `fields` are names that `names` finds in what it reads.

    `version` finds the version that a record says it is of; it is newer where its numbers are greater than
    those of `latest`. Nothing is known to be new of a format without either.
    """

    fields: frozenset[str] = frozenset()
    names: Callable[[Json], Iterable[str]] = field(default=lambda record: record)
    version: Callable[[Json], str | None] = field(default=lambda _: None)
    latest: str = ""


def _usage_names(item: Json) -> Iterable[str]:
    """The names that hold tokens: what is new among them may be billed."""
    return (name for name in mapping(item.get("attributes")) if name.startswith("gen_ai.usage."))


def _said(key: str) -> Callable[[Json], str | None]:
    return lambda record: text_or_none(record.get(key))


# Every field of the format's own page, whether the reader needs it or not.
UNDERSTOOD: dict[str, Understood] = {
    "otlp": Understood(
        frozenset(
            f"gen_ai.usage.{name}"
            for name in (
                "input_tokens",
                "prompt_tokens",
                "output_tokens",
                "completion_tokens",
                "total_tokens",
                "cache_read.input_tokens",
                "cache_read_input_tokens",
                "cache_write.input_tokens",
                "cache_creation.input_tokens",
                "cache_creation_input_tokens",
                "reasoning.output_tokens",
                "reasoning_tokens",
                "cost",
                "details",
            )
        ),
        _usage_names,
        _said("schema"),
        "https://opentelemetry.io/schemas/1.41.0",
    ),
    "litellm": Understood(
        frozenset(
            [
                "api_base",
                "cache_hit",
                "cache_key",
                "call_type",
                "completionStartTime",
                "completion_tokens",
                "cost_breakdown",
                "custom_llm_provider",
                "endTime",
                "end_user",
                "error_information",
                "error_str",
                "guardrail_information",
                "hidden_params",
                "id",
                "litellm_call_id",
                "litellm_session_id",
                "litellm_trace_id",
                "messages",
                "metadata",
                "model",
                "model_group",
                "model_id",
                "model_map_information",
                "model_parameters",
                "prompt_tokens",
                "request_tags",
                "requester_ip_address",
                "response",
                "response_cost",
                "response_cost_failure_debug_info",
                "response_time",
                "saved_cache_cost",
                "session_id",
                "standard_built_in_tools_params",
                "startTime",
                "status",
                "status_fields",
                "stream",
                "total_tokens",
                "trace_id",
                "user_agent",
                # Of the rows of its spend logs only.
                "agent_id",
                "api_key",
                "mcp_namespaced_tool_name",
                "organization_id",
                "proxy_server_request",
                "request_duration_ms",
                "request_id",
                "spend",
                "team_id",
                "user",
            ]
        )
    ),
    "helicone": Understood(
        frozenset(
            [
                "ai_gateway_body_mapping",
                "assets",
                "asset_ids",
                "asset_urls",
                "cache_enabled",
                "cache_reference_id",
                "city",
                "completion_audio_tokens",
                "completion_tokens",
                "cost",
                "costUSD",
                "country_code",
                "created_at",
                "delay_ms",
                "feedback_id",
                "feedback_created_at",
                "feedback_rating",
                "helicone_user",
                "is_passthrough_billing",
                "llmSchema",
                "model",
                "model_override",
                "node_id",
                "prompt_audio_tokens",
                "prompt_cache_read_tokens",
                "prompt_cache_write_tokens",
                "prompt_id",
                "prompt_tokens",
                "prompt_version",
                "properties",
                "provider",
                "reasoning_tokens",
                "request_body",
                "request_created_at",
                "request_feedback",
                "request_id",
                "request_model",
                "request_path",
                "request_properties",
                "request_prompt",
                "request_referrer",
                "request_user_id",
                "response_body",
                "response_created_at",
                "response_id",
                "response_model",
                "response_status",
                "scores",
                "signed_body_url",
                "size_bytes",
                "storage_location",
                "target_url",
                "threat",
                "time_to_first_token",
                "total_tokens",
                "updated_at",
            ]
        )
    ),
    "openrouter": Understood(
        frozenset(
            [
                "api_type",
                "app_id",
                "cache_discount",
                "cancelled",
                "created_at",
                "data_region",
                "external_user",
                "finish_reason",
                "generation_time",
                "http_referer",
                "id",
                "is_byok",
                "latency",
                "model",
                "moderation_latency",
                "native_finish_reason",
                "native_tokens_cached",
                "native_tokens_completion",
                "native_tokens_completion_images",
                "native_tokens_prompt",
                "native_tokens_reasoning",
                "num_fetches",
                "num_input_audio_prompt",
                "num_media_completion",
                "num_media_prompt",
                "num_search_results",
                "origin",
                "preset_id",
                "provider_name",
                "provider_responses",
                "request_id",
                "router",
                "service_tier",
                "session_id",
                "streamed",
                "tokens_completion",
                "tokens_prompt",
                "total_cost",
                "upstream_id",
                "upstream_inference_cost",
                "usage",
                "user_agent",
                "web_search_engine",
            ]
        )
    ),
    "vercel": Understood(
        frozenset(
            [
                "billable_web_search_calls",
                "created_at",
                "finish_reason",
                "generation_time",
                "id",
                "is_byok",
                "latency",
                "model",
                "native_tokens_cache_creation",
                "native_tokens_cached",
                "native_tokens_completion",
                "native_tokens_prompt",
                "native_tokens_reasoning",
                "provider_name",
                "streamed",
                "total_cost",
                "upstream_inference_cost",
                "usage",
            ]
        )
    ),
    "portkey": Understood(
        frozenset(
            [
                "_environment",
                "_organisation",
                "_prompt",
                "_user",
                "ai_model",
                "ai_org",
                "ai_org_auth_hash",
                "ai_provider",
                "cache_response_time",
                "cache_status",
                "config_slug",
                "cost",
                "cost_currency",
                "created_at",
                "currency",
                "end_user",
                "id",
                "is_proxy_call",
                "is_success",
                "metadata",
                "mode",
                "organisation_id",
                "organisation_name",
                "prompt_slug",
                "prompt_version_id",
                "proxy_provider",
                "req_units",
                "request_method",
                "request_url",
                "request_cost",
                "res_units",
                "response_cost",
                "response_status_code",
                "response_time",
                "retry_success_count",
                "runtime",
                "runtime_version",
                "sdk_version",
                "source",
                "span_id",
                "span_name",
                "stream",
                "total_units",
                "trace_id",
                "parent_span_id",
                "virtual_key",
                "workspace_slug",
            ]
        )
    ),
    "vertex": Understood(
        frozenset(
            [
                "api_method",
                "deployed_model_id",
                "endpoint",
                "full_request",
                "full_response",
                "logging_time",
                "metadata",
                "model",
                "model_version",
                "otel_log",
                "request_id",
                "request_payload",
                "response_payload",
            ]
        )
    ),
    "bedrock": Understood(
        frozenset(
            [
                "accountId",
                "errorCode",
                "errorMessage",
                "identity",
                "inferenceRegion",
                "input",
                "modelId",
                "operation",
                "output",
                "region",
                "requestId",
                "requestMetadata",
                "schemaType",
                "schemaVersion",
                "status",
                "timestamp",
            ]
        ),
        version=_said("schemaVersion"),
        latest="1.0",
    ),
}


def newer(form: str, record: Json) -> Newer | None:
    """What of a record that was accepted is newer than the reader; None for nearly all."""
    known = UNDERSTOOD.get(form)
    if known is None:
        return None
    strange = [name for name in known.names(record) if name not in known.fields] if known.fields else []
    version = known.version(record)
    is_newer = version is not None and _order(version) > _order(known.latest)
    if not strange and not is_newer:
        return None
    return Newer(form, _shown(version) if is_newer else None, _plain(strange))


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in _NUMBERS.findall(version)[:6])


def _shown(version: str | None) -> str:
    """The version's numbers; what stands around them is the record's own text."""
    return ".".join(_NUMBERS.findall(version or "")[:6])[:40]


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    fine = {name if _is_plain(name) else "…" for name in names}
    return tuple(sorted(fine)[:_MOST_FIELDS])


def _is_plain(name: str) -> bool:
    is_word = _PLAIN_NAME.fullmatch(name) is not None and _LONG_WORD.search(name) is None
    return is_word and not holds_secret(name)
