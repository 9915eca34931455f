"""A record as the struct that its format declares, refused by the name of a field of another type."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from collector.apis.json_shapes import Json

Shape = TypeVar("Shape", bound=msgspec.Struct)

_MISFIT = re.compile(r"Expected `([a-z |]+)`, got `([a-z]+)`(?: - at `\$\.?(.+)`)?")
_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.+)`)?")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}


def typed(record: Json, shape: type[Shape]) -> Shape:
    """Convert a record; fields that the struct does not name are left out.

    Raises ValueError with the name of the field and both types; of its value nothing is quoted.
    """
    try:
        return msgspec.convert(record, shape)
    except msgspec.ValidationError as error:
        raise ValueError(_sentence(str(error))) from None


def _sentence(said: str) -> str:
    if misfit := _MISFIT.fullmatch(said):
        wanted, given, path = misfit.groups()
        return f"{path or 'the record'} is {_WORDS.get(given, given)}, expected {_named(wanted)}"
    if missing := _MISSING.fullmatch(said):
        field, path = missing.groups()
        return f"{path + '.' if path else ''}{field} is missing"
    return said


def _named(wanted: str) -> str:
    kinds = [_WORDS.get(kind, kind) for kind in wanted.split(" | ") if kind != "null"]
    return " or ".join(kinds)
