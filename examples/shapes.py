"""What one invented call is, before it is written in anybody's wire format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Json = dict[str, object]


class Wire(StrEnum):
    CHAT = "chat"
    RESPONSES = "responses"
    MESSAGES = "messages"
    GEMINI = "gemini"
    EMBEDDINGS = "embeddings"


class Route(StrEnum):
    GATEWAY = "gateway"
    LITELLM = "litellm"


class Fate(StrEnum):
    OK = "ok"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_REQUEST = "bad_request"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ToolCall:
    call_id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: `call` makes an assistant turn a tool call, `answers` makes a tool turn its result."""

    role: str
    text: str = ""
    call: ToolCall | None = None
    answers: ToolCall | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    system: str
    turns: tuple[Turn, ...]
    tools: tuple[Json, ...] = ()
    schema: Json | None = None
    max_output: int | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    text: str = ""
    call: ToolCall | None = None
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """One tenant's use of one workflow on one model: `per_day` calls on a plain weekday."""

    tenant: str
    workflow: str
    model: str
    wire: Wire
    route: Route
    per_day: float
    rhythm: str
    lang: str = "en"
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it happened.

    `reads_cache` and `writes_cache` are the shares of the prompt read from and written to the provider's
    cache; `usage_logged` is False for a stream that ended without its usage.
    """

    cell: Cell
    ts: datetime
    env: str
    ask: Ask
    reply: Reply
    fate: Fate = Fate.OK
    streamed: bool = False
    usage_logged: bool = True
    reads_cache: float = 0.0
    writes_cache: float = 0.0
    attempt: int = 1
    attributed: bool = True
