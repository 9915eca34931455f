"""Bill, split and price records: the pure step from what was read to what the ledger keeps.

All arithmetic is on integers: tokens, and picodollars (1e-12 dollars). A meter's cost is its tokens times
its unit price, rounded half-even to a picodollar; a row's cost is the sum of its meters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from ledger.frames import BUCKETS, SAYS_ESTIMATED
from ledger.prices import Contract, Meter, Price
from ledger.quotes import hold, join, quote
from ledger.shares import apportion
from ledger.types import SEGMENTS

INPUT_BUCKETS = BUCKETS[:-1]
_METERS = tuple(Meter)
# The order in which input money is laid on the prompt: a cached prefix comes first.
_INPUT_METERS = (Meter.CACHE_READ, Meter.CACHE_WRITE, Meter.CACHE_WRITE_1H, Meter.INPUT, Meter.AUDIO_INPUT)
_OUTPUT_METERS = (Meter.OUTPUT, Meter.AUDIO_OUTPUT, Meter.REASONING)
_PER_MILLION = 10**6

MONEY_COLUMNS = (
    "cost_usd",
    "list_cost_usd",
    "contracted_cost_usd",
    "input_cost_usd",
    "cache_read_cost_usd",
    "cache_write_cost_usd",
    "output_cost_usd",
    *(f"cost_{name}_usd" for name in SEGMENTS),
    "cost_answer_usd",
    "cost_tool_calls_usd",
    "cost_reasoning_usd",
)


def book(
    records: pl.DataFrame, contracts: Sequence[Contract], held: pl.DataFrame | None = None
) -> tuple[pl.DataFrame, list[Price]]:
    """Turn RECORDS into rows of `requests`; money columns are Int64 picodollars, NULL where unpriced.

    `held` (see quotes.HELD) are the terms of calls booked before: those stay. Also return the prices used
    for the others, for the price book.
    """
    billed = _split(_bill(records))
    quotes, prices = quote(billed, contracts)
    quoted = join(billed.with_row_index("row"), quotes)
    return _price(billed, quoted if held is None else hold(quoted, held)).drop("total_input"), prices


def resplit(booked: pl.DataFrame, contracts: Sequence[Contract], held: pl.DataFrame) -> pl.DataFrame:
    """Lay what was booked on the segments as they are counted now; nothing is billed anew.

    `booked` is RECORDS with the usage and `usage_source` of rows, `held` the terms they were charged by.
    """
    billed = _split(booked.with_columns(pl.sum_horizontal(*INPUT_BUCKETS).alias("total_input")))
    quotes, _ = quote(billed, contracts)
    quoted = join(billed.with_row_index("row"), quotes)
    return _price(billed, hold(quoted, held)).drop("total_input")


# Answers of these models cost reasoning that no log shows: a count of the visible text is not the bill.
_THINKS_UNSEEN = r"(^|/)(o\d|gpt-5|codex)"
_ALWAYS_VISIBLE = r"gpt-5[^/]*-chat"


def _reported(columns: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(column).is_not_null() for column in columns)


def _missing_output() -> pl.Expr:
    """A stream was cut before its output count. A whole answer without one is as the provider bills it."""
    return pl.col("streamed").fill_null(False) & _reported(INPUT_BUCKETS) & pl.col("output_tokens").is_null()


def _missing_input() -> pl.Expr:
    return (
        ~_reported(INPUT_BUCKETS)
        & pl.col("output_tokens").is_not_null()
        & pl.col("counted_input_tokens").is_not_null()
    )


def _says_estimated() -> pl.Expr:
    """Whether the log gives an estimate of its own in place of the provider's numbers."""
    return pl.col("usage_json").str.starts_with(SAYS_ESTIMATED).fill_null(value=False)


def is_half_reported() -> pl.Expr:
    """Whether a record reports one side of its usage and our count has to stand in for the other."""
    return (_missing_output() | _missing_input()) & ~pl.col("cache_hit")


def _counted_reasoning() -> pl.Expr:
    """What our count of the output holds besides answer and tool calls; NULL where those are not known."""
    said = pl.col("counted_answer_tokens") + pl.col("counted_tool_call_tokens")
    return pl.col("counted_output_tokens") - said


def _is_counted_exactly() -> pl.Expr:
    """Whether our own count is the bill: exact rules, and an answer that shows all that was generated."""
    model = pl.col("model").fill_null("").str.to_lowercase()
    unseen = model.str.contains(_THINKS_UNSEEN) & ~model.str.contains(_ALWAYS_VISIBLE)
    answered = pl.col("counted_output_tokens").is_not_null() & ~unseen
    return (pl.col("count_method") == "exact") & (answered | (pl.col("operation") == "embedding"))


