"""Steps of programs above their calls: what they say of the calls beneath them, whichever comes first.

A call's own word goes before that of the nearest step above it, and that before what its source says as a
whole. So the same call comes to the same dimensions in whatever order it and the steps above it are told.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from ledger.frames import INHERITED, SPANS
from ledger.known import Near, near
from ledger.store import Ledger

KEEP = timedelta(days=14)
# No program nests deeper; where steps lie in a circle, it is the end of the search.
_MOST_LEVELS = 64
_COLUMNS = ", ".join(f"{name}::VARCHAR AS {name}" if name in ("span", "parent") else name for name in SPANS)
_TO_UUID = "span::UUID AS span, parent::UUID AS parent"
_ABOVE = {name: f"above_{name}" for name in INHERITED}
_KEPT = {name: f"kept_{name}" for name in INHERITED}
TOUCHED = pl.Schema({"request_id": pl.String(), "ts": pl.Datetime("us")})


def keep(ledger: Ledger, told: pl.DataFrame) -> pl.DataFrame:
    """Add SPANS to what is known of these steps; those that are new or say more now."""
    told = _merged(told.filter(_says_something()))
    if told.is_empty():
        return told
    held = _looked_up(ledger, "span", told["span"], near(told))
    changed = _merged(pl.concat([told, held])).join(held, on=list(SPANS), how="anti", nulls_equal=True)
    if len(changed):
        _replace(ledger, changed)
    return changed


def tell_anew(ledger: Ledger, told: pl.DataFrame) -> pl.DataFrame:
    """Have these steps say what SPANS say and no more what they said before; those that say else by now."""
    told = _merged(told)
    held = _looked_up(ledger, "span", told["span"], near(told)) if len(told) else told
    changed = told.join(held, on=["span", "parent", *INHERITED], how="anti", nulls_equal=True)
    changed = changed.filter(_says_something() | pl.col("span").is_in(held["span"].implode()))
    if len(changed):
        _replace(ledger, changed)
    return changed


def _says_something() -> pl.Expr:
    return pl.any_horizontal(pl.col("parent", *INHERITED).is_not_null())


def _replace(ledger: Ledger, changed: pl.DataFrame) -> None:
    with ledger.scanning("changed", changed.sort("ts", "span")):
        ledger.execute("DELETE FROM spans WHERE span IN (SELECT span::UUID FROM changed)")
        ledger.execute(f"INSERT INTO spans BY NAME SELECT * REPLACE ({_TO_UUID}) FROM changed")


def _merged(spans: pl.DataFrame) -> pl.DataFrame:
    """One row a step, the same in whatever order and however often it was told."""
    said = pl.col("ts").filter(~pl.col("ts_estimated"))
    return (
        spans.group_by("span")
        .agg(
            pl.col("parent", *INHERITED).min(),
            pl.coalesce(said.min(), pl.col("ts").min()),
            pl.col("ts_estimated").all(),
        )
        .select(SPANS.names())
    )


def _looked_up(ledger: Ledger, column: str, ids: pl.Series, where: Near) -> pl.DataFrame:
    with ledger.scanning("sought", ids.unique().to_frame("id")):
        found = ledger.frame(
            f"SELECT {_COLUMNS} FROM spans WHERE ({where.sql} OR ts_estimated) "
            f"AND {column} IN (SELECT id::UUID FROM sought)",
            where.params,
        )
    return _merged(found.select(pl.col(name).cast(kind) for name, kind in SPANS.items()))


def beneath(ledger: Ledger, changed: pl.DataFrame) -> pl.DataFrame:
    """The calls in the ledger that come to other dimensions by these steps: TOUCHED."""
    if changed.is_empty():
        return TOUCHED.to_frame()
    steps = all_beneath(ledger, changed)
    where = near(steps)
    own = ", ".join(f"{_own(name)} AS {name}, {name} AS was_{name}" for name in INHERITED)
    with ledger.scanning("steps", steps.select("span")):
        calls = ledger.frame(
            "SELECT request_id::VARCHAR AS request_id, ts, ts_estimated, otherwise, "
            f"parent_span::VARCHAR AS parent_span, {own}, {_from_above()} FROM requests "
            f"WHERE ({where.sql} OR ts_estimated) AND inherited & 15 <> 0 "
            "AND parent_span IN (SELECT span::UUID FROM steps)",
            where.params,
        )
    kept = calls.select("request_id", *_KEPT.values())
    found = resolved(ledger, calls.drop(*_KEPT.values()), kept)
    is_other = pl.any_horizontal(pl.col(f"was_{name}").ne_missing(pl.col(name)) for name in INHERITED)
    return found.filter(is_other).select(pl.col(name).cast(kind) for name, kind in TOUCHED.items())


def all_beneath(ledger: Ledger, changed: pl.DataFrame) -> pl.DataFrame:
    """These steps and all that lie beneath them."""
    found = newest = changed
    for _ in range(_MOST_LEVELS):
        children = _looked_up(ledger, "parent", newest["span"], near(newest))
        newest = children.join(found, on="span", how="anti")
        if newest.is_empty():
            break
        found = pl.concat([found, newest])
    return found


def _own(name: str) -> str:
    """What a row's call says itself."""
    return f"CASE WHEN coalesce(inherited, 0) & {_bit(name)} = 0 THEN {name} END"


