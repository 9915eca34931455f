"""`tollbook report` renders pages from the ledger."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tollbook.desk import Desk, UsageError, at_desk

if TYPE_CHECKING:
    from tollbook.jobs import DailyReport


@at_desk
def daily(
    desk: Desk,
    day: Annotated[str | None, typer.Option("--date", help="The day; the last whole one by default.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The folder for the page.")] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Render the daily report as one HTML file and as text."""
    from tollbook import jobs

    desk.need_ledger()
    wanted = _day(day) if day is not None else jobs.last_whole_day(desk.config, desk.now)
    folder = out.resolve() if out is not None else desk.config.path(desk.config.settings.report.daily.out)
    try:
        report = jobs.report_daily(desk.config, desk.visit, wanted, folder, desk.now)
    except OSError as error:
        raise UsageError(f"cannot write a report into {folder}: {error.strerror or error}") from error
    say_daily(desk, report)
    if open_page:
        typer.launch(str(report.path))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--date {text!r} is no day: write it as 2026-10-30") from None


def say_daily(desk: Desk, report: DailyReport, **more: object) -> None:
    """Print the report as text and where its page is."""
    from ledger.figures import IncidentState
    from reports.registry import REPORTS
    from tollbook import screen

    daily = report.daily
    text = REPORTS["daily"].text(daily, screen.width(), screen.has_color())
    spent = next((figure.value_usd for figure in daily.headlines), None)
    desk.say(
        f"{text}\nReport: {report.path}",
        report=str(report.path),
        day=str(daily.day),
        sentence=daily.sentence,
        spent_usd=spent,
        unattributed_usd=daily.health.unattributed_usd,
        unattributed_requests=daily.health.unattributed_requests,
        open_incidents=sum(each.state is not IncidentState.RESOLVED for each in daily.incidents),
        **more,
    )
