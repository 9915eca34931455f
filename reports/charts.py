"""Charts as Vega-Lite specs rendered to inline SVG: days of spend, and what moved it.

Every mark carries its light colour literally, so that the SVG stands alone; a page recolours by attribute
selectors. Nothing is measured in the browser: sizes are fixed here, labels have their own margins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate

import polars as pl
import vl_convert

from ledger import units
from reports import names
from reports.palette import ACCENT, BAR, INK, MUTED, RULE, SHADE

Spec = dict[str, object]

WIDE = 900
NARROW = 350
SIZES = (WIDE, NARROW)
_FONT_PX = 12
_GLYPH_PX = 7  # a generous width of one character at that size
_HEIGHT_PX = 180
_CONFIG: Spec = {
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": RULE,
        "labelColor": MUTED,
        "labelFontSize": _FONT_PX,
        "labelPadding": 6,
        "title": None,
    },
}
_NEEDLESS = re.compile(r' (?:xmlns(?::xlink)?|version|font-family|pointer-events|aria-hidden)="[^"]*"')
_SIZE = re.compile(r' width="[\d.]+" height="[\d.]+"')


def daily_spend(days: pl.DataFrame, day: date, width: int) -> str:
    """Draw DAILY as bars over time: weekends shaded, plan dashed, `day` in the accent, unknown days a gap.

    Empty where no day has a known cost.
    """
    costs = [_dollars(cost) for cost in days["cost_usd"]]
    plans = [_dollars(plan) for plan in days["plan_usd"]]
    known = [value for value in (*costs, *plans) if value is not None]
    if all(cost is None for cost in costs):
        return ""
    top = max(*known, 0.0001) * 1.06
    notes = _margin_notes(days, day, top)
    x = _scale(0, days.height)
    y = _scale(min(0.0, *known), top)
    y["axis"] = {"format": _money_format(top), "tickCount": 4, "grid": True}
    layers = [
        _rects(_weekends(days), {**_span(x), "y": {"value": 0}, "y2": {"value": "height"}}),
        _rects(_bars(days, costs, day), {**_span(x), "y": {**y, "field": "usd"}, "y2": {"datum": 0}}),
        _rules(_plan(plans), {**_span(x), "y": {**y, "field": "usd"}}, dash=(4, 3)),
        _words(_gaps(costs), {"x": {**x, "field": "x"}, "y": {"value": _HEIGHT_PX - 7}}, "center"),
        _words(
            _ticks(days, 7 if width >= WIDE else 14),
            {"x": {**x, "field": "x"}, "y": {"value": _HEIGHT_PX + 13}},
            "center",
        ),
        _words(
            notes,
            {"x": {"value": "width"}, "y": {"field": "y", "type": "quantitative", "scale": None}},
            "left",
            dx=8,
        ),
    ]
    right = 14 + _GLYPH_PX * max((len(str(note["text"])) for note in notes), default=0)
    return _svg(layers, width, _HEIGHT_PX, {"left": 50, "right": right, "top": 8, "bottom": 24})


def waterfall(factors: pl.DataFrame, width: int) -> str:
    """Draw FACTORS as steps from nothing to the whole change, with the name and the dollars of each.

    Narrow ones carry both above the step. Empty where there is no factor.
    """
    if not factors.height:
        return ""
    beside = width >= WIDE
    steps = _cascade(factors, beside)
    name_px = 16 + _GLYPH_PX * max(len(str(step["name"])) for step in steps) if beside else 0
    money_px = 16 + _GLYPH_PX * max(len(str(step["text"])) for step in steps) if beside else 0
    reach = [float(str(step[end])) for step in steps for end in ("from", "to")]
    x = _scale(min(reach), max(*reach, min(reach) + 1e-6))
    y = _scale(len(steps), 0)
    line = {**y, "field": "middle" if beside else "over"}
    named = [{**step, "text": step["name"], "ink": INK} for step in steps]
    valued = [{**step, "ink": INK} for step in steps]
    zero = [{**step, "ink": MUTED} for step in steps]
    layers = [
        _rects(
            steps,
            {
                "x": {**x, "field": "from"},
                "x2": {"field": "to"},
                "y": {**y, "field": "top"},
                "y2": {"field": "bottom"},
            },
        ),
        _rules(
            zero,
            {"x": {**x, "field": "zero"}, "y": {**y, "field": "rule_top"}, "y2": {"field": "rule_bottom"}},
        ),
        _words(named, {"x": {"value": -name_px}, "y": line}, "left"),
        _words(valued, {"x": {"value": "width"}, "y": line}, "right", dx=money_px),
    ]
    padding = {"left": name_px + 4, "right": money_px + 4, "top": 4, "bottom": 4}
    return _svg(layers, width, len(steps) * (24 if beside else 38), padding)


def _cascade(factors: pl.DataFrame, beside: bool) -> list[Spec]:
    """The steps with where each begins and ends, in dollars across and in rows down."""
    rule_top, top, bottom, rule_bottom = (0.0, 0.2, 0.8, 1.0) if beside else (0.46, 0.5, 0.88, 0.92)
    changes = [*factors["change_usd"], sum(factors["change_usd"], Decimal(0))]
    ends = [*(float(end) for end in accumulate(factors["change_usd"])), float(changes[-1])]
    starts = [0.0, *ends[:-2], 0.0]
    labels = [*factors["label"], "Whole change"]
    return [
        {
            "from": start,
            "to": end,
            "zero": 0,
            "rule_top": row + rule_top,
            "top": row + top,
            "bottom": row + bottom,
            "rule_bottom": row + rule_bottom,
            "middle": row + 0.5,
            "over": row + 0.27,
            "name": names.cut(label, 40),
            "text": units.money(change, signed=True),
            "ink": _step_ink(change, whole=row == factors.height),
        }
        for row, (start, end, label, change) in enumerate(zip(starts, ends, labels, changes, strict=True))
    ]


def _step_ink(change: Decimal, *, whole: bool) -> str:
    if whole:
        return INK
    return ACCENT if change >= 0 else BAR


def _weekends(days: pl.DataFrame) -> list[Spec]:
    return [{"from": i, "to": i + 1, "ink": SHADE} for i, weekend in enumerate(days["weekend"]) if weekend]


def _bars(days: pl.DataFrame, costs: Sequence[float | None], day: date) -> list[Spec]:
    return [
        {"from": i + 0.12, "to": i + 0.88, "usd": cost, "ink": ACCENT if this == day else BAR}
        for i, (this, cost) in enumerate(zip(days["day"], costs, strict=True))
        if cost is not None
    ]


def _plan(plans: Sequence[float | None]) -> list[Spec]:
    return [
        {"from": i, "to": i + 1, "usd": plan, "ink": INK} for i, plan in enumerate(plans) if plan is not None
    ]


def _gaps(costs: Sequence[float | None]) -> list[Spec]:
    return [
        {"x": i + 0.5, "text": units.UNKNOWN, "ink": MUTED} for i, cost in enumerate(costs) if cost is None
    ]


def _ticks(days: pl.DataFrame, every: int) -> list[Spec]:
    """Dates under the bars, each `every` days back from the last, first and last kept inside the frame."""
    return [
        {"x": i + 0.5, "text": f"{days['day'][i].day} {days['day'][i]:%b}", "ink": MUTED}
        for i in range(days.height - 1, -1, -every)
        if i >= every // 7 or days.height <= every
    ]


def _margin_notes(days: pl.DataFrame, day: date, top: float) -> list[Spec]:
    """The amounts written beside the last bar: the day's own, and the plan clear of it."""
    shown = days.filter(pl.col("day") == day)
    cost = _dollars(shown["cost_usd"][0]) if shown.height else None
    plan = _dollars(days["plan_usd"][-1])
    notes: list[Spec] = []
    if cost is not None:
        notes.append({"y": _pixel(cost, top), "text": units.money(shown["cost_usd"][0]), "ink": ACCENT})
    if plan is not None:
        y = _clear_of(_pixel(plan, top), _pixel(cost, top) if cost is not None else None)
        amount = units.money(days["plan_usd"][-1]).removesuffix(".00")
        notes.append({"y": y, "text": f"plan {amount}", "ink": INK})
    return notes


