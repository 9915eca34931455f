"""LiteLLM's StandardLoggingPayload, of its S3, GCS and file loggers, and the rows of its spend logs."""

from __future__ import annotations

import base64
import re

from collector import apis
from collector.apis import anthropic_messages, openai_chat, openai_responses, token_buckets
from collector.apis.json_shapes import EMPTY, Json, bool_or_none, mapping, mappings, number, text
from collector.apis.openai_completions import input_messages
from collector.formats import attributes, bodies, fields, litellm_spend, times
from collector.formats.format import Facts
from collector.formats.understood import Understood, words
from ledger.types import Answer, Api, Prompt, Request, Status

REDACTED = "redacted-by-litellm"

_TOTALS = ("prompt_tokens", "completion_tokens", "total_tokens")
_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)

# How LiteLLM names its calls (each also with a leading "a" for the asynchronous one).
_CALL_TYPES: dict[str, tuple[Api, str]] = {
    "completion": (Api.OPENAI_CHAT, "chat"),
    "responses": (Api.OPENAI_RESPONSES, "chat"),
    "anthropic_messages": (Api.ANTHROPIC_MESSAGES, "chat"),
    "generate_content": (Api.GEMINI_GENERATE, "chat"),
    "generate_content_stream": (Api.GEMINI_GENERATE, "chat"),
    "text_completion": (Api.OPENAI_COMPLETIONS, "completion"),
    "embedding": (Api.OPENAI_EMBEDDINGS, "embedding"),
    "image_generation": (Api.OTHER, "image"),
    "image_edit": (Api.OTHER, "image"),
    "transcription": (Api.OTHER, "audio"),
    "speech": (Api.OTHER, "audio"),
    "moderation": (Api.OTHER, "moderation"),
    "rerank": (Api.OTHER, "rerank"),
}


# The names that only LiteLLM uses together.
KEYS = ("startTime", "call_type", "prompt_tokens")
FACTS = Facts(
    cache="inside the input for every provider; beside it in Anthropic's own shape or by the total",
    identity="the provider's id of the answer, else LiteLLM's id of the call",
    times="startTime, endTime, completionStartTime",
    unknown=(
        "what was said, where LiteLLM redacts or leaves it out: such calls have no segments",
        "which answer of LiteLLM's own cache in the spend logs is which in its other logs",
    ),
    versions=("StandardLoggingPayload of 1.58 to 1.109", "LiteLLM_SpendLogs"),
)


# LiteLLM packs the id of a stored response together with where it is stored.
_PACKED = re.compile(r"resp_([A-Za-z0-9+/=_-]{24,})")
_INSIDE = re.compile(r"response_id:(resp_[A-Za-z0-9_-]+)")

