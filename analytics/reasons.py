"""The reason a cell's spend moved, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from analytics.factors import Factor
from ledger import units
from ledger.types import SEGMENTS

SEGMENT_NAMES = {
    "tools": "tool definitions",
    "system": "system prompt",
    "schema": "output schema",
    "history": "conversation history",
    "context": "retrieved context",
    "tool_results": "tool results",
    "user": "user text",
    "media": "images, audio and files",
    "framing": "message framing",
    "unexplained": "input not visible in the log",
}
_MANIFOLD = 1.5
_WORTH_NAMING = 0.15
# A fourth factor makes a sentence that nobody reads to its end; the table beside it has them all.
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """One cell of `factors.cells`: its sums, its change by factor, its workflow's cells, a new prompt."""

    row: Mapping[str, Any]
    effects: Mapping[Factor, float]
    beside: pl.DataFrame
    version: str | None = None

    def per_request(self, column: str, side: str = "") -> float:
        """A sum per request of the current period, or of the other one with `before_`."""
        return float(self.row[side + column]) / max(1.0, float(self.row[f"{side}requests"]))

    def ratio(self, part: str, whole: str, side: str) -> float | None:
        """One sum over another on a side, None where there is nothing to divide by."""
        below = float(self.row[side + whole])
        return float(self.row[side + part]) / below if below else None


def reason(moved: Moved) -> str:
    """Say in a few words what moved the cell: its birth, its end, or up to three factors of some weight.

    Where several have weight each says its dollars, those that drove the change first.
    """
    row = moved.row
    if row["before_requests"] == 0:
        return _born(moved)
    if row["requests"] == 0:
        return _gone(moved)
    first, *others = _weighty(moved)[:_MOST_NAMED]
    if not others:
        return _WORDS[first[0]](moved)
    return ", ".join(
        f"{_WORDS[factor](moved)} {units.money(_usd(amount), signed=True)}"
        for factor, amount in (first, *others)
    )


def _born(moved: Moved) -> str:
    """A new cell of a known workflow took over from the model that lost as much, if there is one."""
    lost = (pl.col("before_requests") - pl.col("requests")).alias("lost")
    losers = moved.beside.filter(2 * lost >= moved.row["requests"], 2 * lost > pl.col("before_requests"))
    if moved.row["workflow"] is None or losers.is_empty():
        return "new: no spend before"
    old = losers.sort(lost, "model", descending=[True, False])["model"][0]
    return f"model {moved.row['model'] or 'unknown'} instead of {old or 'unknown'}"


def _gone(moved: Moved) -> str:
    born = moved.beside.filter(
        pl.col("before_requests") == 0, 2 * pl.col("requests") >= moved.row["before_requests"]
    )
    if moved.row["workflow"] is None or born.is_empty():
        return "no requests any more"
    new = born.sort("requests", "model", descending=[True, False])["model"][0]
    return f"model {new or 'unknown'} instead of {moved.row['model'] or 'unknown'}"


def _weighty(moved: Moved) -> list[tuple[Factor, float]]:
    """The factors with more than 15 % of the cell's change, at least the one that drove it most."""
    change = float(moved.row["cost_usd"] - moved.row["before_cost_usd"])
    grouped = dict(moved.effects)
    # Within one cell more requests are more requests, be it by the fleet's volume or by its share of it.
    grouped[Factor.VOLUME] += grouped.pop(Factor.MIX)
    grouped[Factor.OTHER] = change - sum(grouped.values())
    sign = 1 if change >= 0 else -1
    ranked = sorted(grouped.items(), key=lambda pair: round(-sign * pair[1], 9))
    return [ranked[0], *(pair for pair in ranked[1:] if abs(pair[1]) > _WORTH_NAMING * abs(change) > 0)]


def _usd(amount: float) -> Decimal:
    return Decimal(amount).quantize(Decimal("1e-12"))


def _requests(moved: Moved) -> str:
    now, before = moved.row["requests"], moved.row["before_requests"]
    if now >= _MANIFOLD * before:
        return f"{now / before:.1f}× requests ({units.tokens(before)} → {units.tokens(now)})"
    return f"requests {units.tokens(before)} → {units.tokens(now)}"


def _prompt(moved: Moved) -> str:
    grown = {name: _growth(moved, f"seg_{name}") for name in SEGMENTS}
    whole = _growth(moved, "input_tokens") + _growth(moved, "cache_read_tokens")
    sign = 1 if whole >= 0 else -1
    most = max(grown, key=lambda name: sign * grown[name])
    since = f" since version {moved.version[:8]}" if moved.version else ""
    if sign * grown[most] <= 0:
        now, before = (_input(moved, side) for side in ("", "before_"))
        return f"prompts {_tokens(before)} → {_tokens(now)} tokens a request{since}"
    now, before = (moved.per_request(f"seg_{most}", side) for side in ("", "before_"))
    return f"{SEGMENT_NAMES[most]} {_tokens(before)} → {_tokens(now)} tokens a request{since}"


def _growth(moved: Moved, column: str) -> float:
    return moved.per_request(column) - moved.per_request(column, "before_")


def _input(moved: Moved, side: str) -> float:
    return moved.per_request("input_tokens", side) + moved.per_request("cache_read_tokens", side)


def _answers(moved: Moved) -> str:
    now, before = (moved.per_request("output_tokens", side) for side in ("", "before_"))
    return f"answers {_tokens(before)} → {_tokens(now)} tokens a request"


def _cache(moved: Moved) -> str:
    now, before = (_hits(moved, side) for side in ("", "before_"))
    return f"cache hits {units.share(before)} → {units.share(now)} of the prompt"


def _hits(moved: Moved, side: str) -> float | None:
    cached, fresh = moved.row[f"{side}cache_read_tokens"], moved.row[f"{side}input_tokens"]
    return cached / (cached + fresh) if cached + fresh else None


def _input_price(moved: Moved) -> str:
    return _price(moved, "input", "input_cost_usd", "input_tokens")


def _output_price(moved: Moved) -> str:
    return _price(moved, "output", "output_cost_usd", "output_tokens")


def _price(moved: Moved, what: str, cost: str, tokens: str) -> str:
    before, now = (moved.ratio(cost, tokens, side) for side in ("before_", ""))
    return f"{what} price {_million(before)} → {_million(now)} per million tokens"


def _million(per_token: float | None) -> str:
    return units.UNKNOWN if per_token is None else f"${per_token * 1e6:,.2f}"


def _other(_: Moved) -> str:
    return "cache writes and other meters"


def _tokens(count: float) -> str:
    return units.tokens(round(count))


_WORDS: Mapping[Factor, Callable[[Moved], str]] = {
    Factor.VOLUME: _requests,
    Factor.INPUT_TOKENS: _prompt,
    Factor.CACHE_HIT: _cache,
    Factor.INPUT_PRICE: _input_price,
    Factor.OUTPUT_TOKENS: _answers,
    Factor.OUTPUT_PRICE: _output_price,
    Factor.OTHER: _other,
}
