"""The frozen records of one LLM call as they travel from a log line to a ledger row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Status(StrEnum):
    """How a call ended."""

    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"


class UsageSource(StrEnum):
    """Where a row's billed buckets come from."""

    REPORTED = "reported"
    COUNTED = "counted"
    ESTIMATED = "estimated"
    NONE = "none"


class CountMethod(StrEnum):
    """How far our own count can be trusted."""

    EXACT = "exact"
    CALIBRATED = "calibrated"
    PARTIAL = "partial"
    NONE = "none"


class Category(StrEnum):
    """What a call asks for, as far as it decides how well its prompt can be counted.

    `tools` offers tools on a first turn, `tool_calls` has calls or results among its messages, `hosted` holds
    what the log cannot show (hosted tools, files, audio, server-side history).
    """

    TEXT = "text"
    TOOLS = "tools"
    TOOL_CALLS = "tool_calls"
    JSON_SCHEMA = "json_schema"
    JSON_SCHEMA_TOOLS = "json_schema_tools"
    IMAGES = "images"
    HOSTED = "hosted"
    OTHER = "other"


class Api(StrEnum):
    """The wire API of a call: decides how bodies are read and how messages become tokens."""

    OPENAI_CHAT = "openai.chat"
    OPENAI_RESPONSES = "openai.responses"
    OPENAI_EMBEDDINGS = "openai.embeddings"
    OPENAI_COMPLETIONS = "openai.completions"
    ANTHROPIC_MESSAGES = "anthropic.messages"
    GEMINI_GENERATE = "gemini.generate"
    BEDROCK_CONVERSE = "bedrock.converse"
    OTHER = "other"


