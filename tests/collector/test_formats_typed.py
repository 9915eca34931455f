"""A record becomes its format's struct, or is refused by the field's name and types, never by its words."""

from __future__ import annotations

import msgspec
import pytest

from collector.formats.typed import typed


class Inner(msgspec.Struct):
    count: int | None = None


class Outer(msgspec.Struct, rename="camel"):
    call_id: str
    inner: Inner | None = None
    parts: list[Inner] = []


def test_fields_that_the_struct_does_not_name_are_left_out():
    assert typed({"callId": "a", "other": 1}, Outer) == Outer(call_id="a")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "callId is missing"),
        ({"callId": 7}, "callId is a whole number, expected text"),
        ({"callId": "a", "inner": {"count": "many words"}}, "inner.count is text, expected a whole number"),
        ({"callId": "a", "inner": []}, "inner is a list, expected an object"),
        (
            {"callId": "a", "parts": [{"count": 1.5}]},
            r"parts\[0\].count is a number, expected a whole number",
        ),
    ],
)
def test_a_field_of_another_type_is_refused_by_its_path(record, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        typed(record, Outer)
