"""Claude Code's session files: one line a message or a piece of one, as they stand under its projects."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from collector import apis
from collector.apis.json_shapes import EMPTY, Json, mapping, mappings, sequence, text, text_or_none
from collector.formats import attributes, bodies, calls, claude_code_events, fields, times
from collector.formats.format import Facts, Follow
from collector.formats.typed import typed
from collector.formats.understood import Understood, inside, words
from collector.identity import is_request
from ledger.types import Api, Prompt, Request, Status

# Of the items, not of the lines.
KEYS = ("records", "history")
FACTS = Facts(
    cache="beside the input: input_tokens excludes what was read from or written to a cache",
    identity="message.id and requestId; of several lines the one with the most output, across files too",
    times="timestamp, of the answer",
    unknown=(
        "system prompt and tool definitions, so every count of the input is partial",
        "output tokens of a message whose last line was never written: Claude Code is known to undercount",
        "calls that leave no line (titles, summaries, token counts), and what a failed call cost",
        "a price of its own for fast mode: it is booked at the standard one",
    ),
    versions=("1.0", "2.0", "2.1"),
)
_OTHERS = frozenset({"summary", "file-history-snapshot", "queue-operation", "progress", "attachment"})
# Claude Code's own words in the place of an answer; nobody was called.
_SYNTHETIC = "<synthetic>"
_ABOUT = (
    "sessionId",
    "cwd",
    "gitBranch",
    "version",
    "isSidechain",
    "agentId",
    "userType",
    "entrypoint",
    "slug",
)
_MOST_OPEN = 64
_LONGEST_HISTORY = 5_000


class Message(msgspec.Struct):
    """The answer in a line, or a piece of it."""

    id: str | None = None
    model: str | None = None
    usage: dict[str, object] | None = None
    content: object = None
    stop_reason: object = None


class Line(msgspec.Struct, rename="camel"):
    """What is booked of a line."""

    message: Message
    request_id: str | None = None
    timestamp: str | int | float | None = None
    uuid: object = None


def _newest(item: Json) -> Json:
    """The line that an answer was told by last; those before it came by themselves."""
    return mapping(next(reversed(sequence(item.get("records"))), None))


def _names(item: Json) -> Iterator[str]:
    line = _newest(item)
    yield from line
    yield from inside(mapping(line.get("message")), "usage")


UNDERSTANDS = Understood(
    frozenset((*_ABOUT, *Line.__struct_encode_fields__))
    | words(
        """
    advisorModel agentName apiError apiErrorStatus attributionAgent attributionMcpServer
    attributionMcpTool attributionPlugin attributionSkill compactMetadata content costUSD durationMs
    effort error errorDetails imagePasteIds isApiErrorMessage isCompactSummary isMeta
    isVisibleInTranscriptOnly leafUuid level logicalParentUuid mcpMeta origin parentToolUseID parentUuid
    permissionMode planContent promptId promptSource quotaLimits sourceToolAssistantUUID
    sourceToolAssistantUuid sourceToolUseID subtype summary teamName thinkingMetadata todos toolUseID
    toolUseResult turnOrigin type usage.cache_creation usage.cache_creation_input_tokens
    usage.cache_read_input_tokens usage.inference_geo usage.input_tokens usage.iterations
    usage.output_tokens usage.output_tokens_details usage.server_tool_use usage.service_tier usage.speed
    """
    ),
    _names,
    lambda item: text_or_none(_newest(item).get("version")),
    FACTS.versions[-1],
)


def matches(record: Json) -> bool:
    """Tell a line of a session."""
    if text(record.get("type")) in _OTHERS and ("sessionId" in record or "leafUuid" in record):
        return True
    return isinstance(record.get("sessionId"), str) and isinstance(record.get("message"), dict)


@dataclass(frozen=True, slots=True)
class _Said:
    """A line of a conversation: the line it answers, and its message."""

    parent: str | None
    message: Json


@dataclass(frozen=True, slots=True)
class _Session:
    """What was read of a file: its lines by their ids, and the lines that tell the newest answers."""

    said: dict[str, _Said] = field(default_factory=dict)
    told: OrderedDict[tuple[str, str], list[Json]] = field(default_factory=OrderedDict)


def follow() -> Follow:
    """Begin a session: a line of an answer comes with those before it, and the talk that led to it."""
    session = _Session()

    def items(record: Json | None) -> Iterator[Json]:
        if record is None:
            return
        message = mapping(record.get("message"))
        if (uuid := text_or_none(record.get("uuid"))) is not None:
            session.said[uuid] = _Said(text_or_none(record.get("parentUuid")), message)
        if _is_answer(record, message):
            told = _told(session, record, message)
            yield {"records": list(told), "history": _history(session, told[0])}

    return items


def _is_answer(record: Json, message: Json) -> bool:
    role = record.get("type") or message.get("role")
    return role == "assistant" and message.get("model") != _SYNTHETIC


def _told(session: _Session, record: Json, message: Json) -> list[Json]:
    """The lines of the answer so far; a line that is written again says nothing new."""
    known_by = (text(message.get("id")), text(record.get("requestId")))
    if not known_by[0]:
        return [record]
    told = session.told.setdefault(known_by, [])
    session.told.move_to_end(known_by)
    if record not in told:
        told.append(record)
    if len(session.told) > _MOST_OPEN:
        session.told.popitem(last=False)
    return told


def _history(session: _Session, first: Json) -> list[Json]:
    """The messages that led to an answer, oldest first, as far as the file holds them."""
    found: list[Json] = []
    above = session.said.get(text(first.get("parentUuid")))
    while above is not None and len(found) < _LONGEST_HISTORY:
        found.append(above.message)
        above = session.said.get(above.parent or "")
    return found[::-1]


def read(item: Json) -> Request:
    """Read one answer that `follow` found; raises ValueError naming the field that cannot be booked."""
    records = list(mappings(item.get("records"))) or [EMPTY]
    lines = [typed(record, Line) for record in records]
    last = max(reversed(lines), key=lambda line: _output(line.message))
    body = _body(last.message, lines)
    prompt = _conversation(item.get("history"))
    call = bodies.read_call(Api.ANTHROPIC_MESSAGES, prompt, body)
    return _request(calls.request_of(call), records[-1], lines, last)


def _request(alone: Request, record: Json, lines: list[Line], last: Line) -> Request:
    message_id, request_id = last.message.id, last.request_id
    about = {key: record[key] for key in _ABOUT if key in record}
    usage = last.message.usage or EMPTY
    return replace(
        alone,
        provider=_provider(message_id, alone),
        call_id=":".join(filter(None, (message_id, request_id))) or None,
        ts=times.moment(lines[0].timestamp, "timestamp"),
        service_tier=apis.tier(usage.get("service_tier")),
        status=Status.OK,
        error_type=None,
        streamed=None,
        attributes=attributes.join(attributes.flatten(about), _speed(usage)),
        reported_cost_usd=fields.usd_or_none(record.get("costUSD")),
        prompt=_as_seen(alone.prompt),
        answer=alone.answer if any(line.message.content is not None for line in lines) else None,
        # Claude Code's events name the call by this.
        span=request_id if is_request(request_id) else None,
        parent_span=claude_code_events.session(text_or_none(record.get("sessionId"))),
    )


def _speed(usage: Json) -> Mapping[str, str]:
    return attributes.flatten({"speed": usage.get("speed")})


def _as_seen(prompt: Prompt | None) -> Prompt | None:
    """The prompt without what Claude Code writes down nowhere."""
    return None if prompt is None else replace(prompt, hidden=("system", "tools"))


def _output(message: Message) -> float:
    found = (message.usage or EMPTY).get("output_tokens")
    return found if isinstance(found, int | float) else -1


def _provider(message_id: str | None, alone: Request) -> str | None:
    """Who served it, which the id of the message tells."""
    if message_id and message_id.startswith("msg_bdrk_"):
        return "aws"
    return "google" if message_id and message_id.startswith("msg_vrtx_") else alone.provider


def _body(last: Message, lines: list[Line]) -> Json:
    """The answer whole: the blocks of all its lines, each once."""
    blocks: list[object] = []
    for line in lines:
        blocks += [block for block in sequence(line.message.content) if block not in blocks]
    stopped = [line.message.stop_reason for line in lines if line.message.stop_reason]
    return {
        "type": "message",
        "id": last.id,
        "model": last.model,
        "content": blocks,
        "stop_reason": stopped[-1] if stopped else None,
        "usage": last.usage,
    }


def _conversation(history: object) -> Json:
    """The messages as one request; lines of one role after another are one message."""
    merged: list[dict[str, object]] = []
    for message in mappings(history):
        role, content = message.get("role"), _blocks(message.get("content"))
        if role not in ("user", "assistant") or message.get("model") == _SYNTHETIC or not content:
            continue
        if merged and merged[-1]["role"] == role:
            merged[-1] = {"role": role, "content": [*sequence(merged[-1]["content"]), *content]}
        else:
            merged.append({"role": role, "content": content})
    return {"messages": merged} if merged else EMPTY


def _blocks(content: object) -> list[object]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(sequence(content))
