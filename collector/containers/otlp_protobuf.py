"""OTLP's protobuf messages, one export request or a stream of them, as the JSON that OTLP has for them."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec
import zstandard

from collector import sources
from collector.containers.container import Opened
from collector.identity import digest
from collector.sources import MAX_RECORD_BYTES, Record, SourceError
from ledger.posting import DAMAGED, UNFINISHED

if TYPE_CHECKING:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

Json = dict[str, object]
Convert = Callable[[bytes], Json | None]
# Every export request begins with its first field, which no length in front of one can look like.
_FIELD_1 = 0x0A
_ZSTD = b"\x28\xb5\x2f\xfd"
_LENGTH = struct.Struct(">I")
_NO_MESSAGE = "no OTLP message: neither traces nor logs nor metrics"
_TOO_LARGE = f"an OTLP message of more than {MAX_RECORD_BYTES:,} bytes"


def records(opened: Opened) -> Iterator[Record]:
    """The export requests of a file: a message alone, or each after its length in four bytes or a varint.

    A last one whose rest is not written yet is left for the next time. Raises SourceError where the package
    that knows the messages is not installed.
    """
    convert = _converter(opened.path)
    start = opened.start.position
    number = opened.start.lines
    stream = sources.plain_text(opened.path, opened.handle)
    left = None if sources.is_compressed(opened.path) or opened.path == sources.STDIN else opened.size
    try:
        for offset, message, problem in _messages(stream, start, left):
            number += 1
            yield _record(number, offset, message, problem, convert)
    except sources.DAMAGE:
        yield Record(number + 1, start, b"", 0, DAMAGED)


def _record(number: int, offset: int, framed: bytes, problem: str | None, convert: Convert) -> Record:
    if problem is not None:
        return Record(number, offset, b"", 0, problem, unfinished=problem == UNFINISHED)
    found = convert(_body(framed))
    if found is None:
        return Record(number, offset, b"", len(framed), _NO_MESSAGE, known_by=digest(framed))
    return Record(number, offset, msgspec.json.encode(found), len(framed))


def _body(framed: bytes) -> bytes:
    """The message behind its length; the collector packs each by itself where it is told to."""
    head = _head_of(framed)
    body = framed[head[0] :] if head else framed
    if body.startswith(_ZSTD):
        with suppress(zstandard.ZstdError):
            return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


def _head_of(data: bytes) -> tuple[int, int] | None:
    """How long the length in front is, and what it says; None where the data begins with a message."""
    if not data or data[0] == _FIELD_1:
        return None
    if len(data) >= _LENGTH.size and data[_LENGTH.size : _LENGTH.size + 1] in (b"\x0a", _ZSTD[:1], b""):
        return _LENGTH.size, _LENGTH.unpack_from(data)[0]
    value = 0
    for place, byte in enumerate(data[:5]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return place + 1, value
    return None


@dataclass(slots=True)
class _Bytes:
    """What is left of a stream: `left` bytes, or all of it where that is None; `ahead` are read already."""

    stream: IO[bytes]
    left: int | None
    ahead: bytes = b""

    def see(self, size: int) -> bytes:
        """The next bytes, as many as there are, without passing them."""
        while len(self.ahead) < size:
            most = size - len(self.ahead)
            found = self.stream.read(most if self.left is None else min(most, self.left))
            if not found:
                break
            self.left = None if self.left is None else self.left - len(found)
            self.ahead += found
        return self.ahead[:size]

    def take(self, size: int) -> bytes:
        """The next bytes, passed."""
        found, self.ahead = self.see(size), self.ahead[size:]
        return found


def _messages(stream: IO[bytes], start: int, end: int | None) -> Iterator[tuple[int, bytes, str | None]]:
    """Where each message begins with its length in front, its bytes, or what is wrong with it."""
    sources.skip(stream, 0, start)
    found, position = _Bytes(stream, None if end is None else end - start), start
    while front := found.see(8):
        head = _head_of(front)
        size = MAX_RECORD_BYTES + 1 if head is None else sum(head)
        if head is not None and size > MAX_RECORD_BYTES:
            yield position, b"", _TOO_LARGE
            return
        message = found.take(size)
        problem = _problem(message, size, alone=head is None)
        yield position, message if problem is None else b"", problem
        if problem is not None:
            return
        position += len(message)


def _problem(message: bytes, size: int, *, alone: bool) -> str | None:
    if alone:
        return _TOO_LARGE if len(message) > MAX_RECORD_BYTES else None
    return UNFINISHED if len(message) < size else None


def _converter(path: str) -> Convert:
    try:
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    except ImportError:
        raise SourceError(
            f"{path} holds OTLP's protobuf: install tollbook with the extra otlp "
            "(pip install 'tollbook[otlp]'), or have it exported as JSON"
        ) from None

    def convert(message: bytes) -> Json | None:
        """A message says nothing of its kind: it is of the kind whose own fields it has."""
        with suppress(DecodeError):
            if _has_spans(traces := ExportTraceServiceRequest.FromString(message)):
                return {"resourceSpans": [_resource_spans(each) for each in traces.resource_spans]}
        with suppress(DecodeError):
            if _has_logs(logs := ExportLogsServiceRequest.FromString(message)):
                return {"resourceLogs": [_resource_logs(each) for each in logs.resource_logs]}
        with suppress(DecodeError):
            if ExportMetricsServiceRequest.FromString(message).resource_metrics or not message:
                return {"resourceMetrics": []}
        return None

    return convert


def _has_spans(traces: ExportTraceServiceRequest) -> bool:
    spans = (span for group in traces.resource_spans for scope in group.scope_spans for span in scope.spans)
    return any(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)


def _has_logs(logs: ExportLogsServiceRequest) -> bool:
    found = (log for group in logs.resource_logs for scope in group.scope_logs for log in scope.log_records)
    return any(log.time_unix_nano or log.observed_time_unix_nano for log in found)


def _resource_spans(group: ResourceSpans) -> Json:
    return {
        "resource": {"attributes": _attributes(group.resource.attributes)},
        "scopeSpans": [
            {"scope": {"name": each.scope.name}, "spans": list(map(_span, each.spans))}
            for each in group.scope_spans
        ],
    }


def _span(span: Span) -> Json:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": str(span.end_time_unix_nano),
        "attributes": _attributes(span.attributes),
        "events": [{"name": each.name, "attributes": _attributes(each.attributes)} for each in span.events],
        "status": {"code": span.status.code},
    }


def _resource_logs(group: ResourceLogs) -> Json:
    return {
        "resource": {"attributes": _attributes(group.resource.attributes)},
        "scopeLogs": [
            {"scope": {"name": each.scope.name}, "logRecords": list(map(_log, each.log_records))}
            for each in group.scope_logs
        ],
    }


def _log(log: LogRecord) -> Json:
    return {
        "timeUnixNano": str(log.time_unix_nano),
        "observedTimeUnixNano": str(log.observed_time_unix_nano),
        "eventName": log.event_name,
        "body": _value(log.body),
        "attributes": _attributes(log.attributes),
        "traceId": log.trace_id.hex(),
        "spanId": log.span_id.hex(),
    }


def _attributes(listed: Iterable[KeyValue]) -> list[Json]:
    return [{"key": each.key, "value": _value(each.value)} for each in listed]


def _value(value: AnyValue) -> Json:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"stringValue": value.string_value}
    if kind == "int_value":
        return {"intValue": str(value.int_value)}
    if kind == "array_value":
        return {"arrayValue": {"values": list(map(_value, value.array_value.values))}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _attributes(value.kvlist_value.values)}}
    return _plain_value(value, kind)


def _plain_value(value: AnyValue, kind: str | None) -> Json:
    if kind == "bool_value":
        return {"boolValue": value.bool_value}
    if kind == "double_value":
        return {"doubleValue": value.double_value if math.isfinite(value.double_value) else None}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    return {}