def _from_above() -> str:
    return ", ".join(
        f"CASE WHEN inherited & {_bit(name) << 4} <> 0 THEN {name} END AS {_KEPT[name]}" for name in INHERITED
    )


def _bit(name: str) -> int:
    return 1 << INHERITED.index(name)


def names_from_above(inherited: int) -> frozenset[str]:
    """The dimensions that a row has from a step above its call, by its `inherited`."""
    return frozenset(name for name in INHERITED if inherited & _bit(name) << 4)


OWN = {name: _own(name) for name in INHERITED}


def kept_from_above(ledger: Ledger, table: str) -> pl.DataFrame:
    """What rows have from steps above them, for where those steps are known no more."""
    rows = ledger.frame(
        f"SELECT request_id::VARCHAR AS request_id, {_from_above()} FROM {table} WHERE inherited >= 16"
    )
    return rows.unique("request_id", keep="first", maintain_order=True)


def resolved(ledger: Ledger, records: pl.DataFrame, kept: pl.DataFrame | None = None) -> pl.DataFrame:
    """RECORDS with the dimensions they come to, and `inherited` (see schema.sql)."""
    asking = records.filter(
        pl.col("parent_span").is_not_null() & pl.any_horizontal(pl.col(*INHERITED).is_null())
    )
    above = _said_above(ledger, asking)
    known = records.join(above, on="parent_span", how="left", maintain_order="left")
    none = pl.DataFrame(schema={"request_id": pl.String, **dict.fromkeys(_KEPT.values(), pl.String)})
    known = known.join(none if kept is None else kept, on="request_id", how="left", maintain_order="left")
    return known.select(
        *(name for name in records.columns if name not in INHERITED),
        *(pl.coalesce(name, _ABOVE[name], _KEPT[name], _otherwise(name)).alias(name) for name in INHERITED),
        pl.sum_horizontal(map(_inherited, INHERITED)).cast(pl.Int16).alias("inherited"),
    )


def _otherwise(name: str) -> pl.Expr:
    return pl.col("otherwise").list.get(INHERITED.index(name), null_on_oob=True)


def _inherited(name: str) -> pl.Expr:
    said = pl.coalesce(_ABOVE[name], _KEPT[name]).is_not_null()
    by = pl.when(said).then(_bit(name) * 17).otherwise(_bit(name))
    return pl.when(pl.col(name).is_null()).then(by).otherwise(0)


def _said_above(ledger: Ledger, asking: pl.DataFrame) -> pl.DataFrame:
    """For each `parent_span` what the nearest steps from it upwards say."""
    parents = asking["parent_span"].unique()
    known = _ancestors(ledger, parents, near(asking.select("ts", "ts_estimated")))
    walk = parents.to_frame("parent_span").select(
        "parent_span",
        pl.col("parent_span").alias("step"),
        *(pl.lit(None, pl.String).alias(name) for name in _ABOVE.values()),
    )
    for _ in range(_MOST_LEVELS):
        if walk["step"].is_null().all():
            break
        walk = walk.join(known, left_on="step", right_on="span", how="left").select(
            "parent_span",
            pl.col("parent").alias("step"),
            *(pl.coalesce(_ABOVE[name], name).alias(_ABOVE[name]) for name in INHERITED),
        )
    return walk.drop("step")


def _ancestors(ledger: Ledger, parents: pl.Series, where: Near) -> pl.DataFrame:
    found, wanted = SPANS.to_frame(), parents
    for _ in range(_MOST_LEVELS):
        if wanted.is_empty():
            break
        steps = _looked_up(ledger, "span", wanted, where)
        found = pl.concat([found, steps])
        wanted = steps["parent"].drop_nulls().unique()
        wanted = wanted.filter(~wanted.is_in(found["span"].implode()))
    return found.drop("ts", "ts_estimated")


def prune(ledger: Ledger) -> int:
    """Forget the steps that began more than KEEP before the newest; how many."""
    newest = ledger.rows("SELECT max(ts) FROM spans")[0][0]
    if not isinstance(newest, datetime):
        return 0
    return ledger.execute("DELETE FROM spans WHERE ts < ?", [newest - KEEP])
