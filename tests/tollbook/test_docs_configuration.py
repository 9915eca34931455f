"""The example's tollbook.toml is accepted, and the configuration page knows every key there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tollbook.config import Settings, load

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "tollbook.toml"
PAGE = ROOT / "docs" / "configuration.md"

pytestmark = pytest.mark.skipif(not EXAMPLE.is_file(), reason="a wheel carries no examples")


def _keys() -> set[str]:
    """Every key of every section, read off the settings' own schema."""
    schema = Settings.model_json_schema()
    tables = [table for name, table in schema["$defs"].items() if name.endswith("Table")]
    return set(schema["properties"]) | {key for table in tables for key in table["properties"]}


def _documented() -> set[str]:
    """Every key named in the first column of a table under a section's heading."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = [line for part in sections if part.startswith("[") for line in part.splitlines()]
    firsts = [row.split("|")[1] for row in rows if row.startswith("| `")]
    return {key for first in firsts for key in re.findall(r"`(\w+)`", first)}


def test_the_example_configuration_is_accepted():
    configuration = load(EXAMPLE)
    assert len(configuration.settings.envelope) == 9
    assert configuration.path(configuration.settings.ledger.path) == ROOT / "var/demo/tollbook.duckdb"


def test_every_source_of_the_example_names_files_that_the_generator_writes():
    patterns = [Path(source.path).name for source in load(EXAMPLE).settings.source]
    assert patterns == ["gateway-*.jsonl.gz", "litellm-*.jsonl", "tollbook-*.jsonl"]


def test_every_key_is_on_the_configuration_page():
    page = PAGE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^## \[+(\w+)\]+", page, flags=re.MULTILINE))
    inside = set(re.findall(r"\b(p50|p95|at|out)\b", page))
    assert _keys() - _documented() - headings - inside == set()


def test_the_configuration_page_names_no_key_that_does_not_exist():
    assert _documented() - _keys() == set()
