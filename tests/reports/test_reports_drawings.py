from __future__ import annotations

import re
from decimal import Decimal

import polars as pl
import pytest

from ledger import frames
from reports import charts, marks, palette

LUMINANCE = (0.2126, 0.7152, 0.0722)


def fills(svg: str, color: str) -> list[str]:
    return re.findall(f'<path[^>]*fill="{color}"', svg)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two #rrggbb colours."""

    def luminance(color: str) -> float:
        channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip(LUMINANCE, linear, strict=True))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("width", charts.SIZES)
def test_a_day_without_rows_is_a_gap_with_a_dash_not_a_bar(days, width):
    svg = charts.daily_spend(days, days["day"][-1], width)
    assert len(fills(svg, palette.BAR)) == 8
    assert svg.count(">–<") == 1


def test_the_reported_day_has_the_accent_and_its_amount(days):
    svg = charts.daily_spend(days, days["day"][-1], charts.WIDE)
    assert len(fills(svg, palette.ACCENT)) == 1
    assert ">$12.00<" in svg
    assert ">plan $10<" in svg


def test_weekends_are_shaded(days):
    assert len(fills(charts.daily_spend(days, days["day"][-1], charts.WIDE), palette.SHADE)) == 2


def test_days_without_any_known_cost_draw_nothing(days):
    unknown = days.with_columns(cost_usd=pl.lit(None, dtype=frames.USD))
    assert charts.daily_spend(unknown, days["day"][-1], charts.WIDE) == ""
    assert charts.daily_spend(frames.empty(frames.DAILY), days["day"][-1], charts.WIDE) == ""


def test_a_plan_is_not_needed(days):
    svg = charts.daily_spend(
        days.with_columns(plan_usd=pl.lit(None, dtype=frames.USD)), days["day"][-1], charts.WIDE
    )
    assert "plan" not in svg


@pytest.mark.parametrize("cost", ["0", "0.000002", "0.3", "123456.78"])
def test_any_size_of_day_can_be_drawn(days, cost):
    scaled = days.with_columns(
        cost_usd=pl.lit(Decimal(cost), dtype=frames.USD), plan_usd=pl.lit(None, dtype=frames.USD)
    )
    assert charts.daily_spend(scaled, days["day"][-1], charts.NARROW).startswith("<svg")


@pytest.mark.parametrize("width", charts.SIZES)
def test_the_steps_of_a_change_end_in_the_whole_of_it(factors, width):
    svg = charts.waterfall(factors, width)
    shown = re.findall(r">([+−]?\$[\d.]+)<", svg)
    assert sorted(shown) == sorted(["+$0.50", "+$1.75", "−$0.25", "+$2.00"])
    assert "Whole change" in svg


def test_a_change_of_nothing_can_be_drawn(factors):
    still = factors.with_columns(change_usd=pl.lit(Decimal(0), dtype=frames.USD))
    assert charts.waterfall(still, charts.WIDE).startswith("<svg")


def test_no_factor_draws_nothing():
    assert charts.waterfall(frames.empty(frames.FACTORS), charts.WIDE) == ""


def test_text_in_a_chart_is_escaped(factors):
    svg = charts.waterfall(factors.with_columns(label=pl.lit("</svg><script>")), charts.WIDE)
    assert "<script>" not in svg
    assert svg.count("</svg>") == 1


def test_every_colour_of_a_chart_has_a_dark_twin(days, factors):
    drawn = charts.daily_spend(days, days["day"][-1], charts.WIDE) + charts.waterfall(factors, charts.WIDE)
    used = set(re.findall(r'(?:fill|stroke)="(#\w+)"', drawn))
    assert used <= palette.DARK.keys()


@pytest.mark.parametrize("color", [palette.INK, palette.MUTED, palette.ACCENT, palette.OVER])
def test_text_colours_have_aa_contrast_on_both_grounds(color):
    assert contrast(color, "#ffffff") >= 4.5
    assert contrast(palette.DARK[color], "#16181b") >= 4.5


def test_bars_can_be_told_from_both_grounds():
    assert contrast(palette.BAR, "#ffffff") >= 3
    assert contrast(palette.DARK[palette.BAR], "#16181b") >= 3


def test_a_sparkline_breaks_where_a_day_is_unknown():
    path = re.search(r'd="([^"]*)"', marks.sparkline([1.0, 2.0, None, 1.0, 3.0]))
    assert path is not None
    assert path[1].count("M") == 2


@pytest.mark.parametrize("trend", [None, [], [1.0], [None, None, 2.0]])
def test_a_sparkline_needs_two_days(trend):
    assert marks.sparkline(trend) == ""


def test_a_bar_is_as_long_as_its_share():
    assert 'width:25.0%"' in marks.bar(0.25)
    assert marks.bar(None) == ""


def test_a_bullet_is_scaled_to_the_largest_of_its_amounts():
    drawn = marks.bullet(Decimal(52), None, Decimal(104), None, None, "calm")
    widths = dict(re.findall(r'class="(actual calm|ground)"[^>]* width="([\d.]+)"', drawn))
    # 104 × 1.04 dollars fill the ground, so 52 fill 52 / 108.16 of it.
    assert float(widths["actual calm"]) == pytest.approx(float(widths["ground"]) * 52 / 108.16, abs=0.1)


def test_a_budget_without_amounts_has_no_bullet():
    assert marks.bullet(None, None, None, None, None, "calm") == ""
