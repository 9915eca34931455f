"""The doctor proposes the very line that would attribute most of what is unattributed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

AS_OF = "2026-10-06T07:00:00Z"


def log(folder: Path, said: list[dict[str, str]]) -> None:
    records = [
        {
            "tollbook": 1,
            "ts": f"2026-10-05T09:{n:02}:00Z",
            "call_id": f"call-{n:08}",
            "model": "gpt-4.1",
            "input_tokens": 1000,
            "output_tokens": 10,
            "workflow": "w",
            "environment": "prod",
            "metadata": each,
        }
        for n, each in enumerate(said)
    ]
    (folder / "calls.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in records))


@pytest.fixture
def points(tmp_path: Path, run_in):
    """What the doctor says of attribution, of calls that say this."""
    run = run_in(tmp_path)

    def examine(said: list[dict[str, str]], rules: str = "") -> list[str]:
        log(tmp_path, said)
        (tmp_path / "tollbook.toml").write_text(rules)
        assert run("ingest", "calls.jsonl", "--as-of", AS_OF).code == 0
        found = json.loads(run("doctor", "--json", "--as-of", AS_OF).out)["points"]
        return [point["text"] for point in found if point["about"] == "attribution"]

    return examine


MIXED = [*[{"squad": "x", "customer_name": name} for name in ("acme", "umbra") * 3], {}, {}]


def test_the_line_is_the_very_one_to_write(points):
    (text,) = points(MIXED)
    assert text.startswith('tenant: under [attribution] write tenant = ["...", "metadata.customer_name"] ')
    assert "it would attribute 75 % of what is not, to 2 values, by 8 of 8 such calls" in text


def test_no_value_is_told(points):
    assert "acme" not in " ".join(points(MIXED))


def test_the_line_attributes_what_it_says(points, run_in, tmp_path: Path):
    line = re.search(r"write (tenant = \[.*?\]) ", points(MIXED)[0])
    assert line is not None
    (tmp_path / "tollbook.toml").write_text(f"[attribution]\n{line[1]}\n")
    found = json.loads(run_in(tmp_path)("attribution", "test", "calls.jsonl", "--json").out)
    assert found["dimensions"]["tenant"]["by"] == {"metadata.customer_name": 6}


def test_rules_of_ones_own_are_kept_in_the_line(points):
    own = '[attribution]\ntenant = ["metadata.a", {from = "metadata.b", match = "^x\\\\d", lower = true}]\n'
    assert (
        r'tenant = ["metadata.a", {from = "metadata.b", match = "^x\\d", lower = true}, "metadata.cust'
        in (points(MIXED, own)[0])
    )


def test_where_no_field_tells_it_a_source_can(points):
    (text,) = points([{"color": "red"}] * 4)
    assert text.startswith("tenant: no field of these calls tells it, by 4 of 4 such calls")
    assert 'attribution = {tenant = "…"}' in text


def test_where_all_is_attributed_nothing_is_proposed(points):
    assert points([{"tenant": "acme"}] * 3) == []
