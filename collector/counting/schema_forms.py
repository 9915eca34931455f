"""What a JSON schema is written with, keyword by keyword, for the evidence to say what is confirmed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

_OF_NAMES: Final = frozenset({"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
_LISTS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SCHEMAS: Final = frozenset({"items", "additionalProperties", "not", "if", "then", "else", "contains"})
_KINDS: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    type(None): "null",
    list: "list",
    dict: "object",
}


def schema_forms(place: str, schema: object) -> frozenset[str]:
    """Name every keyword and kind of value; raises RecursionError for a schema without a bottom."""
    return frozenset(f"{place} {form}" for form in _forms(schema, outermost=True))


def _forms(schema: object, outermost: bool = False) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        yield "schema that is no object"
        return
    if not (outermost or schema.keys() & {"type", "enum", "$ref", "const", *_LISTS}):
        yield "without a type"
    if not outermost and schema.get("properties"):
        yield "object in an object"
    for key, value in schema.items():
        yield f"{key}: {_kind(key, value)}"
        yield from _inside(key, value)


def _inside(key: str, value: object) -> Iterator[str]:
    children: list[object] = []
    if key in _OF_NAMES and isinstance(value, Mapping):
        children = list(value.values())
    elif key in _LISTS and isinstance(value, list | tuple):
        children = list(value)
    elif key in _SCHEMAS and isinstance(value, Mapping):
        children = [value]
    for child in children:
        yield from _forms(child)


def _kind(key: str, value: object) -> str:
    if key == "type":
        return value if isinstance(value, str) else "list"
    if key == "enum" and isinstance(value, list | tuple):
        return f"list of {' and '.join(sorted({_value(one) for one in value})) or 'nothing'}"
    if key == "$ref" and isinstance(value, str):
        return "local" if value.startswith("#/") else "elsewhere"
    if key == "items" and isinstance(value, Mapping):
        of = "reference" if "$ref" in value else value.get("type")
        return of if isinstance(of, str) else "object"
    return _value(value)


def _value(value: object) -> str:
    if not isinstance(value, str):
        return _KINDS.get(type(value), "other")
    if not value:
        return "empty text"
    if value[0].isspace() or not value.isascii():
        return "odd text"
    return "lines" if "\n" in value else "text"
