"""Portkey's metric export: counts and costs of calls, without their text."""

from __future__ import annotations

from decimal import Decimal

from collector import apis
from collector.apis import token_buckets
from collector.apis.json_shapes import Json, mapping, number, sequence, text
from collector.formats import attributes, fields, times
from collector.formats.format import Facts
from collector.formats.understood import Understood, words
from ledger.types import Api, Request, Status, Usage

KEYS = ("ai_org", "ai_model", "req_units", "res_units")
FACTS = Facts(
    cache="not exported: all input is booked as uncached",
    identity="id",
    times="created_at, response_time",
    unknown=(
        "prompt and answer",
        "which tokens a provider's cache served, and reasoning",
        "a cost in a currency other than USD",
        "the provider's id of the answer",
    ),
    versions=("metric export",),
)
_HITS = frozenset({"hit", "semantic hit", "semantic_hit"})

UNDERSTANDS = Understood(
    words(
        """
    _environment _organisation _prompt _user ai_model ai_org ai_org_auth_hash ai_provider
    cache_response_time cache_status config_slug cost cost_currency created_at currency end_user id
    is_proxy_call is_success metadata mode organisation_id organisation_name parent_span_id prompt_slug
    prompt_version_id proxy_provider req_units request_cost request_method request_url res_units
    response_cost response_status_code response_time retry_success_count runtime runtime_version
    sdk_version source span_id span_name stream total_units trace_id virtual_key workspace_slug
    """
    )
)


def matches(record: Json) -> bool:
    """Tell an exported row by Portkey's words for tokens and models."""
    return all(key in record for key in KEYS)


def read(record: Json) -> Request:
    """Read one row; raises ValueError naming the field and value that cannot be booked."""
    usage = _usage(record)
    http_status = _status_code(record)
    failed = (http_status or 0) >= 400 or record.get("is_success") in (0, False)
    tags = _tags(record)
    model = fields.text_field(record, "ai_model")
    return Request(
        api=Api.OTHER,
        model=model,
        provider=_provider(record, model),
        call_id=fields.text_field(record, "id"),
        cache_hit=text(record.get("cache_status")).lower() in _HITS,
        ts=times.moment(record.get("created_at"), "created_at"),
        latency_ms=times.milliseconds(record.get("response_time")),
        status=Status.ERROR if failed else Status.OK,
        http_status=http_status,
        attributes=_attributes(record, tags),
        tags=attributes.stored(tags),
        end_user=fields.first_text(record, "_user"),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
        reported_cost_usd=_cost(record),
    )


def _provider(record: Json, model: str | None) -> str | None:
    said = text(record.get("ai_org"))
    return apis.named(said) if fields.is_name(said) else apis.provider(None, Api.OTHER, model)


def _status_code(record: Json) -> int | None:
    found = number(record.get("response_status_code"))
    return fields.whole_or_none(found, least=100, most=599)


def _usage(record: Json) -> token_buckets.Reported | None:
    """Read the units; how many of them a cache served is not in the export."""
    found = {"req_units": record.get("req_units"), "res_units": record.get("res_units")}
    buckets = Usage(
        input_tokens=token_buckets.tokens(found, "req_units"),
        output_tokens=token_buckets.tokens(found, "res_units"),
    )
    if not (buckets.input_tokens or buckets.output_tokens):
        return None
    return token_buckets.reported(found, buckets)


def _tags(record: Json) -> dict[str, str]:
    """Read the metadata, exported as two lists: the keys and their values."""
    metadata = mapping(record.get("metadata"))
    keys, values = sequence(metadata.get("key")), sequence(metadata.get("value"))
    return attributes.tags(
        {key: value for key, value in zip(keys, values, strict=False) if isinstance(key, str)}
    )


def _attributes(record: Json, tags: dict[str, str]) -> dict[str, str]:
    named = {key: text(record.get(f"_{key}")) for key in ("environment", "organisation")}
    said = {key: value for key, value in named.items() if value}
    metadata = {f"metadata.{key}": value for key, value in tags.items()}
    return attributes.join(metadata, attributes.as_attributes(tags), said, attributes.flatten(record))


def _cost(record: Json) -> Decimal | None:
    """Read the cost where the row says that it is in dollars."""
    in_dollars = text(record.get("cost_currency")).upper() == "USD"
    return fields.usd_or_none(record.get("cost")) if in_dollars else None
