"""What `tollbook count` prints: a draft by segment, its price, the room it leaves, its chunks."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from decimal import Decimal

from ledger import units
from ledger.prices import Meter
from ledger.types import SEGMENTS, CountMethod
from reports import names
from tollbook.estimate import Cuts, Estimate
from tollbook.screen import table, width

_LABELS = {"tool_results": "tool results"}
_METHODS = {
    CountMethod.EXACT: "exact",
    CountMethod.CALIBRATED: "an estimate",
    CountMethod.PARTIAL: "partial: only what can be seen",
}
_COLUMN = 8
_MOST_TOOLS = 8


def counted(found: Estimate, name: str, written: Sequence[str]) -> str:
    """The whole answer for people."""
    facts = [*_count_facts(found), *_money_facts(found), *_room_facts(found)]
    blocks = [_title(found, name), _segments(found), *_tools(found), _facts(facts)]
    if found.cuts is not None:
        blocks.append(_chunks(found.cuts, written))
    return "\n\n".join(block for block in blocks if block)


def _title(found: Estimate, name: str) -> str:
    call, text = found.draft.request, found.draft.text
    served = f" ({call.provider})" if call.provider else ""
    kind = f"a text of {len(text):,} characters" if text is not None else f"a request body ({call.api})"
    return _wrapped(f"{names.clean(name)}: {kind}, for {names.clean(call.model or '')}{served}")


def _segments(found: Estimate) -> str:
    parts = [(name, getattr(found.count.segments, name)) for name in SEGMENTS]
    total = found.input_tokens
    lines = [
        (
            _LABELS.get(name, name),
            units.tokens(tokens),
            units.share(tokens / total if total else None),
            units.money_fine(found.cost.by_segment[name]),
        )
        for name, tokens in parts
        if tokens
    ]
    whole = ("prompt", units.tokens(total), "", units.money_fine(found.cost.input_usd))
    return table(("part", "tokens", "share", "cost"), [*lines, whole], right=(1, 2, 3))


def _tools(found: Estimate) -> Iterator[str]:
    tools = sorted(found.count.tool_tokens, key=lambda tool: -tool[1])
    if len(tools) > 1:
        lines = [(names.cut(name, 40), units.tokens(tokens)) for name, tokens in tools[:_MOST_TOOLS]]
        rest = tools[_MOST_TOOLS:]
        if rest:
            lines.append((f"and {len(rest)} more", units.tokens(sum(tokens for _, tokens in rest))))
        yield table(("tool", "tokens"), lines, right=(1,))


def _count_facts(found: Estimate) -> Iterator[tuple[str, str]]:
    error = found.count.error
    within = f", usually within {units.share(error)}" if error else ""
    how = f"{found.count.tokenizer}, rules {found.count.rules}"
    yield "count", f"{_METHODS[found.count.method]}{within} ({how})"
    if not found.knows_vocabulary:
        model = names.clean(found.draft.request.model or "")
        yield "", f"the vocabulary of {model} is not known here: counted with {found.count.tokenizer}"
    if found.unseen:
        yield "unseen", f"{', '.join(found.unseen)}: billed, and not in these numbers"


def _money_facts(found: Estimate) -> Iterator[tuple[str, str]]:
    if not found.rates or found.cost.unpriced:
        yield "price", f"unknown: {found.cost.unpriced or 'none in the price book'}{_who(found)}"
    else:
        rates = (
            f"{_rate(found, meter)} {meter}" for meter in (Meter.INPUT, Meter.OUTPUT) if meter in found.rates
        )
        listed = f"{' and '.join(rates)} per million tokens ({found.price_book}, {found.as_of})"
        yield "price", listed
    total = found.cost.total_usd
    if total is not None and total != found.cost.list_usd:
        yield "", f"the costs are at your contract; {units.money_fine(found.cost.list_usd)} at list price"
    if found.response_budget:
        answer = f"{units.tokens(found.response_budget)} tokens, {units.money_fine(found.cost.output_usd)}"
        yield "answer", f"{answer} if all of it is used; {units.money_fine(total)} with the prompt"


def _who(found: Estimate) -> str:
    return "; name who serves it with --provider" if found.draft.request.provider is None else ""


def _rate(found: Estimate, meter: Meter) -> str:
    usd = found.rates[meter].normalize()
    cents = usd.quantize(Decimal("0.01"))
    return f"${cents if cents == usd else usd:f}"


def _room_facts(found: Estimate) -> Iterator[tuple[str, str]]:
    if found.window is None or found.room is None:
        yield "room", "unknown: the model's context window is not in the price book"
    elif found.room < 0:
        yield (
            "room",
            f"does not fit: {units.tokens(-found.room)} over the window of {units.tokens(found.window)}",
        )
    else:
        yield "room", f"{units.tokens(found.room)} tokens left of a window of {units.tokens(found.window)}"


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    lines = (
        textwrap.fill(
            text,
            width(),
            initial_indent=label.ljust(_COLUMN),
            subsequent_indent=" " * _COLUMN,
            break_on_hyphens=False,
        )
        for label, text in facts
    )
    return "\n".join(lines)


def _chunks(cuts: Cuts, written: Sequence[str]) -> str:
    sizes = [chunk.tokens for chunk in cuts.chunks]
    count = "1 chunk" if len(sizes) == 1 else f"{len(sizes):,} chunks"
    facts = [
        (
            "chunks",
            f"{count} of at most {units.tokens(cuts.size)} tokens, overlap {units.tokens(cuts.overlap)}",
        )
    ]
    mean = round(sum(sizes) / len(sizes))
    facts.append(
        (
            "",
            f"{units.tokens(min(sizes))} to {units.tokens(max(sizes))} tokens, on average {mean:,}",
        )
    )
    if cuts.overlap_tokens:
        share = units.share(cuts.overlap_tokens / (cuts.tokens - cuts.overlap_tokens))
        cost = (
            ""
            if cuts.overlap_usd is None
            else f", {units.money_fine(cuts.overlap_usd)} each time all are sent"
        )
        facts.append(("", f"the overlap adds {units.tokens(cuts.overlap_tokens)} tokens ({share}){cost}"))
    if abs(cuts.scale - 1) > 0.005:
        facts.append(("", f"in {cuts.encoding} tokens; this model counts about {cuts.scale:.2f} for each"))
    if written:
        facts.append(("written", f"{names.clean(written[0])} to {names.clean(written[-1])}"))
    return _facts(facts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, width(), subsequent_indent="  ")


def counted_fields(found: Estimate, name: str, written: Sequence[str]) -> dict[str, object]:
    """The answer for JSON; money is text."""
    call, count, cost = found.draft.request, found.count, found.cost
    return {
        "file": name,
        "kind": "body" if found.draft.text is None else "text",
        "api": call.api,
        "model": call.model,
        "provider": call.provider,
        "method": count.method,
        "error": count.error,
        "category": count.category,
        "tokenizer": count.tokenizer,
        "rules": count.rules,
        "unseen": list(found.unseen),
        "input_tokens": found.input_tokens,
        "segments": {name: getattr(count.segments, name) for name in SEGMENTS},
        "tool_tokens": [{"name": tool, "tokens": tokens} for tool, tokens in count.tool_tokens],
        "response_budget": found.response_budget,
        "context_window": found.window,
        "room": found.room,
        "input_usd": cost.input_usd,
        "output_usd": cost.output_usd,
        "total_usd": cost.total_usd,
        "list_usd": cost.list_usd,
        "segments_usd": cost.by_segment,
        "unpriced": cost.unpriced,
        "price_book": found.price_book,
        "chunks": None if found.cuts is None else _chunk_fields(found.cuts, written),
    }


def _chunk_fields(cuts: Cuts, written: Sequence[str]) -> dict[str, object]:
    return {
        "size": cuts.size,
        "overlap": cuts.overlap,
        "tokenizer": cuts.encoding,
        "model_tokens_per_token": Decimal(str(round(cuts.scale, 4))),
        "tokens": [chunk.tokens for chunk in cuts.chunks],
        "overlap_tokens": cuts.overlap_tokens,
        "overlap_usd": cuts.overlap_usd,
        "written": list(written),
    }
