"""Codex's session files (rollouts), and what `codex exec --json` prints: usage as running totals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from collector.apis import token_buckets
from collector.apis.json_shapes import EMPTY, Json, mapping, sequence, text, text_or_none
from collector.formats import attributes, fields, times
from collector.formats.format import Facts, Follow
from collector.formats.typed import typed
from collector.formats.understood import Understood, inside, words
from ledger.types import Api, Request

# Of the items, not of the lines.
KEYS = ("records", "usage", "session")
FACTS = Facts(
    cache="inside the input: input_tokens includes cached_input_tokens",
    identity="the first session's id with the running total, so that a fork's copy of its parent is the same;"
    " a thread of `codex exec --json` is one call",
    times="timestamp, of the answer; `codex exec --json` has none",
    unknown=(
        "prompts and answers are not read, so nothing is counted again",
        "the model of `codex exec --json`, and how many turns and calls its thread was",
        "the id of the answer, the duration",
        "calls before a session's first total, and those of a fork whose parent is not named",
    ),
    versions=("rollout of 2025", "rollout of 2026", "exec events"),
)
_ROLLOUT = frozenset({"session_meta", "turn_context", "event_msg", "response_item", "compacted"})
_EXEC = frozenset({"thread.started", "turn.started", "turn.completed", "turn.failed", "item.completed"})
_EXEC_KEYS = frozenset({"thread_id", "item", "usage", "error"})
_ABOUT = ("id", "cwd", "originator", "cli_version", "source", "thread_source", "model_provider", "git")
_COUNTS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)


class Context(msgspec.Struct):
    """What is booked of the lines around a call."""

    model: str | None = None
    info: dict[str, object] | None = None


class Info(msgspec.Struct):
    """A running total, and the last call in it."""

    model: str | None = None
    total_token_usage: dict[str, object] | None = None
    last_token_usage: dict[str, object] | None = None


def _names(item: Json) -> Iterator[str]:
    record = mapping(next(iter(sequence(item.get("records"))), None))
    info = mapping(mapping(record.get("payload")).get("info"))
    yield from record
    yield from inside(record, "payload")
    yield from inside(record, "usage")
    yield from (f"info.{name}" for name in info)
    yield from (f"usage.{name}" for name in mapping(info.get("total_token_usage")))


UNDERSTANDS = Understood(
    frozenset(
        (*(f"info.{name}" for name in Info.__struct_encode_fields__), *(f"usage.{name}" for name in _COUNTS))
    )
    | words(
        """
    info.model_context_window ordinal payload payload.info payload.rate_limits payload.type thread_id
    timestamp type usage usage.total_tokens
    """
    ),
    _names,
)


def matches(record: Json) -> bool:
    """Tell a line of a session file, or an event of `codex exec --json`."""
    kind = text(record.get("type"))
    if kind in _ROLLOUT:
        return isinstance(record.get("payload"), dict)
    return kind == "turn.started" or (kind in _EXEC and not _EXEC_KEYS.isdisjoint(record))


@dataclass(slots=True)
class _Session:
    """What holds from here on in a file."""

    about: Json = field(default_factory=dict)
    is_fork: bool = False
    # Of a fork the file holds its parent's lines again: this is the id that they all have in common.
    scope: str | None = None
    model: str | None = None
    total: Json | None = None
    # How often the total of a thread began.
    turns: int = 1


def follow() -> Follow:
    """Begin a session: each usage comes with the model, the session and the call's own share of the total."""
    session = _Session()

    def items(record: Json | None) -> Iterator[Json]:
        if record is not None:
            yield from _items(record, session)

    return items


def _items(record: Json, session: _Session) -> Iterator[Json]:
    kind, payload = record.get("type"), mapping(record.get("payload"))
    if kind == "session_meta":
        session.about = {**payload, **session.about}
        session.is_fork = session.is_fork or bool(payload.get("forked_from_id"))
        session.scope = text_or_none(payload.get("forked_from_id")) or text_or_none(payload.get("id"))
    elif kind == "turn_context":
        session.model = typed(payload, Context).model or session.model
    elif kind == "event_msg" and payload.get("type") == "token_count":
        yield from _counted(record, payload, session)
    elif kind == "thread.started":
        _begin_thread(record, session)
    elif kind == "turn.completed":
        yield _turned(record, session)


def _begin_thread(record: Json, session: _Session) -> None:
    """Begin a thread, unless it is the same that goes on."""
    if session.about.get("id") is None or session.about.get("id") != record.get("thread_id"):
        session.about, session.scope, session.is_fork = {"id": record.get("thread_id")}, None, False
        session.model, session.total, session.turns = None, None, 1


