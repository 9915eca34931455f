"""A day as lines for a terminal: aligned columns, a sign beside every colour, nothing drawn but a rule."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from zoneinfo import ZoneInfo

import polars as pl

from ledger import units
from ledger.figures import DataHealth, Headline, Incident, estimated_share
from reports import names, words
from reports.page import amount, moment, quantity, rounded
from reports.tables import Spread

_HOW_OFTEN = {"day": "daily", "week": "weekly", "month": "monthly"}
_CODES = {"over": "31", "near": "33", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Style:
    """The terminal: its width in cells, and whether it shows colour."""

    width: int
    color: bool

    def paint(self, text: str, tone: str) -> str:
        """The text in a tone (over, near, dim, bold); unchanged without colour or for another tone."""
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if self.color and tone in _CODES else text

    def bold(self, text: str) -> str:
        """The text as a heading."""
        return self.paint(text, "bold")

    def rule(self) -> str:
        """A line across the terminal."""
        return self.paint("─" * self.width, "dim")


def sentence(text: str, style: Style) -> list[str]:
    """A sentence, wrapped."""
    return textwrap.wrap(names.clean(text), style.width)


def headlines(figures: Sequence[Headline], style: Style) -> list[str]:
    """One line a figure: value, plan, change, band."""
    heads = aligned([(figure.label, units.money(figure.value_usd)) for figure in figures], "<>", style)
    lines = []
    for figure, head in zip(figures, heads, strict=True):
        first, *rest = _flowed(_beside(figure), style.width - names.cells(head) - 2) or [""]
        block = [f"{head}  {first}".rstrip(), *(" " * (names.cells(head) + 2) + more for more in rest)]
        lines += [style.paint(line, "over") if figure.over else line for line in block]
    return lines


def _flowed(parts: Sequence[str], width: int) -> list[str]:
    """Parts set between semicolons, line after line; one that is wider than a line is broken at a space."""
    text = " ".join(names.clean(part).replace(" ", "\u00a0") + ";" for part in parts).removesuffix(";")
    wrapped = textwrap.wrap(text, width, break_on_hyphens=False) if width > 0 else []
    whole = [line.replace("\u00a0", " ") for line in wrapped]
    return (
        whole if all(names.cells(line) <= width for line in whole) else textwrap.wrap("; ".join(parts), width)
    )


def _beside(figure: Headline) -> list[str]:
    parts = []
    if figure.plan_usd is not None:
        parts.append(f"plan {units.money(figure.plan_usd)}{' ▲ over' if figure.over else ''}")
    if figure.change_usd is not None:
        ratio = "" if figure.change_share is None else f" ({units.share(figure.change_share, signed=True)})"
        parts.append(
            f"{units.money(figure.change_usd, signed=True)}{ratio} vs {figure.versus}".removesuffix(" vs ")
        )
    if figure.low_usd is not None and figure.high_usd is not None:
        parts.append(f"forecast {units.money(figure.low_usd)} to {units.money(figure.high_usd)}")
    return [*parts, *([figure.note] if figure.note else [])]


def movers(contributors: pl.DataFrame, versus: str, style: Style) -> list[str]:
    """The three cells that moved most, the reason under each."""
    if not contributors.height:
        return []
    shown = contributors.head(3).rows(named=True)
    heads = aligned(
        [
            (_cell_name(row["tenant"], row["workflow"]), amount(row["change_usd"], signed=True))
            for row in shown
        ],
        "<>",
        style,
    )
    lines = [style.bold(f"What moved, against {versus} ($)")]
    for row, head in zip(shown, heads, strict=True):
        lines += [head, *_indented(row["reason"] or units.UNKNOWN, style)]
    return lines


def prompt_changes(changed: pl.DataFrame, zone: ZoneInfo, style: Style) -> list[str]:
    """The new prompts of the last week, two lines each; nothing where no prompt changed."""
    lines = []
    for row in changed.head(5).iter_rows(named=True):
        before, now = (rounded(row[name]) for name in ("previous_input_per_request", "input_per_request"))
        lines.append(names.cut(f"{row['workflow']}, since {moment(row['since'], zone)}", style.width))
        requests, usd = (
            units.tokens(row["requests_per_day"]),
            units.money(row["change_usd_per_day"], signed=True),
        )
        lines += _indented(
            f"{before} → {now} input tokens a request, {requests} requests a day: {usd} a day", style
        )
    return [style.bold("Prompt changes of the last 7 days"), *lines] if lines else []


def _indented(text: str, style: Style) -> list[str]:
    return textwrap.wrap(names.clean(text), style.width, initial_indent="  ", subsequent_indent="  ")


def spend(spread: Spread, style: Style) -> list[str]:
    """A breakdown as a table: total first, Unattributed and the memo lines last."""
    heading = (words.dimension(spread.dimension), "cost $", "share", "change $", "requests")
    total = spread.total.row(0, named=True)
    rows = [heading, ("Total", *_figures(spread.total)[0])]
    rows += [(name, *f) for name, f in zip(spread.rows["value"], _figures(spread.rows), strict=True)]
    rows += [(f"{spread.others_count} others", *f) for f in _figures(spread.others)]
    rows += [(names.UNATTRIBUTED, *f) for f in _figures(spread.unattributed)]
    return [
        style.bold(f"Spend by {heading[0].lower()}"),
        *aligned(rows, "<>>>>", style),
        style.paint(f"of which estimated {units.money(total['estimated_cost_usd'])}", "dim"),
        style.paint(_unpriced(total["unpriced_requests"]), "dim"),
    ]


def _unpriced(requests: int) -> str:
    return f"Unpriced requests: {units.tokens(requests)}, cost unknown" if requests else "Unpriced: none"


def _figures(frame: pl.DataFrame) -> list[tuple[str, str, str, str]]:
    return [
        (
            amount(row["cost_usd"]),
            units.share(row["share"]),
            amount(row["change_usd"], signed=True),
            units.tokens(row["requests"]),
        )
        for row in frame.iter_rows(named=True)
    ]


def budgets(states: pl.DataFrame, style: Style) -> list[str]:
    """The budgets that are over or about to be, and how many are within."""
    if not states.height:
        return [style.bold("Budgets"), "No budgets are set."]
    marked = [
        (row, words.state("unknown" if row["spent"] is None else row["state"]))
        for row in states.iter_rows(named=True)
    ]
    loud = [(row, mark) for row, mark in marked if mark.tone != "calm" or row["stale"]]
    rows = [
        (
            _budget_name(row["budget"], row["value"], row["period"]),
            quantity(row["spent"], row["unit"]),
            f"of {quantity(row['soft'] if row['hard'] is None else row['hard'], row['unit'])}",
            units.share(row["used_share"]),
            f"{mark.text()}, data is old" if row["stale"] else mark.text(),
        )
        for row, mark in loud
    ]
    lines = aligned(rows, "<>>><", style, [mark.tone == "over" for _, mark in loud])
    return [
        style.bold("Budgets"),
        *lines,
        f"{states.height - len(loud)} of {states.height} within their limits.",
    ]


def _budget_name(budget: str, value: str | None, period: str) -> str:
    return f"{budget if value is None else value}, {_HOW_OFTEN[period]}"


def incidents(opened: Sequence[Incident], zone: ZoneInfo, style: Style) -> list[str]:
    """Open incidents, two lines each: who and how much, then what since when."""
    if not opened:
        return [style.bold("Open incidents"), "No open incidents."]
    lines = [style.bold(f"Open incidents: {len(opened)}")]
    for incident in opened:
        mark = words.state(incident.severity)
        head = f"{mark.text()}  {names.clean(incident.scope.title())}  {units.money(incident.excess_usd)}"
        what = (
            f"{names.clean(incident.summary)}; since {units.instant(incident.since, zone)}, {incident.state}"
        )
        lines.append(style.paint(names.cut(head, style.width), mark.tone))
        lines += _indented(what, style)
    return lines


def health(data: DataHealth, zone: ZoneInfo, style: Style) -> list[str]:
    """The data-health line."""
    parts = (
        f"{units.tokens(data.read)} records read",
        f"{units.tokens(data.duplicate)} duplicate",
        f"{units.tokens(data.merged_identical)} merged",
        f"{units.tokens(data.rejected)} rejected",
        f"{units.tokens(data.late_requests)} late",
        f"{units.tokens(data.unpriced_requests)} unpriced",
        f"{units.tokens(data.unattributed_requests)} unattributed ({units.money(data.unattributed_usd)})",
        f"{units.share(estimated_share(data))} of cost estimated",
        f"text-only counts {units.share_of_all(data.exact_share)} equal"
        f" (drift {units.share(data.drift_share, signed=True)})",
        f"prices of {units.day(data.price_book_date)}",
        f"last commit {units.instant(data.last_commit, zone)}",
        *([f"alerts: {units.tokens(data.undelivered)} not delivered yet"] if data.undelivered else []),
        *([f"alerts: {units.tokens(data.given_up)} given up"] if data.given_up else []),
        *(
            f"{units.tokens(each.requests)} told by {each.sources} and booked once ({units.money(each.usd)})"
            for each in data.merged_sources
        ),
        *(f"counter switched off: {reason}" for reason in data.distrusted_counters),
    )
    return [style.bold("Data health"), *textwrap.wrap(", ".join(parts) + ".", style.width)]


def _cell_name(tenant: str | None, workflow: str | None) -> str:
    if tenant is None and workflow is None:
        return names.UNATTRIBUTED
    return f"{tenant or names.UNATTRIBUTED} / {workflow or names.UNATTRIBUTED}"


def aligned(rows: Sequence[Sequence[str]], sides: str, style: Style, over: Sequence[bool] = ()) -> list[str]:
    """Lay rows out in columns two cells apart; `sides` says < or > for each.

    The first column gives way where the line is too long, then the last; rows marked `over` are coloured.
    """
    if not rows:
        return []
    clean = [[names.clean(text) if text else "" for text in row] for row in rows]
    widths = _fitted([max(names.cells(row[i]) for row in clean) for i in range(len(sides))], style.width)
    lines = [
        "  ".join(
            _padded(text, width, side) for text, width, side in zip(row, widths, sides, strict=True)
        ).rstrip()
        for row in clean
    ]
    return [style.paint(line, "over") if loud else line for line, loud in zip_longest(lines, over)]


def _fitted(widths: list[int], room: int) -> list[int]:
    """Shrink the first column to no less than 24 cells, then the last to no less than 8."""
    for column, least in ((0, 24), (-1, 8)):
        excess = sum(widths) + 2 * (len(widths) - 1) - room
        widths[column] -= max(0, min(excess, widths[column] - least))
    return widths


def _padded(text: str, width: int, side: str) -> str:
    text = names.cut(text, width) if text else ""
    space = " " * (width - names.cells(text))
    return text + space if side == "<" else space + text
