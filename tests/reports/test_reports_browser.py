"""The page in a real browser: nothing wider than the window, no label of a chart outside it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from reports.daily import Daily, render_html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=4000",
)
MEASURE = """
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const width = page.documentElement.clientWidth;
  const labels = [...page.querySelectorAll(".chart text")].filter(t => t.getClientRects().length);
  const boxes = labels.map(t => t.getBoundingClientRect());
  const measured = {
    width, content: page.documentElement.scrollWidth, labels: labels.length,
    outside: labels.filter((_, i) => boxes[i].left < 0 || boxes[i].right > width).map(t => t.textContent),
    smallest: Math.min(...boxes.map(b => b.height)),
    resources: page.defaultView.performance.getEntriesByType("resource").length,
  };
  document.body.dataset.measured = JSON.stringify(measured);
});
</script>
"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


def chromium(*arguments: str, profile: Path) -> str:
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def measured(page: str, width: int, folder: Path) -> dict[str, object]:
    """Headless windows cannot be narrower than 500 pixels, so the page is framed at its width."""
    frame = f'<iframe style="width:{width}px;height:2000px;border:0" srcdoc="{html.escape(page)}"></iframe>'
    (folder / "frame.html").write_text(
        f"<!doctype html><body style='margin:0'>{frame}{MEASURE}", encoding="utf-8"
    )
    dom = chromium(
        "--window-size=1400,2000", "--dump-dom", (folder / "frame.html").as_uri(), profile=folder / "p"
    )
    found = re.search(r'data-measured="([^"]*)"', dom)
    assert found is not None
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [1280, 768, 390])
def test_the_page_never_scrolls_sideways_and_shows_every_label_whole(
    daily: Daily, tmp_path: Path, width: int
):
    seen = measured(render_html(daily), width, tmp_path)
    assert seen["width"] == width
    assert seen["content"] <= width
    assert seen["labels"] > 10
    assert seen["outside"] == []
    assert seen["smallest"] >= 11
    assert seen["resources"] == 0


def test_the_page_can_be_pictured_in_both_widths(daily: Daily, tmp_path: Path):
    (tmp_path / "daily.html").write_text(render_html(daily), encoding="utf-8")
    for width in (1280, 500):
        picture = tmp_path / f"{width}.png"
        chromium(
            f"--window-size={width},2000",
            f"--screenshot={picture}",
            (tmp_path / "daily.html").as_uri(),
            profile=tmp_path / "p",
        )
        assert picture.read_bytes().startswith(b"\x89PNG")
