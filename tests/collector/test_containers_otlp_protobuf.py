"""OTLP's protobuf is read as its JSON is, alone, in a stream, packed and cut."""

from __future__ import annotations

import builtins
import struct
from datetime import UTC, datetime

import pytest
import zstandard

pytest.importorskip("opentelemetry.proto")

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ledger.posting import UNFINISHED

# 2026-10-05 12:00:00 UTC
NOON = 1_791_201_600_000_000_000
SAID = {
    "gen_ai.operation.name": "chat",
    "gen_ai.response.model": "gpt-4.1-mini-2025-04-14",
    "gen_ai.usage.input_tokens": 300,
    "gen_ai.usage.cache_read.input_tokens": 200,
    "gen_ai.usage.output_tokens": 10,
}


def put(listed, said) -> None:
    for key, value in said.items():
        entry = listed.add(key=key)
        if isinstance(value, str):
            entry.value.string_value = value
        else:
            entry.value.int_value = value


def traces(*numbers: int, tenant: str = "acme") -> bytes:
    """A workflow span with a call for each number beneath it."""
    export = ExportTraceServiceRequest()
    group = export.resource_spans.add()
    put(group.resource.attributes, {"tenant.id": tenant})
    scope = group.scope_spans.add()
    top = scope.spans.add(trace_id=b"t" * 16, span_id=b"workflow", start_time_unix_nano=NOON)
    put(top.attributes, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "triage"})
    for number in numbers:
        span = scope.spans.add(
            trace_id=b"t" * 16,
            span_id=b"call%04d" % number,
            parent_span_id=b"workflow",
            start_time_unix_nano=NOON,
            end_time_unix_nano=NOON + 2_000_000_000,
        )
        put(span.attributes, SAID)
    return export.SerializeToString()


def logs() -> bytes:
    export = ExportLogsServiceRequest()
    log = export.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOON)
    log.event_name = "gen_ai.client.inference.operation.details"
    log.trace_id, log.span_id = b"t" * 16, b"call0001"
    put(log.attributes, SAID)
    return export.SerializeToString()


def metrics() -> bytes:
    export = ExportMetricsServiceRequest()
    metric = export.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    metric.sum.data_points.add(as_int=5, time_unix_nano=NOON)
    return export.SerializeToString()


def after_length(*messages: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(message)) + message for message in messages)


def test_a_message_alone_gives_its_calls_with_ids_in_hex(books):
    summary = books.ingest(books.file("export.pb", traces(1, 2)))
    assert (summary.total("added"), summary.problems) == (2, ())
    row = ("otlp", "acme", "triage", 100, 200, 10, 2000)
    columns = "source, tenant, workflow, input_tokens, cache_read_tokens, output_tokens, latency_ms"
    assert books.rows(f"SELECT {columns} FROM requests") == [row, row]


def test_a_span_and_its_event_are_one_call(books):
    books.ingest(books.file("a.pb", traces(1)), books.file("b.pb", logs()))
    assert books.rows("SELECT count(*), min(tenant) FROM requests") == [(1, "acme")]


@pytest.mark.parametrize("name", ["a.pb", "a.bin", "a.proto"])
def test_a_stream_of_messages_after_their_lengths_is_read_through(books, name):
    summary = books.ingest(books.file(name, after_length(traces(1), metrics(), traces(2, 3))))
    assert (summary.total("added"), summary.total("set_aside"), summary.total("rejected")) == (3, 1, 0)
    assert books.rows("SELECT source_line FROM requests ORDER BY 1") == [(1,), (3,), (3,)]


def test_lengths_may_be_varints_and_messages_packed_each_by_itself(books):
    message = traces(1)
    assert 128 <= len(message) < 128 * 128
    varint = bytes([len(message) & 0x7F | 0x80, len(message) >> 7])
    packed = zstandard.ZstdCompressor().compress(traces(2))
    books.ingest(books.file("a.pb", varint + message), books.file("b.pb", after_length(packed)))
    assert books.rows("SELECT count(*) FROM requests") == [(2,)]


def test_a_stream_is_read_on_where_it_was_left_and_its_cut_end_is_waited_for(books):
    whole = after_length(traces(1), traces(2))
    first = books.ingest(books.file("a.pb", whole[:-30]))
    assert (first.total("added"), books.reasons()) == (1, [(2, UNFINISHED)])
    second = books.ingest(books.file("a.pb", whole))
    assert (second.total("read"), second.total("added"), books.reasons()) == (1, 1, [])
    third = books.ingest(books.file("a.pb", whole))
    assert third.total("read") == 0


def test_metrics_are_set_aside(books):
    summary = books.ingest(books.file("m.pb", metrics()))
    assert (summary.total("set_aside"), summary.total("rejected"), summary.problems) == (1, 0, ())


def test_what_is_no_otlp_message_is_a_reject(books):
    books.ingest(books.file("a.pb", b"\x0a\xff\xff broken"), format="otlp")
    assert [reason for _, reason in books.reasons()] == [
        "no OTLP message: neither traces nor logs nor metrics"
    ]


def test_without_the_package_a_sentence_names_the_extra(books, monkeypatch):
    found = builtins.__import__

    def without(name, *args, **more):
        if name.startswith(("opentelemetry.", "google.protobuf")):
            raise ImportError(name)
        return found(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    summary = books.ingest(books.file("a.pb", traces(1)))
    assert "tollbook[otlp]" in summary.problems[0]


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["otlp_genaiopenai_traces_07.pb", "otlp_defaultol_traces_07.pb", "otlp_json_traces_07.json"]
)
def test_captures_of_one_program_give_the_same_rows_in_either_encoding(books, shared, name):
    books.ingest(shared / "formats" / "captured" / name, now=datetime(2026, 11, 23, tzinfo=UTC))
    columns = (
        "tenant, workflow, environment, model, input_tokens, cache_read_tokens, output_tokens, "
        "cost_usd::VARCHAR"
    )
    who = ("acme", "answer_ticket", "prod")
    # 176 × 2.50 + 1,024 × 1.25 + 42 × 10 dollars a million
    usual = (*who, "gpt-4o-2024-08-06", 176, 1024, 42, "0.002140000000")
    assert books.rows(f"SELECT {columns} FROM requests WHERE model LIKE 'gpt-4o%' ORDER BY ALL") == [
        # a stream without usage: 8 × 2.50 + 4 × 10
        (*who, "gpt-4o-2024-08-06", 8, None, 4, "0.000060000000"),
        *[usual] * 3,
    ]
    # 176 × 1.25 + 1,024 × 0.125 + 42 × 10
    assert books.rows(f"SELECT {columns} FROM requests WHERE model = 'gpt-5'") == [
        (*who, "gpt-5", 176, 1024, 42, "0.000768000000")
    ]
    assert books.rows(
        "SELECT tenant, workflow, input_tokens FROM requests WHERE operation = 'embedding'"
    ) == [("acme", "answer_ticket", 14)]
    assert books.rows("SELECT streamed FROM requests WHERE usage_source = 'counted'") == [(True,)]
