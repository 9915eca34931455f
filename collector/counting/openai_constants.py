"""OpenAI's framing constants by API, model and date: what no text shows, found on recorded calls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache

from ledger.types import Api


@dataclass(frozen=True, slots=True)
class Framing:
    """Tokens around the visible parts of a prompt.

    `tools_beside_system` and `tools_alone` belong to the tools text with and without a system message;
    `named_choice` is None where a forced function costs nothing; `parallel` says that several calls of one
    message are written as one multi_tool_use, else each call after the first costs `further_call`.
    `sure_of_tools` is false where bills with tools are met in fewer than nine of ten.
    `schema_alone`, `schema_beside_system` and `schema_beside_tools` belong to an output schema.
    """

    base: int = 3
    message: int = 3
    name: int = 0
    plain_assistant: int = 0
    tools_beside_system: int = -1
    tools_alone: int = 3
    named_choice: int | None = 7
    call: int = 2
    further_call: int = 6
    parallel: bool = True
    schema_alone: int = 6
    schema_beside_system: int = 2
    schema_beside_tools: int = -2
    schema_names_twice: bool = True
    sure_of_tools: bool = True


_CHAT = Framing()
_CHAT_CL100K = replace(_CHAT, name=1, tools_beside_system=0, tools_alone=4)
_CHAT_O = replace(_CHAT, base=2, plain_assistant=2, tools_beside_system=0, tools_alone=4)
_CHAT_5 = replace(
    _CHAT,
    base=2,
    plain_assistant=2,
    tools_beside_system=84,
    tools_alone=85,
    named_choice=None,
    call=8,
    parallel=False,
)
_RESPONSES = replace(
    _CHAT,
    tools_beside_system=-3,
    tools_alone=-3,
    call=3,
    further_call=1,
    parallel=False,
    schema_alone=1,
    schema_beside_system=1,
    schema_beside_tools=0,
    schema_names_twice=False,
    sure_of_tools=False,
)
_RESPONSES_O = replace(_RESPONSES, base=2, plain_assistant=2)
_RESPONSES_5 = replace(
    _RESPONSES_O,
    tools_beside_system=3,
    tools_alone=3,
    call=9,
    further_call=6,
    schema_alone=0,
    schema_beside_system=0,
)

_FRAMINGS: tuple[tuple[Api, str, Framing], ...] = (
    (Api.OPENAI_CHAT, "gpt-5*", _CHAT_5),
    (Api.OPENAI_CHAT, "o[0-9]*", _CHAT_O),
    (Api.OPENAI_CHAT, "gpt-4", _CHAT_CL100K),
    (Api.OPENAI_CHAT, "gpt-4-*", _CHAT_CL100K),
    (Api.OPENAI_CHAT, "gpt-3*", _CHAT_CL100K),
    (Api.OPENAI_CHAT, "*", _CHAT),
    (Api.OPENAI_RESPONSES, "gpt-5*", _RESPONSES_5),
    (Api.OPENAI_RESPONSES, "o[0-9]*", _RESPONSES_O),
    (Api.OPENAI_RESPONSES, "*", _RESPONSES),
)


@lru_cache(maxsize=4096)
def framing(api: Api, model: str) -> Framing:
    """Choose the constants for a bare model name."""
    return next(
        found for row_api, pattern, found in _FRAMINGS if row_api is api and fnmatchcase(model, pattern)
    )


@dataclass(frozen=True, slots=True)
class Hidden:
    """Tokens that a provider put into every prompt of a model for a while, plain or with tools."""

    api: Api
    pattern: str
    since: datetime
    until: datetime
    plain: int
    tools: int


_HIDDEN = (
    Hidden(
        Api.OPENAI_RESPONSES,
        "gpt-4o*",
        datetime(2025, 3, 10, tzinfo=UTC),
        datetime(2025, 3, 28, tzinfo=UTC),
        plain=18,
        tools=216,
    ),
)


def hidden_tokens(api: Api, model: str, ts: datetime | None, with_tools: bool) -> int:
    """Tokens the provider is known to have added to such a prompt at that time."""
    if ts is None:
        return 0
    return sum(
        row.tools if with_tools else row.plain
        for row in _HIDDEN
        if row.api is api and row.since <= ts < row.until and fnmatchcase(model, row.pattern)
    )
