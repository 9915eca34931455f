"""Keys and tokens that stand in logs reach nothing that the ledger keeps, and no message."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.formats import FORMATS
from collector.redaction import BLACK, holds_secret, is_card, is_iban, redacted

# Invented; each has the shape of one kind of secret.
SECRETS = (
    "sk-proj-Zq8LmN2vXcB7tRy4WpK9sDf3",
    "sk-ant-api03-Zq8LmN2vXcB7tRy4WpK9",
    "ghp_Zq8LmN2vXcB7tRy4WpK9sDf3GhJk",
    "xoxb-123456789012-Zq8LmN2vXcB7",
    "AKIAZQ8LMN2VXCB7TRY4",
    "AIzaZq8LmN2vXcB7tRy4WpK9sDf3GhJkLmN2vXc",
    "eyJhbGciOiJIUzI1.eyJzdWIiOiJhbm4.Zq8LmN2vXcB7",
    "Bearer Zq8LmN2vXcB7tRy4",
    "hf_Zq8LmN2vXcB7tRy4WpK9sDf3",
    "password=Zq8LmN2vXcB7",
    "https://ann:Zq8LmN2vXcB7@host.example/v1",
)
CANARIES = ("Zq8LmN2v", "ZQ8LMN2V", "123456789012-")
# A table is read by a column map, which names what may be kept of it.
TEXT_FORMATS = sorted(form for form in FORMATS if form not in ("focus", "table"))


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*path, number))
    else:
        yield path


def planted(record: dict[str, object], path: tuple[object, ...], secret: object) -> dict[str, object]:
    changed = copy.deepcopy(record)
    target = changed
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = secret
    return changed


def kept_by(books) -> list[str]:
    """Everything that every table of the ledger holds, with its table and column."""
    found = []
    with books.visit() as ledger:
        for (name,) in ledger.rows("SELECT table_name FROM duckdb_tables()"):
            frame = ledger.frame(f"SELECT * FROM {name}")
            found += [f"{name}.{each.name}: {value}" for each in frame for value in each.unique().to_list()]
    return found


@pytest.mark.parametrize("form", TEXT_FORMATS)
def test_a_secret_planted_anywhere_in_a_record_is_kept_nowhere(books, samples, form, capsys):
    sample = samples / "formats" / f"{form}.jsonl"
    if not sample.is_file():
        pytest.skip("the format's sample is no file of lines")
    records = [json.loads(line) for line in sample.read_text().splitlines()[:6]]
    changed = [
        planted(record, path, SECRETS[number % len(SECRETS)])
        for record in records
        for number, path in enumerate(places(record))
    ]
    changed += [{**record, secret: {secret: secret}} for record in records for secret in SECRETS]
    changed = changed[:: max(1, len(changed) // 400)]
    content = b"".join(json.dumps(each).encode() + b"\n" for each in changed) + SECRETS[0].encode() + b"\n"
    summary = books.ingest(books.file("a.jsonl", content), format=form)
    assert summary.total("read") > 0
    told = [*kept_by(books), str(summary), *capsys.readouterr()]
    assert [each[:200] for each in told if any(canary in each for canary in CANARIES)] == []


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_seen_wherever_it_stands_in_a_text(secret):
    assert holds_secret(secret)
    said, count = redacted(f"my key is {secret}, keep it")
    assert (count, BLACK in said) == (1, True)
    assert not any(canary in said for canary in CANARIES)


@pytest.mark.parametrize(
    "name",
    ["gpt-4.1-mini-2025-04-14", "task-force-of-the-disk-team", "acme", "2026-10-06T09:00:00Z", "a" * 64],
)
def test_a_name_is_no_secret(name):
    assert not holds_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("write to ann.lee+x@mail.example.org!", f"write to {BLACK * 4}!"),
        # A test number of the card schemes, and the same with another last digit.
        ("card 4111 1111 1111 1111 please", f"card {BLACK * 4} please"),
        ("card 4111 1111 1111 1112 please", "card 4111 1111 1111 1112 please"),
        # The IBAN of the standard's own example, and the same with another check digit.
        ("to GB82 WEST 1234 5698 7654 32 today", f"to {BLACK * 4} today"),
        ("to GB83 WEST 1234 5698 7654 32 today", "to GB83 WEST 1234 5698 7654 32 today"),
        ("call +49 30 1234567 or (030) 123-4567", f"call {BLACK * 4} or {BLACK * 4}"),
        ("it took 1234567 tokens and cost 1234.56", "it took 1234567 tokens and cost 1234.56"),
    ],
)
def test_what_names_a_person_is_black_and_other_numbers_stay(text, shown):
    assert redacted(text)[0] == shown


def test_check_digits_are_computed_as_the_standards_say():
    assert is_card([int(d) for d in "5555555555554444"])
    assert not is_card([int(d) for d in "5555555555554443"])
    assert is_iban("DE89 3704 0044 0532 0130 00")


@given(st.text(max_size=200))
def test_any_text_can_be_redacted_and_redacting_again_changes_nothing(text):
    once, _ = redacted(text)
    assert redacted(once) == (once, 0)
