"""Claude's prompts and answers: the text in its own vocabulary, and the framing around messages and tools.

Tools are shown to the model as JSON of description, name and parameters; images in patches of 28 pixels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from collector import claude_text
from collector.counting.framing import constants
from collector.counting.tally import Tally
from collector.segments import Labelled
from collector.tokenizers import tokenizer_for
from ledger.types import Answer, Api, Message, Part, PartKind, Prompt, Request, Tool

_PATCH = 28
# Larger images are scaled down before they are seen.
_LONGEST_SIDE = 1568
_MOST_PATCHES = 1568


# What models of other makers are told of tools behind these APIs is not known.
_OTHER_MAKERS: Mapping[str, int] = {
    **dict.fromkeys(constants(Api.ANTHROPIC_MESSAGES, ""), 0),
    "turn": 6,
    "schema_per_100": 100,
}


def _constants(request: Request) -> Mapping[str, int]:
    if tokenizer_for(request.model).encoding not in claude_text.ENCODINGS:
        return _OTHER_MAKERS
    day = None if request.ts is None else request.ts.date()
    return constants(Api.ANTHROPIC_MESSAGES, (request.model or "").lower(), day)


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Lay a prompt's tokens on its segments."""
    fill_with(_constants(request), request, prompt, labelled, tally)


def fill_with(
    frame: Mapping[str, int], request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally
) -> None:
    """Do it with given constants."""
    for one in labelled:
        _message(one, frame, tally)
    tally.put("framing", _framing(prompt, frame))
    _tools(prompt, frame, tally)
    _schema(prompt, frame, tally)
    tally.partial = tally.partial or bool(prompt.hidden)
    # What is shown of the model's thinking is a summary of what was billed.
    thought = request.answer is not None and bool(request.answer.reasoning)
    tally.estimated = tally.estimated or thought or not _is_confirmed(prompt)


_ROLES = frozenset({"system", "user", "assistant"})


def _is_confirmed(prompt: Prompt) -> bool:
    """Whether such a prompt has a frame that bills confirm: text opened by the user, and without thinking."""
    if any(part.name and part.kind is PartKind.TEXT for message in prompt.messages for part in message.parts):
        return False
    if not _ROLES.issuperset(message.role for message in prompt.messages):
        return False
    opening = next((message.role for message in prompt.messages if message.role != "system"), "")
    return prompt.thinking is None and opening == "user"


def _framing(prompt: Prompt, frame: Mapping[str, int]) -> int:
    messages = prompt.messages
    turns = 1 + sum(_is_answered(before, after) for before, after in pairwise(messages))
    system = frame["system"] if messages and messages[0].role == "system" else 0
    thinking = frame["thinking_adaptive"] if prompt.thinking == "adaptive" else frame["thinking"]
    if system_text := _opening(messages):
        # The mark that opens a user's text does not stand before a system text.
        system -= system_text[0] in "\n\t"
    called = frame["round_first"] if any(map(_calls, messages)) else 0
    return frame["base"] + turns * frame["turn"] + system + called + (thinking if prompt.thinking else 0)


def _opening(messages: Sequence[Message]) -> str:
    first = messages[0] if messages and messages[0].role == "system" else None
    return next((part.text for part in first.parts if part.text), "") if first else ""


def _calls(message: Message) -> bool:
    return any(part.kind is PartKind.TOOL_CALL for part in message.parts)


def _is_answered(before: Message, after: Message) -> bool:
    return before.role == "assistant" and after.role != "assistant"


def _message(labelled: Labelled, frame: Mapping[str, int], tally: Tally) -> None:
    tally.uncountable(labelled)
    tally.text(labelled)
    calls = 0
    message = labelled.message
    for part in message.parts:
        if part.kind is PartKind.IMAGE:
            _image(part, frame, tally)
        elif part.kind is PartKind.TOOL_CALL:
            tally.put(labelled.segment, _named(part, tally) + tally.n(_written(message, part)))
            calls += 1
        elif part.kind is PartKind.TOOL_RESULT:
            tally.put(labelled.segment, tally.n(part.text) if part.text else 0)
    if calls:
        tally.put("framing", frame["round"] + (calls - 1) * frame["round_parallel"])


