"""Make the ledger's rows of a request: counted, attributed, its people and prompts hashed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from uuid import UUID

import polars as pl

from collector.apis.token_buckets import ABSURD_TOKENS
from collector.attribution import Dimensions, Rules, attribute, attribute_span, people, ruled_tags
from collector.columns import ColumnMap
from collector.counting import count
from collector.counting.learned import Calibrations, calibrated
from collector.formats.format import Follow
from collector.identity import of_request, request_id
from collector.prompt_hashes import prompt_hash, prompt_version
from collector.redaction import holds_secret, shown, without_secret
from collector.samples import SampleRules
from collector.segments import SegmentRules
from ledger.frames import ECHO, PART, RECORDS
from ledger.keys import keyed
from ledger.posting import PROMPT_VERSIONS
from ledger.types import SEGMENTS, Count, CountMethod, Request, Span, Usage

# A day of grace: clocks of other machines and zones, not a forecast.
GRACE = timedelta(days=1)
AHEAD = "the time of the call, {:%Y-%m-%d %H:%M} UTC, is in the future"
_parts = attrgetter(*SEGMENTS)
# What a column holds; a log that says more is broken.
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Reading:
    """What every record of one source is read with.

    `follow` is there where its format needs what went before, `scope` where its names of calls hold among
    some files only, `columns` where it is a table. Where it `counts` nothing, texts are not
    looked at.
    """

    source: str
    source_file: str
    ingested_at: datetime
    fallback_ts: datetime | None
    key: bytes
    rules: Rules
    segment_rules: SegmentRules
    calibrations: Calibrations = field(default_factory=dict)
    follow: Follow | None = None
    scope: str | None = None
    columns: ColumnMap | None = None
    counts: bool = True
    samples: SampleRules | None = None


@dataclass(frozen=True, slots=True)
class PromptVersion:
    """The fixed part of a prompt as first seen by a workflow."""

    prompt_version: str
    workflow: str | None
    ts: datetime
    system_tokens: int
    tools_tokens: int
    schema_tokens: int
    tool_tokens: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One RECORDS row as a tuple in schema order, and its prompt's version if it has one."""

    values: tuple[object, ...]
    version: PromptVersion | None


def row(request: Request, record_digest: bytes, line: int, reading: Reading) -> Row:
    """Count and attribute one request. Raises ValueError where its time cannot be right or be known."""
    own_ts = _checked_time(request, reading)
    # A part is no row, and its call has a time of its own.
    ts = own_ts or reading.fallback_ts or (reading.ingested_at if request.part else None)
    if ts is None:
        raise ValueError("no time in the record: give one for all such records with --assume-time")
    if not reading.counts:
        request = replace(request, prompt=None, answer=None)
    estimated = count(request, reading.segment_rules)
    counted = _checked_count(calibrated(estimated, request, reading.calibrations))
    where = attribute(reading.rules, request)
    version = None if request.prompt is None else prompt_version(request.prompt, reading.key)
    values = _values(request, record_digest, line, reading, counted, where, ts, own_ts is None, version)
    seen = None if version is None else _seen(version, _own_workflow(where), ts, counted)
    return Row(values, seen)


def _own_workflow(where: Dimensions) -> str | None:
    return where.workflow or (where.otherwise[1] if where.otherwise else None)


def _checked_time(request: Request | Span, reading: Reading) -> datetime | None:
    if request.ts is not None and request.ts - reading.ingested_at > GRACE:
        raise ValueError(AHEAD.format(request.ts))
    return request.ts


def _checked_count(counted: Count) -> Count:
    # An image's claimed size or a list of token ids can make the prompt larger than any could be.
    parts: tuple[int, ...] = _parts(counted.segments)
    if min(parts) < 0 or sum(parts) > ABSURD_TOKENS:
        raise ValueError(f"the prompt would have {sum(parts):.3g} tokens, expected 0 to {ABSURD_TOKENS}")
    return counted


def _output_limit(request: Request) -> int | None:
    limit = request.max_output_tokens
    if limit is not None and not -_MOST <= limit <= _MOST:
        raise ValueError(f"the output limit has {len(str(abs(limit)))} digits, expected a number of tokens")
    return limit


