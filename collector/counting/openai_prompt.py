"""OpenAI chat and Responses prompts: how messages, tools and schemas become billed tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from collector.counting.images import image_tokens
from collector.counting.openai_constants import Framing, framing, hidden_tokens
from collector.counting.tally import Tally
from collector.counting.tools_text import Rendered, compact, namespace, render
from collector.segments import Labelled
from collector.tokenizers import bare_model
from ledger.types import Message, OutputSchema, Part, PartKind, Prompt, Request


@dataclass(frozen=True, slots=True)
class _Call:
    """What the counting of one prompt needs to know besides its messages."""

    model: str
    framing: Framing
    tool_names: Mapping[str, str]
    any_calls: bool


# " to=functions." before a called name; the name is a text of its own, its first token never merges with it.
_ADDRESS: Final = 3


def compact_arguments(text: str) -> str:
    """Rewrite logged arguments as the compact JSON that is billed; what is no JSON stays as it is."""
    try:
        return compact(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _of_kind(labelled: Labelled, kind: PartKind) -> tuple[Part, ...]:
    return tuple(part for part in labelled.message.parts if part.kind is kind)


def _tool_names(calls: Sequence[Part]) -> dict[str, str]:
    """Names of earlier calls by their id: a result carries only the id."""
    return {call.call_id: call.name for call in calls if call.call_id and call.name}


def _is_plain(message: Message) -> bool:
    """Whether it is one text and nothing else, as nearly every message is."""
    return len(message.parts) == 1 and message.parts[0].kind is PartKind.TEXT


def _one_call(call: Part, tally: Tally) -> int:
    return _ADDRESS + tally.n(call.name or "") + tally.n(compact_arguments(call.text))


def _parallel_calls(calls: Sequence[Part], tally: Tally) -> int:
    uses = ",".join(
        f'{{"recipient_name":"functions.{call.name}","parameters":{compact_arguments(call.text)}}}'
        for call in calls
    )
    return tally.n(" to=multi_tool_use.parallel") + tally.n(f'{{"tool_uses":[{uses}]}}')


def _calls(labelled: Labelled, calls: Sequence[Part], constants: Framing, tally: Tally) -> None:
    if len(calls) > 1 and constants.parallel:
        tally.put(labelled.segment, _parallel_calls(calls, tally))
        return
    for call in calls:
        tally.put(labelled.segment, _one_call(call, tally))
    tally.put("framing", constants.call + constants.further_call * (len(calls) - 1))


def _result(labelled: Labelled, result: Part, call: _Call, tally: Tally) -> None:
    name = call.tool_names.get(result.call_id or "") or result.name or ""
    tally.put("framing", call.framing.message + tally.n(f"functions.{name}"))
    tally.put(labelled.segment, tally.n(result.text))


def _images(labelled: Labelled, call: _Call, tally: Tally) -> None:
    for image in _of_kind(labelled, PartKind.IMAGE):
        tokens = image_tokens(call.model, image)
        tally.partial = tally.partial or tokens is None
        tally.put("media", tokens or 0)


def _message(labelled: Labelled, call: _Call, tally: Tally) -> None:
    if _is_plain(labelled.message):
        _spoken(labelled, call.framing, tally)
        _plain_assistant(labelled, call.framing, tally)
    else:
        _mixed(labelled, call, tally)


def _spoken(labelled: Labelled, constants: Framing, tally: Tally) -> None:
    message = labelled.message
    tally.put("framing", constants.message + tally.n(message.role))
    tally.text(labelled)
    if message.name:
        tally.put("framing", tally.n(message.name) + constants.name)


def _plain_assistant(labelled: Labelled, constants: Framing, tally: Tally) -> None:
    if labelled.message.role == "assistant":
        tally.put("framing", constants.plain_assistant)


def _mixed(labelled: Labelled, call: _Call, tally: Tally) -> None:
    results = _of_kind(labelled, PartKind.TOOL_RESULT)
    for result in results:
        _result(labelled, result, call, tally)
    tally.uncountable(labelled)
    if results and len(results) == len(labelled.message.parts):
        return
    _spoken(labelled, call.framing, tally)
    _images(labelled, call, tally)
    calls = _of_kind(labelled, PartKind.TOOL_CALL)
    if calls:
        _calls(labelled, calls, call.framing, tally)
    else:
        _plain_assistant(labelled, call.framing, tally)


def _is_parallel(labelled: Labelled) -> bool:
    return len(_of_kind(labelled, PartKind.TOOL_CALL)) > 1


def _only_result(labelled: Labelled) -> Part | None:
    parts = labelled.message.parts
    return parts[0] if len(parts) == 1 and parts[0].kind is PartKind.TOOL_RESULT else None


def _joined_results(labelled: Sequence[Labelled], tally: Tally) -> None:
    """The results of a parallel call are billed as one list, written the way Python prints it."""
    texts = [part.text for one in labelled for part in one.message.parts]
    tally.put("framing", 10)
    tally.put(labelled[0].segment, tally.n(repr(texts)))


def _only_calls(labelled: Labelled) -> bool:
    parts = labelled.message.parts
    return bool(parts) and all(part.kind is PartKind.TOOL_CALL for part in parts)


def _gathered(labelled: Sequence[Labelled]) -> Iterator[Labelled]:
    """Responses logs each call as an item of its own: those in a row were one parallel call."""
    for only_calls, run in groupby(labelled, key=_only_calls):
        if not only_calls:
            yield from run
            continue
        first, *more = run
        parts = (*first.message.parts, *(part for one in more for part in one.message.parts))
        yield replace(first, message=replace(first.message, parts=parts))


def _groups(labelled: Sequence[Labelled], parallel: bool) -> Iterator[Sequence[Labelled]]:
    """Messages one by one, but the results that follow a parallel call together."""
    index = 0
    while index < len(labelled):
        end = index + 1
        if parallel and index and _is_parallel(labelled[index - 1]):
            while end < len(labelled) and _only_result(labelled[end]):
                end += 1
        yield labelled[index:end]
        index = end


def _messages(labelled: Sequence[Labelled], call: _Call, tally: Tally) -> None:
    if not call.any_calls:
        for one in labelled:
            _message(one, call, tally)
        return
    for group in _groups(list(_gathered(labelled)), call.framing.parallel):
        if len(group) > 1 and _only_result(group[0]):
            _joined_results(group, tally)
        else:
            for one in group:
                _message(one, call, tally)


def _system_text(labelled: Sequence[Labelled]) -> str | None:
    first = next((one for one in labelled if one.segment == "system"), None)
    return None if first is None else "".join(piece.text for piece in first.slices)


def _tools(rendered: Sequence[Rendered], system: str | None, constants: Framing, tally: Tally) -> str:
    """The tools stand in the first system message; return its whole text, whose seams are counted once."""
    text = namespace(rendered)
    tally.partial = tally.partial or not all(tool.whole for tool in rendered)
    sure = constants.sure_of_tools and all(tool.sure for tool in rendered)
    tally.estimated = tally.estimated or not sure
    if system is None:
        tally.put("tools", tally.n(text) + constants.tools_alone)
        return text
    joined = f"{system}\n\n{text}"
    tally.put("tools", tally.n(joined) - tally.n(system) + constants.tools_beside_system)
    return joined


def _named_choice(choice: str | None, constants: Framing, tally: Tally) -> None:
    if choice and choice.startswith("function:") and constants.named_choice is not None:
        tally.put("tools", tally.n(choice.removeprefix("function:")) + constants.named_choice)


def _definitions(prompt: Prompt, system: str | None, constants: Framing, tally: Tally) -> None:
    """Count tools and output schema, which follow the system text in its message."""
    shown = [tool for tool in prompt.tools if not tool.hosted]
    tally.partial = tally.partial or len(shown) < len(prompt.tools)
    before = system or ""
    if shown:
        rendered = [render(tool) for tool in shown]
        before = _tools(rendered, system, constants, tally)
        tally.tool_weights.extend(
            (tool.name, tally.n(one.text)) for tool, one in zip(shown, rendered, strict=True)
        )
        _named_choice(prompt.tool_choice, constants, tally)
    if prompt.output_schema is not None:
        constant = _schema_constant(system, bool(shown), constants)
        _output_schema(prompt.output_schema, before, constant, constants, tally)


# Keywords that the model is not shown; those OpenAI demands in strict mode and those that only validate.
_UNSEEN = frozenset(
    {"additionalProperties", "required", "default", "minimum", "maximum", "exclusiveMinimum", "pattern"}
    | {"exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minLength", "maxLength"}
)
_OF_NAMES = frozenset({"properties", "$defs", "definitions"})


def _shown(schema: object, names: bool = False) -> object:
    """The schema as the model is shown it; under `names` keys are the caller's own and all stay."""
    if isinstance(schema, Mapping):
        return {
            key: _shown(value, names=not names and key in _OF_NAMES)
            for key, value in schema.items()
            if names or key not in _UNSEEN
        }
    return [_shown(item) for item in schema] if isinstance(schema, list | tuple) else schema


