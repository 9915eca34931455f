"""Request and response bodies as logs hold them: objects, chunk lists, JSON text, or a raw event stream."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from collector import apis
from collector.apis.json_shapes import EMPTY, Json, mapping, sequence, shown
from collector.decoding import decoded
from ledger.types import UNREAD_CHUNK, Answer, Api, Prompt, Usage

Body = Json | list[object]

_STREAM = ("data:", "event:", "id:", "retry:", ":")
_LINE_END = re.compile(r"\r\n|\n|\r")
_EMPTY = ("", "[DONE]")


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
    """Return the request object, decoded where it was logged as text; ValueError where it cannot be."""
    if isinstance(value, str):
        value = _decoded(value, "request")
    if value is None or isinstance(value, dict):
        return value or EMPTY
    raise ValueError(f"request is {shown(value)}, expected an object")


def response_body(value: object) -> Body:
    """Return the response as an object or a list of chunks; ValueError where it cannot be read as either.

    A chunk that is logged but cannot be read stands in the list as None.
    """
    if isinstance(value, str):
        value = _decoded(value, "response")
    if isinstance(value, list) and any(isinstance(piece, str) for piece in value):
        value = _pieces(value)
    if value is None or isinstance(value, dict | list):
        return value or EMPTY
    raise ValueError(f"response is {shown(value)}, expected an object or a list of chunks")


def _decoded(text: str, field: str) -> object:
    """Decode JSON, an event stream or JSON lines; any other text (an HTML error page) says nothing."""
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith(_STREAM):
        return _events(stripped)
    if not stripped.startswith(("{", "[")):
        return None
    try:
        return decoded(stripped.encode("utf-8", "replace"))
    except ValueError as error:
        lines = [_chunk(line) for line in _LINE_END.split(stripped) if line.strip()]
        if len(lines) > 1 and lines[0] is not None:
            return lines
        raise ValueError(f"{field} is text that cannot be read: {error}") from None


def _pieces(logged: list[object]) -> list[object]:
    """Read a stream that was logged piece by piece: lines, chunks as text, or what came over the wire."""
    if all(isinstance(piece, str) for piece in logged):
        texts = [piece for piece in logged if isinstance(piece, str)]
        joined = ("" if any(piece.endswith(("\n", "\r")) for piece in texts) else "\n").join(texts)
        if joined.lstrip().startswith(_STREAM):
            return _events(joined)
    chunks = (_chunk(piece) if isinstance(piece, str) else piece for piece in logged if piece not in _EMPTY)
    return list(chunks)


def _events(text: str) -> list[object]:
    """Read the `data:` lines of an event stream; other separators than these three are part of a text."""
    lines = (line[5:].strip() for line in _LINE_END.split(text) if line.startswith("data:"))
    return [_chunk(line) for line in lines if line not in _EMPTY]


def _chunk(text: str) -> object:
    """Decode one chunk; None where it is no JSON object."""
    try:
        found = decoded(text.encode("utf-8", "replace"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def read_call(api: Api, request: Json, response: Body) -> Call:
    """Read both bodies; raises ValueError where the usage cannot be true."""
    reader = apis.APIS[api]
    chunks = isinstance(response, list)
    whole = reader.assemble(sequence(response)) if chunks else mapping(response)
    if isinstance(response, list) and not any(isinstance(chunk, dict) for chunk in response):
        raise ValueError(f"response is a stream of {len(response)} chunks, none of which can be read")
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
        answer=_answer(reader, whole, error, _unread(response)) if legible and whole else None,
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
    )


def _unread(response: Body) -> bool:
    return isinstance(response, list) and not all(isinstance(chunk, dict) for chunk in response)


def _answer(reader: apis.ApiReader, whole: Json, error: apis.ApiError | None, unread: bool) -> Answer | None:
    """Read the answer, also one that an error broke off; an error alone is none."""
    found = reader.answer(whole)
    if error is not None and not has_content(found):
        return None
    return replace(found, hidden=(*found.hidden, UNREAD_CHUNK)) if unread else found


def has_content(answer: Answer) -> bool:
    """Tell whether anything of an answer arrived."""
    return bool(any(answer.texts) or answer.tool_calls or answer.reasoning or answer.hidden)