UNDERSTANDS = Understood(
    words(
        """
    agent_id api_base api_key cache_hit cache_key call_type completionStartTime completion_tokens
    cost_breakdown custom_llm_provider endTime end_user error_information error_str
    guardrail_information hidden_params id litellm_call_id litellm_session_id litellm_trace_id
    mcp_namespaced_tool_name messages metadata model model_group model_id model_map_information
    model_parameters organization_id prompt_tokens proxy_server_request request_duration_ms request_id
    request_tags requester_ip_address response response_cost response_cost_failure_debug_info
    response_time saved_cache_cost session_id spend standard_built_in_tools_params startTime status
    status_fields stream team_id total_tokens trace_id user user_agent
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a payload, or a row of the spend logs, by its keys."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one payload or row; raises ValueError naming the field and value that cannot be booked."""
    return _read(litellm_spend.as_payload(record) if litellm_spend.is_row(record) else record)


def _read(record: Json) -> Request:
    metadata = mapping(record.get("metadata"))
    response = _body(record.get("response"))
    body_api, operation = _call_type(record)
    model = _model(record, response)
    usage = _usage(record, metadata)
    status, http_status, error_type = _outcome(record)
    parameters = mapping(record.get("model_parameters"))
    tags = attributes.tags(record.get("request_tags"))
    start = times.moment(record.get("startTime"), "startTime")
    return Request(
        api=_counting_api(body_api, model),
        model=model,
        provider=_provider(record),
        operation=operation,
        response_id=_response_id(fields.text_field(response, "id") or fields.text_field(record, "id")),
        call_id=fields.text_field(record, "litellm_call_id") or fields.text_field(record, "id"),
        cache_hit=fields.is_set(record.get("cache_hit")),
        ts=start,
        latency_ms=times.between(start, times.first_moment_or_none(record, "endTime")),
        ttft_ms=_first_token_ms(record),
        service_tier=_service_tier(record, response),
        status=status,
        http_status=http_status,
        error_type=error_type,
        streamed=bool_or_none(record.get("stream")),
        attributes=attributes.join(attributes.as_attributes(tags), attributes.flatten(record)),
        tags=attributes.stored(tags),
        end_user=fields.first_text(record, "end_user")
        or fields.first_text(metadata, "user_api_key_end_user_id"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=fields.usd_or_none(record.get("response_cost")),
        prompt=_prompt(body_api, record.get("messages"), parameters),
        answer=_answer(response, status),
        max_output_tokens=apis.output_limit(
            parameters.get("max_completion_tokens"), parameters.get("max_tokens")
        ),
        temperature=number(parameters.get("temperature")),
    )


def _response_id(named: str | None) -> str | None:
    """The provider's own id; of an answer whose body was not logged, the payload is named by it."""
    packed = _PACKED.fullmatch(named or "")
    if packed is None:
        return named
    try:
        inside = base64.b64decode(packed[1], altchars=b"-_").decode("utf-8", "replace")
    except ValueError:
        return named
    found = _INSIDE.search(inside)
    return found[1] if found else named


def _body(value: object) -> Json:
    """Return the response object; the usage stands outside of it, so that a shortened text costs no call."""
    try:
        return mapping(bodies.response_body(value))
    except ValueError:
        return EMPTY


def _call_type(record: Json) -> tuple[Api, str]:
    name = text(record.get("call_type"))
    known = _CALL_TYPES.get(name) or _CALL_TYPES.get(name.removeprefix("a"))
    return known or (Api.OTHER, "other")


def _model(record: Json, response: Json) -> str | None:
    """Name the model as answered, else as asked, without LiteLLM's provider prefix."""
    model = fields.text_field(response, "model") or fields.text_field(record, "model")
    prefix = text(record.get("custom_llm_provider")) + "/"
    return model.removeprefix(prefix) if model and len(prefix) > 1 else model


def _counting_api(body_api: Api, model: str | None) -> Api:
    """LiteLLM writes every chat in OpenAI's shape; the tokens are counted by the model's own family."""
    if body_api is not Api.OPENAI_CHAT or not model:
        return body_api
    lowered = model.lower()
    if "claude" in lowered:
        return Api.ANTHROPIC_MESSAGES
    return Api.GEMINI_GENERATE if lowered.rpartition("/")[2].startswith("gemini") else body_api


def _provider(record: Json) -> str | None:
    said = text(record.get("custom_llm_provider"))
    return apis.named(said) if fields.is_name(said) else None


def _first_token_ms(record: Json) -> int | None:
    """Return the time to the first token of a stream; LiteLLM's response_time holds the same."""
    if record.get("stream") is not True:
        return None
    start = times.moment(record.get("startTime"), "startTime")
    found = times.between(start, times.first_moment_or_none(record, "completionStartTime"))
    return times.milliseconds(record.get("response_time"), 1000) if found is None else found


def _service_tier(record: Json, response: Json) -> str | None:
    breakdown = mapping(record.get("cost_breakdown"))
    return apis.tier(response.get("service_tier") or breakdown.get("service_tier"))


def _outcome(record: Json) -> tuple[Status, int | None, str | None]:
    information = mapping(record.get("error_information"))
    http_status = fields.http_status(information, "error_code")
    word = record.get("status")
    if fields.says_error(word) or (http_status or 0) >= 400:
        return Status.ERROR, http_status, apis.error_type(information.get("error_class"))
    return Status.CANCELLED if fields.says_cancelled(word) else Status.OK, http_status, None


def _usage(record: Json, metadata: Json) -> token_buckets.Reported | None:
    """Read the usage: cached tokens are folded in for every provider, but not in Anthropic's own shape.

    All zeros say that LiteLLM knew nothing (failures, streams it could not count), not that it was free.
    """
    detailed = mapping(metadata.get("usage_object"))
    found: Json = detailed or {key: record[key] for key in _TOTALS if key in record}
    if not any(found.get(key) for key in _COUNTS):
        return None
    if _is_anthropic(found):
        return anthropic_messages.usage({"usage": found})
    excludes_cache = "anthropic_messages" in text(record.get("call_type")) and _excludes_cache(found)
    return _exclusive(found) if excludes_cache else _inclusive(found)


def _is_anthropic(found: Json) -> bool:
    """Tell Anthropic's own usage: its names, and none of the chat or Responses API's."""
    return "input_tokens" in found and "prompt_tokens" not in found and "input_tokens_details" not in found


def _excludes_cache(found: Json) -> bool:
    """Tell by the total, or by the cache being larger, that `prompt_tokens` leaves out the cache."""
    inside = _breakdown(found, "prompt_tokens_details", "input_tokens_details")
    cached = (_cache_read(found, inside) or 0) + (_cache_write(found, inside) or 0)
    prompt_tokens = token_buckets.tokens(found, "prompt_tokens") or 0
    beside = prompt_tokens + (token_buckets.tokens(found, "completion_tokens") or 0) + cached
    return cached > prompt_tokens or (cached > 0 and found.get("total_tokens") == beside)


def _exclusive(found: Json) -> token_buckets.Reported | None:
    """Read the chat's names with Anthropic's meaning."""
    inside = _breakdown(found, "prompt_tokens_details", "input_tokens_details")
    one_hour = _one_hour(inside)
    renamed = {
        "input_tokens": found.get("prompt_tokens"),
        "output_tokens": found.get("completion_tokens"),
        "cache_read_input_tokens": _cache_read(found, inside),
        "cache_creation_input_tokens": _cache_write(found, inside),
        "cache_creation": {"ephemeral_1h_input_tokens": one_hour} if one_hour else None,
    }
    read = anthropic_messages.usage({"usage": renamed})
    return token_buckets.reported(found, read[0]) if read else None


def _inclusive(found: Json) -> token_buckets.Reported | None:
    inside = _breakdown(found, "prompt_tokens_details", "input_tokens_details")
    outside = _breakdown(found, "completion_tokens_details", "output_tokens_details")
    return token_buckets.inclusive(
        found,
        input_tokens=token_buckets.first_tokens(found, "prompt_tokens", "input_tokens"),
        output_tokens=token_buckets.first_tokens(found, "completion_tokens", "output_tokens"),
        cache_read=_cache_read(found, inside),
        cache_write=_cache_write(found, inside),
        cache_write_1h=_one_hour(inside),
        reasoning=token_buckets.tokens(outside, "reasoning_tokens"),
        audio_input=token_buckets.tokens(inside, "audio_tokens"),
        audio_output=token_buckets.tokens(outside, "audio_tokens"),
    )


def _cache_read(found: Json, inside: Json) -> int | None:
    read = token_buckets.tokens(inside, "cached_tokens")
    return token_buckets.tokens(found, "cache_read_input_tokens") if read is None else read


def _breakdown(found: Json, chat: str, responses: str) -> Json:
    return token_buckets.parts(found, chat) or token_buckets.parts(found, responses)


def _cache_write(found: Json, inside: Json) -> int | None:
    nested = token_buckets.first_tokens(inside, "cache_creation_tokens", "cache_write_tokens")
    return token_buckets.tokens(found, "cache_creation_input_tokens") if nested is None else nested


def _one_hour(inside: Json) -> int | None:
    split = token_buckets.parts(inside, "cache_creation_token_details")
    return token_buckets.tokens(split, "ephemeral_1h_input_tokens")


def _prompt(api: Api, messages: object, parameters: Json) -> Prompt | None:
    """Read what was sent; None where LiteLLM was told to keep it out of the log."""
    if not messages or messages == EMPTY or _is_redacted(messages) or api is Api.OTHER:
        return None
    if api is Api.OPENAI_RESPONSES:
        return openai_responses.prompt({**parameters, "input": messages})
    if api is Api.OPENAI_EMBEDDINGS:
        return Prompt(messages=input_messages(messages, "input"))
    if isinstance(messages, str):
        return Prompt(
            messages=input_messages(messages, "prompt" if api is Api.OPENAI_COMPLETIONS else "user")
        )
    body: Json = {**parameters, "messages": messages}
    return anthropic_messages.prompt(body) if api is Api.ANTHROPIC_MESSAGES else openai_chat.prompt(body)


def _is_redacted(messages: object) -> bool:
    if isinstance(messages, str):
        return REDACTED in messages
    return any(message.get("content") == REDACTED for message in mappings(messages))


def _answer(response: Json, status: Status) -> Answer | None:
    """Read the answer in whichever API's shape LiteLLM kept it; of a failed call only what arrived."""
    if not response or response.get("text") == REDACTED:
        return None
    reader = apis.APIS[apis.detect(None, EMPTY, response)]
    answer = reader.answer(response)
    if status is not Status.OK and not bodies.has_content(answer):
        return None
    return None if answer.hidden == ("unread",) or any(REDACTED in said for said in answer.texts) else answer
