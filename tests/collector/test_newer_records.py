"""Records that are newer than their reader are booked, counted, and named by doctor."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from collector.formats import FORMATS
from collector.formats.newer import newer
from ledger import newer_records
from ledger.types import Bill, Newer, Request
from tollbook.config import load
from tollbook.doctor import examine

UNDERSTANDING = [name for name, form in FORMATS.items() if form.understands is not None]
# What an export request holds around its spans is OpenTelemetry's own, and so is all but tokens inside them.
OF_TOP_FIELDS = [name for name in UNDERSTANDING if name != "otlp"]
# Where the records of a format are inside a page, a report or a list.
INSIDE = ("data", "results", "records", "runs", "observations")


def records_of(samples, form: str) -> list[dict[str, object]]:
    text = (samples / "formats" / f"{form}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def calls_of(form: str, records: list[dict[str, object]]) -> list[dict[str, object]]:
    """What the format's reader is given of the records of one file."""
    if FORMATS[form].follow is not None:
        items = FORMATS[form].follow()
        return [item for record in (*records, None) for item in items(record)]
    items = FORMATS[form].items or (lambda record: [record])
    return [item for record in records for item in items(record)]


def with_field(record: object, name: str) -> object:
    """The record and all records inside it with one field more."""
    if not isinstance(record, dict):
        return record
    inside = {
        key: [with_field(each, name) for each in record[key]]
        for key in INSIDE
        if isinstance(record.get(key), list)
    }
    return {**record, **inside, name: 7}


def booked(form: str, record: dict[str, object]) -> bool:
    try:
        return isinstance(FORMATS[form].read(record), Request | Bill)
    except ValueError:
        return False


def fields_told(books, tmp_path) -> list[str]:
    (tmp_path / "tollbook.toml").write_text("")
    now = datetime(2026, 10, 7, 12, tzinfo=UTC)
    points = examine(load(tmp_path / "tollbook.toml"), books.ledger, books.visit, now)
    return [point.text for point in points if point.about == "newer than known"]


def test_all_formats_but_those_of_free_shape_name_what_they_know():
    assert set(FORMATS) - set(UNDERSTANDING) == {"pair", "table", "tollbook"}


@pytest.mark.parametrize("form", UNDERSTANDING)
def test_nothing_of_a_formats_own_sample_is_new(samples, form):
    calls = [call for call in calls_of(form, records_of(samples, form)) if booked(form, call)]
    assert calls
    assert [found for call in calls if (found := newer(form, call))] == []


@pytest.mark.parametrize(
    "forms", [OF_TOP_FIELDS[start : start + 8] for start in range(0, len(OF_TOP_FIELDS), 8)]
)
def test_records_with_a_field_that_nobody_knows_are_booked_and_told_by_doctor(
    books, samples, forms, tmp_path
):
    for form in forms:
        records = [with_field(record, "brand_new_tokens") for record in records_of(samples, form)]
        books.file(f"{form}.jsonl", b"".join(json.dumps(record).encode() + b"\n" for record in records))
    books.ingest(*(books.folder / f"{form}.jsonl" for form in forms))
    found = books.rows("SELECT format, version, fields FROM newer_records ORDER BY format")
    assert found == [(form, None, ["brand_new_tokens"]) for form in sorted(forms)]
    told = fields_told(books, tmp_path)
    assert sorted(text.split(":")[0] for text in told) == sorted(forms)
    assert all("with brand_new_tokens, not understood" in text for text in told)


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


def test_new_tokens_in_the_usage_of_an_answer_are_named(samples):
    record = records_of(samples, "openai")[0]
    record["usage"]["video_tokens"] = 3
    assert newer("openai", record) == Newer("openai", None, ("usage.video_tokens",))


@pytest.mark.parametrize(("version", "found"), [("1.0.24", None), ("2.1.300", None), ("2.2.0", "2.2.0")])
def test_a_session_of_a_later_claude_code_is_newer(version, found):
    item = {"records": [{"version": version}], "history": []}
    assert newer("claude_code", item) == (found and Newer("claude_code", found, ()))


def test_columns_that_a_provider_adds_to_focus_are_its_own():
    assert newer("focus", {"x_Discount": "1", "BilledCost": "2"}) is None


def test_newer_records_are_told_with_their_number(books, samples, tmp_path):
    records = [{**each, "brand_new": 1} for each in records_of(samples, "litellm")]
    summary = books.ingest(books.file("a.jsonl", b"".join(json.dumps(r).encode() + b"\n" for r in records)))
    accepted = summary.total("read") - summary.total("rejected") - summary.total("set_aside")
    assert accepted > 0
    assert fields_told(books, tmp_path) == [
        f"litellm: {accepted} records with brand_new, not understood; booked by the fields that are known"
    ]


@pytest.mark.shared
def test_nothing_of_the_shared_samples_is_newer(books, shared):
    folder = shared / "formats"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".md"]
    books.ingest(*files)
    assert books.rows("SELECT format, version, fields FROM newer_records") == []


def test_what_doctor_does_not_name_it_counts(books, tmp_path):
    seen = {Newer("litellm", None, (f"f{number:02}",)): 20 - number for number in range(13)}
    with books.visit() as ledger:
        newer_records.keep(ledger, seen, datetime(2026, 10, 7, 12, tzinfo=UTC))
    told = fields_told(books, tmp_path)
    assert (len(told), told[-1]) == (11, "3 more kinds, in 27 records: the table newer_records has them all")


def test_a_log_with_ever_other_fields_fills_no_table(books):
    now = datetime(2026, 10, 7, 12, tzinfo=UTC)
    with books.visit() as ledger:
        for number in range(250):
            newer_records.keep(ledger, {Newer("litellm", None, (f"f{number}",)): 1}, now)
        found = newer_records.known(ledger)
    assert len(found) == 201
    assert found[0] == (Newer("litellm", None, ("…",)), 50)
