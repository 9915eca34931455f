"""The named schema of every frame that travels between packages, and the one check at the boundary."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from ledger.types import SEGMENTS

USD = pl.Decimal(38, 12)
UTC = pl.Datetime("us")  # naive, always UTC

DIMENSIONS = ("tenant", "workflow", "model_tier", "environment")
BUCKETS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)

ROLLUP_KEYS = (
    "tenant",
    "workflow",
    "environment",
    "provider",
    "model",
    "model_tier",
    "service_tier",
    "operation",
    "status",
    "usage_source",
)


def _schema(columns: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.Schema:
    return pl.Schema(dict(columns))


# How a usage object begins that says of itself to be an estimate; such a row is no reported one.
SAYS_ESTIMATED = '{"estimated":true'
USAGE_COLUMNS = (*BUCKETS, "reasoning_tokens", "audio_input_tokens", "audio_output_tokens")

# What a call takes from the steps above it where it says nothing of it itself, in the order of `otherwise`.
INHERITED = ("tenant", "workflow", "environment", "end_user")

# One record of a call as read from a log, counted and attributed but not yet merged or priced.
# `counted_segments` is in the order of ledger.types.SEGMENTS. INHERITED are what the record says of the call
# itself; `otherwise` holds the same in their order for where no span above says it either. `span` names the
# call and `parent_span` the step above it, both as UUIDs; a record of the `id_kind` PART has its span as id.
RECORDS = _schema(
    {
        "request_id": pl.String,
        "record_digest": pl.Binary,
        "id_kind": pl.String,
        "ts": UTC,
        "ts_estimated": pl.Boolean,
        "ingested_at": UTC,
        "source": pl.String,
        "source_file": pl.String,
        "source_line": pl.Int64,
        "tenant": pl.String,
        "workflow": pl.String,
        "environment": pl.String,
        "end_user": pl.String,
        "tags": pl.List(pl.Struct({"key": pl.String, "value": pl.String})),
        "provider": pl.String,
        "model": pl.String,
        "model_tier": pl.String,
        "operation": pl.String,
        "api": pl.String,
        "service_tier": pl.String,
        "status": pl.String,
        "http_status": pl.Int32,
        "error_type": pl.String,
        "latency_ms": pl.Int64,
        "ttft_ms": pl.Int64,
        "streamed": pl.Boolean,
        "attempt": pl.Int32,
        "cache_hit": pl.Boolean,
        **dict.fromkeys(USAGE_COLUMNS, pl.Int64),
        "usage_json": pl.String,
        "counted_input_tokens": pl.Int64,
        "counted_output_tokens": pl.Int64,
        "counted_answer_tokens": pl.Int64,
        "counted_tool_call_tokens": pl.Int64,
        "counted_segments": pl.List(pl.Int64),
        "count_method": pl.String,
        "count_error": pl.Float64,
        "count_category": pl.String,
        "context_chunk_tokens": pl.List(pl.Int64),
        "tokenizer": pl.String,
        "rules": pl.String,
        "prompt_version": pl.String,
        "prompt_hash": pl.String,
        "max_output_tokens": pl.Int64,
        "temperature": pl.Float64,
        "reported_cost_usd": pl.Decimal(18, 12),
        "span": pl.String,
        "parent_span": pl.String,
        "otherwise": pl.List(pl.String),
    }
)
# The id_kind of a record that completes the call of its span and is none by itself.
PART = "part"
# The id_kind of a record of a call that another log tells under its own id, with this one's id as its span:
# it is a row by itself until that comes, and completes that call from then on.
ECHO = "echo"
COMPLETING = (PART, ECHO)

# Steps above calls, and what each says of the calls beneath it.
SPANS = _schema(
    {
        "span": pl.String,
        "parent": pl.String,
        "ts": UTC,
        "ts_estimated": pl.Boolean,
        **dict.fromkeys(INHERITED, pl.String),
    }
)

# One row per 15-minute bucket and combination of dimensions. NULL dimensions are kept (Unattributed).
# Token columns are sums over rows where they are known. Costs are sums over priced rows;
# `unpriced_requests` and `unpriced_tokens` say what is missing from them.
# One line of a provider's bill or usage report; `bill_id` is a digest of all that names the line.
BILLS = _schema(
    {
        "bill_id": pl.Binary,
        "provider": pl.String,
        "report": pl.String,
        "period_start": UTC,
        "period_end": UTC,
        "grouped_by": pl.String,
        "model": pl.String,
        "meter": pl.String,
        "keys": pl.List(pl.Struct({"key": pl.String, "value": pl.String})),
        "quantity": USD,
        "unit": pl.String,
        "cost_usd": USD,
        "list_cost_usd": USD,
        "adds": pl.Boolean,
        "reported_at": UTC,
        "record_digest": pl.Binary,
        "source": pl.String,
        "source_file": pl.String,
        "source_line": pl.Int64,
        "ingested_at": UTC,
    }
)

# A report of bills, by the length of its periods and what it is broken down by; `gaps` hold no line.
BILL_REPORTS = _schema(
    {
        "provider": pl.String,
        "report": pl.String,
        "period_s": pl.Int64,
        "grouped_by": pl.String,
        "first": UTC,
        "last": UTC,
        "lines": pl.Int64,
        "periods": pl.Int64,
        "cost_usd": USD,
        "list_cost_usd": USD,
        "reported_at": UTC,
        "loaded_at": UTC,
        "is_running": pl.Boolean,
        "gaps": pl.List(pl.Struct({"from": UTC, "to": UTC})),
    }
)

ROLLUP = _schema(
    {
        "bucket": UTC,
        **dict.fromkeys(ROLLUP_KEYS, pl.String),
        "requests": pl.Int64,
        **dict.fromkeys(BUCKETS, pl.Int64),
        "reasoning_tokens": pl.Int64,
        "audio_input_tokens": pl.Int64,
        "audio_output_tokens": pl.Int64,
        "counted_input_tokens": pl.Int64,
        "counted_output_tokens": pl.Int64,
        **{f"seg_{name}": pl.Int64 for name in SEGMENTS},
        **{f"cost_{name}_usd": USD for name in SEGMENTS},
        "cost_answer_usd": USD,
        "cost_tool_calls_usd": USD,
        "cost_reasoning_usd": USD,
        "cost_usd": USD,
        "list_cost_usd": USD,
        "contracted_cost_usd": USD,
        "input_cost_usd": USD,
        "cache_read_cost_usd": USD,
        "output_cost_usd": USD,
        "unpriced_requests": pl.Int64,
        "unpriced_tokens": pl.Int64,
    }
)

# How large and how dear answered calls were: a row a side (input, output, cost) and bin of sizes. A bin holds
# one size below 50 and is 2 % wide above, so that each of its calls is within 2 % of the bin's mean; sums
# are exact. `usd` is that side's money; `tokens` is NULL for cost. Calls of estimated time are not in it.
SIZE_BINS = _schema(
    {
        "bucket": UTC,
        "tenant": pl.String,
        "workflow": pl.String,
        "side": pl.String,
        "requests": pl.Int64,
        "tokens": pl.Int64,
        "usd": USD,
    }
)

# Which prompts were in use: a row an hour. `ts` is the first such call of it; `measured_*` are of the calls
# whose input and cost are known.
PROMPT_USE = _schema(
    {
        "ts": UTC,
        "tenant": pl.String,
        "workflow": pl.String,
        "status": pl.String,
        "prompt_version": pl.String,
        "requests": pl.Int64,
        "measured_requests": pl.Int64,
        "measured_tokens": pl.Int64,
        "measured_usd": USD,
    }
)

# The bins of errors in COUNT_DAYS (see sql/count_days.sql).
SMALLEST_ERROR = 1e-4
ERROR_GROWTH = 1.1

# Our count of the input beside the reported one: a row a UTC day, model, api, category, method (see
# ledger.types) and bin of the signed error. `error_ppm` sums |counted - reported| / reported in millionths.
COUNT_DAYS = _schema(
    {
        "day": pl.Date,
        "model": pl.String,
        "api": pl.String,
        "category": pl.String,
        "method": pl.String,
        "ts_estimated": pl.Boolean,
        "bin": pl.Int16,
        "compared": pl.Int64,
        "equal": pl.Int64,
        "within_2": pl.Int64,
        "reported_tokens": pl.Int64,
        "counted_tokens": pl.Int64,
        "error_ppm": pl.Int64,
    }
)

# COUNT_DAYS summed up by one of its dimensions or by time. Shares and errors are of the compared calls;
# `drift` is (counted - reported) / reported of all their tokens.
COUNT_SUMMARY = _schema(
    {
        "group": pl.String,
        "compared": pl.Int64,
        "exact_share": pl.Float64,
        "within_2_share": pl.Float64,
        "mean_error": pl.Float64,
        "median_error": pl.Float64,
        "drift": pl.Float64,
    }
)

# Spend by one dimension in a period, beside the period before. `value` NULL is Unattributed.
# `trend` holds the daily cost (dollars as float, for drawing only) of the days up to the period's end.
BREAKDOWN = _schema(
    {
        "dimension": pl.String,
        "value": pl.String,
        "requests": pl.Int64,
        "tokens": pl.Int64,
        "cost_usd": USD,
        "share": pl.Float64,
        "previous_cost_usd": USD,
        "change_usd": USD,
        "unpriced_requests": pl.Int64,
        "estimated_cost_usd": USD,
        "trend": pl.List(pl.Float64),
    }
)

# One row per calendar day in the reporting zone; `complete` is false for a day still running.
# `requests` 0 with `cost_usd` NULL is a day without any row.
DAILY = _schema(
    {
        "day": pl.Date,
        "requests": pl.Int64,
        "tokens": pl.Int64,
        "cost_usd": USD,
        "plan_usd": USD,
        "weekend": pl.Boolean,
        "complete": pl.Boolean,
    }
)

# The exact split of a change in spend by factor; amounts sum to the change.
FACTORS = _schema({"factor": pl.String, "label": pl.String, "change_usd": USD})

# The factor of input tokens by part of the prompt; amounts sum to it. Tokens are of one request over all
# cells; `cache_writes` takes off what of the prompt was written to a cache, which the factor does not hold.
SEGMENT_FACTORS = _schema(
    {
        "segment": pl.String,
        "previous_per_request": pl.Float64,
        "per_request": pl.Float64,
        "change_usd": USD,
    }
)

# Spend of each combination of some dimensions beside another period; changes sum to the change. `cell` holds
# the values in the order asked for, NULL is Unattributed; the other columns say by which factors it moved.
MOVERS = _schema(
    {
        "cell": pl.List(pl.String),
        "previous_cost_usd": USD,
        "cost_usd": USD,
        "change_usd": USD,
        "previous_requests": pl.Int64,
        "requests": pl.Int64,
        "reason": pl.String,
    }
)

# Spend beside its plan by who has one; `tenant` NULL with a plan is all spend, without one those who have
# none. Changes sum to spend less plan.
PLAN_VARIANCE = _schema({"tenant": pl.String, "plan_usd": USD, "cost_usd": USD, "change_usd": USD})

# The cells (tenant × workflow × model) that moved most; changes of all cells sum to the change.
CONTRIBUTORS = _schema(
    {
        "tenant": pl.String,
        "workflow": pl.String,
        "model": pl.String,
        "previous_cost_usd": USD,
        "cost_usd": USD,
        "change_usd": USD,
        "previous_requests": pl.Int64,
        "requests": pl.Int64,
        "previous_input_per_request": pl.Float64,
        "input_per_request": pl.Float64,
        "previous_output_per_request": pl.Float64,
        "output_per_request": pl.Float64,
        "reason": pl.String,
    }
)

# Prompt segments (and answer, tool_calls, reasoning) of a period; costs sum to the priced total.
SEGMENT_SPEND = _schema(
    {
        "segment": pl.String,
        "tokens": pl.Int64,
        "cost_usd": USD,
        "share": pl.Float64,
        "previous_cost_usd": USD,
        "change_usd": USD,
    }
)

# New prompts, one row a change of a workflow: the first of its new versions and how many there are (one a
# tenant, often). Tokens of one request, before over the 7 days before with the same tenants;
# `requests_per_day` before; `change_usd_per_day` at as many. NULL where a side has no priced request.
PROMPT_CHANGES = _schema(
    {
        "workflow": pl.String,
        "version": pl.String,
        "versions": pl.Int64,
        "since": UTC,
        "previous_input_per_request": pl.Float64,
        "input_per_request": pl.Float64,
        "requests_per_day": pl.Int64,
        "change_usd_per_day": USD,
    }
)

# Prompts asked again of the same model, by workflow. `repeats_usd` is what all but the first call of each
# cost, `fixed_usd` the part asked at temperature 0, which a cache can answer without a change.
REPEATS = _schema(
    {
        "workflow": pl.String,
        "requests": pl.Int64,
        "repeats": pl.Int64,
        "repeats_usd": USD,
        "fixed_usd": USD,
        "cost_usd": USD,
    }
)

# Input as a share of the model's context window, by workflow; `near` counts calls from 90 % on, `refused`
# errors that name the context; `least_room` is the window less input and asked output of the fullest call.
CONTEXT_USE = _schema(
    {
        "workflow": pl.String,
        "requests": pl.Int64,
        "p50_share": pl.Float64,
        "p95_share": pl.Float64,
        "most_share": pl.Float64,
        "near": pl.Int64,
        "refused": pl.Int64,
        "least_room": pl.Int64,
        "chunks": pl.Float64,
        "tokens_a_chunk": pl.Float64,
        "context_usd": USD,
    }
)

# Observed against envelope, one row per envelope and direction (input, output, cost).
# expected/observed percentiles in tokens (NULL for cost). `variance_usd` is the money outside.
ENVELOPES = _schema(
    {
        "workflow": pl.String,
        "tenant": pl.String,
        "direction": pl.String,
        "expected_p50": pl.Float64,
        "expected_p95": pl.Float64,
        "observed_p50": pl.Float64,
        "observed_p95": pl.Float64,
        "requests": pl.Int64,
        "outside_requests": pl.Int64,
        "outside_share": pl.Float64,
        "variance_tokens": pl.Int64,
        "variance_usd": USD,
        "state": pl.String,
    }
)

# State of each budget counter at a moment. Amounts in dollars, or tokens where `unit` is "tokens". `increase`
# is the temporary one that is in the limits, `planned` what would be spent by now if the limit were spent as
# the hours of the week are.
BUDGETS = _schema(
    {
        "budget": pl.String,
        "dimension": pl.String,
        "value": pl.String,
        "period": pl.String,
        "period_start": UTC,
        "period_end": UTC,
        "unit": pl.String,
        "spent": USD,
        "soft": USD,
        "hard": USD,
        "increase": USD,
        "planned": USD,
        "used_share": pl.Float64,
        "forecast": USD,
        "forecast_low": USD,
        "forecast_high": USD,
        "burn_1h": pl.Float64,
        "burn_6h": pl.Float64,
        "burn_24h": pl.Float64,
        "burn_72h": pl.Float64,
        "state": pl.String,
        "stale": pl.Boolean,
        "unpriced_requests": pl.Int64,
    }
)


# Where each value of a dimension will stand at the end of a period; NULL is Unattributed, or all spend where
# `dimension` is NULL. `past_error` is the share of the spend by which the method was off on the same series
# before.
FORECASTS = _schema(
    {
        "dimension": pl.String,
        "value": pl.String,
        "spent": USD,
        "forecast": USD,
        "forecast_low": USD,
        "forecast_high": USD,
        "method": pl.String,
        "past_error": pl.Float64,
        "unpriced_requests": pl.Int64,
    }
)


class FrameError(TypeError):
    """A frame does not have the schema its name promises."""


# Input tokens as billed and as counted before any calibration, call by call, in an order that never changes;
# `age` is 1 for the newest call of its group.
CALIBRATION_PAIRS = _schema(
    {
        "model": pl.String(),
        "api": pl.String(),
        "category": pl.String(),
        "tokenizer": pl.String(),
        "rules": pl.String(),
        "counted": pl.Float64(),
        "reported": pl.Int64(),
        "age": pl.Int64(),
    }
)
CALIBRATIONS = _schema(
    {
        "version": pl.Int64(),
        "model": pl.String(),
        "api": pl.String(),
        "category": pl.String(),
        "tokenizer": pl.String(),
        "rules": pl.String(),
        "factor": pl.Float64(),
        "intercept": pl.Float64(),
        "least": pl.Float64(),
        "greatest": pl.Float64(),
        "error": pl.Float64(),
        "evidence": pl.Int64(),
        "since": pl.Datetime("us"),
        "until": pl.Datetime("us"),
        "fitted_at": pl.Datetime("us"),
    }
)


def checked(frame: pl.DataFrame, schema: pl.Schema, name: str) -> pl.DataFrame:
    """Return the frame with exactly the schema's columns in order, or raise FrameError naming what is off.

    Nulls-only columns of the Null type are cast; nothing else is.
    """
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise FrameError(f"frame {name!r} lacks {', '.join(missing)}")
    untyped = [column for column in schema if frame.schema[column] == pl.Null]
    typed = frame.select(
        pl.col(column).cast(schema[column]) if column in untyped else pl.col(column) for column in schema
    )
    for column, expected in schema.items():
        if typed.schema[column] != expected:
            raise FrameError(f"frame {name!r}: {column} is {typed.schema[column]}, not {expected}")
    return typed


def empty(schema: pl.Schema) -> pl.DataFrame:
    """A frame of the schema without rows."""
    return pl.DataFrame(schema=schema)
