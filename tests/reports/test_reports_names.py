from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import names


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("acme", "acme"),
        ("a\nb", "a b"),
        ("a\x00b", "a�b"),
        ("abc\u202edef", "abc�def"),
        ("", "(empty)"),
        ("  ", "(empty)"),
        ("客服", "客服"),
    ],
)
def test_a_name_is_shown_without_what_could_drive_the_display(text, shown):
    assert names.clean(text) == shown


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("customer-support-assistant", 11, "custo…stant"),
        ("acme", 4, "acme"),
        ("客服部门客服部门", 9, "客服…部门"),
    ],
)
def test_a_long_name_loses_its_middle(text, width, shown):
    assert names.cut(text, width) == shown


@given(st.text(), st.integers(min_value=8, max_value=60))
def test_a_cut_name_never_takes_more_cells_than_it_may(text, width):
    assert names.cells(names.cut(text, width)) <= width
