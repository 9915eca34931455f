"""`tollbook formats` lists what can be read, and says of one format what it tells."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from collector.formats import FORMATS
from tollbook.cli import app
from tollbook.desk import UsageError


@pytest.fixture
def said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        answer = CliRunner().invoke(app, ["formats", *arguments], catch_exceptions=False)
        assert answer.exit_code == 0
        return answer.stdout

    return run


def test_every_format_is_listed_in_the_order_of_sniffing(said):
    lines = said().splitlines()
    assert lines[0].split() == ["format", "what", "it", "is"]
    assert [line.split()[0] for line in lines[1:]] == list(FORMATS)


def test_one_format_is_told_of_in_full(said):
    told = said("portkey")
    assert told.startswith("portkey: Portkey's metric export")
    assert "all input is booked as uncached" in told
    assert "not known" in told


def test_a_terminal_gets_no_line_wider_than_itself(said):
    assert max(len(line) for line in said("langfuse").splitlines()[1:]) <= 80


def test_json_has_every_fact(said):
    told = json.loads(said("portkey", "--json"))
    assert told["name"] == "portkey"
    assert set(told) == {"name", "what", "cache", "identity", "times", "unknown", "versions"}
    assert [each["name"] for each in json.loads(said("--json"))["formats"]] == list(FORMATS)


def test_no_ledger_is_made(said, tmp_path):
    said()
    assert not list(tmp_path.iterdir())


def test_an_unknown_name_is_answered_with_the_nearest(said):
    with pytest.raises(UsageError, match="no format 'langfuze', did you mean 'langfuse'"):
        said("langfuze")
