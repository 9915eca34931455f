"""Helicone's request rows, as its query API and exports give them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, text, text_or_none
from collector.formats import attributes, bodies, calls, fields, times
from collector.formats.bodies import Call
from collector.formats.format import Facts
from collector.formats.understood import Understood, words
from ledger.types import Request, Status, Usage

KEYS = ("request_id", "request_created_at", "request_body", "response_status")
FACTS = Facts(
    cache="as the provider's own usage has it; in Helicone's columns beside the input for Anthropic and"
    " Bedrock, and of what was read for all in rows with reasoning_tokens; else inside it",
    identity="the provider's id of the answer, else request_id",
    times="request_created_at, delay_ms, time_to_first_token",
    unknown=(
        "bodies that are kept behind a link (signed_body_url): such calls have no segments",
        "rows without bodies of before reasoning_tokens, exported after: their cache may be inside the input",
    ),
    versions=("HeliconeRequest", "HeliconeRequest with reasoning_tokens"),
)
# Negative statuses are Helicone's own: -3 says that the caller gave up, the others that the call failed.
_GAVE_UP = -3
_NO_CACHE = "00000000-0000-0000-0000-000000000000"
_EXCLUSIVE = frozenset({"anthropic", "aws"})
# Stands in a body that is to be fetched from somewhere else.
_PLACEHOLDER = "helicone_message"

UNDERSTANDS = Understood(
    words(
        """
    ai_gateway_body_mapping asset_ids asset_urls assets cache_enabled cache_reference_id city
    completion_audio_tokens completion_tokens cost costUSD country_code created_at delay_ms
    feedback_created_at feedback_id feedback_rating helicone_user is_passthrough_billing llmSchema model
    model_override node_id prompt_audio_tokens prompt_cache_read_tokens prompt_cache_write_tokens
    prompt_id prompt_tokens prompt_version properties provider reasoning_tokens request_body
    request_created_at request_feedback request_id request_model request_path request_prompt
    request_properties request_referrer request_user_id response_body response_created_at response_id
    response_model response_status scores signed_body_url size_bytes storage_location target_url threat
    time_to_first_token total_tokens updated_at
    """
    )
)


def matches(record: Json) -> bool:
    """Tell a row by Helicone's own spelling of its keys."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one row; raises ValueError naming the field and value that cannot be booked."""
    url = text_or_none(record.get("target_url")) or text_or_none(record.get("request_path"))
    call = calls.read(_request_body(record), _response_body(record), url)
    read_alone = calls.request_of(call, url)
    provider = _provider(record) or read_alone.provider
    usage = _usage(record, call, provider)
    status, http_status = _outcome(record, read_alone)
    tags = attributes.tags({**mapping(record.get("request_properties")), **mapping(record.get("properties"))})
    return replace(
        read_alone,
        model=call.answered.model or _model(record) or read_alone.model,
        provider=provider,
        call_id=fields.text_field(record, "request_id"),
        cache_hit=_cache_hit(record),
        ts=times.moment(record.get("request_created_at"), "request_created_at") or read_alone.ts,
        latency_ms=times.milliseconds(record.get("delay_ms")),
        ttft_ms=times.milliseconds(record.get("time_to_first_token")),
        status=status,
        http_status=http_status,
        attributes=attributes.join(attributes.as_attributes(tags), attributes.flatten(record)),
        tags=attributes.stored(tags),
        end_user=fields.first_text(record, "request_user_id", "helicone_user") or read_alone.end_user,
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=_cost(record),
    )


def _request_body(record: Json) -> Json:
    """The body, unless Helicone keeps it elsewhere or cut it short: then the columns tell of the call."""
    try:
        found = bodies.request_body(record.get("request_body"))
    except ValueError:
        return EMPTY
    return EMPTY if _PLACEHOLDER in found else found


def _response_body(record: Json) -> bodies.Body:
    try:
        found = bodies.response_body(record.get("response_body"))
    except ValueError:
        return EMPTY
    return EMPTY if _PLACEHOLDER in mapping(found) else found


