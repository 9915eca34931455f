"""Anthropic and Gemini prompts: no local tokenizer is exact, so o200k counts are scaled by fitted factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from collector.counting.tally import Tally
from collector.counting.tools_text import compact
from collector.counting.trust import UNKNOWN, Trust
from collector.segments import Labelled
from ledger.types import Answer, Api, Category, Part, PartKind, Prompt, Request, Tool


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear fit, in hundredths of a token so that the sums stay integers.

    `text` and `message` scale a message's tokens and count messages, `base` is per prompt. A tool costs
    `tool_text` per token of name and description, `tool_schema` per token of its schema, `tool` by itself;
    `tools` is per prompt that offers any, `forced` on top where the caller demands one; `block` is a call
    or result. An output schema costs `schema_text` per token and `schema` by itself.
    """

    text: int
    message: int = 0
    base: int = 0
    tool_text: int = 0
    tool_schema: int = 0
    tool: int = 0
    tools: int = 0
    forced: int = 0
    block: int = 0
    schema_text: int = 0
    schema: int = 0


@dataclass(frozen=True, slots=True)
class Fit:
    """The scales of a model line, without and with tools. Fitted on recorded calls of 2024-03 to 2026-07."""

    api: Api
    pattern: str
    plain: Scale
    with_tools: Scale


_CLAUDE_TEXT = Scale(text=115, message=220, base=420, schema_text=210, schema=8600)
_CLAUDE_TOOLS = Scale(
    text=116, tool_text=120, tool_schema=120, tool=4200, block=3600, schema_text=210, schema=8600
)
_NEW_CLAUDE_TEXT = replace(_CLAUDE_TEXT, text=150, base=630)
_NEW_CLAUDE_TOOLS = replace(
    _CLAUDE_TOOLS, text=131, tool_text=143, tool_schema=143, tools=35_200, forced=12_000
)
_GEMINI_TEXT = Scale(text=110, base=60)
_GEMINI_TOOLS = replace(_GEMINI_TEXT, tool_text=98, tool_schema=50, tool=4000, tools=-2500)


def _claude(tools: int, forced: int = 0) -> tuple[Scale, Scale]:
    return _CLAUDE_TEXT, replace(_CLAUDE_TOOLS, tools=100 * tools, forced=100 * forced)


_NEW_CLAUDE = (_NEW_CLAUDE_TEXT, _NEW_CLAUDE_TOOLS)

# First match wins. Claude from opus-4.7 on has another vocabulary, fitted on few calls of sonnet-5 alone.
# Gemini's output schemas cost nothing; its parallel function calls and media in tools are not fitted.
_FITS = (
    Fit(Api.ANTHROPIC_MESSAGES, "*opus-4[-.][789]*", *_NEW_CLAUDE),
    Fit(Api.ANTHROPIC_MESSAGES, "*opus-5*", *_NEW_CLAUDE),
    Fit(Api.ANTHROPIC_MESSAGES, "*sonnet-5*", *_NEW_CLAUDE),
    Fit(Api.ANTHROPIC_MESSAGES, "*haiku-5*", *_NEW_CLAUDE),
    Fit(Api.ANTHROPIC_MESSAGES, "*sonnet-4[-.]5*", *_claude(493, 99)),
    Fit(Api.ANTHROPIC_MESSAGES, "*haiku-4[-.]5*", *_claude(484, 105)),
    Fit(Api.ANTHROPIC_MESSAGES, "*sonnet-4[-.]6*", *_claude(475, 126)),
    Fit(Api.ANTHROPIC_MESSAGES, "*sonnet-4*", *_claude(305, 0)),
    Fit(Api.ANTHROPIC_MESSAGES, "*3-haiku*", *_claude(253, 91)),
    Fit(Api.ANTHROPIC_MESSAGES, "*3[-.]5-haiku*", *_claude(253, 107)),
    Fit(Api.ANTHROPIC_MESSAGES, "*3[-.]5-sonnet*", *_claude(287)),
    Fit(Api.ANTHROPIC_MESSAGES, "*", *_claude(305, 100)),
    Fit(Api.GEMINI_GENERATE, "*", _GEMINI_TEXT, _GEMINI_TOOLS),
)

