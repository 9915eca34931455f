"""What stands in an OpenAI prompt's system message after its text: tools, then the output schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.counting.openai_constants import Constants
from collector.counting.schema_forms import schema_forms
from collector.counting.tally import Tally
from collector.counting.tools_text import Rendered, namespace, render
from collector.segments import Labelled
from ledger.types import OutputSchema, Prompt


@dataclass(frozen=True, slots=True)
class Rules:
    """How an API shows definitions: where the tools stand, and whether a schema's name is written twice."""

    constants: Constants
    tools: Callable[[Sequence[Rendered], str | None, Constants, Tally], str]
    named_twice: bool


def definitions(
    prompt: Prompt, labelled: Sequence[Labelled], choice: str | None, rules: Rules, tally: Tally
) -> None:
    """Count tools and output schema; `choice` is the tool choice as far as the model is told of it."""
    if not prompt.tools and prompt.output_schema is None:
        return
    system = system_text(labelled)
    before = system
    rendered = shown_tools(prompt, tally)
    if rendered:
        tally.forms.update(("with tools", f"choice {(prompt.tool_choice or 'auto').partition(':')[0]}"))
        before = rules.tools(rendered, system, rules.constants, tally)
        named_choice(choice, rules.constants, tally)
    if prompt.output_schema is not None:
        tally.forms.add("with json_schema")
        constant = _schema_constant(system, bool(rendered), rules.constants, tally)
        output_schema(prompt.output_schema, before, constant, rules.named_twice, tally)


def system_text(labelled: Sequence[Labelled]) -> str | None:
    """The text of the first system message; None where there is none."""
    first = next((one for one in labelled if one.segment == "system"), None)
    return None if first is None else "".join(piece.text for piece in first.slices)


def shown_tools(prompt: Prompt, tally: Tally) -> list[Rendered]:
    """Write the tools that the caller defined; note where others are, or where one cannot be shown whole."""
    shown = [tool for tool in prompt.tools if not tool.hosted]
    rendered = [render(tool) for tool in shown]
    whole = len(shown) == len(prompt.tools) and all(tool.whole for tool in rendered)
    tally.partial = tally.partial or not whole
    tally.forms.update(*(tool.forms for tool in rendered))
    tally.tool_weights.extend(
        (tool.name, tally.n(one.text)) for tool, one in zip(shown, rendered, strict=True)
    )
    return rendered


def tools_within(rendered: Sequence[Rendered], system: str | None, constants: Constants, tally: Tally) -> str:
    """Count tools that continue the system text; return the whole text, whose seams are counted once."""
    text = namespace(rendered)
    if system is None:
        tally.forms.add("tools alone")
        tally.put("tools", tally.n(text) + constants.tools_alone)
        return text
    joined = f"{system}\n\n{text}"
    tally.forms.add("tools beside a system text")
    tally.put("tools", tally.n(joined) - tally.n(system) + constants.tools_beside_system)
    return joined


def tools_apart(rendered: Sequence[Rendered], system: str | None, constants: Constants, tally: Tally) -> str:
    """Count tools that are a text of their own; return what an output schema then follows."""
    text = namespace(rendered)
    tally.put("tools", tally.n(text) + constants.tools_apart)
    return text if system is None else f"{system}\n\n{text}"


def named_choice(choice: str | None, constants: Constants, tally: Tally) -> None:
    """Count a function that the caller demands by name."""
    if choice and choice.startswith("function:"):
        tally.put("tools", tally.n(choice.removeprefix("function:")) + constants.named_choice)


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


def _schema_text(schema: OutputSchema, named_twice: bool) -> str:
    description = f"// {schema.description}\n" if schema.description else ""
    again = schema.name if named_twice else ""
    # Unlike everything else it is shown with \\u escapes, as Python's json writes it.
    shown = json.dumps(_shown(schema.schema), separators=(",", ":"), default=str)
    return f"# Response Formats\n\n## {schema.name}\n\n{again}{description}{shown}"


def output_schema(
    schema: OutputSchema, before: str | None, constant: int, named_twice: bool, tally: Tally
) -> None:
    """Count an output schema, which stands last in the system message."""
    try:
        text = _schema_text(schema, named_twice)
    except RecursionError:
        tally.partial = True
        return
    tally.forms.update(schema_forms("output", schema.schema), _output_forms(schema))
    tokens = tally.n(f"{before}\n\n{text}") - tally.n(before) if before else tally.n(text)
    tally.put("schema", tokens + constant)


def _output_forms(schema: OutputSchema) -> Iterator[str]:
    if schema.description:
        yield "output described"
    if not schema.strict:
        yield "output not strict"


def _schema_constant(system: str | None, with_tools: bool, constants: Constants, tally: Tally) -> int:
    """Choose the schema's constant by what stands before it."""
    if with_tools:
        tally.forms.add("schema beside tools")
        return constants.schema_beside_tools
    tally.forms.add("schema alone" if system is None else "schema beside a system text")
    return constants.schema_alone if system is None else constants.schema_beside_system
