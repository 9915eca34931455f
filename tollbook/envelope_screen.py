"""What the commands about envelopes print: how requests kept to them, and proposals as TOML."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from analytics.suggest import FEWEST_REQUESTS, Suggestion
from ledger import units
from reports import names
from tollbook.screen import table


def envelopes(held: pl.DataFrame, covered: Decimal, uncovered: Decimal) -> str:
    """A line an envelope and side, then how much spend has an envelope at all."""
    note = f"{units.money(covered)} of spend has an envelope, {units.money(uncovered)} has none."
    if held.is_empty():
        return f"No envelope is declared: `tollbook envelopes suggest` proposes some.\n{note}"
    heads = (
        "workflow",
        "side",
        "p50 plan",
        "p50",
        "p95 plan",
        "p95",
        "requests",
        "outside",
        "variance",
        "state",
    )
    rows = [
        (
            names.clean(row["workflow"] + (f" ({row['tenant']})" if row["tenant"] else "")),
            row["direction"],
            *(_count(row[name]) for name in ("expected_p50", "observed_p50", "expected_p95", "observed_p95")),
            f"{row['requests']:,}",
            units.share(row["outside_share"]),
            units.money(row["variance_usd"]),
            row["state"],
        )
        for row in held.iter_rows(named=True)
    ]
    return f"{table(heads, rows, right=(2, 3, 4, 5, 6, 7, 8))}\n{note}"


def _count(tokens: float | None) -> str:
    return units.tokens(None if tokens is None else round(tokens))


def toml(
    found: Sequence[Suggestion], scarce: Sequence[tuple[str, int]], days: int, covered: Sequence[str]
) -> str:
    """The envelopes as configuration, each under its evidence."""
    head = f"# Proposed from the last {days} days. Read each, then put what you accept into tollbook.toml."
    parts = [head, *(_table(each) for each in found)]
    if scarce:
        few = ", ".join(f"{names.clean(name)} ({count})" for name, count in scarce)
        parts.append(f"# Fewer than {FEWEST_REQUESTS} answered requests outside of incidents: {few}.")
    if covered:
        parts.append(f"# Have an envelope already (--every proposes anew): {', '.join(covered)}.")
    return "\n\n".join(parts)


def _table(each: Suggestion) -> str:
    envelope = each.envelope
    left_out = f"; {each.left_out:,} more left out, of incidents and odd days" if each.left_out else ""
    lines = [
        f"# {each.requests:,} answered requests on {each.days} days{left_out}.",
        f"# Above p95: {units.share(each.above_input)} by input, {units.share(each.above_output)} by output.",
        "[[envelope]]",
        f"workflow = {json.dumps(envelope.workflow, ensure_ascii=False)}",
        f"input = {{ p50 = {envelope.input_p50}, p95 = {envelope.input_p95} }}",
    ]
    if envelope.output_p95:
        lines.append(f"output = {{ p50 = {envelope.output_p50}, p95 = {envelope.output_p95} }}")
    if envelope.max_cost_per_request_usd:
        lines.append(f"max_cost_per_request_usd = {envelope.max_cost_per_request_usd:f}")
    return "\n".join(lines)
