"""The dated price book: list prices from genai-prices, negotiated prices from the user's configuration."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice


class Meter(StrEnum):
    """What a provider charges for separately."""

    INPUT = "input"
    CACHE_READ = "cache_read"
    CACHE_WRITE = "cache_write"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"
    REASONING = "reasoning"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"


# A meter without a price of its own is charged as the meter it is a part of, where providers do so.
# Not so an hour's cache write (twice the input price where it exists) and audio (dearer than text):
# there a missing price is unknown.
_CHARGED_AS = {
    Meter.CACHE_READ: Meter.INPUT,
    Meter.CACHE_WRITE: Meter.INPUT,
    Meter.REASONING: Meter.OUTPUT,
}
_PART_OF = {**_CHARGED_AS, Meter.CACHE_WRITE_1H: Meter.INPUT}
_BOOK_KEYS = {
    Meter.INPUT: "input_mtok",
    Meter.CACHE_READ: "cache_read_mtok",
    Meter.CACHE_WRITE: "cache_write_mtok",
    Meter.CACHE_WRITE_1H: "cache_write_1h_mtok",
    Meter.OUTPUT: "output_mtok",
    Meter.REASONING: "output_reasoning_mtok",
    Meter.AUDIO_INPUT: "input_audio_mtok",
    Meter.AUDIO_OUTPUT: "output_audio_mtok",
}
_TIER_CONTEXT = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
_RATE_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Rate:
    """Dollars per million tokens of a meter, for requests with more input than `above_input_tokens`."""

    meter: Meter
    above_input_tokens: int
    usd_per_million: Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs at one time: list or negotiated."""

    kind: str
    provider: str | None
    model: str
    tenant: str | None
    service_tier: str
    rates: tuple[Rate, ...]
    effective_from: date | None
    effective_to: date | None
    source: str
    version: str
    context_window: int | None = None

    @property
    def price_id(self) -> str:
        """A name for exactly these terms; the same terms have the same name in every ledger."""
        where = (self.kind, self.provider, self.model, self.tenant, self.service_tier)
        terms = (*where, self.effective_from, self.effective_to)
        text = repr(
            (terms, sorted((r.meter.value, r.above_input_tokens, str(r.usd_per_million)) for r in self.rates))
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why no price is known."""

    reason: str


@dataclass(frozen=True, slots=True)
class Contract:
    """A negotiated price: a discount on list, or unit prices of one's own, for models by pattern.

    `since` and `until` are UTC days, `until` excluded. Of several that cover a call the narrowest holds: a
    tenant's own before one for all, a provider's before any's, the longer model pattern before the
    shorter, then the later one. Unit prices are those of one service tier; a discount is on any.
    """

    model: str
    provider: str | None = None
    tenant: str | None = None
    discount: Decimal | None = None
    usd_per_million: Mapping[Meter, Decimal] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None
    service_tier: str = "standard"

    def covers(self, key: PriceKey, names: Sequence[str]) -> bool:
        """Whether a call is charged by this contract; `names` are what its model is known by."""
        day = key.at.date()
        return (
            any(fnmatch.fnmatchcase(name.lower(), self.model.lower()) for name in names)
            and self.provider in (None, key.provider)
            and self.tenant in (None, key.tenant)
            and (self.since is None or self.since <= day)
            and (self.until is None or day < self.until)
            and (not self.usd_per_million or self.service_tier == (key.service_tier or "standard"))
        )

    def narrowness(self) -> tuple[bool, bool, int, date]:
        """How particular the contract is; of several the greatest holds."""
        named = len(self.model.replace("*", "").replace("?", ""))
        return self.tenant is not None, self.provider is not None, named, self.since or date.min


@dataclass(frozen=True, slots=True)
class PriceKey:
    """What a price depends on. `at` is the call's day, or its time where the price knows hours."""

    provider: str | None
    model: str | None
    tenant: str | None
    service_tier: str | None
    at: datetime
    whole_day: bool = True


@cache
def book_version() -> str:
    """The price book in use, with its version."""
    return f"genai-prices {installed_version('genai-prices')}"


def book_date(now: datetime) -> date | None:
    """When the newest list price in force began: most prices carry no date, so no older book has this one."""
    today = now.astimezone(UTC).date()
    begun = [start for start in _book_starts() if start <= today]
    return max(begun, default=None)


@lru_cache(maxsize=1)
def _book_starts() -> frozenset[date]:
    from genai_prices.data_snapshot import get_snapshot

    models = (model for provider in get_snapshot().providers for model in provider.models)
    priced = (price for model in models if isinstance(model.prices, list) for price in model.prices)
    starts = (getattr(price.constraint, "start_date", None) for price in priced)
    return frozenset(start for start in starts if start is not None)


def list_price(key: PriceKey) -> Price | Unpriced:
    """The public price of a call, or why there is none. Never a guess: an unknown provider is unpriced."""
    if not key.model:
        return Unpriced("no model name")
    if not key.provider:
        return Unpriced("provider unknown")
    info = _find(key.provider, key.model)
    if info is None:
        return Unpriced("model not in the price book")
    tier = key.service_tier or "standard"
    context = _TIER_CONTEXT.get(tier)
    if tier != "standard" and (context is None or not _has_tier(info, context, key.at)):
        return Unpriced(f"no {tier} price in the book for that day")
    terms = info.get_prices(key.at, context)
    start, end = _validity(info, key.at)
    return Price(
        "list",
        key.provider,
        info.id,
        None,
        tier,
        _rates(terms),
        start,
        end,
        "genai-prices",
        book_version(),
        info.context_window,
    )


def contract_price(key: PriceKey, listed: Price | Unpriced, contracts: Sequence[Contract]) -> Price | None:
    """The negotiated price of a call, None where no contract covers it."""
    # A model is asked for as gpt-4.1-mini and answers as gpt-4.1-mini-2025-04-14: a contract names either.
    listed_as = [listed.model] if isinstance(listed, Price) else []
    covering = [c for c in contracts if key.model and c.covers(key, [key.model, *listed_as])]
    if not covering:
        return None
    contract = max(covering, key=Contract.narrowness)
    rates = _contract_rates(contract, listed)
    if not rates:
        return None
    return Price(
        "contract",
        key.provider,
        key.model or "",
        contract.tenant,
        key.service_tier or "standard",
        rates,
        contract.since,
        contract.until,
        "configuration",
        "tollbook.toml",
        listed.context_window if isinstance(listed, Price) else None,
    )


def _contract_rates(contract: Contract, listed: Price | Unpriced) -> tuple[Rate, ...]:
    own = {meter: Rate(meter, 0, usd) for meter, usd in contract.usd_per_million.items()}
    # Parts of a meter with a price of one's own go by it: a list price for cached tokens beside an own,
    # lower price for fresh ones is no one's contract.
    settled = {*own, *(part for part, whole in _PART_OF.items() if whole in own)}
    base = listed.rates if isinstance(listed, Price) else ()
    factor = 1 - (contract.discount or Decimal(0))
    discounted = tuple(
        Rate(r.meter, r.above_input_tokens, round(r.usd_per_million * factor, _RATE_DIGITS))
        for r in base
        if r.meter not in settled
    )
    return (*own.values(), *discounted)


@lru_cache(maxsize=4096)
def _find(provider: str, model: str) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot

    names = (model, model.split("/", 1)[-1]) if "/" in model else (model,)
    for name in names:
        try:
            return get_snapshot().find_provider_model(name, None, provider, None)[1]
        except LookupError:
            continue
    return None


def _has_tier(info: ModelInfo, context: Mapping[str, str], at: datetime) -> bool:
    return any(
        variant.when.items() <= context.items()
        and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )


def _validity(info: ModelInfo, at: datetime) -> tuple[date | None, date | None]:
    if not isinstance(info.prices, list):
        return None, None
    starts = sorted(
        start for price in info.prices if (start := getattr(price.constraint, "start_date", None)) is not None
    )
    begun = [start for start in starts if start <= at.date()]
    ahead = [start for start in starts if start > at.date()]
    return (begun[-1] if begun else None), (ahead[0] if ahead else None)


def _knows_hours(info: ModelInfo) -> bool:
    return isinstance(info.prices, list) and any(hasattr(p.constraint, "start_time") for p in info.prices)


def _rates(terms: ModelPrice) -> tuple[Rate, ...]:
    found: list[Rate] = []
    for meter, name in _BOOK_KEYS.items():
        value = getattr(terms, name, None)
        if isinstance(value, Decimal):
            found.append(Rate(meter, 0, value))
        elif value is not None:
            found.append(Rate(meter, 0, value.base))
            found.extend(Rate(meter, tier.start, tier.price) for tier in value.tiers)
    return tuple(found)


def key_of(
    provider: str | None, model: str | None, tenant: str | None, tier: str | None, ts: datetime
) -> PriceKey:
    """The price key of a call at `ts` (UTC), its time cut to the day where the price knows no hours."""
    info = _find(provider, model) if provider and model else None
    at = ts.replace(tzinfo=UTC)
    if info is not None and _knows_hours(info):
        return PriceKey(provider, model, tenant, tier, at, whole_day=False)
    return PriceKey(provider, model, tenant, tier, at.replace(hour=0, minute=0, second=0, microsecond=0))


def steps_of(rates: Sequence[Rate]) -> list[tuple[int, dict[Meter, int | None]]]:
    """A price by input size: (above_input_tokens, picodollars per million tokens of each meter)."""
    steps = sorted({0, *(rate.above_input_tokens for rate in rates)})
    return [(above, _rates_at(rates, above)) for above in steps]


def _rates_at(rates: Sequence[Rate], above: int) -> dict[Meter, int | None]:
    at: dict[Meter, int | None] = {}
    for meter in Meter:
        fitting = [r for r in rates if r.meter == meter and r.above_input_tokens <= above]
        best = max(fitting, key=lambda r: r.above_input_tokens, default=None)
        at[meter] = int(best.usd_per_million.scaleb(_RATE_DIGITS)) if best else None
    for part, whole in _CHARGED_AS.items():
        if at[part] is None:
            at[part] = at[whole]
    return at


def as_frame(prices: Iterable[Price], added_at: datetime) -> pl.DataFrame:
    """The prices as rows of the table `prices`, one a rate."""
    rows = [
        {
            "price_id": price.price_id,
            "kind": price.kind,
            "provider": price.provider,
            "model": price.model,
            "tenant": price.tenant,
            "service_tier": price.service_tier,
            "meter": rate.meter.value,
            "above_input_tokens": rate.above_input_tokens,
            "usd_per_million": rate.usd_per_million,
            "currency": "USD",
            "effective_from": price.effective_from,
            "effective_to": price.effective_to,
            "source": price.source,
            "version": price.version,
            "added_at": added_at,
        }
        for price in prices
        for rate in price.rates
    ]
    return pl.DataFrame(rows, schema=_PRICES)


_PRICES = pl.Schema(
    {
        "price_id": pl.String(),
        "kind": pl.String(),
        "provider": pl.String(),
        "model": pl.String(),
        "tenant": pl.String(),
        "service_tier": pl.String(),
        "meter": pl.String(),
        "above_input_tokens": pl.Int64(),
        "usd_per_million": pl.Decimal(24, 12),
        "currency": pl.String(),
        "effective_from": pl.Date(),
        "effective_to": pl.Date(),
        "source": pl.String(),
        "version": pl.String(),
        "added_at": pl.Datetime("us"),
    }
)