def _bill(records: pl.DataFrame) -> pl.DataFrame:
    """Take reported usage as billed; where there is none, our own count stands in and says so."""
    # A stream that failed half way was billed for what it had said; a refused call was not billed at all.
    refused = (pl.col("http_status").fill_null(200) >= 400) | (
        pl.col("counted_output_tokens").fill_null(0) == 0
    )
    countable = (
        ~((pl.col("status") == "error") & refused)
        & ~pl.col("cache_hit")
        & pl.col("counted_input_tokens").is_not_null()
    )
    source = (
        pl.when(is_half_reported())
        .then(pl.lit("estimated"))
        .when(_reported(BUCKETS) & _says_estimated())
        .then(pl.lit("estimated"))
        .when(_reported(BUCKETS))
        .then(pl.lit("reported"))
        .when(countable & _is_counted_exactly())
        .then(pl.lit("counted"))
        .when(countable)
        .then(pl.lit("estimated"))
        .otherwise(pl.lit("none"))
    )
    stands_in = pl.col("usage_source").is_in(["counted", "estimated"])
    return (
        records.with_columns(source.alias("usage_source"))
        .with_columns(
            pl.when(stands_in & ~_reported(INPUT_BUCKETS))
            .then("counted_input_tokens")
            .otherwise("input_tokens")
            .alias("input_tokens"),
            pl.when(stands_in & pl.col("output_tokens").is_null())
            .then("counted_output_tokens")
            .otherwise("output_tokens")
            .alias("output_tokens"),
            pl.when(stands_in & pl.col("output_tokens").is_null() & (_counted_reasoning() > 0))
            .then(_counted_reasoning())
            .otherwise("reasoning_tokens")
            .alias("reasoning_tokens"),
        )
        .with_columns(pl.sum_horizontal(*INPUT_BUCKETS).alias("total_input"))
    )


# An estimate whose error nobody knows is taken to see at least half of what it is billed for.
_UNKNOWN_ERROR = 1.0


def _split(billed: pl.DataFrame) -> pl.DataFrame:
    """Scale the counted segments to the billed input; what no visible text accounts for is unexplained."""
    total = billed["total_input"].fill_null(0).to_numpy()
    known = billed.select(pl.any_horizontal(pl.col(c).is_not_null() for c in INPUT_BUCKETS)).to_series()
    weights = _segment_weights(billed)
    unexplained = _unexplained(weights, total, _expected_errors(billed))
    weights[:, -1] = 0
    parts = apportion_rows(weights, total - unexplained)
    parts[:, -1] += unexplained
    columns = [pl.Series(f"seg_{name}", parts[:, i]).set(~known, None) for i, name in enumerate(SEGMENTS)]
    return billed.with_columns(columns)


def _segment_weights(billed: pl.DataFrame) -> npt.NDArray[np.int64]:
    width = len(SEGMENTS)
    nothing = [0] * width
    return np.array(
        [list(row) if row is not None else nothing for row in billed["counted_segments"].to_list()],
        dtype=np.int64,
    ).reshape(-1, width)


def _expected_errors(billed: pl.DataFrame) -> npt.NDArray[np.float64]:
    """By what share of itself a count may be short: an estimate by its error, any other by nothing."""
    estimate = pl.col("count_method") == "calibrated"
    error = pl.col("count_error").fill_null(_UNKNOWN_ERROR)
    return billed.select(pl.when(estimate).then(error).otherwise(0.0)).to_series().to_numpy()


