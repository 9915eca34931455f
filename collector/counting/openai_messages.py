"""The messages of OpenAI chat and Responses prompts: roles, texts, names, images, calls and results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Final

from collector.counting.images import image_form, image_tokens
from collector.counting.openai_constants import Constants
from collector.counting.tally import Tally
from collector.counting.tools_text import compact
from collector.pieces import remembered
from collector.segments import Labelled
from collector.tokenizers import bare_model
from ledger.types import Message, Part, PartKind, Prompt, Request


@dataclass(frozen=True, slots=True)
class Framing:
    """How one call's messages are framed.

    `joined` says that the parallel calls of a message are written as one multi_tool_use and their results as
    one list; `held` that the provider still holds earlier calls as the model wrote them. `schema_name` is
    that of the output schema, in whose form earlier answers then stand.
    """

    model: str
    day: date | None
    constants: Constants
    tool_names: Mapping[str, str]
    any_calls: bool
    joined: bool
    held: bool | None
    schema_name: str | None
    paired: bool


# " to=functions." before a called name; the name is a text of its own, its first token never merges with it.
_ADDRESS: Final = 3


@remembered
def compact_arguments(text: str) -> str:
    """Rewrite logged arguments as the compact JSON that is billed; what is no JSON stays as it is."""
    try:
        return compact(json.loads(text))
    except (ValueError, RecursionError):
        return text


def framing(
    request: Request,
    constants: Constants,
    prompt: Prompt,
    *,
    joined: bool = False,
    held: bool | None = None,
    schema_name: str | None = None,
) -> Framing:
    """Gather what the counting of one prompt needs to know besides its messages.

    `held` is None where the API knows no stored calls, `schema_name` where it takes earlier answers as they
    stand.
    """
    calls = [part for message in prompt.messages for part in message.parts if part.kind is PartKind.TOOL_CALL]
    names = {call.call_id: call.name for call in calls if call.call_id and call.name}
    paired = not calls or _paired(calls, prompt)
    model, day = bare_model(request.model or ""), None if request.ts is None else request.ts.date()
    return Framing(model, day, constants, names, bool(calls), joined, held, schema_name, paired)


def _paired(calls: Sequence[Part], prompt: Prompt) -> bool:
    """Whether every call has its one result and every result its call."""
    results = [
        part.call_id
        for message in prompt.messages
        for part in message.parts
        if part.kind is PartKind.TOOL_RESULT
    ]
    called = [call.call_id for call in calls]
    return None not in called and Counter(called) == Counter(results)


def _of_kind(labelled: Labelled, kind: PartKind) -> tuple[Part, ...]:
    return tuple(part for part in labelled.message.parts if part.kind is kind)


def _is_plain(message: Message) -> bool:
    """Whether it is one text and nothing else, as nearly every message is."""
    parts = message.parts
    return len(parts) == 1 and parts[0].kind is PartKind.TEXT and not parts[0].name


def _one_call(call: Part, held: bool, tally: Tally) -> int:
    arguments = compact_arguments(call.text) if held else call.text
    return _ADDRESS + tally.n(call.name or "") + tally.n(arguments)


def _joined_calls(calls: Sequence[Part], tally: Tally) -> int:
    uses = ",".join(
        f'{{"recipient_name":"functions.{call.name}","parameters":{compact_arguments(call.text)}}}'
        for call in calls
    )
    return tally.n(" to=multi_tool_use.parallel") + tally.n(f'{{"tool_uses":[{uses}]}}')


def _calls(labelled: Labelled, calls: Sequence[Part], frame: Framing, tally: Tally) -> None:
    tally.forms.update(_call_forms(calls))
    if len(calls) > 1 and frame.joined:
        tally.put(labelled.segment, _joined_calls(calls, tally))
        return
    held = frame.held is None or (frame.held and all(call.held for call in calls))
    for call in calls:
        tally.put(labelled.segment, _one_call(call, held, tally))
    tally.forms.add("calls held" if held else "calls from elsewhere")
    constants, further = frame.constants, len(calls) - 1
    if held:
        tally.put("framing", constants.call + constants.further_call * further)
    else:
        tally.put("framing", constants.call_unheld + constants.further_unheld * further)


def _call_forms(calls: Sequence[Part]) -> Iterator[str]:
    yield "with tool_calls"
    yield "parallel calls" if len(calls) > 1 else "one call"
    for call in calls:
        if call.detail:
            yield f"{call.detail} call"
        elif compact_arguments(call.text)[:1] != "{":
            yield "call without an object"


def _result(labelled: Labelled, result: Part, frame: Framing, tally: Tally) -> None:
    name = frame.tool_names.get(result.call_id or "") or result.name or ""
    tally.forms.update(("with tool_calls", f"role {labelled.message.role}"))
    if not (name and frame.any_calls):
        tally.forms.add("result without its call")
    tally.put("framing", frame.constants.message + tally.n(f"functions.{name}"))
    tally.put(labelled.segment, tally.n(result.text))


def _images(labelled: Labelled, frame: Framing, tally: Tally) -> None:
    for image in _of_kind(labelled, PartKind.IMAGE):
        tokens = image_tokens(frame.model, frame.day, image)
        tally.forms.update(("with images", image_form(frame.model, frame.day, image)))
        if tokens is None:
            tally.cannot_see(image)
        else:
            tally.put("media", tokens)


def _spoken_forms(message: Message) -> Iterator[str]:
    yield f"role {message.role}"
    if message.name:
        yield f"name of {message.role}"
    texts = [part for part in message.parts if part.kind is PartKind.TEXT]
    if len(texts) > 1:
        yield "text in parts"
    yield from (f"text of {part.name}" for part in texts if part.name)
    if not message.parts:
        yield f"nothing said by {message.role}"


def _spoken(labelled: Labelled, frame: Framing, tally: Tally) -> None:
    message = labelled.message
    tally.put("framing", frame.constants.message + tally.n(message.role))
    tally.text(labelled)
    tally.forms.update(_spoken_forms(message))
    if message.name:
        tally.put("framing", tally.n(message.name) + frame.constants.name)


def _plain_assistant(labelled: Labelled, frame: Framing, tally: Tally) -> None:
    if labelled.message.role == "assistant":
        tally.put("framing", _answer_frame(frame, tally))


def _mixed(labelled: Labelled, frame: Framing, tally: Tally) -> None:
    results = _of_kind(labelled, PartKind.TOOL_RESULT)
    for result in results:
        _result(labelled, result, frame, tally)
    tally.uncountable(labelled)
    if results and len(results) == len(labelled.message.parts):
        return
    _spoken(labelled, frame, tally)
    _images(labelled, frame, tally)
    calls = _of_kind(labelled, PartKind.TOOL_CALL)
    if calls:
        _calls(labelled, calls, frame, tally)
    else:
        _plain_assistant(labelled, frame, tally)


def _message(labelled: Labelled, frame: Framing, tally: Tally) -> None:
    if _is_plain(labelled.message):
        _spoken(labelled, frame, tally)
        _plain_assistant(labelled, frame, tally)
    else:
        _mixed(labelled, frame, tally)


def _is_parallel(labelled: Labelled) -> bool:
    return len(_of_kind(labelled, PartKind.TOOL_CALL)) > 1


def _only_result(labelled: Labelled) -> Part | None:
    parts = labelled.message.parts
    return parts[0] if len(parts) == 1 and parts[0].kind is PartKind.TOOL_RESULT else None


def _parsed(text: str) -> object:
    """A result that is an object or a list stands in the list as such, everything else as its text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, dict | list) else text


