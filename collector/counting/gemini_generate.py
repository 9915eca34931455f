"""Gemini's prompts and answers: o200k tokens corrected for how Gemini's vocabulary cuts, and its framing.

Gemini's vocabulary has one token a digit and none that joins line ends to what stands before them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from collector.counting.framing import constants
from collector.counting.tally import Tally
from collector.segments import Labelled
from ledger.types import Answer, Api, Part, PartKind, Prompt, Request, Tool

_DIGITS: Final = re.compile(r"[0-9]+")
_LINE_ENDS: Final = re.compile(r"\n+")
# A schema is a caller's text: it can be nested without end.
_DEEPEST: Final = 40


def _constants(request: Request) -> Mapping[str, int]:
    day = None if request.ts is None else request.ts.date()
    return constants(Api.GEMINI_GENERATE, (request.model or "").lower(), day)


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Lay an estimate of a prompt's tokens on its segments."""
    fill_with(_constants(request), request, prompt, labelled, tally)


def fill_with(
    frame: Mapping[str, int], _: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally
) -> None:
    """Do it with given constants."""
    for one in labelled:
        _message(one, frame, tally)
    tally.put("framing", frame["message"] * len(labelled))
    _tools(prompt, frame, tally)
    tally.partial = tally.partial or bool(prompt.hidden)


def text_tokens(text: str, frame: Mapping[str, int], tally: Tally) -> int:
    """Estimate a text's tokens: o200k's, a token for each digit that it joins to others, and line ends."""
    if not text:
        return 0
    joined = sum(len(run) - -(-len(run) // 3) for run in _DIGITS.findall(text))
    hundredths = tally.n(text) * frame["text_per_100"] + joined * frame["digit_per_100"]
    return (hundredths + len(_LINE_ENDS.findall(text)) * frame["line_end_per_100"] + 50) // 100


def _message(labelled: Labelled, frame: Mapping[str, int], tally: Tally) -> None:
    tally.uncountable(labelled)
    joined = "".join(piece.text for piece in labelled.slices)
    tally.spread(labelled.slices, text_tokens(joined, frame, tally))
    for part in labelled.message.parts:
        if part.kind is PartKind.IMAGE:
            tally.put("media", frame["image"])
        elif part.kind in {PartKind.TOOL_CALL, PartKind.TOOL_RESULT}:
            tally.put(labelled.segment, _exchange(part, frame, tally))


def _exchange(part: Part, frame: Mapping[str, int], tally: Tally) -> int:
    """A call's name and arguments, or a result's name and JSON."""
    framing = frame["call"] if part.kind is PartKind.TOOL_CALL else frame["result"]
    visible = text_tokens(part.name or "", frame, tally) + text_tokens(part.text, frame, tally)
    return max(0, visible + framing)


def _tools(prompt: Prompt, frame: Mapping[str, int], tally: Tally) -> None:
    shown = [tool for tool in prompt.tools if not tool.hosted]
    tally.partial = tally.partial or len(shown) < len(prompt.tools)
    for tool in shown:
        try:
            tally.tool_weights.append((tool.name, _definition(tool, frame, tally)))
        except RecursionError:
            tally.partial = True
    if shown:
        tally.put("tools", sum(weight for _, weight in tally.tool_weights))


def _definition(tool: Tool, frame: Mapping[str, int], tally: Tally) -> int:
    """A tool's name and description, and of each property its name, description and choices."""
    key = ("gemini definition", tuple(frame.values()))
    known = tool.memo.get(key)
    if not isinstance(known, int):
        words = [tool.name, tool.description, *_words(tool.schema, 0)]
        properties = sum(1 for _ in _properties(tool.schema, 0))
        visible = sum(text_tokens(word, frame, tally) for word in words)
        known = tool.memo[key] = visible + frame["tool"] + properties * frame["property"]
    return known


def _children(schema: Mapping[str, object], depth: int) -> Iterator[tuple[str, object]]:
    """The schemas inside one, those of properties with their names."""
    if depth > _DEEPEST:
        raise RecursionError("the schema is nested too deeply to be followed")
    members = schema.get("properties")
    if isinstance(members, dict):
        yield from members.items()
    yield "", schema.get("items")
    variants = schema.get("anyOf")
    yield from (("", variant) for variant in (variants if isinstance(variants, list) else ()))


def _properties(schema: object, depth: int) -> Iterator[str]:
    if isinstance(schema, dict):
        for name, child in _children(schema, depth):
            if name:
                yield name
            yield from _properties(child, depth + 1)


def _words(schema: object, depth: int) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    described, choices = schema.get("description"), schema.get("enum")
    if isinstance(described, str):
        yield described
    yield from (str(choice) for choice in (choices if isinstance(choices, list) else ()))
    for name, child in _children(schema, depth):
        yield name
        yield from _words(child, depth + 1)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Estimate an answer's visible tokens: (text, tool calls)."""
    return output_with(_constants(request), answer, tally)


def output_with(frame: Mapping[str, int], answer: Answer, tally: Tally) -> tuple[int, int]:
    """Do it with given constants."""
    text = sum(text_tokens(text, frame, tally) for text in answer.texts)
    return text, sum(_exchange(call, frame, tally) for call in answer.tool_calls)
