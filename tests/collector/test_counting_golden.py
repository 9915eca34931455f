"""Counts that stand beside the version of the rules that made them: no count changes under a version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from collector.counting import RULES_VERSION, count
from collector.formats import FORMATS

GOLDEN = Path(__file__).parents[1] / "golden" / "counts.json"
SAMPLES = Path(__file__).parents[1] / "samples" / "formats" / "pair.jsonl"


def counts() -> list[list[object]]:
    lines = SAMPLES.read_text(encoding="utf-8").splitlines()
    made = [count(FORMATS["pair"].read(json.loads(line))) for line in lines]
    return [[one.method.value, one.input_tokens, one.output_tokens] for one in made]


def test_counts_change_only_with_the_version_of_the_rules(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(json.dumps({"rules": RULES_VERSION, "counts": counts()}) + "\n", encoding="utf-8")
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert counts() == kept["counts"], "raise RULES_VERSION in collector/counting, then --update-golden"
    assert kept["rules"] == RULES_VERSION, "the rules have a new version: --update-golden, and read the diff"