class PartKind(StrEnum):
    """What one part of a message is."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"
    FILE = "file"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    REASONING = "reasoning"
    TOKENS = "tokens"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message.

    `text` holds the text of TEXT and TOOL_RESULT, and the arguments (JSON text as logged) of a
    TOOL_CALL. `name` is the tool's name, `call_id` joins a call to its result; `held` says that a call came
    with the provider's id of it, which lets the provider find it as it was written. `detail`, `width` and
    `height` (pixels, None where unknown) belong to IMAGE; a TOOL_CALL whose text is free of form has the
    detail "custom", a TEXT with a name is of that kind ("refusal", "document"). `tokens` belongs to TOKENS
    (input given as token ids).
    """

    kind: PartKind
    text: str = ""
    name: str | None = None
    call_id: str | None = None
    detail: str | None = None
    width: int | None = None
    height: int | None = None
    tokens: int | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt; `role` as logged (system, developer, user, assistant, tool, prompt, input).

    `memo` is no part of its value: whoever works something out of the message keeps it there, since logs
    say most messages many times and the same object then stands in many prompts.
    """

    role: str
    parts: tuple[Part, ...]
    name: str | None = None
    memo: dict[object, object] = field(init=False, default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool offered to the model.

    `schema` is the parsed JSON Schema of its arguments, key order as logged. `hosted` marks tools the
    provider runs itself (web search, code interpreter, MCP): their definition is not visible. A tool that
    takes free text in place of arguments is `custom`, `grammar` is what its text must follow. `memo` is that
    of Message.
    """

    name: str
    description: str = ""
    schema: Mapping[str, object] = field(default_factory=dict)
    hosted: bool = False
    custom: bool = False
    grammar: str = ""
    memo: dict[object, object] = field(init=False, default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """A structured-output request: the JSON Schema the answer must follow, to the letter where `strict`."""

    name: str
    schema: Mapping[str, object]
    description: str = ""
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything the caller sent that becomes billed input.

    System text (Anthropic `system`, Gemini `systemInstruction`, Responses `instructions`) is the first
    Message with role "system". `tool_choice` is auto/none/required/any or "function:NAME".
    `hidden` names what the provider adds that the log cannot show (e.g. "previous_response_id"). `stored` is
    false where the caller asked the provider not to keep the call.
    `thinking` is how Claude was asked to think ("enabled", "adaptive"), which costs a text of its own.
    """

    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    output_schema: OutputSchema | None = None
    hidden: tuple[str, ...] = ()
    stored: bool = True
    thinking: str | None = None


# In Answer.hidden: a piece of the stream could not be read, so the answer may be longer than it shows.
UNREAD_CHUNK = "unread_chunk"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model returned: one text per choice, the tool calls, and how it stopped."""

    texts: tuple[str, ...] = ()
    tool_calls: tuple[Part, ...] = ()
    reasoning: str = ""
    finish_reason: str | None = None
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Billed tokens in disjoint buckets, None where the log does not say.

    `input_tokens` excludes everything read from or written to a cache; `reasoning_tokens` is a part of
    `output_tokens`, `audio_*` are parts of input and output.
    """

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_input_tokens: int | None = None
    audio_output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One LLM call as logged, before counting, attribution and pricing.

    `response_id` is the provider's id of the answer, `call_id` the log's own id of the call.
    `attributes` is every scalar the record says about the call besides its content, flattened to dotted
    paths ("metadata.team", "user_api_key_team_alias", "tags.env"): attribution rules read only this, then
    what the steps above say, then `around`: the same of the program that made the call (OTLP's resource).
    `end_user` is the raw id; it is keyed-hashed before it is stored. `ts` is the start of the call, UTC.
    `usage` is None where the record carries none. `cache_hit` marks a gateway's own cached answer.
    `span` is what other records of the same log name this call by ("trace:span", a run id), `parent_span`
    what they name the step above it by. A record that is `part` of a call (its start, its prompt) is not
    booked by itself: it completes the call of the same `span` whenever that comes. An `echo` of a call is
    booked by itself as long as no other record has the same `span`, and completes that call from then on.
    """

    api: Api
    model: str | None
    provider: str | None = None
    operation: str = "chat"
    response_id: str | None = None
    call_id: str | None = None
    cache_hit: bool = False
    ts: datetime | None = None
    latency_ms: int | None = None
    ttft_ms: int | None = None
    service_tier: str | None = None
    status: Status = Status.OK
    http_status: int | None = None
    error_type: str | None = None
    streamed: bool | None = None
    attempt: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    end_user: str | None = None
    usage: Usage | None = None
    usage_json: str | None = None
    reported_cost_usd: Decimal | None = None
    prompt: Prompt | None = None
    answer: Answer | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    span: str | None = None
    parent_span: str | None = None
    part: bool = False
    echo: bool = False
    around: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A step of a program above its LLM calls (an agent, a workflow, a chain): who it worked for, no cost.

    `span` and `parent` are named as in Request; calls beneath take from it what they do not say themselves,
    whichever comes first. `attributes`, `tags` and `end_user` are those of Request.
    """

    span: str
    parent: str | None = None
    ts: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    end_user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One line of a provider's bill or usage report: a meter over a period. Never a call.

    `report` names the report it is from ("openai.costs"): reports of a provider tell the same money several
    times. `meter` is input, cache_read, cache_write, cache_write_1h, output, reasoning, requests, cost or the
    provider's own word; `quantity` is in `unit` (tokens, requests, ...), money in dollars, each None where
    the report does not say. `keys` are what else the line is broken down by (project, api key, tier),
    `grouped_by` what the whole report is broken down by: with provider, report, period, model and meter they
    name the line, so that a later report replaces it. Where `adds` is set, lines of one name in one report
    add up.
    """

    provider: str
    report: str
    period_start: datetime
    period_end: datetime
    meter: str
    model: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    cost_usd: Decimal | None = None
    list_cost_usd: Decimal | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    grouped_by: tuple[str, ...] = ()
    adds: bool = False


# The order is the order in which a prompt is laid out for caching: a cached prefix covers tools and
# system first. Booking lays input money on the segments in this order.
SEGMENTS = (
    "tools",
    "system",
    "schema",
    "history",
    "context",
    "tool_results",
    "user",
    "media",
    "framing",
    "unexplained",
)


@dataclass(frozen=True, slots=True)
class Segments:
    """Input tokens by part of the prompt; non-negative, they sum to the counted input."""

    tools: int = 0
    system: int = 0
    schema: int = 0
    history: int = 0
    context: int = 0
    tool_results: int = 0
    user: int = 0
    media: int = 0
    framing: int = 0
    unexplained: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """Our own count of one call.

    `input_tokens` equals the sum of `segments`. `output_tokens` is answer, tool calls and their framing, and
    reasoning as far as the log shows it, which is what the other two leave of it. `rules` names the rule
    version and `tokenizer` the vocabulary, so that the same call counts the same again. `tool_tokens` is the
    share of each tool's definition in `segments.tools`, `chunk_tokens` the tokens of each retrieved chunk.
    `error` is the relative error to expect of `input_tokens`: 0.0 where exact, None where unknown.
    `unseen` are the kinds of the parts that could not be counted.
    """

    method: CountMethod
    input_tokens: int | None = None
    output_tokens: int | None = None
    segments: Segments = Segments()
    answer_tokens: int = 0
    tool_call_tokens: int = 0
    tokenizer: str = ""
    rules: str = ""
    tool_tokens: tuple[tuple[str, int], ...] = ()
    error: float | None = None
    category: Category = Category.OTHER
    chunk_tokens: tuple[int, ...] = ()
    unseen: tuple[PartKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """How bills of one model, API and category relate to our calibrated count of their input.

    Billed tokens are about `factor` times the count plus `intercept`, of counts from `least` to `greatest`
    that were made by `rules` in the vocabulary of `tokenizer`; of others nothing is known. `error` is the
    relative error to expect, the 80th percentile of pairs that took no part in the fit. `version` numbers
    the refit.
    """

    version: int
    model: str
    api: str
    category: str
    tokenizer: str
    rules: str
    factor: float
    intercept: float
    least: float
    greatest: float
    error: float
    evidence: int

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """The counts that it is for."""
        return self.model, self.api, self.category, self.tokenizer, self.rules


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that could not be booked: where it is, why, and a masked excerpt (never its text)."""

    reason: str
    line: int
    offset: int
    length: int
    digest: bytes
    excerpt: str


@dataclass(frozen=True, slots=True)
class Newer:
    """How accepted records are newer than their reader: a later `version`, `fields` that it does not know."""

    format: str
    version: str | None
    fields: tuple[str, ...]
