"""Every report by the name the command line calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reports import daily


@dataclass(frozen=True, slots=True)
class Report:
    """How a report is printed; both renderers compute nothing."""

    html: Callable[[daily.Daily], str]
    text: Callable[[daily.Daily, int, bool], str]


REPORTS: dict[str, Report] = {"daily": Report(html=daily.render_html, text=daily.render_text)}
