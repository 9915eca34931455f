"""The same call seen by a gateway and by a span is one row, and the report and doctor say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

AS_OF = ("--as-of", "2026-10-07T07:00:00Z")
ANSWER = "chatcmpl-BxQ2mN7kLp4RtYz8WvD3"


def _start(day: int, hour: int) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def gateway(at: datetime, answer: str = ANSWER, **more: object) -> dict[str, object]:
    """As a gateway logs it: whole bodies, no latency."""
    return {
        "ts": at.isoformat(),
        "request": {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Where is my parcel?"}]},
        "response": {
            "id": answer,
            "object": "chat.completion",
            "model": "gpt-4.1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Here."}}],
            "usage": {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000},
        },
        "metadata": {"tenant": "acme"},
        **more,
    }


def span(at: datetime, answer: str = ANSWER, *, off_s: int = 0) -> dict[str, object]:
    """As the application's instrumentation tells it: no text, its own clock."""
    start = int(at.timestamp() + off_s) * 10**9
    names = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-4.1",
        "gen_ai.response.id": answer,
    }
    counts = {"gen_ai.usage.input_tokens": 1_000_000, "gen_ai.usage.output_tokens": 0}
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in names.items()]
    attributes += [{"key": key, "value": {"intValue": str(count)}} for key, count in counts.items()]
    one = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "name": "chat gpt-4.1",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 2 * 10**9),
        "attributes": attributes,
    }
    return {
        "resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [one]}]}]
    }


def write(folder: Path, name: str, *records: dict[str, object]) -> None:
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def run(in_folder, folder: Path):
    (folder / "logs" / "two-days.jsonl").unlink()
    return in_folder


def rows(run, sql: str) -> list[list[object]]:
    return json.loads(run("sql", sql, "--json").out)["rows"]


CALL = "SELECT count(*), min(cost_usd), min(latency_ms), min(tenant) FROM requests"
# A million input tokens of gpt-4.1 at $2.00 a million; the span's two seconds; the gateway's tenant.
ONE_ROW = [[1, "2.000000000000", 2000, "acme"]]


@pytest.mark.parametrize("order", [("gateway.jsonl", "spans.jsonl"), ("spans.jsonl", "gateway.jsonl")])
def test_one_row_holds_what_both_say_in_whatever_order_they_come(run, folder, order):
    write(folder, "gateway.jsonl", gateway(_start(6, 9)))
    write(folder, "spans.jsonl", span(_start(6, 9)))
    for name in order:
        run("ingest", name, *AS_OF)
    assert rows(run, CALL) == ONE_ROW


def test_the_report_and_doctor_say_what_was_merged_by_pair_of_sources(run, folder):
    write(
        folder,
        "gateway.jsonl",
        gateway(_start(6, 9)),
        gateway(_start(6, 10), "chatcmpl-0000AAAA1111BBBB2222"),
    )
    write(folder, "spans.jsonl", span(_start(6, 9)))
    run("ingest", "gateway.jsonl", "spans.jsonl", *AS_OF)
    doctor = json.loads(run("doctor", "--json", *AS_OF).out)["points"]
    told = "1 call told by otlp + pair, booked once: $2.00"
    assert [point["text"] for point in doctor if point["about"] == "merged"] == [told]
    report = run("report", "daily", "--date", "2026-10-06", *AS_OF).out
    assert "1 told by otlp + pair and booked once ($2.00)" in " ".join(report.split())
    page = next((folder / "var" / "reports").glob("*.html")).read_text()
    assert "Told by otlp + pair, booked once" in page


def test_two_records_of_one_source_are_no_merge_of_sources(run, folder):
    write(folder, "gateway.jsonl", gateway(_start(6, 9)), gateway(_start(6, 9), status=200))
    run("ingest", "gateway.jsonl", *AS_OF)
    doctor = json.loads(run("doctor", "--json", *AS_OF).out)["points"]
    assert [point for point in doctor if point["about"] == "merged"] == []


def test_clocks_that_differ_by_hours_still_meet_by_the_id(run, folder):
    write(folder, "gateway.jsonl", gateway(_start(6, 9)))
    write(folder, "spans.jsonl", span(_start(6, 9), off_s=5 * 3600))
    run("ingest", "gateway.jsonl", *AS_OF)
    run("ingest", "spans.jsonl", *AS_OF)
    assert rows(run, CALL) == ONE_ROW


def test_a_late_record_redoes_the_hours_it_touches(run, folder):
    write(folder, "gateway.jsonl", gateway(_start(6, 9)))
    run("ingest", "gateway.jsonl", *AS_OF)
    write(folder, "late.jsonl", gateway(_start(5, 9), "chatcmpl-0000AAAA1111BBBB2222"))
    run("ingest", "late.jsonl", *AS_OF)
    by_day = "SELECT strftime(bucket, '%d'), sum(cost_usd) FROM rollup GROUP BY ALL ORDER BY 1"
    assert rows(run, by_day) == [["05", "2.000000000000"], ["06", "2.000000000000"]]


def test_a_corrected_record_of_the_same_id_takes_the_more_complete_usage(run, folder):
    first, corrected = gateway(_start(6, 9)), gateway(_start(6, 9))
    corrected["response"]["usage"] |= {"completion_tokens": 1_000_000, "total_tokens": 2_000_000}
    for order in ([first, corrected], [corrected, first]):
        write(folder, "gateway.jsonl", *order)
        run("ingest", "gateway.jsonl", *AS_OF)
        # Two dollars of input, eight of output.
        assert rows(run, "SELECT count(*), sum(cost_usd) FROM requests") == [[1, "10.000000000000"]]
        assert rows(run, "SELECT sum(cost_usd) FROM rollup") == [["10.000000000000"]]


def test_retries_under_one_call_id_are_calls_of_their_own_by_their_attempt(run, folder):
    call = {"tollbook": 1, "ts": "2026-10-06T09:00:00Z", "call_id": "job-2026-10-06-a", "model": "gpt-4.1"}
    tries = [{**call, "attempt": number, "input_tokens": 1_000_000} for number in (1, 2, 2)]
    write(folder, "flat.jsonl", *tries)
    run("ingest", "flat.jsonl", *AS_OF)
    assert rows(run, "SELECT count(*), sum(cost_usd) FROM requests") == [[2, "4.000000000000"]]
