"""The daily report: what was spent, against what plan, what moved, and whether to trust it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl

from ledger import frames, units
from ledger.figures import DataHealth, Headline, Incident, IncidentState, Severity, estimated_share
from reports import charts, digest, tables
from reports.page import environment

_VALUES_SHOWN = 20
_ROWS_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Daily:
    """One day in the books, ready to print; times are aware UTC.

    `factors` and `contributors` compare the day with `versus`; `breakdowns` hold one dimension each.
    """

    day: date
    zone: ZoneInfo
    period_start: datetime
    period_end: datetime
    as_of: datetime
    sentence: str
    headlines: tuple[Headline, ...]
    versus: str
    factors: pl.DataFrame
    contributors: pl.DataFrame
    breakdowns: tuple[pl.DataFrame, ...]
    segments: pl.DataFrame
    days: pl.DataFrame
    envelopes: pl.DataFrame
    budgets: pl.DataFrame
    incidents: tuple[Incident, ...]
    health: DataHealth
    prompt_changes: pl.DataFrame


def render_html(daily: Daily) -> str:
    """The page as one self-contained file: no script, no request, light and dark, screen and paper.

    Raises FrameError where a frame is not what its field promises.
    """
    daily = _checked(daily)
    opened, closed = _by_state(daily.incidents)
    return (
        environment()
        .get_template("daily.html.j2")
        .render(
            daily=daily,
            zone=daily.zone,
            estimated=estimated_share(daily.health),
            spreads=[
                tables.spread(breakdown, _VALUES_SHOWN) for breakdown in daily.breakdowns if breakdown.height
            ],
            contributors_total=tables.footing(daily.contributors),
            envelopes=tables.over_first(daily.envelopes),
            segments=tables.dearest_first(daily.segments),
            segments_total=tables.footing(daily.segments),
            spend_charts=[charts.daily_spend(daily.days, daily.day, w) for w in charts.SIZES],
            factor_charts=[charts.waterfall(daily.factors, w) for w in charts.SIZES],
            span=charts.span_in_words(daily.days),
            missing=charts.missing_days(daily.days),
            price_age=_price_age(daily),
            commit_age=None if daily.health.last_commit is None else daily.as_of - daily.health.last_commit,
            opened=opened,
            closed=closed,
            rows_shown=_ROWS_SHOWN,
        )
    )


def render_text(daily: Daily, width: int, color: bool) -> str:
    """The same order in fewer words for a terminal of `width` cells."""
    daily = _checked(daily)
    style = digest.Style(max(width, 40), color)
    where = f"{units.day(daily.day)}, {daily.zone.key}; US dollars, booked"
    opened, _ = _by_state(daily.incidents)
    blocks = (
        [*map(style.bold, digest.sentence(f"Daily report: {where}", style)), style.rule()],
        digest.sentence(daily.sentence, style),
        digest.headlines(daily.headlines, style),
        digest.movers(daily.contributors, daily.versus, style),
        digest.prompt_changes(daily.prompt_changes, daily.zone, style),
        *(digest.spend(tables.spread(b, 12), style) for b in daily.breakdowns[:1] if b.height),
        digest.budgets(daily.budgets, style),
        digest.incidents(opened, daily.zone, style),
        digest.health(daily.health, daily.zone, style),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _checked(daily: Daily) -> Daily:
    return dataclasses.replace(
        daily,
        factors=frames.checked(daily.factors, frames.FACTORS, "factors"),
        contributors=frames.checked(daily.contributors, frames.CONTRIBUTORS, "contributors"),
        breakdowns=tuple(frames.checked(b, frames.BREAKDOWN, "breakdown") for b in daily.breakdowns),
        segments=frames.checked(daily.segments, frames.SEGMENT_SPEND, "segments"),
        days=frames.checked(daily.days, frames.DAILY, "days"),
        envelopes=frames.checked(daily.envelopes, frames.ENVELOPES, "envelopes"),
        budgets=frames.checked(daily.budgets, frames.BUDGETS, "budgets"),
        prompt_changes=frames.checked(daily.prompt_changes, frames.PROMPT_CHANGES, "prompt changes"),
    )


def _price_age(daily: Daily) -> timedelta | None:
    dated = daily.health.price_book_date
    return None if dated is None else daily.as_of.astimezone(daily.zone).date() - dated


def _by_state(incidents: tuple[Incident, ...]) -> tuple[list[Incident], list[Incident]]:
    """Open incidents and resolved ones, each with the most urgent first, then the dearest."""
    ranked = sorted(incidents, key=_urgency)
    closed = [incident for incident in ranked if incident.state is IncidentState.RESOLVED]
    return [incident for incident in ranked if incident.state is not IncidentState.RESOLVED], closed


def _urgency(incident: Incident) -> tuple[int, Decimal]:
    return list(Severity).index(incident.severity), -(incident.excess_usd or Decimal(0))