def _joined_results(labelled: Sequence[Labelled], frame: Framing, tally: Tally) -> None:
    """The results of a parallel call are billed as one JSON list, with spaces."""
    results = [_parsed(part.text) for one in labelled for part in one.message.parts]
    written = json.dumps(results, ensure_ascii=bool(frame.constants.escaped_results))
    # Which models see escapes rests on few recordings.
    tally.estimated = tally.estimated or not written.isascii() or "\\u" in written
    tally.forms.add("joined results")
    tally.put("framing", frame.constants.joined_results)
    tally.put(labelled[0].segment, tally.n(written))


def _only_calls(labelled: Labelled) -> bool:
    parts = labelled.message.parts
    return bool(parts) and all(part.kind is PartKind.TOOL_CALL for part in parts)


def gathered(labelled: Sequence[Labelled]) -> Iterator[Labelled]:
    """Join messages of calls alone that stand in a row: Responses logs each call as an item of its own."""
    for only_calls, run in groupby(labelled, key=_only_calls):
        if not only_calls:
            yield from run
            continue
        first, *more = run
        if not more:
            yield first
            continue
        parts = (*first.message.parts, *(part for one in more for part in one.message.parts))
        yield replace(first, message=replace(first.message, parts=parts))


def _groups(labelled: Sequence[Labelled], joined: bool) -> Iterator[Sequence[Labelled]]:
    """Messages one by one, but the results that follow a parallel call together."""
    index = 0
    while index < len(labelled):
        end = index + 1
        if joined and index and _is_parallel(labelled[index - 1]):
            while end < len(labelled) and _only_result(labelled[end]):
                end += 1
        yield labelled[index:end]
        index = end


def _plain_or_mixed(labelled: Sequence[Labelled], frame: Framing, tally: Tally) -> None:
    """Count messages without calls, the frame of a plain one by its role: it is the same every time."""
    frames: dict[str, int] = {}
    for one in labelled:
        message, parts = one.message, one.message.parts
        if message.name is not None or len(parts) != 1 or parts[0].kind is not PartKind.TEXT or parts[0].name:
            _message(one, frame, tally)
            continue
        tokens = frames.get(message.role)
        if tokens is None:
            tokens = frames[message.role] = _plain_frame(message.role, frame, tally)
        tally.put("framing", tokens)
        tally.text(one)


def _plain_frame(role: str, frame: Framing, tally: Tally) -> int:
    tokens = frame.constants.message + tally.n(role)
    tally.forms.add(f"role {role}")
    if role != "assistant":
        return tokens
    return tokens + _answer_frame(frame, tally)


def _answer_frame(frame: Framing, tally: Tally) -> int:
    """What stands around an earlier answer without calls."""
    tally.forms.add("earlier answer" if frame.schema_name is None else "earlier answer beside a schema")
    named = 0 if frame.schema_name is None else tally.n(frame.schema_name) + frame.constants.schema_assistant
    return frame.constants.plain_assistant + named


def messages(labelled: Sequence[Labelled], frame: Framing, tally: Tally) -> None:
    """Count all messages of a prompt."""
    tally.forms.add(f"ends with {labelled[-1].message.role}" if labelled else "no message")
    if not frame.paired:
        tally.forms.add("calls and results that do not pair")
    if not frame.any_calls:
        _plain_or_mixed(labelled, frame, tally)
        return
    for group in _groups(list(gathered(labelled)), frame.joined):
        if len(group) > 1 and _only_result(group[0]):
            _joined_results(group, frame, tally)
        else:
            for one in group:
                _message(one, frame, tally)