def _unexplained(
    weights: npt.NDArray[np.int64], total: npt.NDArray[np.int64], errors: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """What is billed beyond the visible text: as much as the count itself says, and what its error leaves."""
    counted, said = weights.sum(axis=1), weights[:, -1]
    surplus = total - (counted - said)
    beyond = surplus - np.rint(counted * errors).astype(np.int64)
    found: npt.NDArray[np.int64] = np.maximum(np.maximum(np.minimum(said, surplus), beyond), 0)
    return found


def apportion_rows(weights: npt.NDArray[np.int64], total: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """ledger.shares.apportion for many rows at once: each row of `weights` split to its total."""
    if len(weights) and int(weights.max()) * int(total.max()) >= 2**63:
        parts_of = (
            apportion(row, whole) for row, whole in zip(weights.tolist(), total.tolist(), strict=True)
        )
        return np.array(list(parts_of), dtype=np.int64)
    whole = weights.sum(axis=1)
    safe = np.maximum(whole, 1)[:, None]
    scaled = weights * total[:, None]
    parts = scaled // safe
    left = np.where(whole > 0, total - parts.sum(axis=1), 0)
    order = np.argsort(-(scaled % safe), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(weights.shape[1])[None, :], axis=1)
    rounded: npt.NDArray[np.int64] = parts + (rank < left[:, None])
    rounded[:, -1] += np.where(whole == 0, total, 0)
    return rounded


def _price(billed: pl.DataFrame, quoted: pl.DataFrame) -> pl.DataFrame:
    metered = quoted.with_columns(*_meter_tokens(), _nothing_billed().alias("is_free"))
    # Most calls use two or three of the meters: nothing is worked out for one that nobody used.
    used = frozenset(meter for meter in _METERS if (metered[f"n_{meter}"] != 0).any())
    return (
        metered.with_columns(_reason().alias("unpriced_reason"))
        .with_columns(_meter_costs(used))
        .with_columns(_beyond_the_column().alias("unpriced_reason"))
        .with_columns(*_totals(), *_positions())
        .with_columns(_laid(pl.col(f"_end_{name}"), used).alias(f"_laid_{name}") for name in SEGMENTS)
        .with_columns(*_input_split(), *_output_split())
        .pipe(_free_where_nothing_is_billed)
        .sort("row")
        .select(*billed.columns, "price_id", "context_window", "unpriced_reason", *MONEY_COLUMNS)
    )


def _tokens(column: str) -> pl.Expr:
    return pl.col(column).fill_null(0)


def _meter_tokens() -> list[pl.Expr]:
    """Tokens by meter: audio and reasoning are taken out of the buckets they are parts of."""
    audio_in = pl.min_horizontal(_tokens("audio_input_tokens"), _tokens("input_tokens"))
    reasoning = pl.min_horizontal(_tokens("reasoning_tokens"), _tokens("output_tokens"))
    audio_out = pl.min_horizontal(_tokens("audio_output_tokens"), _tokens("output_tokens") - reasoning)
    by_meter = {
        Meter.CACHE_READ: _tokens("cache_read_tokens"),
        Meter.CACHE_WRITE: _tokens("cache_write_tokens"),
        Meter.CACHE_WRITE_1H: _tokens("cache_write_1h_tokens"),
        Meter.INPUT: _tokens("input_tokens") - audio_in,
        Meter.AUDIO_INPUT: audio_in,
        Meter.OUTPUT: _tokens("output_tokens") - reasoning - audio_out,
        Meter.AUDIO_OUTPUT: audio_out,
        Meter.REASONING: reasoning,
    }
    return [tokens.cast(pl.Int128).alias(f"n_{meter}") for meter, tokens in by_meter.items()]


def _nothing_billed() -> pl.Expr:
    """A gateway's own cached answer, or an error the provider reported no usage for."""
    return pl.col("cache_hit") | ((pl.col("usage_source") == "none") & (pl.col("status") == "error"))


def _reason() -> pl.Expr:
    reason = (
        pl.when("is_free")
        .then(None)
        .when(pl.col("usage_source") == "none")
        .then(pl.lit("no usage in the log and nothing to count"))
        .otherwise(pl.col("quote_reason"))
    )
    # Not one `when` around the other: each would say the reasons before it twice.
    return pl.coalesce(reason, *(_without_price(meter) for meter in _METERS))


def _without_price(meter: Meter) -> pl.Expr:
    unknown = (pl.col(f"n_{meter}") > 0) & pl.col(f"rate_{meter}").is_null() & ~pl.col("is_free")
    return pl.when(unknown).then(pl.lit(f"no price for {meter}"))


_NOTHING = pl.lit(0, pl.Int128)


def _half_even(millionths: pl.Expr) -> pl.Expr:
    whole, rest = millionths // _PER_MILLION, millionths % _PER_MILLION
    up = (rest * 2 > _PER_MILLION) | ((rest * 2 == _PER_MILLION) & (whole % 2 == 1))
    return whole + up.cast(pl.Int128)


def _cost(meter: Meter, kind: str) -> pl.Expr:
    rate = pl.col(f"{kind}_{meter}").cast(pl.Int128)
    return (
        pl.when(pl.col(f"n_{meter}") == 0).then(_NOTHING).otherwise(_half_even(pl.col(f"n_{meter}") * rate))
    )


def _meter_costs(used: Collection[Meter]) -> list[pl.Expr]:
    return [
        (_cost(meter, kind) if meter in used else _NOTHING).alias(f"{kind}cost_{meter}")
        for meter in _METERS
        for kind in ("rate", "list")
    ]


def _sum(meters: Sequence[Meter], kind: str = "rate") -> pl.Expr:
    return pl.sum_horizontal(*(pl.col(f"{kind}cost_{meter}") for meter in meters), ignore_nulls=False)


# DECIMAL(18, 12) holds a million dollars less a picodollar.
_MOST_PICODOLLARS = 10**18 - 1


def _held(cost: pl.Expr) -> pl.Expr:
    return pl.when(cost <= _MOST_PICODOLLARS).then(cost)


def _beyond_the_column() -> pl.Expr:
    beyond = pl.col("unpriced_reason").is_null() & (_sum(_METERS) > _MOST_PICODOLLARS)
    return (
        pl.when(beyond)
        .then(pl.lit("the cost is over a million dollars"))
        .otherwise(pl.col("unpriced_reason"))
    )


def _priced(value: pl.Expr) -> pl.Expr:
    return pl.when(pl.col("unpriced_reason").is_null()).then(value)


def _totals() -> list[pl.Expr]:
    writes = (Meter.CACHE_WRITE, Meter.CACHE_WRITE_1H)
    return [
        _priced(_sum(_METERS)).alias("cost_usd"),
        _priced(_sum(_METERS)).alias("contracted_cost_usd"),
        _held(_sum(_METERS, "list")).alias("list_cost_usd"),
        _priced(_sum((Meter.INPUT, Meter.AUDIO_INPUT))).alias("input_cost_usd"),
        _priced(_sum((Meter.CACHE_READ,))).alias("cache_read_cost_usd"),
        _priced(_sum(writes)).alias("cache_write_cost_usd"),
        _priced(_sum(_OUTPUT_METERS)).alias("output_cost_usd"),
    ]


def _positions() -> list[pl.Expr]:
    """Where each segment ends in the prompt, and how many input tokens lie before each meter's."""
    ends = [
        pl.sum_horizontal(*(_tokens(f"seg_{n}") for n in SEGMENTS[: i + 1])) for i in range(len(SEGMENTS))
    ]
    sizes = [pl.col(f"n_{meter}") for meter in _INPUT_METERS]
    starts = [pl.sum_horizontal(pl.lit(0, pl.Int128), *sizes[:i]) for i in range(len(sizes))]
    return [
        *(end.cast(pl.Int128).alias(f"_end_{name}") for name, end in zip(SEGMENTS, ends, strict=True)),
        *(start.alias(f"_start_{meter}") for meter, start in zip(_INPUT_METERS, starts, strict=True)),
    ]


def _laid(position: pl.Expr, used: Collection[Meter]) -> pl.Expr:
    """The money of the first `position` tokens when the meters' tokens lie one after another.

    Inside a meter it is the meter's cost in proportion, rounded down, so that differences of two
    positions are non-negative and all of them sum to the total exactly.
    """
    shares = [_NOTHING]
    for meter in (meter for meter in _INPUT_METERS if meter in used):
        size = pl.col(f"n_{meter}")
        inside = (position - pl.col(f"_start_{meter}")).clip(0, size)
        shares.append(pl.col(f"ratecost_{meter}") * inside // size.clip(1))
    return pl.sum_horizontal(*shares, ignore_nulls=False)


def _input_split() -> list[pl.Expr]:
    befores = [pl.lit(0, pl.Int128), *(pl.col(f"_laid_{name}") for name in SEGMENTS[:-1])]
    return [
        _priced(pl.col(f"_laid_{name}") - before).alias(f"cost_{name}_usd")
        for name, before in zip(SEGMENTS, befores, strict=True)
    ]


def _output_split() -> list[pl.Expr]:
    """Output money on answer, tool calls and reasoning; visible output by our own count's split."""
    visible = pl.col("ratecost_output")
    calls = _tokens("counted_tool_call_tokens").cast(pl.Int128)
    both = calls + _tokens("counted_answer_tokens").cast(pl.Int128)
    on_calls = visible * calls // pl.max_horizontal(both, pl.lit(1, pl.Int128))
    return [
        _priced(on_calls).alias("cost_tool_calls_usd"),
        _priced(visible - on_calls + pl.col("ratecost_audio_output")).alias("cost_answer_usd"),
        _priced(pl.col("ratecost_reasoning")).alias("cost_reasoning_usd"),
    ]


def _free_where_nothing_is_billed(priced: pl.DataFrame) -> pl.DataFrame:
    return priced.with_columns(
        pl.when("is_free").then(0).otherwise(pl.col(column)).cast(pl.Int64).alias(column)
        for column in MONEY_COLUMNS
    )
