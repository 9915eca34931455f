"""What a wire API's reader gives: the functions that turn its bodies into our records."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from collector.apis.json_shapes import Json, integer, mapping, number, text_or_none
from collector.apis.token_buckets import ABSURD_TOKENS, Reported
from ledger.types import Answer, Prompt

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_EARLIEST_S = EARLIEST.timestamp()
_LATEST_S = datetime(2200, 1, 1, tzinfo=UTC).timestamp()

_ERROR_TYPE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")

_TIERS = {
    "default": "standard",
    "auto": "standard",
    "standard": "standard",
    "on_demand": "standard",
    "standard_only": "standard",
    "priority": "priority",
    "flex": "flex",
    "batch": "batch",
}


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a request body says besides its content."""

    model: str | None = None
    end_user: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    streamed: bool | None = None
    service_tier: str | None = None


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """What a response body says besides its content; `created` is the provider's own clock."""

    response_id: str | None = None
    model: str | None = None
    created: datetime | None = None
    service_tier: str | None = None
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ApiError:
    """An error body: its class (`rate_limit_error`) and the provider's sentence."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class ApiReader:
    """The pure functions that read one wire API.

    `assemble` joins stream chunks into the shape of a whole response, which the other response readers
    take. `usage` is None without a usage object and raises ValueError where its numbers cannot be true;
    the other functions accept anything and leave out what they do not know.
    """

    prompt: Callable[[Json], Prompt]
    assemble: Callable[[Sequence[object]], Json]
    answer: Callable[[Json], Answer]
    usage: Callable[[Json], Reported | None]
    request_facts: Callable[[Json], RequestFacts]
    response_facts: Callable[[Json], ResponseFacts]


def epoch(value: object) -> datetime | None:
    """Read a response's creation time in epoch seconds; None where it is no plausible time."""
    seconds = number(value)
    if seconds is None or not _EARLIEST_S <= seconds <= _LATEST_S:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def tier(value: object) -> str | None:
    """Map a provider's service tier to standard, batch, flex or priority; None where it is none of them."""
    return _TIERS.get(value.lower().removeprefix("service_tier_")) if isinstance(value, str) else None


def error(response: Json) -> ApiError | None:
    """Find the error in a body of any API: `error` as object or text, or a bare `message`."""
    found = response.get("error")
    if isinstance(found, str) and found:
        return ApiError("error", found)
    if isinstance(found, dict) and found:
        return ApiError(_error_kind(found), text_or_none(found.get("message")) or "")
    if response.get("type") == "error" or (text_or_none(response.get("message")) and len(response) <= 3):
        return ApiError(_error_kind(response), text_or_none(response.get("message")) or "")
    return None


def _error_kind(found: Json) -> str:
    candidates = (found.get("status"), found.get("code"), found.get("type"), found.get("__type"))
    named = (kind for c in candidates if (kind := error_type(c)) and kind != "error" and not kind.isdigit())
    return next(named, "error")


def error_type(value: object) -> str | None:
    """Return an error's class where the text is one; a sentence may quote what was said."""
    return value if isinstance(value, str) and _ERROR_TYPE.fullmatch(value) else None


def end_user(body: Json) -> str | None:
    """Find who the caller says the call is for, in the spellings the APIs use."""
    metadata = mapping(body.get("metadata"))
    candidates = (body.get("user"), body.get("safety_identifier"), metadata.get("user_id"))
    return next((c for c in candidates if isinstance(c, str) and c), None)


def output_limit(*given: object) -> int | None:
    """Return the first of several spellings of an output limit that can be one."""
    limits = (integer(value) for value in given)
    return next((limit for limit in limits if limit is not None and 0 <= limit <= ABSURD_TOKENS), None)


def streamed(body: Json) -> bool | None:
    """Read the request's `stream` switch."""
    asked = body.get("stream")
    return asked if isinstance(asked, bool) else None