def _provider(record: Json) -> str | None:
    said = text(record.get("provider"))
    return apis.named(said) if fields.is_name(said) and said.upper() != "CUSTOM" else None


def _model(record: Json) -> str | None:
    return fields.name(fields.first_text(record, "response_model", "model", "request_model"), "model")


def _cache_hit(record: Json) -> bool:
    """Tell an answer out of Helicone's own cache, which costs nothing."""
    reference = record.get("cache_reference_id")
    return isinstance(reference, str) and reference not in ("", _NO_CACHE)


def _outcome(record: Json, read_alone: Request) -> tuple[Status, int | None]:
    code = record.get("response_status")
    http_status = fields.http_status(record, "response_status")
    if code == _GAVE_UP:
        return Status.CANCELLED, None
    failed = (http_status or 0) >= 400 or (isinstance(code, int) and code < 0)
    return (Status.ERROR if failed else read_alone.status), http_status


def _cost(record: Json) -> Decimal | None:
    named = (fields.usd_or_none(record.get(key)) for key in ("cost", "costUSD"))
    return next((cost for cost in named if cost is not None), None)


def _usage(record: Json, call: Call, provider: str | None) -> token_buckets.Reported | None:
    """The provider's own usage object, else Helicone's columns; zeros in those say that it knew nothing."""
    if call.usage is not None and call.usage_json is not None:
        return call.usage, call.usage_json
    found = {key: record[key] for key in _COLUMNS if record.get(key) is not None}
    if not any(found.values()):
        return None
    excludes_cache = provider in _EXCLUSIVE
    if "reasoning_tokens" in record:
        return _of_today(found, excludes_cache)
    return _exclusive(found) if excludes_cache else _inclusive(found)


_COLUMNS = (
    "prompt_tokens",
    "completion_tokens",
    "prompt_cache_read_tokens",
    "prompt_cache_write_tokens",
    "prompt_audio_tokens",
    "completion_audio_tokens",
    "reasoning_tokens",
)


def _of_today(found: Json, excludes_cache: bool) -> token_buckets.Reported | None:
    """Rows with a column for the reasoning: it stands beside the completion, and what was read from a cache
    beside the prompt. What was written to one is inside it, but for Anthropic."""
    count = token_buckets.tokens
    read, written = count(found, "prompt_cache_read_tokens"), count(found, "prompt_cache_write_tokens")
    given, reasoning = count(found, "prompt_tokens"), count(found, "reasoning_tokens")
    beside = (read or 0) + ((written or 0) if excludes_cache else 0)
    return token_buckets.inclusive(
        found,
        input_tokens=None if given is None else given + beside,
        output_tokens=token_buckets.total(count(found, "completion_tokens"), reasoning),
        cache_read=read,
        cache_write=written,
        reasoning=reasoning,
        audio_input=count(found, "prompt_audio_tokens"),
        audio_output=count(found, "completion_audio_tokens"),
    )


def _inclusive(found: Json) -> token_buckets.Reported | None:
    count = token_buckets.tokens
    return token_buckets.inclusive(
        found,
        input_tokens=count(found, "prompt_tokens"),
        output_tokens=count(found, "completion_tokens"),
        cache_read=count(found, "prompt_cache_read_tokens"),
        cache_write=count(found, "prompt_cache_write_tokens"),
        reasoning=count(found, "reasoning_tokens"),
        audio_input=count(found, "prompt_audio_tokens"),
        audio_output=count(found, "completion_audio_tokens"),
    )


def _exclusive(found: Json) -> token_buckets.Reported:
    count = token_buckets.tokens
    buckets = Usage(
        input_tokens=count(found, "prompt_tokens"),
        cache_read_tokens=count(found, "prompt_cache_read_tokens"),
        cache_write_tokens=count(found, "prompt_cache_write_tokens"),
        output_tokens=count(found, "completion_tokens"),
    )
    return token_buckets.reported(found, buckets)
