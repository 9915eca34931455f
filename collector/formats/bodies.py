"""Request and response bodies as logs hold them: objects, chunk lists, JSON text, or a raw event stream."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from collector import apis
from collector.apis.json_shapes import EMPTY, Json, kind, mapping, sequence, shown
from ledger.types import Answer, Api, Prompt, Usage

Body = Json | list[object]


@dataclass(frozen=True, slots=True)
class Call:
    """Both bodies of one call, read by their API."""

    api: Api
    asked: apis.RequestFacts
    answered: apis.ResponseFacts
    error: apis.ApiError | None
    response: Json
    streamed: bool
    prompt: Prompt | None
    answer: Answer | None
    usage: Usage | None
    usage_json: str | None


def request_body(value: object) -> Json:
    """Return the request object, decoded where it was logged as text; ValueError for another type."""
    if isinstance(value, str):
        value = _decoded(value)
    if value is None or isinstance(value, dict):
        return value or EMPTY
    raise ValueError(f"request is {kind(value)} ({shown(value)}), expected an object")


def response_body(value: object) -> Body:
    """Return the response as an object or a list of chunks; ValueError for another type."""
    if isinstance(value, str):
        value = _decoded(value)
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        value = _events("\n".join(line for line in value if isinstance(line, str)))
    if value is None or isinstance(value, dict | list):
        return value or EMPTY
    raise ValueError(f"response is {kind(value)} ({shown(value)}), expected an object or a list of chunks")


def _decoded(text: str) -> object:
    """Decode JSON or a server-sent event stream; any other text (an HTML error page) says nothing."""
    stripped = text.lstrip()
    if stripped[:1] in ("{", "["):
        return _json(stripped)
    return _events(text) if stripped.startswith(("data:", "event:", ":")) else None


def _json(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _events(text: str) -> list[object]:
    lines = (line[5:].strip() for line in text.splitlines() if line.startswith("data:"))
    events = (_json(line) for line in lines if line != "[DONE]")
    return [event for event in events if isinstance(event, dict)]


def read_call(api: Api, request: Json, response: Body) -> Call:
    """Read both bodies; raises ValueError where the usage cannot be true."""
    reader = apis.APIS[api]
    chunks = isinstance(response, list)
    whole = reader.assemble(sequence(response)) if chunks else mapping(response)
    usage = reader.usage(whole)
    error = apis.error(whole)
    asked = reader.request_facts(request)
    legible = api is not Api.OTHER
    return Call(
        api=api,
        asked=asked,
        answered=reader.response_facts(whole),
        error=error,
        response=whole,
        streamed=chunks or bool(asked.streamed),
        prompt=reader.prompt(request) if legible and request else None,
        answer=reader.answer(whole) if legible and whole and error is None else None,
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
    )
