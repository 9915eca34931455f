"""What `tollbook attribution` prints, and says as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from collector.attribution_rules import Finding, Tried
from collector.reattribution import Summary
from collector.tracing import Trace
from ledger import units
from ledger.booked_calls import BookedCall, Place
from ledger.prices import Contract
from ledger.reattribution import MOVED, Move
from reports import names
from tollbook.explaining import Explained, Share, Tested
from tollbook.screen import table

_NONE = names.UNATTRIBUTED
_SHOWN_RULES = 12
_SHOWN_MOVES = 20


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
            above = trace.dimension in call.from_above
            why = "a step above the call says it" if above else "from another record, or by other rules"
            yield f"    the ledger has {_value(held)}: {why}"


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
        "booked": None if call is None else _booked_fields(call),
        "records": [_record_fields(record) for record in records],
    }


def _booked_fields(call: BookedCall) -> dict[str, object]:
    more = {"configuration": call.configuration, "from_above": sorted(call.from_above)}
    return {**call.dimensions, **more}


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
    lines = [_count(found.calls, "call")]
    if found.unreadable.records:
        lines.append(
            f"{_count(found.unreadable.records, 'more record')} cannot be read and stand in no share: "
            "`tollbook ingest` books the others, then `tollbook rejects` says why"
        )
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
        "unreadable": found.unreadable.records,
        "dimensions": {share.dimension: _share_fields(share) for share in found.shares.values()},
        "problems": found.problems,
    }


def _share_fields(share: Share) -> Mapping[str, object]:
    return {
        "attributed": share.attributed,
        "by": dict(share.by),
        "values": dict(share.values.most_common(50)),
    }


def applied(done: Summary, contracts: Sequence[Contract], *, dry_run: bool) -> str:
    """What a re-attribution changed, or would change: calls and money by where they went from and to."""
    made = done.done
    would = "would change" if dry_run else "changed"
    lines = [
        f"{_count(made.calls, 'call')} of {_count(done.files, 'file')} read again; {made.changed:,} {would}, "
        f"{units.money(made.usd)} in all"
    ]
    lines += [line for name in MOVED for line in _moves(name, made.moves)]
    if done.not_found:
        lines.append(
            f"{_count(done.not_found, 'call')} stay as they are: their records are not found any more"
        )
    if done.sealed:
        lines.append(f"{_count(done.sealed, 'call')} of closed periods stay as they are")
    if names_of_contracts(made.moves, contracts):
        lines.append(
            "some went to or from a tenant with prices of its own; what they cost stays as it was booked, "
            "whatever that tenant pays"
        )
    return "\n".join(lines)


def _moves(name: str, moves: Sequence[Move]) -> Iterator[str]:
    own = sorted((move for move in moves if move.dimension == name), key=lambda move: -move.usd)
    if not own:
        return
    shown = [
        (_value(m.before), _value(m.after), f"{m.calls:,}", units.money(m.usd)) for m in own[:_SHOWN_MOVES]
    ]
    yield ""
    yield table((f"{name} from", "to", "calls", "cost"), shown, right=(2, 3))
    if len(own) > _SHOWN_MOVES:
        yield f"… and {len(own) - _SHOWN_MOVES:,} more, all of them with --json"


def names_of_contracts(moves: Sequence[Move], contracts: Sequence[Contract]) -> bool:
    """Whether calls went to or from a tenant that has prices of its own."""
    own = {contract.tenant for contract in contracts if contract.tenant is not None}
    return any(own & {move.before, move.after} for move in moves if move.dimension == "tenant")


def applied_fields(done: Summary, rules: str, *, dry_run: bool) -> dict[str, object]:
    """The same for JSON."""
    return {
        "calls": done.done.calls,
        "changed": done.done.changed,
        "usd": f"{done.done.usd:f}",
        "moves": [
            {"dimension": m.dimension, "from": m.before, "to": m.after, "calls": m.calls, "usd": f"{m.usd:f}"}
            for m in done.done.moves
        ],
        "not_found": done.not_found,
        "sealed": done.sealed,
        "files": done.files,
        "gone": list(done.gone),
        "problems": list(done.problems),
        "rules": rules,
        "dry_run": dry_run,
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
