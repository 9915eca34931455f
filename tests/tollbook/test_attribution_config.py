"""Attribution rules in tollbook.toml: what may be written, and what is told of mistakes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.attribution import DEFAULT_RULES, Rules
from collector.attribution_rules import Rule
from tollbook.config import ConfigError, load
from tollbook.rules import files, rules

MAPPED = '[attribution]\ntenant = [{from = "team", map = "teams.csv", key = "id", value = "name"}]\n'


def _rules(folder: Path, text: str) -> Rules:
    (folder / "tollbook.toml").write_text(text)
    return rules(load(folder / "tollbook.toml"))


def _mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        _rules(folder, text)
    return str(raised.value)


def test_a_plain_path_stays_a_rule(tmp_path: Path):
    assert _rules(tmp_path, '[attribution]\ntenant = ["metadata.customer"]\n').tenant == (
        "metadata.customer",
    )


def test_without_a_list_the_usual_rules_are_in_force(tmp_path: Path):
    assert _rules(tmp_path, "").workflow == DEFAULT_RULES.workflow


def test_three_dots_stand_for_the_usual_rules(tmp_path: Path):
    found = _rules(tmp_path, '[attribution]\nenvironment = ["stage", "...", "last"]\n').environment
    assert found == ("stage", *DEFAULT_RULES.environment, "last")


def test_a_table_describes_a_rule(tmp_path: Path):
    text = '[attribution]\ntenant = [{from = "alias", match = "^t-(.+)", lower = true, else = "rest"}]\n'
    assert _rules(tmp_path, text).tenant == (Rule("alias", "^t-(.+)", lower=True, otherwise="rest"),)


def test_a_mapping_file_is_read_from_beside_the_configuration(tmp_path: Path):
    (tmp_path / "teams.csv").write_bytes(
        "\ufeffid, name ,more\r\n7, Acme ,x\r\n8,,y\r\n7,Acme,z\r\n".encode()
    )
    (rule,) = _rules(tmp_path, MAPPED).tenant
    assert isinstance(rule, Rule)
    assert rule.table is not None
    assert rule.table.values == {"7": "Acme"}


def test_the_digest_tells_apart_what_a_mapping_file_says(tmp_path: Path):
    (tmp_path / "tollbook.toml").write_text(MAPPED)
    digests = []
    for content in ("id,name\n7,acme\n", "id,name\n7,umbra\n"):
        (tmp_path / "teams.csv").write_text(content)
        digests.append(load(tmp_path / "tollbook.toml").digest)
    assert digests[0] != digests[1]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot read .*teams.csv: No such file"),
        ("id,nam\n", "teams.csv has no column 'name': its first line names id, nam"),
        ("", "has no column 'id': its first line names none"),
        ("id,name,id\n", "has two columns 'id'"),
        ("id,name\n7,a\n7,b\n", "line 3: id '7' is 'b' here and 'a' above: keep one"),
        ('id,name\n7,"a\n', "teams.csv is not CSV after line 1: "),
        ("id,name\n7,\xff\n", "is not UTF-8 text: byte 10"),
    ],
)
def test_a_mapping_file_that_cannot_be_used_is_a_mistake(tmp_path: Path, content: str | None, told: str):
    if content is not None:
        (tmp_path / "teams.csv").write_bytes(content.encode("latin-1"))
    assert re.search(told, _mistake(tmp_path, MAPPED))


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            '{from = "a", match = "(?=x)"}',
            "tenant #1.match: not a regular expression that can be searched for",
        ),
        ('{from = "a", match = "("}', "unclosed group"),
        ("{}", "tenant #1: a rule needs from, or a constant"),
        ('{from = "a", map = "x.csv"}', "tenant #1: a map needs key and value, two columns"),
        ('{from = "a", key = "k"}', "key and value are columns of a map: name its file"),
        ('{from = "a", map = "x", key = "k", value = "v", constant = "c"}', "a map or a constant, not both"),
        ('{constant = "c", lower = true}', "match, map, lower and else are about what from finds"),
        ('{frm = "a"}', "tenant #1.frm: unknown key; did you mean 'from'?"),
        ("7", "tenant #1: expected a dotted path, or a table such as"),
    ],
)
def test_a_rule_that_means_nothing_is_a_mistake(tmp_path: Path, rule: str, told: str):
    assert told in _mistake(tmp_path, f"[attribution]\ntenant = [{rule}]\n")


def test_a_text_of_a_source_is_the_value_of_all_that_is_read_there(tmp_path: Path):
    text = '[[source]]\npath = "logs/a"\nattribution = {tenant = "acme", defaults = {environment = "prod"}}\n'
    (own,) = _rules(tmp_path, text).sources
    assert (own.rules, own.defaults) == ({"tenant": (Rule(constant="acme"),)}, {"environment": "prod"})


def test_sources_without_attribution_leave_the_rules_as_they_are(tmp_path: Path):
    assert _rules(tmp_path, '[[source]]\npath = "logs"\n').sources == ()


@pytest.mark.parametrize(
    ("pattern", "path", "inside"),
    [
        ("logs", "logs/a/b.jsonl", True),
        ("logs", "logs2/b.jsonl", False),
        ("logs/x.jsonl", "logs/x.jsonl", True),
        ("logs/*.jsonl", "logs/x.jsonl", True),
        ("logs/*.jsonl", "logs/a/x.jsonl", False),
        ("logs/**/*.jsonl", "logs/x.jsonl", True),
        ("logs/**/*.jsonl", "logs/a/b/x.jsonl", True),
        ("logs/x-?.[!g]z", "logs/x-1.az", True),
        ("logs/x-?.[!g]z", "logs/x-1.gz", False),
        ("lo.s/x", "logs/x", False),
    ],
)
def test_a_file_is_of_the_source_whose_pattern_it_fits(tmp_path: Path, pattern: str, path: str, inside: bool):
    assert bool(re.fullmatch(files(pattern, tmp_path), str(tmp_path.resolve() / path))) is inside


def test_a_source_may_be_an_address(tmp_path: Path):
    assert re.fullmatch(files("s3://bucket/logs/*.jsonl", tmp_path), "s3://bucket/logs/a.jsonl")
