"""OpenAI's Batch API files: lines of requests, of answers, and of what failed, at batch price."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import msgspec

from collector.apis.json_shapes import EMPTY, Json, mapping, text, text_or_none
from collector.formats import attributes, calls, fields, openai
from collector.formats.format import Facts
from collector.formats.typed import typed
from collector.formats.understood import Understood, inside
from ledger.types import Request, Status

KEYS = ("custom_id",)
FACTS = Facts(
    cache="inside the input, as in OpenAI's other answers",
    identity="the answer's id, else the line's; its request by custom_id within one batch",
    times="created, of the answer; the file's own where there is none (embeddings, failures)",
    unknown=(
        "duration, and when the call began",
        "the batch that a file belongs to, unless the files' names or their folder tell",
        "prompts, where the input file is not read",
    ),
    versions=("2024",),
)
_TIER = "batch"
_ROLES = re.compile(
    r"(batch)?(inputs?|requests?|outputs?|results?|responses?|errors?|failed|failures)|batch|in|out|err|file"
)
_ENDINGS = re.compile(r"(\.(jsonl|ndjson|json|log|gz|zst))+$")
_BATCH_ID = re.compile(r"batch[_-]([0-9a-zA-Z]{8,})")


class Input(msgspec.Struct):
    """A line of the file that a batch is made of."""

    custom_id: str
    body: dict[str, object]
    url: str | None = None


class Response(msgspec.Struct):
    """The answer in a line of output."""

    body: object = None
    status_code: int | None = None


class Output(msgspec.Struct):
    """A line of a batch's output or error file."""

    custom_id: str
    id: str | None = None
    response: Response | None = None
    error: object = None


def _names(record: Json) -> Iterator[str]:
    response = mapping(record.get("response"))
    yield from record
    yield from inside(record, "response")
    yield from openai.usage_names(mapping(response.get("body")))


UNDERSTANDS = Understood(
    frozenset((*Input.__struct_encode_fields__, *Output.__struct_encode_fields__))
    | {f"response.{name}" for name in Response.__struct_encode_fields__}
    | {"method", "response.request_id"}
    | openai.USAGE,
    _names,
)


def matches(record: Json) -> bool:
    """Tell a line by its custom_id beside a request, or beside an answer."""
    if not isinstance(record.get("custom_id"), str):
        return False
    return "response" in record or all(key in record for key in ("method", "url", "body"))


def read(record: Json) -> Request:
    """Read one line: an answer is a call, a request a part of one; ValueError names what cannot be booked."""
    return _asked(typed(record, Input)) if "body" in record else _answered(typed(record, Output))


def _asked(line: Input) -> Request:
    alone = calls.request_of(calls.read(line.body, None, line.url), line.url)
    metadata = attributes.tags(line.body.get("metadata"))
    about = attributes.under("request.metadata", line.body.get("metadata"))
    return replace(
        alone,
        service_tier=_TIER,
        attributes=attributes.join(_known_by(line.custom_id), attributes.as_attributes(metadata), about),
        tags=attributes.stored(metadata),
        span=line.custom_id,
        part=True,
    )


def _answered(line: Output) -> Request:
    response = line.response or Response()
    alone = calls.request_of(calls.read(EMPTY, response.body))
    http_status = fields.http_status({"status_code": response.status_code}, "status_code")
    failed = bool(line.error) or (http_status or 0) >= 400 or alone.status is Status.ERROR
    metadata = attributes.tags(mapping(response.body).get("metadata"))
    return replace(
        alone,
        call_id=fields.name(line.id, "id") or None,
        service_tier=_TIER,
        status=Status.ERROR if failed else Status.OK,
        http_status=http_status,
        error_type=(_error(line.error) or alone.error_type) if failed else None,
        streamed=False,
        attributes=attributes.join(_known_by(line.custom_id), attributes.as_attributes(metadata)),
        tags=attributes.stored(metadata),
        prompt=None,
        span=line.custom_id,
    )


def _known_by(custom_id: str) -> dict[str, str]:
    return attributes.flatten({"custom_id": custom_id})


def _error(error: object) -> str | None:
    """The failure of a line that never got an answer (batch_expired)."""
    return text_or_none(text(mapping(error).get("code")))


def scope(path: str, beside: Sequence[str] | None) -> str:
    """The batch that a file belongs to, by its name and those beside it: a custom_id holds in one batch only.

    Files are of one batch where their names are the same but for words such as input, output and error, and
    for the batch's id. Where nothing else is in a name the folder stands for the batch, unless the files in
    it are of several, or cannot be listed: then each id stands for itself.
    """
    place = PurePosixPath(path)
    own = _subject(place.name)
    if own:
        return f"{place.parent}/{own}"
    if beside is None:
        return f"{place.parent}/{_batch_id(place.name)}"
    ids = {found for name in (*beside, place.name) if not _subject(name) and (found := _batch_id(name))}
    return str(place.parent) if len(ids) <= 1 else f"{place.parent}/{_batch_id(place.name)}"


def _subject(name: str) -> str:
    """What a file's name says besides its part in a batch."""
    words = re.split(r"[._\-\s]+", _BATCH_ID.sub("", _ENDINGS.sub("", name)).lower())
    return "-".join(word for word in words if word and not _ROLES.fullmatch(word))


def _batch_id(name: str) -> str:
    found = _BATCH_ID.search(name)
    return found[1] if found and not _ROLES.fullmatch(found[1]) else ""
