"""What `tollbook attribution` prints, and says as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from collector.attribution_rules import Finding, Tried
from collector.tracing import Trace
from ledger import units
from ledger.booked_calls import BookedCall, Place
from reports import names
from tollbook.explaining import Explained, Share, Tested
from tollbook.screen import table

_NONE = names.UNATTRIBUTED
_SHOWN_RULES = 12


def explained(call: BookedCall | None, records: Sequence[Explained]) -> str:
    """A call, and for each record of it how each dimension came about."""
    lines = [] if call is None else [_headline(call)]
    for record in records:
        lines += ["", f"{_place(record.place)}", *_of_record(record, call)]
    return "\n".join(lines).strip("\n")


def _headline(call: BookedCall) -> str:
    cost = "unpriced" if call.cost_usd is None else units.money(call.cost_usd)
    return (
        f"{call.request_id}  {call.ts:%Y-%m-%d %H:%M:%S} UTC  {names.clean(call.model or 'no model')}  {cost}"
    )


def _place(place: Place) -> str:
    return names.clean(f"{place.source_file}, line {place.line:,} ({place.form})")


def _of_record(record: Explained, call: BookedCall | None) -> Iterator[str]:
    if record.problem is not None:
        yield f"  cannot be read again: {names.clean(record.problem)}"
        if call is not None:
            yield from (f"  {name:<12} {_value(value)}" for name, value in call.dimensions.items())
            yield f"  as booked {call.ingested_at:%Y-%m-%d %H:%M} UTC{_configuration(call)}"
        return
    for trace in record.traces:
        yield from _of_trace(trace, call)


def _configuration(call: BookedCall) -> str:
    return f" by the configuration {call.configuration}" if call.configuration else ""


def _of_trace(trace: Trace, call: BookedCall | None) -> Iterator[str]:
    by = f"by {names.clean(trace.by)}" if trace.by else "no rule gives a value"
    yield f"  {trace.dimension:<12} {_value(trace.value)}  {by}"
    yield from map(_tried, _before(trace))
    if call is not None and trace.dimension in call.dimensions:
        held = call.dimensions[trace.dimension]
        if held != trace.value:
            yield f"    the ledger has {_value(held)}: from another record or a step above, or by other rules"


def _before(trace: Trace) -> tuple[Tried, ...]:
    """The rules that were asked in vain."""
    return trace.asked[:-1] if trace.asked and trace.asked[-1].rule.name == trace.by else trace.asked


def _tried(tried: Tried) -> str:
    found = f" ({names.clean(tried.found)})" if tried.found and tried.finding is not Finding.ABSENT else ""
    return f"    {names.clean(tried.rule.name)}: {tried.finding}{found}"


def _value(value: str | None) -> str:
    return _NONE if value is None else names.clean(value)


def explained_fields(call: BookedCall | None, records: Sequence[Explained]) -> dict[str, object]:
    """The same for JSON."""
    return {
        "request_id": call.request_id if call else records[0].request_id,
        "booked": None if call is None else {**call.dimensions, "configuration": call.configuration},
        "records": [_record_fields(record) for record in records],
    }


def _record_fields(record: Explained) -> dict[str, object]:
    return {
        "file": record.place.source_file,
        "line": record.place.line,
        "format": record.place.form,
        "request_id": record.request_id,
        "problem": record.problem,
        "dimensions": {trace.dimension: _trace_fields(trace) for trace in record.traces},
    }


def _trace_fields(trace: Trace) -> dict[str, object]:
    asked = [{"rule": each.rule.name, "finding": each.finding, "found": each.found} for each in trace.asked]
    return {"value": trace.value, "by": trace.by, "asked": asked}


def tested(found: Tested) -> str:
    """How many calls each dimension is known of, by which rules, and what the values are."""
    lines = [f"{found.calls:,} calls" if found.calls != 1 else "1 call"]
    for share in found.shares.values():
        if share.dimension != "model_tier" or share.attributed:
            lines += ["", *_of_share(share, found.calls)]
    return "\n".join(lines)


def _of_share(share: Share, calls: int) -> Iterator[str]:
    known = units.share(share.attributed / calls)
    yield f"{share.dimension}: {known} attributed, {calls - share.attributed:,} {_NONE.lower()}"
    rows = [(f"  by {names.clean(rule)}", f"{count:,}") for rule, count in share.by.most_common(_SHOWN_RULES)]
    if rows:
        yield table(("  rule", "calls"), rows, right=(1,))
    if share.most:
        yield "  values: " + ", ".join(f"{names.clean(value)} ({count:,})" for value, count in share.most)


def tested_fields(found: Tested) -> dict[str, object]:
    """The same for JSON."""
    return {
        "calls": found.calls,
        "dimensions": {share.dimension: _share_fields(share) for share in found.shares.values()},
        "problems": found.problems,
    }


def _share_fields(share: Share) -> Mapping[str, object]:
    return {
        "attributed": share.attributed,
        "by": dict(share.by),
        "values": dict(share.values.most_common(50)),
    }
