"""Put what newer rules say of calls in the place of what older ones said; no cost changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import polars as pl

from ledger import prompt_owners, rows, spans
from ledger.frames import COMPLETING, INHERITED, PART, RECORDS
from ledger.known import Near, near
from ledger.merge import merge
from ledger.recounting import Which
from ledger.store import Ledger

# What rules say of a record, and what of a row comes of it.
SAID = (*INHERITED, "model_tier", "tags", "otherwise")
_WRITTEN = (*SAID, "inherited")
MOVED = ("tenant", "workflow", "environment", "model_tier")
_RECORD = ["request_id", "record_digest", "source_file"]


@dataclass(frozen=True, slots=True)
class Move:
    """Calls, and what they cost as booked, that go from one value of a dimension to another."""

    dimension: str
    before: str | None
    after: str | None
    calls: int
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Reattributed:
    """Calls whose record was read again, and those that come to another tenant, workflow, and so on."""

    calls: int = 0
    changed: int = 0
    usd: Decimal = Decimal(0)
    moves: tuple[Move, ...] = ()

    def plus(self, other: Reattributed) -> Reattributed:
        """Both together."""
        return Reattributed(
            self.calls + other.calls,
            self.changed + other.changed,
            self.usd + other.usd,
            tuple(_summed((*self.moves, *other.moves))),
        )


def _summed(moves: Iterable[Move]) -> list[Move]:
    found: dict[tuple[str, str | None, str | None], Move] = {}
    for move in moves:
        key = (move.dimension, move.before, move.after)
        known = found.get(key)
        if known is not None:
            move = Move(*key, known.calls + move.calls, known.usd + move.usd)
        found[key] = move
    return list(found.values())


def closed_within(ledger: Ledger, which: Which) -> tuple[datetime, datetime] | None:
    """The first closed period that the time asked for touches."""
    ends = [None if each is None else each.replace(tzinfo=None) for each in (which.until, which.since)]
    found = ledger.rows(
        "SELECT period_start, period_end FROM sealed WHERE period_start < coalesce(?, period_end) "
        "AND period_end > coalesce(?, period_start) ORDER BY ALL LIMIT 1",
        ends,
    )
    return found[0] if found else None  # type: ignore[return-value]


def reattribute(ledger: Ledger, records: pl.DataFrame, told: pl.DataFrame, which: Which) -> Reattributed:
    """Put what RECORDS and SPANS of one file say by now on the calls they belong to, inside a transaction.

    Calls outside `which` stay as they are, and so does what a step above them says that was not told again.
    """
    fresh = records.unique(_RECORD, keep="first", maintain_order=True)
    changed = spans.tell_anew(ledger, told)
    calls = _of_calls(ledger, fresh, changed)
    where = near(pl.concat([fresh.select("ts", "ts_estimated"), calls.select("ts", "ts_estimated")]))
    _renew_parts(ledger, fresh, near(fresh.select("ts", "ts_estimated")))
    held = rows.ask_for(ledger, calls["request_id"], where, *which.condition(""))
    if held.is_empty():
        return Reattributed()
    now = _as_of_now(ledger, held, fresh, told, where)
    rows.change(ledger, now.select("request_id", *_WRITTEN), near(held.select("ts", "ts_estimated")))
    prompt_owners.follow(ledger)
    return Reattributed(held.join(fresh, on=_RECORD, how="semi").height, *_moved(ledger))


def _of_calls(ledger: Ledger, fresh: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    """The calls that these records and steps may change: request_id, ts, ts_estimated."""
    estimated = pl.lit(value=False).alias("ts_estimated")
    completed = rows.completed(ledger, fresh.filter(pl.col("id_kind").is_in(COMPLETING)))
    beneath = spans.beneath(ledger, changed)
    return pl.concat(
        [
            fresh.filter(pl.col("id_kind") != PART).select("request_id", "ts", "ts_estimated"),
            completed.select("request_id", "ts", estimated),
            beneath.select("request_id", "ts", estimated),
        ]
    ).unique("request_id", keep="any")


def _renew_parts(ledger: Ledger, fresh: pl.DataFrame, where: Near) -> None:
    """Have the kept records of calls say what they say by now."""
    parts = rows.parts_of(ledger, fresh["request_id"], where)
    renewed = parts.drop(SAID).join(fresh.select(*_RECORD, *SAID), on=_RECORD)
    if renewed.is_empty():
        return
    untouched = parts.join(renewed, on=_RECORD, how="anti")
    rows.replace_parts(ledger, pl.concat([untouched, renewed.select(parts.columns)]))


def _as_of_now(
    ledger: Ledger, held: pl.DataFrame, fresh: pl.DataFrame, told: pl.DataFrame, where: Near
) -> pl.DataFrame:
    """What each call comes to: by its record, or by all of its records, and the steps above it."""
    parts = rows.parts_of(ledger, held["request_id"], where)
    once = held.join(parts, on="request_id", how="anti", maintain_order="left")
    renewed = once.drop(SAID).join(fresh.select(*_RECORD, *SAID), on=_RECORD)
    same = once.join(renewed, on="request_id", how="anti")
    own = pl.concat([parts, renewed.select(RECORDS.names()), same])
    records = merge(pl.concat([own, rows.adopted_parts(ledger, own, where)]))
    # A step that is told again says what it says by now, and not what was kept of it.
    again = records.filter(pl.col("parent_span").is_in(told["span"].unique().implode()))
    kept = spans.kept_from_above(ledger, "asked").join(again, on="request_id", how="anti")
    return spans.resolved(ledger, records, kept)


def _moved(ledger: Ledger) -> tuple[int, Decimal, tuple[Move, ...]]:
    """What went from where to where, of the rows in `gone` and `came`."""
    differ = " OR ".join(f"came.{name} IS DISTINCT FROM gone.{name}" for name in (*MOVED, "end_user", "tags"))
    ((changed, usd),) = ledger.rows(
        "SELECT count(*), coalesce(sum(came.cost_usd), 0) FROM came JOIN gone USING (request_id) "
        f"WHERE {differ}"
    )
    moves = [move for name in MOVED for move in _moves(ledger, name)]
    return int(str(changed)), Decimal(str(usd)), tuple(moves)


def _moves(ledger: Ledger, name: str) -> list[Move]:
    found = ledger.rows(
        f"SELECT gone.{name}, came.{name}, count(*), coalesce(sum(came.cost_usd), 0) "
        f"FROM came JOIN gone USING (request_id) WHERE gone.{name} IS DISTINCT FROM came.{name} "
        "GROUP BY ALL ORDER BY 4 DESC, 3 DESC, 1, 2"
    )
    return [_move(name, *each) for each in found]


def _move(name: str, before: object, after: object, calls: object, usd: object) -> Move:
    was, now = (None if value is None else str(value) for value in (before, after))
    return Move(name, was, now, int(str(calls)), Decimal(str(usd)))
