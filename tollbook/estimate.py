"""What a text or request body would count and cost, by the code that keeps the books."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from collector import rows
from collector.chunks import Chunk, cut
from collector.counting import count
from collector.counting.learned import Calibrations, by_key, calibrated
from collector.drafts import Draft, unseen
from collector.tokenizers import bare_model, count_text, knows_vocabulary
from ledger.booking import book
from ledger.prices import Meter, Price, book_version, key_of, list_price, steps_of
from ledger.types import SEGMENTS, Calibration, Count, CountMethod, Request, Usage
from ledger.windows import context_window
from tollbook import parts
from tollbook.config import Configuration
from tollbook.rules import rules

_PICO = -12


@dataclass(frozen=True, slots=True)
class Cost:
    """The money of one call: input by segment, and the whole response budget. None is unpriced."""

    input_usd: Decimal | None
    output_usd: Decimal | None
    by_segment: dict[str, Decimal | None]
    list_usd: Decimal | None
    unpriced: str | None

    @property
    def total_usd(self) -> Decimal | None:
        """Prompt and answer together."""
        return None if self.input_usd is None or self.output_usd is None else self.input_usd + self.output_usd


@dataclass(frozen=True, slots=True)
class Cuts:
    """The chunks of a text, in tokens of `encoding`; the model counts `scale` of its own for each.

    `overlap_usd` is what their overlap costs when all of them are sent once.
    """

    chunks: tuple[Chunk, ...]
    size: int
    overlap: int
    overlap_tokens: int
    overlap_usd: Decimal | None
    encoding: str
    scale: float

    @property
    def tokens(self) -> int:
        """Of all chunks together."""
        return sum(chunk.tokens for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A draft counted and priced; `room` is what the window leaves after prompt and response budget."""

    draft: Draft
    count: Count
    cost: Cost
    rates: dict[Meter, Decimal]
    price_book: str
    as_of: date
    response_budget: int
    window: int | None
    cuts: Cuts | None

    @property
    def input_tokens(self) -> int:
        """The whole prompt."""
        return self.count.input_tokens or 0

    @property
    def room(self) -> int | None:
        """Tokens left in the window; negative where the call would not fit, None where it is unknown."""
        return None if self.window is None else self.window - self.input_tokens - self.response_budget

    @property
    def unseen(self) -> tuple[str, ...]:
        """What the provider would bill and the count does not hold."""
        prompt = self.draft.request.prompt
        return () if prompt is None else unseen(prompt, self.count.unseen)

    @property
    def knows_vocabulary(self) -> bool:
        """Whether the text is counted in the model's own vocabulary."""
        return knows_vocabulary(self.draft.request.model)


def estimate(
    draft: Draft,
    config: Configuration,
    now: datetime,
    response_budget: int = 0,
    chunking: tuple[int, int] | None = None,
    learned: Callable[[], Iterable[Calibration]] = tuple,
) -> Estimate:
    """Count and price a draft as of `now`; `chunking` is size and overlap of chunks for its text.

    `learned` is asked only where the count is an estimate.
    """
    plain = count(replace(draft.request, ts=now), parts.segment_rules(config.settings))
    corrections = by_key(learned()) if plain.method is CountMethod.CALIBRATED else {}
    counted = calibrated(plain, draft.request, corrections)
    usage = Usage(input_tokens=counted.input_tokens, output_tokens=response_budget)
    call = replace(draft.request, ts=now, usage=usage)
    cost, window = _booked(call, corrections, config, now)
    rates = _rates(draft, now)
    model = bare_model(draft.request.model or "")
    chunks = None if chunking is None or draft.text is None else _cuts(draft.text, chunking, counted, rates)
    return Estimate(
        draft=draft,
        count=counted,
        cost=cost,
        rates=rates,
        price_book=book_version(),
        as_of=now.date(),
        response_budget=response_budget,
        window=window or context_window(model),
        cuts=chunks,
    )


def _booked(
    call: Request, corrections: Calibrations, config: Configuration, now: datetime
) -> tuple[Cost, int | None]:
    """Book the call as if its log reported this usage, in no ledger."""
    reading = rows.Reading(
        source="count",
        source_file="-",
        ingested_at=now,
        fallback_ts=None,
        key=b"",
        rules=rules(config),
        segment_rules=parts.segment_rules(config.settings),
        calibrations=corrections,
    )
    records = rows.records_frame([rows.row(call, b"", 1, reading)])
    booked = book(records, parts.contracts(config.settings))[0].row(0, named=True)
    inputs = [booked[f"{name}_cost_usd"] for name in ("input", "cache_read", "cache_write")]
    cost = Cost(
        input_usd=_usd(None if None in inputs else sum(inputs)),
        output_usd=_usd(booked["output_cost_usd"]),
        by_segment={name: _usd(booked[f"cost_{name}_usd"]) for name in SEGMENTS},
        list_usd=_usd(booked["list_cost_usd"]),
        unpriced=booked["unpriced_reason"],
    )
    return cost, booked["context_window"]


def _usd(picodollars: int | None) -> Decimal | None:
    return None if picodollars is None else Decimal(picodollars).scaleb(_PICO)


def _rates(draft: Draft, now: datetime) -> dict[Meter, Decimal]:
    """The list price per million tokens by meter, of a prompt of ordinary size; empty where unpriced."""
    call = draft.request
    listed = list_price(key_of(call.provider, call.model, None, call.service_tier, now))
    if not isinstance(listed, Price):
        return {}
    _, rates = steps_of(listed.rates)[0]
    return {meter: Decimal(rate).scaleb(_PICO) for meter, rate in rates.items() if rate is not None}


def _cuts(text: str, chunking: tuple[int, int], counted: Count, rates: dict[Meter, Decimal]) -> Cuts:
    size, overlap = chunking
    chunks = cut(counted.tokenizer, text, size, overlap)
    twice = sum(chunk.overlap for chunk in chunks)
    own = counted.segments.user + counted.segments.context
    scale = own / max(count_text(counted.tokenizer, text), 1)
    rate = rates.get(Meter.INPUT)
    usd = None if rate is None else rate * round(twice * scale) / 1_000_000
    return Cuts(chunks, size, overlap, twice, usd, counted.tokenizer, scale)
