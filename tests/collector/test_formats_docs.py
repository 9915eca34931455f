"""The formats page names every format, key and default path that the code knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.attribution import DEFAULT_RULES
from collector.formats import FORMATS
from collector.formats.tollbook import KNOWN
from ledger.types import Api

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_section(name):
    assert f"\n## `{name}`\n" in PAGE


@pytest.mark.parametrize("key", sorted(KNOWN | set(Api)))
def test_every_key_of_the_flat_record_is_documented(key):
    assert f"`{key}`" in PAGE.split("\n## `tollbook`\n")[1]


@pytest.mark.parametrize(
    "path",
    [*DEFAULT_RULES.tenant, *DEFAULT_RULES.workflow, *DEFAULT_RULES.environment, *DEFAULT_RULES.end_user],
)
def test_every_default_path_is_documented(path):
    assert f"`{path}`" in PAGE.split("\n## Attribution\n")[1]
