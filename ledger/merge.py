"""Make one record of all records of a call, the same one in whatever order they came."""

from __future__ import annotations

import polars as pl

from ledger.frames import ECHO, INHERITED, PART, RECORDS, USAGE_COLUMNS

# Disjoint buckets of two records cannot be mixed: one may hold the cached tokens inside its input, the
# other beside it. So usage moves as one piece, and so do our count of the prompt and that of the answer.
_USAGE = (*USAGE_COLUMNS, "usage_json")
ANSWER = ("counted_output_tokens", "counted_answer_tokens", "counted_tool_call_tokens")
COUNT = (
    "counted_input_tokens",
    "counted_segments",
    "count_method",
    "count_error",
    "count_category",
    "context_chunk_tokens",
    "tokenizer",
    "rules",
)
_PROMPT = (*COUNT, "prompt_version", "prompt_hash")
# How a call ended is told by the record that ranks first; others only add what they say of the same end.
_END = ("http_status", "error_type")
# Where a call is read: by its own record, also where its echo ranks first.
_PLACE = ("record_digest", "id_kind", "source", "source_file", "source_line")
_OWN_RULE = ("request_id", "ts", "ts_estimated", "ingested_at", "latency_ms", "tags", "otherwise", "status")

_has_usage = pl.any_horizontal(pl.col(column).is_not_null() for column in USAGE_COLUMNS)
_buckets = pl.sum_horizontal(pl.col(column).is_not_null() for column in USAGE_COLUMNS)
_has_count = pl.col("count_method") != "none"
_has_answer = pl.col("counted_output_tokens").is_not_null()
_is_part = pl.col("id_kind") == PART
_is_echo = pl.col("id_kind") == ECHO
_has_time = ~pl.col("ts_estimated")
# Where a call is told by its start and its end, the record of the end has the time of the end.
_started = pl.col("ts").filter(_is_part & _has_time).min()
_ended = pl.col("ts").filter(~_is_part & _has_time).first()
_took = pl.when(_ended > _started).then((_ended - _started).dt.total_milliseconds())
# A record of the call may not know of a failure that the part beside it saw.
_end = (
    pl.when((_is_part & (pl.col("status") == "error")).any())
    .then(pl.lit("error"))
    .otherwise(pl.col("status").first())
)
_same_end = pl.col("status") == _end


def merge(parts: pl.DataFrame) -> pl.DataFrame:
    """RECORDS in, RECORDS out: one row per request_id, column by column from the most complete record.

    More complete is: a record of the call before one of a part of it, reported usage before none, then more
    output tokens, then one that is no echo, then more of the buckets told, then the longer prompt by our
    count, then the higher digest. NULL never beats a value; a time of the record's own beats one taken from
    the file, and that of the call's start beats both.
    """
    ranked = parts.sort(
        [
            ~_is_part,
            _has_usage,
            "output_tokens",
            ~_is_echo,
            _buckets,
            "counted_input_tokens",
            "record_digest",
        ],
        descending=True,
        nulls_last=True,
        maintain_order=True,
    )
    plain = [
        column for column in RECORDS if column not in (*_USAGE, *_PROMPT, *ANSWER, *_END, *_PLACE, *_OWN_RULE)
    ]
    return (
        ranked.group_by("request_id", maintain_order=True)
        .agg(
            *(pl.col(column).drop_nulls().first() for column in plain),
            *(_first_where(column, ~_is_echo) for column in _PLACE),
            *(_first_where(column, _has_usage) for column in _USAGE),
            *(_first_where(column, _has_answer) for column in ANSWER),
            *(pl.col(column).filter(_same_end).drop_nulls().first() for column in _END),
            *(_first_where(column, _has_count) for column in _PROMPT),
            pl.coalesce(_started, _ended, pl.col("ts").min()),
            pl.coalesce(pl.col("latency_ms").drop_nulls().first(), _took),
            _end.alias("status"),
            pl.col("ts_estimated").all(),
            pl.col("ingested_at").min(),
            pl.coalesce(pl.col("tags").filter(pl.col("tags").list.len() > 0).first(), pl.col("tags").first()),
            _first_of_each("otherwise", len(INHERITED)),
        )
        .select(RECORDS.names())
    )


def _first_where(column: str, condition: pl.Expr) -> pl.Expr:
    """The value of the first record of which this is true; where it is of none, the first value there is."""
    found = pl.col(column).filter(condition).first()
    return pl.when(condition.any()).then(found).otherwise(pl.col(column).drop_nulls().first()).alias(column)


def _first_of_each(column: str, length: int) -> pl.Expr:
    """A list of which each place has its first value; NULL where no record has any."""
    places = [pl.col(column).list.get(place, null_on_oob=True) for place in range(length)]
    found = pl.concat_list(place.drop_nulls().first() for place in places)
    return pl.when(pl.col(column).is_not_null().any()).then(found).alias(column)
