from __future__ import annotations

import dataclasses
import re

import polars as pl
import pytest

from reports import names
from reports.daily import render_text


def test_the_terminal_text_of_one_hand_written_day(daily, golden):
    golden("daily.txt", render_text(daily, 90, color=False))


def test_the_terminal_text_of_a_day_without_anything(nothing, golden):
    golden("daily_empty.txt", render_text(nothing, 90, color=False))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(daily, make_breakdown, width):
    wide = make_breakdown("tenant", [("客服部门" * 20, "8", "6", 0.7), ("x" * 200, "4", "4", 0.3)])
    text = render_text(dataclasses.replace(daily, breakdowns=(wide,)), width, color=False)
    assert max(names.cells(line) for line in text.splitlines()) <= width


def test_columns_stay_aligned_beside_wide_characters(daily, make_breakdown):
    mixed = make_breakdown("tenant", [("客服", "8", "6", 0.7), ("acme", "4", "4", 0.3)])
    lines = render_text(dataclasses.replace(daily, breakdowns=(mixed,)), 80, color=False).splitlines()
    table = [line for line in lines if line.startswith(("客服", "acme  "))]
    assert len({names.cells(line) for line in table}) == 1


@pytest.mark.parametrize("width", [60, 80])
def test_no_number_of_a_headline_is_cut(daily, width):
    text = render_text(daily, width, color=False)
    assert "…" not in text.partition("What moved")[0]
    for part in ("+$2.00 (+20 %) vs Tue 17 Mar;", "forecast $300.00 to $340.00"):
        assert part in text


def test_a_reason_is_told_whole_on_lines_of_its_own(daily):
    reason = "retrieved context 703 → 14,591 tokens a request since version 9c1f00d5 of the prompt"
    told = daily.contributors.with_columns(reason=pl.lit(reason))
    lines = render_text(dataclasses.replace(daily, contributors=told), 60, color=False).splitlines()
    first = lines.index("acme / triage  +2.00") + 1
    assert " ".join(line.strip() for line in lines[first : first + 2]) == reason


def test_a_day_without_a_new_prompt_has_no_block_for_it(nothing):
    assert "Prompt changes" not in render_text(nothing, 80, color=False)


def test_colour_is_only_written_where_asked_for(daily):
    assert "\x1b" not in render_text(daily, 80, color=False)
    assert "\x1b[31m" in render_text(daily, 80, color=True)


def test_colour_changes_nothing_but_colour(daily):
    assert re.sub(r"\x1b\[\d+m", "", render_text(daily, 80, color=True)) == render_text(
        daily, 80, color=False
    )


def test_a_name_cannot_drive_the_terminal(daily, make_breakdown):
    hostile = make_breakdown("tenant", [("\x1b]0;owned\x07\x1b[2J", "12", "10", 1.0)])
    text = render_text(
        dataclasses.replace(daily, breakdowns=(hostile,), sentence="a\x1b[31mb"), 80, color=False
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_alerts_that_reached_nobody_are_in_the_health_line(daily):
    health = dataclasses.replace(daily.health, undelivered=2, given_up=1)
    text = " ".join(render_text(dataclasses.replace(daily, health=health), 90, color=False).split())
    assert "alerts: 2 not delivered yet, alerts: 1 given up." in text
