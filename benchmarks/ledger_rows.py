"""Invented records of calls: many tenants, few workflows each, a working day, seeded."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from ledger.frames import RECORDS
from ledger.types import SEGMENTS

TENANTS, WORKFLOWS, WORKFLOWS_EACH = 50, 40, 6
MODELS = (
    ("openai", "gpt-4.1-mini", "standard"),
    ("openai", "gpt-4.1", "premium"),
    ("openai", "gpt-4o-mini", "standard"),
    ("anthropic", "claude-sonnet-4-5", "premium"),
    ("google", "gemini-2.5-flash", "standard"),
)
_MODEL_SHARE = (0.45, 0.2, 0.15, 0.12, 0.08)
# How much of a prompt each segment is on average, in the order of SEGMENTS.
_SEGMENT_SHARE = (0.15, 0.12, 0.03, 0.25, 0.2, 0.05, 0.15, 0.02, 0.02, 0.01)


def records(rows: int, seed: int, start: datetime, span: timedelta) -> pl.DataFrame:
    """RECORDS of so many calls, oldest first; the same arguments give the same rows."""
    random = np.random.default_rng(seed)
    tenant = np.minimum(random.zipf(1.4, rows) - 1, TENANTS - 1)
    workflow = (tenant * 7 + random.integers(0, WORKFLOWS_EACH, rows) ** 2) % WORKFLOWS
    usual = np.random.default_rng(3).choice(len(MODELS), WORKFLOWS, p=_MODEL_SHARE)[workflow]
    model = np.where(random.random(rows) < 0.95, usual, 0)
    size = (400 * random.lognormal(0.0, 0.9, rows) * (1 + workflow % 7)).astype(np.int64) + 20
    cached = np.where(random.random(rows) < 0.3, size // 2, 0)
    answer = (120 * random.lognormal(0.0, 0.8, rows)).astype(np.int64) + 1
    failed = random.random(rows) < 0.01
    times = np.sort(random.random(rows)) * span.total_seconds() * 1e6
    names = [np.array([str(each[i]) for each in MODELS])[model] for i in range(3)]
    frame = pl.DataFrame(
        {
            "request_id": _ids(random, rows),
            "record_digest": [random.bytes(16) for _ in range(rows)],
            "ts": times.astype(np.int64),
            "tenant": np.char.add("tenant-", tenant.astype(str)),
            "workflow": np.char.add("workflow-", workflow.astype(str)),
            "provider": names[0],
            "model": names[1],
            "model_tier": names[2],
            "status": np.where(failed, "error", "ok"),
            "latency_ms": random.integers(200, 9000, rows),
            "input_tokens": np.where(failed, 0, size - cached),
            "cache_read_tokens": np.where(failed, 0, cached),
            "output_tokens": np.where(failed, 0, answer),
            "counted_input_tokens": size,
            "counted_output_tokens": answer,
            "counted_answer_tokens": answer,
            "version": workflow * 10 + tenant % 3,
        }
    )
    return _complete(frame.with_row_index("line", offset=1), start)


def _ids(random: np.random.Generator, rows: int) -> list[str]:
    words = random.bytes(16 * rows).hex()
    cut = (words[32 * i : 32 * i + 32] for i in range(rows))
    return [f"{w[:8]}-{w[8:12]}-{w[12:16]}-{w[16:20]}-{w[20:]}" for w in cut]


def _complete(frame: pl.DataFrame, start: datetime) -> pl.DataFrame:
    """All columns of RECORDS."""
    parts = [
        (pl.col("counted_input_tokens") * share).cast(pl.Int64).alias(name)
        for name, share in zip(SEGMENTS, _SEGMENT_SHARE, strict=True)
    ]
    given = frame.select(
        pl.exclude("ts", "line", "version"),
        pl.lit("response").alias("id_kind"),
        (pl.lit(start) + pl.duration(microseconds=pl.col("ts"))).alias("ts"),
        pl.lit(value=False).alias("ts_estimated"),
        (pl.lit(start) + pl.duration(microseconds=pl.col("ts"))).alias("ingested_at"),
        pl.lit("pair").alias("source"),
        pl.lit("invented.jsonl").alias("source_file"),
        pl.col("line").cast(pl.Int64).alias("source_line"),
        pl.lit("prod").alias("environment"),
        pl.lit([], pl.List(pl.Struct({"key": pl.String, "value": pl.String}))).alias("tags"),
        pl.lit("chat").alias("operation"),
        pl.lit("openai.chat").alias("api"),
        pl.lit(200, pl.Int32).alias("http_status"),
        pl.lit(value=False).alias("cache_hit"),
        pl.concat_list(parts).alias("counted_segments"),
        pl.lit("exact").alias("count_method"),
        pl.lit("text").alias("count_category"),
        pl.lit("o200k_base").alias("tokenizer"),
        pl.lit("1").alias("rules"),
        pl.format("version-{}", "version").alias("prompt_version"),
        pl.lit(4096, pl.Int64).alias("max_output_tokens"),
    )
    missing = [
        pl.lit(None, dtype).alias(name) for name, dtype in RECORDS.items() if name not in given.columns
    ]
    return given.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in RECORDS.items())
