"""Records that are newer than their reader are booked, counted, and named by doctor."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from collector.formats.newer import UNDERSTOOD, newer
from ledger import newer_records
from ledger.types import Newer
from tollbook.config import load
from tollbook.doctor import examine


def sampled(samples, form: str) -> list[dict[str, object]]:
    text = (samples / "formats" / f"{form}.jsonl").read_text()
    records = [json.loads(line) for line in text.splitlines()]
    items = FORMATS[form].items
    return [item for record in records for item in (items(record) if items else [record])]


@pytest.mark.parametrize("form", UNDERSTOOD)
def test_nothing_of_a_formats_own_sample_is_new(samples, form):
    assert [found for record in sampled(samples, form) if (found := newer(form, record))] == []


@pytest.mark.parametrize("form", [form for form in UNDERSTOOD if form != "otlp"])
def test_a_field_that_the_reader_does_not_know_is_named(samples, form):
    record = sampled(samples, form)[0] | {"brand_new_tokens": 7}
    assert newer(form, record) == Newer(form, None, ("brand_new_tokens",))


def test_a_new_kind_of_tokens_in_a_span_is_named():
    item = {"attributes": {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.video_tokens": 2, "mine": 3}}
    assert newer("otlp", item) == Newer("otlp", None, ("gen_ai.usage.video_tokens",))


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ("https://opentelemetry.io/schemas/1.41.0", None),
        ("https://opentelemetry.io/schemas/1.4.0", None),
        (None, None),
        ("https://opentelemetry.io/schemas/1.42.0", "1.42.0"),
        ("https://opentelemetry.io/schemas/2.0", "2.0"),
    ],
)
def test_a_schema_after_the_one_that_is_known_is_newer(schema, found):
    expected = None if found is None else Newer("otlp", found, ())
    assert newer("otlp", {"schema": schema, "attributes": {}}) == expected


def test_keys_that_are_words_or_secrets_are_not_repeated():
    odd = {"Ann's own words": 1, "sk-proj-abcdefghijklmnopqrstuvwxyz0123": 2, "fresh": 3}
    assert newer("bedrock", {"schemaVersion": "1.0", **odd}) == Newer("bedrock", None, ("fresh", "…"))


def test_a_version_is_shown_by_its_numbers_alone():
    assert newer("bedrock", {"schemaVersion": "9.1 of Ann"}) == Newer("bedrock", "9.1", ())


def test_newer_records_are_booked_counted_and_told_by_doctor(books, samples, tmp_path):
    records = [{**each, "brand_new": 1} for each in sampled(samples, "litellm")]
    summary = books.ingest(books.file("a.jsonl", b"".join(json.dumps(r).encode() + b"\n" for r in records)))
    accepted = summary.total("read") - summary.total("rejected") - summary.total("set_aside")
    assert accepted > 0
    assert books.rows("SELECT format, version, fields, records FROM newer_records") == [
        ("litellm", None, ["brand_new"], accepted)
    ]
    now = datetime(2026, 10, 7, 12, tzinfo=UTC)
    (tmp_path / "tollbook.toml").write_text("")
    points = examine(load(tmp_path / "tollbook.toml"), books.ledger, books.visit, now)
    (said,) = [point.text for point in points if point.about == "newer than known"]
    assert said == (
        f"litellm: {accepted} records with brand_new, not understood; booked by the fields that are known"
    )


def test_a_log_with_ever_other_fields_fills_no_table(books):
    now = datetime(2026, 10, 7, 12, tzinfo=UTC)
    with books.visit() as ledger:
        for number in range(250):
            newer_records.keep(ledger, {Newer("litellm", None, (f"f{number}",)): 1}, now)
        found = newer_records.known(ledger)
    assert len(found) == 201
    assert found[0] == (Newer("litellm", None, ("…",)), 50)
