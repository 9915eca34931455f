"""`tollbook sql` reads the ledger and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import store

FORBIDDEN = {
    "delete": "DELETE FROM requests",
    "insert": "INSERT INTO audit VALUES (current_timestamp, 'a', 'b')",
    "update": "UPDATE requests SET cost_usd = 0",
    "drop": "DROP TABLE requests",
    "create": "CREATE TABLE mine (a INT)",
    "copy out": "COPY requests TO 'stolen.csv'",
    "export": "EXPORT DATABASE 'stolen'",
    "attach": "ATTACH 'other.duckdb'",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "external access": "SET enable_external_access = true",
    "a log file": "SELECT * FROM 'logs/two-days.jsonl'",
    "a text file": "SELECT * FROM read_text('tollbook.toml')",
    "a csv": "SELECT * FROM read_csv('/etc/passwd')",
    "a folder": "SELECT * FROM glob('*')",
    "an extension setting": "SET extension_directory = '/tmp'",
    "a python variable": "SELECT * FROM relation",
}


@pytest.mark.parametrize("query", FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_query_cannot_write_or_read_files(morning: Path, monkeypatch, query):
    monkeypatch.chdir(morning)
    before = sorted(path.name for path in morning.iterdir())
    with store.open(morning / "tollbook.duckdb", read_only=True) as ledger:
        with pytest.raises(store.QueryError):
            ledger.frame(query)
    assert sorted(path.name for path in morning.iterdir()) == before


def test_a_refused_query_ends_with_2_and_changes_nothing(desk_of_morning):
    refused = desk_of_morning("sql", "DELETE FROM requests")
    assert refused.code == 2
    assert "read-only" in refused.err
    assert desk_of_morning("sql", "SELECT count(*) AS n FROM requests").out.split() == ["n", "9", "1", "row"]


def test_the_answer_shows_every_row_and_what_is_unknown_as_a_dash(desk_of_morning):
    answer = desk_of_morning("sql", "SELECT tenant, sum(cost_usd) FROM requests GROUP BY ALL ORDER BY ALL")
    assert answer.out.splitlines() == [
        "tenant      sum(cost_usd)",
        "acme      18.000000000000",
        "fabrikam   0.800000000000",
        "–          1.000000000000",
        "3 rows",
    ]


def test_the_smallest_amounts_are_written_out(desk_of_morning):
    answer = desk_of_morning("sql", "SELECT 0.00000006::DECIMAL(18, 12) AS one, 0::DECIMAL(18, 12) AS none")
    assert answer.out.splitlines()[1].split() == ["0.000000060000", "0.000000000000"]