def _call(call: Part, tally: Tally) -> int:
    return _named(call, tally) + tally.n(_spaced(call.text))


def _named(call: Part, tally: Tally) -> int:
    return tally.n(call.name or "")


# What a message's memo has the arguments of its calls under, as written.
_ARGUMENTS = object()


def _written(message: Message, call: Part) -> str:
    """The arguments of a call as the model wrote them, kept: a long talk stands above each of its answers."""
    known = message.memo.get((_ARGUMENTS, call.text))
    if not isinstance(known, str):
        known = message.memo[_ARGUMENTS, call.text] = _spaced(call.text)
    return known


def _spaced(written: str) -> str:
    """The arguments as JSON with a space after each comma and colon, as the model wrote them."""
    try:
        return json.dumps(json.loads(written), ensure_ascii=False)
    except (ValueError, RecursionError):
        return written


def _image(image: Part, frame: Mapping[str, int], tally: Tally) -> None:
    if image.width and image.height:
        tally.put("media", frame["image"] + patches(image.width, image.height))
    else:
        tally.cannot_see(image)


def patches(width: int, height: int) -> int:
    """Count the patches of an image, scaled down to what the API takes."""
    shrink = min(1.0, _LONGEST_SIDE / max(width, height))
    wide, high = -(-int(width * shrink) // _PATCH), -(-int(height * shrink) // _PATCH)
    return max(1, min(wide * high, _MOST_PATCHES))


def _tools(prompt: Prompt, frame: Mapping[str, int], tally: Tally) -> None:
    shown = [tool for tool in prompt.tools if not tool.hosted]
    tally.partial = tally.partial or len(shown) < len(prompt.tools)
    tally.tool_weights.extend((tool.name, _definition(tool, tally)) for tool in shown)
    if shown:
        defined = sum(weight for _, weight in tally.tool_weights) + (len(shown) - 1) * frame["tool"]
        system = frame["tools_system"] if prompt.messages and prompt.messages[0].role == "system" else 0
        tally.put("tools", defined + _choice(prompt.tool_choice, frame, tally) + system)


def _choice(choice: str | None, frame: Mapping[str, int], tally: Tally) -> int:
    """The text that tells the model of its tools, and what it is more or less where it has to use one."""
    kind, _, name = (choice or "").partition(":")
    if kind == "function":
        return frame["tools"] + frame["forced"] + tally.n(name)
    return frame["tools"] + (frame["forced_any"] if kind == "any" else 0)


def _definition(tool: Tool, tally: Tally) -> int:
    key = ("claude definition", tally.encoding)
    known = tool.memo.get(key)
    if not isinstance(known, int):
        known = tool.memo[key] = _shown(tool, tally)
    return known


def _shown(tool: Tool, tally: Tally) -> int:
    described = {"description": tool.description} if tool.description else {}
    try:
        return tally.n(
            json.dumps(
                {**described, "name": tool.name, "parameters": tool.schema}, ensure_ascii=False, default=str
            )
        )
    except RecursionError:
        tally.partial = True
        return 0


def _schema(prompt: Prompt, frame: Mapping[str, int], tally: Tally) -> None:
    if prompt.output_schema is None:
        return
    try:
        written = json.dumps(prompt.output_schema.schema, ensure_ascii=False, default=str)
    except RecursionError:
        tally.partial = True
        return
    shown = (tally.n(written) * frame["schema_per_100"] + 50) // 100
    beside = frame["schema_beside_tools"] if prompt.tools else frame["schema"]
    tally.put("schema", shown + beside)


def output(request: Request, answer: Answer, tally: Tally) -> tuple[int, int]:
    """Count an answer: (text, tool calls)."""
    return output_with(_constants(request), answer, tally)


def output_with(frame: Mapping[str, int], answer: Answer, tally: Tally) -> tuple[int, int]:
    """Do it with given constants."""
    texts = [tally.n(text) for text in answer.texts if text]
    ended = bool(texts) and answer.finish_reason not in {"max_tokens", "tool_use"}
    calls = sum(_call(call, tally) for call in answer.tool_calls)
    if answer.tool_calls:
        calls += frame["answer_call"] + (len(answer.tool_calls) - 1) * frame["answer_calls"]
    return sum(texts) + (frame["answer_end"] if ended else 0), calls