_ANTHROPIC_PIXELS_PER_TOKEN = 750
_GEMINI_IMAGE_TILE = 258


def scale_for(api: Api, model: str, with_tools: bool) -> Scale:
    """Choose the fit for a model name in lower case."""
    fit = next(fit for fit in _FITS if fit.api is api and fnmatchcase(model, fit.pattern))
    return fit.with_tools if with_tools else fit.plain


def _scaled(tokens: int, hundredths: int) -> int:
    return (tokens * hundredths + 50) // 100


def _image(api: Api, image: Part) -> int | None:
    if api is Api.GEMINI_GENERATE:
        return _GEMINI_IMAGE_TILE
    if not image.width or not image.height:
        return None
    return -(-image.width * image.height // _ANTHROPIC_PIXELS_PER_TOKEN)


def _part(part: Part, labelled: Labelled, api: Api, scale: Scale, tally: Tally) -> None:
    if part.kind is PartKind.IMAGE:
        tokens = _image(api, part)
        tally.partial = tally.partial or tokens is None
        tally.put("media", tokens or 0)
    elif part.kind in {PartKind.TOOL_CALL, PartKind.TOOL_RESULT}:
        visible = part.text if part.kind is PartKind.TOOL_RESULT else f"{part.name or ''}{part.text}"
        tally.put(labelled.segment, _scaled(tally.n(visible), scale.text))
        tally.put("framing", _scaled(1, scale.block))


def _message(labelled: Labelled, api: Api, scale: Scale, tally: Tally) -> None:
    tally.uncountable(labelled)
    joined = labelled.text()
    tally.spread(labelled.slices, _scaled(tally.n(joined), scale.text) if joined else 0)
    for part in labelled.message.parts:
        _part(part, labelled, api, scale, tally)


def _schema_tokens(schema: Mapping[str, object], tally: Tally) -> int:
    try:
        return tally.n(compact(schema))
    except RecursionError:
        tally.partial = True
        return 0


def _definition(tool: Tool, scale: Scale, tally: Tally) -> int:
    described = tally.n(tool.name + tool.description) * scale.tool_text
    return _scaled(1, described + _schema_tokens(tool.schema, tally) * scale.tool_schema + scale.tool)


def _tools(prompt: Prompt, scale: Scale, tally: Tally) -> None:
    shown = [tool for tool in prompt.tools if not tool.hosted]
    tally.partial = tally.partial or len(shown) < len(prompt.tools)
    tally.tool_weights.extend((tool.name, _definition(tool, scale, tally)) for tool in shown)
    if shown:
        forced = prompt.tool_choice not in {None, "auto", "none"}
        fixed = scale.tools + (scale.forced if forced else 0)
        tally.put("tools", sum(weight for _, weight in tally.tool_weights) + _scaled(1, fixed))


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Estimate a Claude or Gemini prompt into its segments."""
    scale = scale_for(request.api, (request.model or "").lower(), bool(prompt.tools))
    for one in labelled:
        _message(one, request.api, scale, tally)
    tally.put("framing", _scaled(1, scale.base + scale.message * len(labelled)))
    _tools(prompt, scale, tally)
    if prompt.output_schema is not None:
        shown = _schema_tokens(prompt.output_schema.schema, tally)
        tally.put("schema", _scaled(1, shown * scale.schema_text + scale.schema))
    tally.partial = tally.partial or bool(prompt.hidden)


def trust(_request: Request, _category: Category) -> Trust:
    """No count by a fitted factor is exact."""
    return UNKNOWN


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Estimate an answer's visible tokens: (text, tool calls)."""
    scale = scale_for(request.api, (request.model or "").lower(), with_tools=False)
    text = sum(_scaled(tally.n(text), scale.text) for text in answer.texts)
    calls = sum(
        _scaled(tally.n(f"{call.name or ''}{call.text}"), scale.text) + _scaled(1, scale.block)
        for call in answer.tool_calls
    )
    return text, calls