def _pixel(value: float, top: float) -> float:
    return min(max(_HEIGHT_PX * (1 - value / top), 6.0), _HEIGHT_PX - 6.0)


def _clear_of(y: float, taken: float | None) -> float:
    """Move a label off another one that is less than a line away, up unless there is no room."""
    if taken is None or abs(y - taken) >= 15:
        return y
    moved = taken - 15 if y <= taken else taken + 15
    return moved if 6 <= moved <= _HEIGHT_PX - 6 else 2 * taken - moved


def _money_format(top: float) -> str:
    if top >= 20_000:
        return "$~s"
    if top >= 4:
        return "$,.0f"
    return "$.2f" if top >= 0.04 else "$.5f"


def _dollars(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _scale(low: float, high: float) -> Spec:
    scale = {"domain": [low, high], "nice": False, "zero": False}
    return {"type": "quantitative", "scale": scale, "axis": None}


def _span(x: Spec) -> Spec:
    return {"x": {**x, "field": "from"}, "x2": {"field": "to"}}


_COLOR: Spec = {"field": "ink", "type": "nominal", "scale": None}


def _rects(values: Sequence[Spec], encoding: Spec) -> Spec:
    return {"data": {"values": values}, "mark": {"type": "rect"}, "encoding": {**encoding, "color": _COLOR}}


def _rules(values: Sequence[Spec], encoding: Spec, dash: tuple[int, ...] = ()) -> Spec:
    mark = {"type": "rule", "strokeWidth": 1.5 if dash else 1, "strokeDash": dash}
    return {"data": {"values": values}, "mark": mark, "encoding": {**encoding, "color": _COLOR}}


def _words(values: Sequence[Spec], encoding: Spec, align: str, dx: float = 0) -> Spec:
    mark = {"type": "text", "align": align, "baseline": "middle", "fontSize": _FONT_PX, "dx": dx}
    text = {"field": "text", "type": "nominal"}
    return {"data": {"values": values}, "mark": mark, "encoding": {**encoding, "text": text, "color": _COLOR}}


def _svg(layers: Sequence[Spec], width: int, height: int, padding: dict[str, int]) -> str:
    """Render the layers; the size becomes a viewBox alone, the font and the name spaces are the page's."""
    spec: Spec = {
        "width": width - padding["left"] - padding["right"],
        "height": height,
        "autosize": "none",
        "padding": padding,
        "background": None,
        "config": _CONFIG,
        "layer": list(layers),
    }
    drawn = _NEEDLESS.sub("", vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    return _SIZE.sub("", drawn, count=1)


def span_in_words(days: pl.DataFrame) -> str:
    """The days of a DAILY frame as `1 Oct to 30 Oct 2026`; empty without any."""
    if not days.height:
        return ""
    first, last = days["day"][0], days["day"][-1]
    return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"


def missing_days(days: pl.DataFrame) -> list[date]:
    """The days of a DAILY frame without any row."""
    return days.filter(pl.col("cost_usd").is_null())["day"].to_list()