def _values(
    request: Request,
    record_digest: bytes,
    line: int,
    reading: Reading,
    counted: Count,
    where: Dimensions,
    ts: datetime,
    ts_estimated: bool,
    version: str | None,
) -> tuple[object, ...]:
    known_as, id_kind = identity(request, record_digest, reading)
    usage = request.usage or Usage()
    known = counted.method != CountMethod.NONE
    return (
        known_as,
        record_digest,
        id_kind,
        _naive(ts),
        ts_estimated,
        _naive(reading.ingested_at),
        reading.source,
        reading.source_file,
        line,
        without_secret(where.tenant),
        without_secret(where.workflow),
        without_secret(where.environment),
        _hashed(where.end_user, reading.key),
        _tags(request, reading.rules),
        without_secret(request.provider),
        without_secret(request.model),
        where.model_tier,
        shown(request.operation),
        request.api.value,
        without_secret(request.service_tier),
        request.status.value,
        request.http_status,
        without_secret(request.error_type),
        request.latency_ms,
        request.ttft_ms,
        request.streamed,
        request.attempt,
        request.cache_hit,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.audio_input_tokens,
        usage.audio_output_tokens,
        request.usage_json,
        counted.input_tokens,
        counted.output_tokens,
        None if counted.output_tokens is None else counted.answer_tokens,
        None if counted.output_tokens is None else counted.tool_call_tokens,
        list(_parts(counted.segments)) if known else None,
        counted.method.value,
        counted.error if known else None,
        counted.category.value if known else None,
        list(counted.chunk_tokens) if known else None,
        counted.tokenizer or None,
        counted.rules or None,
        version,
        None if request.prompt is None else prompt_hash(request.prompt, reading.key),
        _output_limit(request),
        request.temperature,
        request.reported_cost_usd,
        span_id(request.span, reading.key),
        span_id(request.parent_span, reading.key),
        _otherwise(where, reading.key),
    )


def span_id(name: str | None, key: bytes) -> str | None:
    """What a call or a step is known by in the ledger: some logs name them by what a customer wrote."""
    if name is None:
        return None
    # What the provider made tells nothing of anybody, and so holds through a change of keys.
    return of_request(name) or str(UUID(bytes=keyed(key, b"span:" + name.encode("utf-8", "replace"))))


def _otherwise(where: Dimensions, key: bytes) -> list[str | None] | None:
    if where.otherwise is None:
        return None
    *rest, person = where.otherwise
    return [*rest, _hashed(person, key)]


def span_row(span: Span, reading: Reading) -> tuple[object, ...]:
    """A row of SPANS. Raises ValueError where the time is in the future."""
    own_ts = _checked_time(span, reading)
    where = attribute_span(reading.rules, span)
    return (
        span_id(span.span, reading.key),
        span_id(span.parent, reading.key),
        _naive(own_ts or reading.fallback_ts or reading.ingested_at),
        own_ts is None,
        where.tenant,
        where.workflow,
        where.environment,
        _hashed(where.end_user, reading.key),
    )


def identity(request: Request, record_digest: bytes, reading: Reading) -> tuple[str, str]:
    """A part of a call goes by the call's name in its log, as it does not know the call's id."""
    named = span_id(request.span, reading.key) if request.part or request.echo else None
    if named is None:
        return request_id(request, reading.source, record_digest)
    return named, PART if request.part else ECHO


def _tags(request: Request, rules: Rules) -> list[dict[str, str]]:
    """The tags to keep: one that names the end user goes into the ledger as a keyed hash only."""
    person = people(rules)
    kept = {**request.tags, **ruled_tags(rules, request)}
    return [
        {"key": key, "value": text}
        for key, text in sorted(kept.items())
        if key not in person and not holds_secret(key) and not holds_secret(text)
    ]


def _naive(ts: datetime) -> datetime:
    return ts.astimezone(UTC).replace(tzinfo=None)


def _hashed(person: str | None, key: bytes) -> str | None:
    return None if person is None else keyed(key, person.encode("utf-8", "replace")).hex()


def _seen(version: str, workflow: str | None, ts: datetime, counted: Count) -> PromptVersion:
    parts = counted.segments
    return PromptVersion(
        version, workflow, _naive(ts), parts.system, parts.tools, parts.schema, _named(counted.tool_tokens)
    )


def _named(tool_tokens: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    return tuple((shown(name), tokens) for name, tokens in tool_tokens)


def records_frame(rows: Sequence[Row]) -> pl.DataFrame:
    """The rows as a RECORDS frame."""
    # Row by row, as a column of lists of pairs takes Polars fifteen times as long by itself.
    return pl.DataFrame([each.values for each in rows], schema=RECORDS, orient="row")


def versions_frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Each prompt version and workflow of the rows once: when first and last seen, its largest count."""
    seen: dict[tuple[str, str | None], list[PromptVersion]] = {}
    for version in (each.version for each in rows if each.version is not None):
        seen.setdefault((version.prompt_version, version.workflow), []).append(version)
    return pl.DataFrame([_version_row(versions) for versions in seen.values()], schema=PROMPT_VERSIONS)


def _version_row(versions: list[PromptVersion]) -> dict[str, object]:
    largest = max(versions, key=attrgetter("tools_tokens", "system_tokens", "schema_tokens"))
    return {
        "prompt_version": largest.prompt_version,
        "workflow": largest.workflow,
        "first_seen": min(version.ts for version in versions),
        "last_seen": max(version.ts for version in versions),
        "system_tokens": largest.system_tokens,
        "tools_tokens": largest.tools_tokens,
        "schema_tokens": largest.schema_tokens,
        "tool_tokens": [
            {"key": name, "value": tokens} for name, tokens in sorted(dict(largest.tool_tokens).items())
        ],
    }