def _turned(record: Json, session: _Session) -> Json:
    """A thread as far as it is told: its turns say what all of it came to, also where another run resumed it.

    Of turns that name no thread each has its share.
    """
    usage, before = record.get("usage"), session.total
    if isinstance(usage, dict):
        session.total = _checked(usage)
        session.turns += before is not None and _fell(usage, before)
        usage = usage if session.about.get("id") else _share(usage, None, before)
    return _item(record, usage, session)


def _checked(total: Json) -> Json:
    """A total that the next one can be compared with: of one that cannot be true nothing is remembered."""
    for key in _COUNTS:
        token_buckets.tokens(total, key)
    return total


def _fell(total: Json, before: Json) -> bool:
    return any((_less(total, before, key) or 0) < 0 for key in _COUNTS)


def _counted(record: Json, payload: Json, session: _Session) -> Iterator[Json]:
    """A call where the total moved on; the same total again is the same call told again."""
    info = typed(typed(payload, Context).info or EMPTY, Info)
    total, last, before = info.total_token_usage, info.last_token_usage, session.total
    if total is not None:
        session.total = _checked(total)
        if total == before:
            return
    usage = _share(total, last, before)
    if usage is not None and any(usage.get(key) for key in _COUNTS):
        yield {**_item(record, usage, session), "model": info.model or session.model, "total": total}


def _share(total: Json | None, last: Json | None, before: Json | None) -> Json | None:
    """The last call's part of the total: what it grew by, where it grew; else what is said of the last call.

    A first total may hold the calls of a session that this one goes on with.
    """
    if total is None:
        return last
    if before is None:
        return total if last is None else last
    grown = {key: _less(total, before, key) for key in _COUNTS if key in total}
    if any(count is not None and count < 0 for count in grown.values()):
        return total if last is None else last
    return grown


def _less(total: Json, before: Json, key: str) -> int | None:
    count = token_buckets.tokens(total, key)
    return None if count is None else count - (token_buckets.tokens(before, key) or 0)


def _item(record: Json, usage: object, session: _Session) -> Json:
    # A fork copies its parent's calls with the time of the copying: told by less, its copies give way.
    return {
        "records": [record] if session.is_fork else [record, session.about],
        "usage": usage,
        "model": session.model,
        "session": session.about,
        "scope": session.scope,
        "turn": session.turns if record.get("type") == "turn.completed" else 0,
    }


class Item(msgspec.Struct):
    """A call as `follow` gives it."""

    records: list[dict[str, object]]
    session: dict[str, object]
    usage: dict[str, object] | None = None
    model: str | None = None
    scope: str | None = None
    total: dict[str, object] | None = None
    turn: int = 0


def read(item: Json) -> Request:
    """Read one call that `follow` found; raises ValueError naming the field that cannot be booked."""
    call = typed(item, Item)
    record = call.records[0] if call.records else EMPTY
    usage = _usage(call.usage or EMPTY)
    about = {key: call.session[key] for key in _ABOUT if key in call.session}
    return Request(
        api=Api.OPENAI_RESPONSES,
        model=fields.name(call.model, "model"),
        provider=_provider(call.session),
        call_id=_call_id(call),
        ts=times.moment(record.get("timestamp"), "timestamp"),
        attributes=attributes.under("session", about),
        usage=usage[0] if usage else None,
        usage_json=usage[1] if usage else None,
    )


def _provider(session: Json) -> str | None:
    said = text_or_none(session.get("model_provider"))
    return said if said is not None and fields.is_name(said) else "openai"


def _call_id(call: Item) -> str | None:
    """The session with the total it had come to; without a session, nothing but the line itself."""
    if call.turn:
        thread = fields.text_field(call.session, "id")
        return f"{thread}:{call.turn}" if thread else None
    if call.scope is None or call.total is None:
        return None
    counts = ".".join(str(token_buckets.tokens(call.total, key) or 0) for key in _COUNTS)
    return f"{fields.name(call.scope, 'session id')}:{counts}"


def _usage(usage: Json) -> token_buckets.Reported | None:
    """The buckets. Reasoning is inside the output, whatever a total of tokens beside it says."""
    found = {key: usage[key] for key in _COUNTS if key in usage}
    count = token_buckets.tokens
    return token_buckets.inclusive(
        found,
        input_tokens=count(found, "input_tokens"),
        output_tokens=count(found, "output_tokens"),
        cache_read=count(found, "cached_input_tokens"),
        cache_write=count(found, "cache_write_input_tokens"),
        reasoning=count(found, "reasoning_output_tokens"),
    )
