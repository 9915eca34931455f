"""Rows of LiteLLM's table of spend logs, in the shape of the payload that its loggers write."""

from __future__ import annotations

from collector.apis.json_shapes import Json, mapping, text
from collector.formats.genai_content import json_of

# What a row has and no payload: the columns' names of the database.
_OWN = ("request_id", "spend")
# Bodies that are too long for the table are cut in the middle of their texts, and say so there.
_CUT = "litellm_truncated"
_BODIES = ("messages", "response", "proxy_server_request")
_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


def is_row(record: Json) -> bool:
    """Tell a row of the table from a payload."""
    return all(key in record for key in _OWN)


def as_payload(row: Json) -> Json:
    """The row as the payload of the same call; bodies that were cut are left out, as their tokens are not."""
    metadata = mapping(json_of(row.get("metadata")))
    bodies = {key: _body(row.get(key)) for key in _BODIES}
    request = mapping(bodies["proxy_server_request"])
    return {
        **{key: value for key, value in row.items() if key not in _BODIES},
        "id": row.get("request_id"),
        "response_cost": row.get("spend"),
        "metadata": {
            **metadata,
            "user_api_key_team_id": metadata.get("user_api_key_team_id") or row.get("team_id"),
            "usage_object": metadata.get("usage_object") or _usage(row, metadata),
        },
        "request_tags": json_of(row.get("request_tags")),
        "messages": bodies["messages"] or request.get("messages") or request.get("input"),
        "response": bodies["response"],
        "model_parameters": {
            key: value for key, value in request.items() if key not in ("messages", "input")
        },
        "status": row.get("status") or metadata.get("status"),
        "error_information": metadata.get("error_information"),
        "cost_breakdown": metadata.get("cost_breakdown"),
    }


def _body(value: object) -> object:
    return None if _CUT in text(value) else json_of(value)


def _usage(row: Json, metadata: Json) -> Json:
    """The usage of older rows: the columns, and beside them what else the provider's usage held."""
    more = mapping(metadata.get("additional_usage_values"))
    return {**more, **{key: row[key] for key in _USAGE if key in row}}
