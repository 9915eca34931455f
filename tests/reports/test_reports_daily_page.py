from __future__ import annotations

import dataclasses
import itertools
import re
from decimal import Decimal
from html.parser import HTMLParser

import polars as pl
import pytest

from ledger import frames
from ledger.figures import Headline, IncidentState, Severity
from reports import daily as daily_report
from reports.registry import REPORTS

EVIL = '</svg><script>alert("x")</script>'
VOID = {"meta", "br", "hr", "img", "link", "input"}


class Outline(HTMLParser):
    """What a reader of the markup sees: tags, headings, text; fails on tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    assert parsed.open == []
    return parsed


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(outline(page).text))


def without_chart_bodies(page: str) -> str:
    """Charts are drawn by a library whose coordinates may differ between versions."""
    return re.sub(r'<svg class="marks".*?</svg>', '<svg class="marks"/>', page, flags=re.DOTALL)


def test_the_page_of_one_hand_written_day(daily, golden):
    golden("daily.html", without_chart_bodies(daily_report.render_html(daily)))


def test_the_page_of_a_day_without_anything(nothing, golden):
    golden("daily_empty.html", daily_report.render_html(nothing))


def test_the_registry_renders_the_same_page(daily):
    assert REPORTS["daily"].html(daily) == daily_report.render_html(daily)


def test_sections_come_in_the_order_of_a_page(daily):
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", daily_report.render_html(daily))
    assert headings == [
        "The figures",
        "What moved",
        "Where it goes",
        "Limits",
        "Open incidents",
        "Can I trust this?",
    ]


def test_heading_levels_never_skip_one(daily):
    levels = [
        int(tag[1]) for tag, _ in outline(daily_report.render_html(daily)).tags if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))


def test_the_page_asks_nothing_of_a_network_and_runs_nothing(daily):
    page = daily_report.render_html(daily)
    loading = {"href", "src", "srcset", "xlink:href", "action", "data", "poster", "background"}
    attributes = [(name, value) for _, attrs in outline(page).tags for name, value in attrs.items()]
    assert not [pair for pair in attributes if pair[0] in loading or pair[0].startswith("on")]
    assert not re.search(r"<script|url\(|@import|https?://", page, re.IGNORECASE)


@pytest.mark.parametrize("name", [EVIL, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a & b < c"])
def test_a_hostile_name_is_text_everywhere(daily, make_breakdown, name):
    hostile = dataclasses.replace(
        daily,
        sentence=name,
        versus=name,
        headlines=(Headline(name, Decimal(1), note=name, versus=name, change_usd=Decimal(1)),),
        factors=daily.factors.with_columns(label=pl.lit(name)),
        contributors=daily.contributors.with_columns(tenant=pl.lit(name), reason=pl.lit(name)),
        breakdowns=(make_breakdown("tenant", [(name, "12", "10", 1.0)]),),
        segments=daily.segments.with_columns(segment=pl.lit(name)),
        envelopes=daily.envelopes.with_columns(workflow=pl.lit(name), state=pl.lit(name)),
        budgets=daily.budgets.with_columns(budget=pl.lit(name), state=pl.lit(name)),
        incidents=(dataclasses.replace(daily.incidents[0], summary=name, why=(name,), note=name),),
        health=dataclasses.replace(daily.health, reject_reasons=((name, 1),), price_book=name),
        prompt_changes=daily.prompt_changes.with_columns(workflow=pl.lit(name), version=pl.lit(name)),
    )
    page = daily_report.render_html(hostile)
    tags = {tag for tag, _ in outline(page).tags}
    assert tags & {"script", "img"} == set()
    assert name in " ".join(outline(page).text)


def test_a_long_name_is_cut_in_the_middle_with_the_whole_in_its_title(daily, make_breakdown):
    name = "a" * 100 + "z" * 100
    page = daily_report.render_html(
        dataclasses.replace(daily, breakdowns=(make_breakdown("tenant", [(name, "12", "10", 1.0)]),))
    )
    assert f'<bdi title="{name}">{"a" * 17}…{"z" * 16}</bdi>' in page


def test_a_chinese_name_is_printed_as_it_is(daily, make_breakdown):
    page = daily_report.render_html(
        dataclasses.replace(daily, breakdowns=(make_breakdown("tenant", [("客服部门", "12", "10", 1.0)]),))
    )
    assert "<bdi>客服部门</bdi>" in page


def test_unattributed_is_a_row_even_where_everything_has_a_value(daily):
    page = daily_report.render_html(dataclasses.replace(daily, breakdowns=daily.breakdowns[1:]))
    assert page.count('<span class="none">Unattributed</span></th><td>0<span') == 1


def test_outcomes_are_words_without_a_row_for_requests_without_one(daily, make_breakdown):
    outcomes = make_breakdown("status", [("ok", "11", "9", 0.9), ("error", "1", "1", 0.1)])
    page = text_of(daily_report.render_html(dataclasses.replace(daily, breakdowns=(outcomes,))))
    assert "By outcome" in page
    assert re.search(r"Total 12\.00 .* Answered 11\.00 .* Failed 1\.00 ", page)
    assert "Unattributed 0" not in page


def test_a_breakdown_without_unpriced_requests_says_none(daily):
    page = daily_report.render_html(dataclasses.replace(daily, breakdowns=daily.breakdowns[1:]))
    assert "Unpriced: none" in page


def test_prompt_changes_say_what_they_add_to_a_day(daily):
    page = text_of(daily_report.render_html(daily))
    assert "triage 9c1f00d5 and 1 more, by tenant 2026-03-18 09:00 900 1,401 40 +2.50" in page


def test_the_most_urgent_incident_comes_first(daily):
    incident = daily.incidents[0]
    ranks = [
        (Severity.INFO, "90"),
        (Severity.PAGE, "3"),
        (Severity.TICKET, "50"),
        (Severity.PAGE, "7"),
    ]
    incidents = tuple(
        dataclasses.replace(incident, severity=severity, excess_usd=Decimal(usd)) for severity, usd in ranks
    )
    page = daily_report.render_html(dataclasses.replace(daily, incidents=incidents))
    assert re.findall(r'class="usd">\$(\d+)', page) == ["7", "3", "50", "90"]


def test_envelopes_that_were_left_come_first(daily):
    rows = [("within", "9"), ("over", "1"), ("over", "2")]
    each = [
        daily.envelopes.with_columns(
            workflow=pl.lit(f"flow-{usd}"),
            state=pl.lit(state),
            variance_usd=pl.lit(Decimal(usd), dtype=frames.USD),
        )
        for state, usd in rows
    ]
    page = daily_report.render_html(dataclasses.replace(daily, envelopes=pl.concat(each)))
    assert re.findall(r"<bdi>(flow-\d)", page) == ["flow-2", "flow-1", "flow-9"]


def test_each_breakdown_says_what_is_estimated_and_what_is_unpriced(daily):
    page = text_of(
        daily_report.render_html(dataclasses.replace(daily, segments=frames.empty(frames.SEGMENT_SPEND)))
    )
    assert page.count("of which estimated") == len(daily.breakdowns)
    assert "of which estimated 0.25" in page
    assert "Unpriced requests: 1, cost unknown" in page


def test_values_past_the_twentieth_are_one_row_with_their_sum(daily, make_breakdown):
    rows = [(f"t{i:02d}", "2", "2", 0.04) for i in range(25)]
    page = text_of(
        daily_report.render_html(dataclasses.replace(daily, breakdowns=(make_breakdown("tenant", rows),)))
    )
    assert "5 others 10.00" in page
    assert "Total 50.00" in page
    assert "t20" not in page


def test_the_largest_page_stays_under_300_kilobytes(daily, make_breakdown):
    rows = [(f"tenant-with-a-rather-long-name-{i}" * 6, "2", "1", 0.0005) for i in range(2000)]
    month = pl.concat([daily.days] * 4)
    page = daily_report.render_html(
        dataclasses.replace(
            daily,
            days=month,
            breakdowns=tuple(make_breakdown(d, rows) for d in frames.DIMENSIONS),
            contributors=pl.concat([daily.contributors] * 500),
            budgets=pl.concat([daily.budgets] * 500),
            envelopes=pl.concat([daily.envelopes] * 500),
            incidents=daily.incidents * 500,
            prompt_changes=pl.concat([daily.prompt_changes] * 250),
        )
    )
    assert len(page.encode()) < 300_000
    assert "and 460 more" in page


def test_over_a_limit_is_a_colour_a_sign_and_a_word(daily):
    page = daily_report.render_html(daily)
    assert '<span class="over">▲ over plan</span>' in page
    assert '<span class="over">▲ over hard limit</span>' in page
    assert '<span class="over">● page</span>' in page


def test_a_budget_of_which_nothing_is_known_is_not_called_within(daily):
    unknown = daily.budgets.head(1).with_columns(
        spent=pl.lit(None, dtype=frames.USD), state=pl.lit("ok"), stale=pl.lit(True)
    )
    page = text_of(daily_report.render_html(dataclasses.replace(daily, budgets=unknown)))
    assert "△ not known" in page
    assert "△ data is old" in page


def test_resolved_incidents_stand_apart_from_open_ones(daily):
    closed = dataclasses.replace(
        daily.incidents[0], state=IncidentState.RESOLVED, resolved_at=daily.as_of, summary="it was a test"
    )
    page = text_of(daily_report.render_html(dataclasses.replace(daily, incidents=(closed,))))
    assert "No open incidents." in page
    assert "Resolved acme / triage: it was a test; $2.00 in the end, resolved 2026-03-19 07:00" in page


def test_data_health_says_everything_that_lowers_trust(daily):
    page = text_of(daily_report.render_html(daily))
    for line in (
        "Read 70",
        "Duplicate, left out 5",
        "Identical without any id, merged 2",
        "Rejected 2",
        "truncated JSON 2",
        "Late, after the day was reported 3 · $0.40",
        "Unpriced, cost unknown 1 · 800 tokens",
        "no price for llama-x 1",
        "Unattributed 5 · $1.00",
        "Estimated share of cost 2.1 %",
        "Text-only requests that count as billed 97 %",
        "Their count against the bill −0.2 %",
        "Age of the prices 18 d 0 h",
        "Last commit 2026-03-19 05:30",
    ):
        assert line in page


def test_the_period_is_said_in_the_reporting_zone_with_currency_and_standing(daily):
    page = text_of(daily_report.render_html(daily))
    assert "2026-03-18 00:00 to 2026-03-19 00:00, Europe/Berlin. US dollars, booked" in page


def test_charts_have_a_text_alternative_and_a_table(daily):
    tags = outline(daily_report.render_html(daily)).tags
    labels = [attrs["aria-label"] for tag, attrs in tags if attrs.get("role") == "img"]
    assert len(labels) == 2
    assert all(labels)
    assert sum(tag == "details" for tag, _ in tags) == 2


def test_a_frame_of_another_shape_is_refused_by_name(daily):
    with pytest.raises(frames.FrameError, match="'budgets' lacks budget"):
        daily_report.render_html(dataclasses.replace(daily, budgets=daily.factors))


def test_print_has_a_light_ground_whatever_the_screen_prefers(daily):
    page = daily_report.render_html(daily)
    assert "@media screen and (prefers-color-scheme:dark)" in page
    assert page.count("prefers-color-scheme") == 1


def test_a_day_still_running_is_said_to_be(daily):
    running = daily.days.with_columns(complete=pl.lit(False))
    page = text_of(daily_report.render_html(dataclasses.replace(daily, days=running)))
    assert "The last day is still running." in page
