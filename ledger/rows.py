"""The rows of `requests`: written, and taken out to be made anew when a call is told more of.

Whatever is written or taken out goes into the derived tables in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from ledger import closed, derived, spans
from ledger.booking import MONEY_COLUMNS, book, is_half_reported
from ledger.frames import COMPLETING, PART, RECORDS, SAYS_ESTIMATED
from ledger.known import EVERYWHERE, Near, near
from ledger.merge import merge
from ledger.prices import Contract, as_frame
from ledger.quotes import held_terms
from ledger.store import Ledger


def write(
    ledger: Ledger,
    fresh: pl.DataFrame,
    known: pl.DataFrame,
    touched: pl.DataFrame,
    contracts: Sequence[Contract],
    now: datetime,
) -> None:
    """Book records that say something new, merged with what is `known` of their calls (see known.known).

    `touched` (spans.TOUCHED) are calls in the ledger of which something else says more: they are made anew.
    """
    of_fresh = known.join(fresh.select("request_id").unique(), on="request_id", how="semi")
    of_known = pl.concat([of_fresh.select("request_id", "ts"), touched])
    existing = of_known["request_id"].unique().to_list()
    parted = parts_of(ledger, fresh["span"].drop_nulls(), near(fresh))["request_id"]
    again = fresh.filter(
        pl.col("request_id").is_in(existing)
        | pl.col("request_id").is_duplicated()
        | pl.col("span").is_in(parted.implode())
    )
    alone = fresh.join(again, on="request_id", how="anti") if len(again) else fresh
    # The row of a call whose usage is half reported does not show the record as read: keep it beside.
    keep_parts(ledger, alone.filter(is_half_reported()))
    if not existing and again.is_empty():
        _book(ledger, alone, None, None, contracts, now)
        return
    where = _around(of_known, again)
    held = take_out(ledger, existing, where)
    merged = _merged(ledger, again, of_known["request_id"], where)
    _book(ledger, pl.concat([alone, merged]), held, spans.kept_from_above(ledger, "gone"), contracts, now)


def completed(ledger: Ledger, parts: pl.DataFrame) -> pl.DataFrame:
    """The calls in the ledger that these records are parts of: request_id, ts, and the span they share."""
    if parts.is_empty():
        return pl.DataFrame(schema={**spans.TOUCHED, "span": pl.String})
    where = near(parts)
    looks = [
        f"SELECT request_id::VARCHAR AS request_id, ts, span::VARCHAR AS span FROM {table} "
        f"WHERE ({where.sql} OR ts_estimated) AND id_kind <> ? AND request_id <> span "
        "AND span IN (SELECT id::UUID FROM sought)"
        for table in ("requests", "record_parts")
    ]
    with ledger.scanning("sought", parts.select(pl.col("request_id").alias("id")).unique()):
        return ledger.frame(" UNION ".join(looks), [*where.params, PART, *where.params, PART])


def withheld_beneath(ledger: Ledger, changed: pl.DataFrame) -> pl.DataFrame:
    """The calls without a row, late for a closed period, that these steps tell more of: spans.TOUCHED."""
    if changed.is_empty() or not closed.any_is(ledger):
        return spans.TOUCHED.to_frame()
    steps = spans.all_beneath(ledger, changed)
    where = near(steps)
    with ledger.scanning("steps", steps.select("span")):
        calls = ledger.frame(
            "SELECT DISTINCT request_id::VARCHAR AS request_id FROM record_parts "
            f"WHERE ({where.sql} OR ts_estimated) AND id_kind <> ? "
            "AND parent_span IN (SELECT span::UUID FROM steps) "
            f"AND request_id NOT IN (SELECT request_id FROM requests WHERE {where.sql} OR ts_estimated)",
            [*where.params, PART, *where.params],
        )
    own = parts_of(ledger, calls["request_id"], where)
    found = spans.resolved(ledger, merge(pl.concat([own, adopted_parts(ledger, own, where)])))
    was = closed.said_late(ledger)
    is_other = pl.any_horizontal(pl.col(f"was_{name}").ne_missing(pl.col(name)) for name in closed.INHERITED)
    told = found.join(was, on="request_id").filter(is_other)
    return told.select(pl.col(name).cast(kind) for name, kind in spans.TOUCHED.items())


def _around(of_known: pl.DataFrame, again: pl.DataFrame) -> Near:
    """Where the rows and parts of known calls lie."""
    times = again.select("ts", "ts_estimated")
    held = of_known.select("ts", pl.lit(value=False).alias("ts_estimated"))
    return near(pl.concat([times, held]))


# A row of a call seen once still holds its record as read: only a count that stands in for missing usage
# has to be taken back out.
_STOOD_IN = ("input_tokens", "output_tokens", "reasoning_tokens")
_LOGGED = f"usage_source = 'reported' OR starts_with(usage_json, '{SAYS_ESTIMATED}')"


def _read_as(name: str) -> str:
    if name in _STOOD_IN:
        return f"CASE WHEN {_LOGGED} THEN {name} END AS {name}"
    return f"{spans.OWN[name]} AS {name}" if name in spans.OWN else name


_AS_READ = ", ".join(map(_read_as, RECORDS))
_SPAN_IDS = ("span", "parent_span")
_TO_ROW = ", ".join(
    [
        "request_id::UUID AS request_id",
        "map_from_entries(tags) AS tags",
        *(f"{name}::UUID AS {name}" for name in _SPAN_IDS),
    ]
)
_FROM_ROW = ", ".join(
    [
        "request_id::VARCHAR AS request_id",
        "map_entries(tags) AS tags",
        *(f"{name}::VARCHAR AS {name}" for name in _SPAN_IDS),
    ]
)
_TO_MONEY = ", ".join(
    f"({name}::DECIMAL(19, 0) * 0.000000000001)::DECIMAL(18, 12) AS {name}" for name in MONEY_COLUMNS
)


def take_out(ledger: Ledger, request_ids: Sequence[str], where: Near, *, every: bool = False) -> pl.DataFrame:
    """Move the calls' rows to the table `gone`, to be booked anew; the terms they were charged by, or the
    terms of `every` one that has a price, however it came to it."""
    with ledger.scanning("replaced", pl.DataFrame({"request_id": list(request_ids)})):
        ledger.execute(
            f"CREATE OR REPLACE TEMP TABLE gone AS {_looked_up('requests', where)}",
            where.params,
        )
    times = ledger.frame("SELECT ts FROM gone")["ts"]
    ledger.execute(
        "DELETE FROM requests WHERE request_id IN (SELECT request_id FROM gone) AND ts BETWEEN ? AND ?",
        [times.min(), times.max()],
    )
    derived.take(ledger, "gone")
    derived.unsettle(ledger, times)
    return _held(ledger, every=every)


def _looked_up(table: str, where: Near) -> str:
    """The rows of the calls in `replaced`, which lie there or have an estimated time."""
    wanted = "request_id IN (SELECT request_id::UUID FROM replaced)"
    if where.spans is None:
        return f"SELECT * FROM {table} WHERE {wanted}"
    return (
        f"SELECT * FROM {table} WHERE {where.sql} AND NOT ts_estimated AND {wanted} "
        f"UNION ALL SELECT * FROM {table} WHERE ts_estimated AND {wanted}"
    )


def _held(ledger: Ledger, *, every: bool) -> pl.DataFrame:
    """What the rows in `gone` were charged by: a booked price stays."""
    booked = ledger.frame(
        "SELECT request_id::VARCHAR AS request_id, provider, model, tenant, service_tier, "
        "ts::DATE AS day, price_id FROM gone "
        "WHERE cost_usd IS NOT NULL AND (? OR (usage_source <> 'none' AND NOT ts_estimated))",
        [every],
    )
    with ledger.scanning("booked", booked.select("price_id").unique()):
        prices = ledger.frame(
            "SELECT price_id, meter, above_input_tokens, usd_per_million FROM prices "
            "WHERE price_id IN (SELECT price_id FROM booked)"
        )
    return held_terms(booked, prices)


def _merged(ledger: Ledger, again: pl.DataFrame, of_known: pl.Series, where: Near) -> pl.DataFrame:
    """Merge all records of each call in `again` or known; of one told by several, keep the records.

    A known call that has no row in `gone` came late for a closed period: only its records are there.
    """
    seen_once = as_read(ledger, "gone")
    ids = pl.concat([again["request_id"], of_known])
    kept = parts_of(ledger, ids, where)
    seen_once = seen_once.join(kept, on="request_id", how="anti")
    own = pl.concat([kept, seen_once, again.select(kept.columns)])
    adopted = adopted_parts(ledger, own, where)
    several = pl.concat([again["request_id"], adopted["request_id"], kept["request_id"]])
    is_one_of_several = pl.col("request_id").is_in(several.unique().implode())
    keep_parts(ledger, seen_once.filter(is_one_of_several))
    keep_parts(ledger, again)
    merged = merge(pl.concat([own, adopted]).filter(is_one_of_several))
    return pl.concat([seen_once.filter(~is_one_of_several), merged])


def as_read(ledger: Ledger, table: str) -> pl.DataFrame:
    """The rows in a table like `requests` as RECORDS of calls that were seen once."""
    held = ledger.frame(f"SELECT * REPLACE ({_FROM_ROW}) FROM (SELECT {_AS_READ} FROM {table})")
    return held.select(pl.col(name).cast(dtype) for name, dtype in RECORDS.items())


def adopted_parts(ledger: Ledger, own: pl.DataFrame, where: Near) -> pl.DataFrame:
    """The parts of these calls that are known by their spans only, as records of the calls."""
    calls = own.select("span", call="request_id").drop_nulls().unique()
    parts = parts_of(ledger, calls["span"], where).filter(pl.col("id_kind").is_in(COMPLETING))
    known_by = parts.join(calls, left_on="request_id", right_on="span", maintain_order="left")
    known_by = known_by.filter(pl.col("request_id") != pl.col("call"))
    return known_by.with_columns(request_id="call").select(RECORDS.names())


def parts_of(ledger: Ledger, request_ids: pl.Series, where: Near) -> pl.DataFrame:
    """The records of these calls as they were read."""
    if request_ids.is_empty():
        return RECORDS.to_frame()
    with ledger.scanning("replaced", request_ids.unique().to_frame("request_id")):
        parts = ledger.frame(
            f"SELECT * REPLACE ({_FROM_ROW}) FROM ({_looked_up('record_parts', where)})", where.params
        )
    return parts.select(pl.col(name).cast(dtype) for name, dtype in RECORDS.items())


def keep_parts(ledger: Ledger, records: pl.DataFrame) -> None:
    """Keep records as they were read."""
    if len(records):
        with ledger.scanning("kept", records):
            ledger.execute(f"INSERT INTO record_parts BY NAME SELECT * REPLACE ({_TO_ROW}) FROM kept")


def _book(
    ledger: Ledger,
    records: pl.DataFrame,
    held: pl.DataFrame | None,
    from_above: pl.DataFrame | None,
    contracts: Sequence[Contract],
    now: datetime,
) -> None:
    if records.is_empty():
        return
    booked, prices = book(spans.resolved(ledger, records, from_above), contracts, held)
    if closed.any_is(ledger):
        _bring(ledger, booked)
        closed.withhold(ledger, _AS_READ, now, taken_out=held is not None)
        _enter(ledger, booked["ts"])
    else:
        _enter_all(ledger, booked)
    keep_prices(ledger, as_frame(prices, now))


def _bring(ledger: Ledger, booked: pl.DataFrame) -> None:
    """Make the table `came` of rows that are to go into `requests`."""
    with ledger.scanning("booked", booked):
        ledger.execute(
            f"CREATE OR REPLACE TEMP TABLE came AS SELECT * REPLACE ({_TO_ROW}, {_TO_MONEY}) FROM booked"
        )


def _enter(ledger: Ledger, ts: pl.Series) -> None:
    """Put what came, of these times, into `requests` and into the derived tables."""
    ledger.execute("INSERT INTO requests BY NAME FROM came")
    derived.add(ledger, "came")
    derived.unsettle(ledger, ts)


# The database numbers rows that a transaction has inserted from here on until it is committed.
_JUST_INSERTED = "(SELECT * FROM requests WHERE rowid >= 36028797018960000)"


def _enter_all(ledger: Ledger, booked: pl.DataFrame) -> None:
    """Put booked rows into `requests` and into the derived tables, without a table of their own between."""
    with ledger.scanning("booked", booked):
        ledger.execute(f"INSERT INTO requests BY NAME SELECT * REPLACE ({_TO_ROW}, {_TO_MONEY}) FROM booked")
    source = _JUST_INSERTED
    if ledger.rows(f"SELECT count(*) FROM {source}") != [(booked.height,)]:
        # Others were inserted in this transaction, or rows are numbered another way than they used to be.
        _bring(ledger, booked)
        source = "came"
    derived.add(ledger, source)
    derived.unsettle(ledger, booked["ts"])


def keep_prices(ledger: Ledger, prices: pl.DataFrame) -> None:
    """Add the prices that are not in the book yet."""
    with ledger.scanning("used", prices):
        ledger.execute(
            "INSERT INTO prices BY NAME SELECT * FROM used "
            "WHERE price_id NOT IN (SELECT price_id FROM prices)"
        )


def taken_out(ledger: Ledger) -> pl.DataFrame:
    """The rows in `gone` as RECORDS, usage and dimensions as booked, and what tells how they came to them."""
    gone = ledger.frame(f"SELECT * REPLACE ({_FROM_ROW}) FROM gone")
    as_booked = (pl.col(name).cast(dtype) for name, dtype in RECORDS.items())
    return gone.select(*as_booked, "usage_source", "inherited")


def put_back(ledger: Ledger, booked: pl.DataFrame, kept: Mapping[str, str]) -> None:
    """Write rows in the place of those in `gone`, with what is kept of them as SQL over `came` and `gone`."""
    held = ", ".join(f"{sql} AS {name}" for name, sql in kept.items())
    _bring(ledger, booked)
    ledger.execute(
        f"CREATE OR REPLACE TEMP TABLE came AS SELECT came.* REPLACE ({held}) "
        "FROM came JOIN gone ON came.request_id = gone.request_id"
    )
    _enter(ledger, booked["ts"])


def ask_for(
    ledger: Ledger, request_ids: pl.Series, where: Near, condition: str, given: Sequence[object]
) -> pl.DataFrame:
    """The rows of these calls that fit a condition, as their records were read; they stand in `asked`."""
    with ledger.scanning("replaced", request_ids.unique().to_frame("request_id")):
        ledger.execute(
            f"CREATE OR REPLACE TEMP TABLE asked AS SELECT * FROM ({_looked_up('requests', where)}) "
            f"AS requests WHERE {condition}",
            [*where.params, *given],
        )
    return as_read(ledger, "asked")


def change(ledger: Ledger, newer: pl.DataFrame, where: Near) -> None:
    """Put these values of columns in the place of what rows hold: the rows that change go from `gone` to
    `came`. The columns are of RECORDS, or `inherited`."""
    columns = [name for name in newer.columns if name != "request_id"]
    said = ", ".join("map_from_entries(tags) AS tags" if name == "tags" else name for name in columns)
    with ledger.scanning("newer", newer):
        ledger.execute(
            "CREATE OR REPLACE TEMP TABLE renewed AS "
            f"SELECT request_id::UUID AS request_id, {said} FROM newer"
        )
    differ = " OR ".join(f"asked.{name} IS DISTINCT FROM renewed.{name}" for name in columns)
    found = ledger.rows(
        f"SELECT request_id::VARCHAR FROM asked JOIN renewed USING (request_id) WHERE {differ}"
    )
    take_out(ledger, [str(request_id) for (request_id,) in found], where)
    renewed = ", ".join(f"renewed.{name} AS {name}" for name in columns)
    ledger.execute(
        f"CREATE OR REPLACE TEMP TABLE came AS SELECT gone.* REPLACE ({renewed}) "
        "FROM gone JOIN renewed ON gone.request_id = renewed.request_id"
    )
    _enter(ledger, ledger.frame("SELECT ts FROM came")["ts"])


def replace_parts(ledger: Ledger, records: pl.DataFrame) -> None:
    """Put these records in the place of all that are kept of their calls."""
    with ledger.scanning("replaced", records.select("request_id").unique()):
        ledger.execute("DELETE FROM record_parts WHERE request_id IN (SELECT request_id::UUID FROM replaced)")
    keep_parts(ledger, records)


def _slice(digit: str) -> tuple[str, str]:
    low, high = (f"{digit}{rest * 7}-{rest * 4}-{rest * 4}-{rest * 4}-{rest * 12}" for rest in "0f")
    return low, high


# The first and the last id of each: ids are spread evenly, and a sixteenth of them at a time fits in memory
# however many there are.
SLICES = tuple(_slice(f"{digit:x}") for digit in range(16))


def unite(ledger: Ledger, contracts: Sequence[Contract], now: datetime) -> int:
    """Make one row of each call that was booked twice, its records lying days apart; how many there were.

    Reads the id of every row, so it is work for the night.
    """
    found = [request_id for ends in SLICES for request_id in _twice(ledger, ends)]
    if found:
        with ledger.transaction():
            _unite(ledger, found, contracts, now)
    return len(found)


def _twice(ledger: Ledger, ends: tuple[str, str]) -> list[str]:
    rows = ledger.rows(
        "SELECT request_id::VARCHAR FROM requests WHERE request_id BETWEEN ?::UUID AND ?::UUID "
        "GROUP BY request_id HAVING count(*) > 1",
        ends,
    )
    return [str(request_id) for (request_id,) in rows]


def _unite(ledger: Ledger, request_ids: Sequence[str], contracts: Sequence[Contract], now: datetime) -> None:
    held = take_out(ledger, request_ids, EVERYWHERE)
    ledger.execute(
        f"INSERT INTO record_parts BY NAME SELECT {_AS_READ} FROM gone "
        "WHERE (request_id, record_digest) NOT IN (SELECT request_id, record_digest FROM record_parts)"
    )
    parts = parts_of(ledger, pl.Series(request_ids, dtype=pl.String), EVERYWHERE)
    one_each = held.sort("request_id", "day", "price_id").unique(
        ["request_id", "above"], keep="first", maintain_order=True
    )
    from_above = spans.kept_from_above(ledger, "gone")
    adopted = adopted_parts(ledger, parts, EVERYWHERE)
    _book(ledger, merge(pl.concat([parts, adopted])), one_each, from_above, contracts, now)
