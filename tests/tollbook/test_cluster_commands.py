"""Logs go through a cluster and its parts into the ledger by two commands."""

from __future__ import annotations

import json

import polars as pl
import pytest

from collector.counting import RULES_VERSION
from ledger import store


def test_parts_of_the_declared_sources_are_made_and_booked_by_two_commands(tollbook, folder):
    pytest.importorskip("distributed")
    made = tollbook("ingest", "--on", "local:1", "--parts", "parts", "--json")
    assert made.code == 0, made.err
    found = json.loads(made.out)
    assert (found["sources"], found["made"], found["kept"], found["problems"]) == (1, 1, 0, [])
    loaded = tollbook("load-parts", "parts", "--json")
    assert loaded.code == 0, loaded.err
    assert json.loads(loaded.out)["read"] == found["rows"] + found["rejected"]
    assert json.loads(tollbook("ingest", "--json").out)["unchanged"] == 1
    again = tollbook("load-parts", "parts")
    assert again.out.startswith("0 sources booked, 1 known already: 0 records")


def test_parts_are_counted_by_what_the_ledger_has_learned(tollbook, folder):
    pytest.importorskip("distributed")
    asked = {"model": "house-llama-9", "messages": [{"role": "user", "content": "Is the gate open?"}]}
    answered = {"id": "1", "object": "chat.completion", "created": 1_791_300_000, "choices": []}
    (folder / "logs" / "more.jsonl").write_text(json.dumps({"request": asked, "response": answered}) + "\n")
    assert tollbook("ingest").code == 0
    with store.open(folder / "tollbook.duckdb") as ledger:
        ledger.execute(
            "INSERT INTO calibrations BY NAME SELECT 3 AS version, 'house-llama-9' AS model, "
            "'openai.chat' AS api, 'text' AS category, 'o200k_base' AS tokenizer, ? AS rules, "
            "2.0 AS factor, 0.0 AS intercept, 1 AS least, 900 AS greatest, 0.01 AS error, 50 AS evidence, "
            "now()::TIMESTAMP AS since, since AS until, since AS fitted_at",
            [RULES_VERSION],
        )
    assert tollbook("ingest", "--on", "local:1", "--parts", "parts").code == 0
    parts = [pl.read_parquet(part) for part in (folder / "parts" / "rows").rglob("*.parquet")]
    rules = {rule for part in parts for rule in part["rules"] if rule}
    assert "cal3" in {rule.partition("+")[2] for rule in rules}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--on", "local"), "--on and --parts go together"),
        (("--parts", "parts"), "--on and --parts go together"),
        (("--on", "spark://here", "--parts", "parts"), "--on 'spark://here' names no cluster"),
        (("--on", "local", "--parts", "parts", "--workers", "2"), "--workers and --quarantine are for this"),
        (("--on", "local", "--parts", "parts", "--quarantine", "q"), "--workers and --quarantine are for"),
        (
            ("--on", "local", "--parts", "parts", "--format", "pair"),
            "--assume-time and --quarantine are for paths",
        ),
        (("--on", "local", "--parts", "/proc/parts"), "cannot write /proc/parts"),
        (("--on", "dask://u:secret@h:1", "--parts", "parts"), "…@h:1' names no cluster"),
        (("--on", "local", "--parts", "parts", "-"), "a cluster cannot read standard input"),
        (("--on", "local", "--parts", "parts", "nowhere/*.jsonl"), "nothing to read at 'nowhere/*.jsonl'"),
    ],
)
def test_mistakes_with_clusters_are_sentences(tollbook, options, said):
    pytest.importorskip("distributed")
    done = tollbook("ingest", *options)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert "secret" not in done.err


def test_a_place_without_parts_is_a_sentence(tollbook, folder):
    done = tollbook("load-parts", str(folder))
    assert done.code == 2
    assert "no manifests at" in done.err


def test_a_store_without_a_bucket_is_a_sentence(tollbook):
    pytest.importorskip("obstore")
    done = tollbook("load-parts", "s3://")
    assert done.code == 2
    assert "names no bucket: write it as s3://BUCKET/FOLDER" in done.err


def test_an_object_store_that_cannot_be_reached_is_a_sentence(tollbook):
    pytest.importorskip("obstore")
    done = tollbook("load-parts", "nostore://bucket/parts")
    assert done.code == 2
    assert "cannot reach nostore://bucket" in done.err