def _schema_text(schema: OutputSchema, constants: Framing) -> str:
    description = f"// {schema.description}\n" if schema.description else ""
    again = schema.name if constants.schema_names_twice else ""
    # Unlike everything else it is shown with \\u escapes, as Python's json writes it.
    shown = json.dumps(_shown(schema.schema), separators=(",", ":"), default=str)
    return f"# Response Formats\n\n## {schema.name}\n\n{again}{description}{shown}"


def _output_schema(
    schema: OutputSchema, before: str, constant: int, constants: Framing, tally: Tally
) -> None:
    """The schema stands last in the system message, after the tools."""
    try:
        text = _schema_text(schema, constants)
    except RecursionError:
        tally.partial = True
        return
    tokens = tally.n(f"{before}\n\n{text}") - tally.n(before) if before else tally.n(text)
    tally.put("schema", tokens + constant)


def _schema_constant(system: str | None, with_tools: bool, constants: Framing) -> int:
    if with_tools:
        return constants.schema_beside_tools
    return constants.schema_alone if system is None else constants.schema_beside_system


def fill(request: Request, prompt: Prompt, labelled: Sequence[Labelled], tally: Tally) -> None:
    """Count an OpenAI prompt into its segments."""
    model = bare_model(request.model or "")
    constants = framing(request.api, model)
    system = _system_text(labelled)
    tally.put("framing", constants.base)
    calls = [part for one in labelled for part in one.message.parts if part.kind is PartKind.TOOL_CALL]
    _messages(labelled, _Call(model, constants, _tool_names(calls), bool(calls)), tally)
    _definitions(prompt, system, constants, tally)
    tally.put("unexplained", hidden_tokens(request.api, model, request.ts, bool(prompt.tools)))
    tally.partial = tally.partial or bool(prompt.hidden)
