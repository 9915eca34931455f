"""Column maps of the configuration and of files, and what is wrong with them in a sentence."""

from __future__ import annotations

import json

import pytest

from tollbook import column_maps
from tollbook.config import ConfigError, load

MAP = """
input_includes_cached = true
[columns]
model = "llm"
tags.team = "squad"
[units]
latency_ms = "s"
"""


def test_a_map_in_a_file_is_for_whatever_is_read(tmp_path):
    file = tmp_path / "map.toml"
    file.write_text(MAP)
    found = column_maps.of_file(file)
    assert found.columns.columns == {"model": "llm", "tags.team": "squad"}
    assert (found.columns.input_includes_cached, found.columns.units) == (True, {"latency_ms": "s"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[colums]\nmodel = 'x'", "colums: unknown key; did you mean 'columns'?"),
        ("[columns]\nmodle = 'x'", "columns: 'modle' is no key of a record; did you mean 'model'?"),
        (
            "[columns]\nmodel = 'x'\n[units]\nts = 'days'",
            "units: 'days' is no unit of ts; there are s, ms, us",
        ),
        ("[columns]\nmodel = 'x'\n[units]\nmodel = 's'", "units: 'model' has no unit"),
        ("time_zone = 'UTC'", "maps no column"),
        ("[columns", "is not valid TOML"),
    ],
)
def test_a_mistake_in_a_map_names_file_and_key(tmp_path, text, said):
    file = tmp_path / "map.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        column_maps.of_file(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_a_source_maps_the_columns_of_its_own_files(tmp_path):
    config = tmp_path / "tollbook.toml"
    config.write_text('[[source]]\npath = "a/*.csv"\nformat = "table"\n[source.columns]\nmodel = "llm"\n')
    (found,) = column_maps.of_config(load(config))
    assert found.files.endswith("/a/[^/]*\\.csv")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('format = "table"', "format 'table' needs [source.columns]"),
        ("[source.columns]\nmodel = 'x'", "columns are for format = 'table'"),
    ],
)
def test_a_map_and_the_format_table_go_together(tmp_path, source, said):
    config = tmp_path / "tollbook.toml"
    config.write_text(f'[[source]]\npath = "a.csv"\n{source}\n')
    with pytest.raises(ConfigError) as caught:
        load(config)
    assert said in str(caught.value)


def test_a_proposal_is_toml_that_can_be_pasted(tollbook, tmp_path):
    table = tmp_path / "calls.csv"
    table.write_text("created_at,model,prompt_tokens,odd\n2026-09-02,gpt-4.1,1,2\n")
    done = tollbook("columns", str(table), "--json")
    assert json.loads(done.out) == {
        "columns": {"ts": "created_at", "model": "model", "input_tokens": "prompt_tokens"},
        "unmapped": ["odd"],
    }
    pasted = tmp_path / "tollbook.toml"
    pasted.write_text(tollbook("columns", str(table)).out)
    assert load(pasted).settings.source[0].columns["input_tokens"] == "prompt_tokens"


def test_attribution_of_a_table_is_told_by_its_map(tollbook, tmp_path):
    table = tmp_path / "calls.csv"
    table.write_text("when,llm,squad,n\n2026-09-02T10:00:00Z,gpt-4.1,harbor,12\n")
    config = tmp_path / "tollbook.toml"
    config.write_text(
        '[[source]]\npath = "calls.csv"\nformat = "table"\n'
        '[source.columns]\nts = "when"\nmodel = "llm"\ntenant = "squad"\ninput_tokens = "n"\n'
    )
    done = tollbook("attribution", "test", str(table), "--config", str(config))
    assert "harbor" in done.out
