"""Tool definitions as the TypeScript-like text that OpenAI models are shown and billed for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from collector.counting.schema_forms import schema_forms
from ledger.types import Tool

_HEAD: Final = "# Tools\n\n## functions\n\nnamespace functions {\n\n"
_TAIL: Final = "} // namespace functions"
_NAMED: Mapping[str, str] = {
    "integer": "number",
    "number": "number",
    "string": "string",
    "boolean": "boolean",
}
# A schema is a caller's text: references can nest without end or double at every level.
_DEEPEST: Final = 40
_MOST_NODES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """One tool's text.

    Not `whole` where its schema was too deep or too large to follow. `forms` names what it is written with,
    for the evidence to say whether bills have confirmed that.
    """

    text: str
    whole: bool = True
    forms: frozenset[str] = frozenset()


def compact(value: object) -> str:
    """Write JSON without spaces, characters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _comment(text: object) -> str:
    if not isinstance(text, str):
        return ""
    stripped = (line.strip() for line in text.split("\n"))
    return "".join(f"// {line}\n" for line in stripped if line)


def _notes(schema: Mapping[str, object]) -> str:
    description = schema.get("description")
    form = schema.get("format")
    notes = [description] if isinstance(description, str) else []
    return " ".join([*notes, f"format: {form}"] if isinstance(form, str) else notes)


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


class _Renderer:
    """Follows one schema; counts its nodes so that a hostile one stops."""

    __slots__ = ("nodes", "root")

    def __init__(self, root: Mapping[str, object]) -> None:
        self.root = root
        self.nodes = 0

    def resolve(self, schema: Mapping[str, object]) -> Mapping[str, object]:
        """Follow a local reference; what stands beside it wins over its target."""
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        target: object = self.root
        for step in reference.lstrip("#/").split("/"):
            target = _object(target).get(step)
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_object(target), **beside}

    def type_text(self, value: object, depth: int) -> str:
        """Write a schema as a type."""
        self.nodes += 1
        if depth > _DEEPEST or self.nodes > _MOST_NODES:
            self.nodes = _MOST_NODES + 1
            return "any"
        schema = self.resolve(_object(value))
        choices = schema.get("enum")
        if isinstance(choices, list | tuple):
            return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)
        variants = _list(schema.get("anyOf")) or _list(schema.get("oneOf"))
        if variants:
            return self.union([_object(variant) for variant in variants], depth)
        return self.plain_type(schema, depth)

    def plain_type(self, schema: Mapping[str, object], depth: int) -> str:
        """Write a schema that is neither a choice nor a union."""
        kind = schema.get("type")
        if isinstance(kind, list | tuple):
            return self.union([{**schema, "type": one} for one in kind], depth)
        if kind == "array":
            items = schema.get("items")
            return self.array_type(_object(items), depth) if items else "any[]"
        if kind == "object" or "properties" in schema:
            return self.object_type(schema, depth)
        return _NAMED.get(kind, kind) if isinstance(kind, str) else "any"

    def union(self, variants: Sequence[Mapping[str, object]], depth: int) -> str:
        """Write each variant on a line of its own, its notes after a comma as a default's are."""
        lines = []
        for variant in variants:
            notes = _notes(self.resolve(variant))
            lines.append(f"\n | {self.type_text(variant, depth + 1)}" + (f", // {notes}" if notes else ""))
        return "".join(lines)

    def array_type(self, items: Mapping[str, object], depth: int) -> str:
        """Write a list; objects in it stand on lines of their own after their title."""
        inner = self.resolve(items)
        written = self.type_text(items, depth + 1)
        if not _object(inner.get("properties")):
            return f"{written}[]"
        return f"{_comment(inner.get('title'))}\n{written.removesuffix('}')}\n}}[]"

    def object_type(self, schema: Mapping[str, object], depth: int) -> str:
        """Write an object's properties in braces: a space after the first, nothing before the last."""
        properties = _object(schema.get("properties"))
        if not properties:
            return "object"
        required = frozenset(name for name in _list(schema.get("required")) if isinstance(name, str))
        members = [self.member(name, value, name in required, depth) for name, value in properties.items()]
        return "{ " + "\n".join(members).removesuffix(",") + "}"

    def member(self, name: str, value: object, required: bool, depth: int) -> str:
        """Write one property with its notes; its comma stands before a default, which is a comment."""
        schema = self.resolve(_object(value))
        mark = "" if required else "?"
        default = (
            f" // default: {json.dumps(schema['default'], ensure_ascii=False)}" if "default" in schema else ""
        )
        notes = _comment(schema.get("title")) + _comment(schema.get("description"))
        written = self.type_text(schema, depth + 1)
        space = "" if written.startswith("\n |") else " "
        return f"{notes}{name}{mark}:{space}{written},{default}"


_RENDERED: Final = "rendered"


@lru_cache(maxsize=4096)
def _render(name: str, description: str, schema_json: str) -> Rendered:
    schema = _object(json.loads(schema_json))
    renderer = _Renderer(schema)
    notes = _comment(schema.get("title")) + _comment(description)
    forms = schema_forms("tool", schema) | frozenset(_tool_forms(description, schema))
    if not _object(schema.get("properties")):
        return Rendered(f"{notes}type {name} = () => any;\n\n", forms=forms)
    argument = _comment(schema.get("description")) + renderer.object_type(schema, 0)
    whole = renderer.nodes <= _MOST_NODES
    return Rendered(f"{notes}type {name} = (_: {argument}) => any;\n\n", whole, forms)


def _tool_forms(description: str, schema: Mapping[str, object]) -> Iterator[str]:
    if not description:
        yield "tool title without description" if schema.get("title") else "tool without description"
    elif description[0].isspace():
        yield "tool description with an empty line first"
    elif "\n" in description:
        yield "tool description of lines"
    if "description" in schema:
        yield "tool arguments described"


def _free(tool: Tool) -> Rendered:
    """Write a tool that takes free text, with its grammar as notes: how it is shown is not known."""
    notes = _comment(tool.description) + _comment(tool.grammar)
    return Rendered(
        f"{notes}type {tool.name} = (FREEFORM) => any;\n\n", forms=frozenset({"tool of free text"})
    )


def render(tool: Tool) -> Rendered:
    """Write one tool; remembered with it, since every call of a workflow sends the same tools."""
    known = tool.memo.get(_RENDERED)
    if not isinstance(known, Rendered):
        known = tool.memo[_RENDERED] = _rendered(tool)
    return known


def _rendered(tool: Tool) -> Rendered:
    if tool.custom:
        return _free(tool)
    try:
        return _render(tool.name, tool.description, compact(tool.schema))
    except RecursionError:
        return Rendered(f"type {tool.name} = () => any;\n\n", whole=False)


def namespace(rendered: Sequence[Rendered]) -> str:
    """Join the tools' texts to the block that the model is shown."""
    return _HEAD + "".join(tool.text for tool in rendered) + _TAIL
