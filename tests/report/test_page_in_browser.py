"""The page in a browser: pictures load, nothing is fetched, and a phone need not scroll sideways."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape

import pytest
from studies import make_cells, write_study

from videogn.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# It stands before the page's own policy, which forbids scripts.
SCRIPT = """<script>addEventListener("load", () => {
  const page = document.documentElement;
  const said = JSON.stringify({
    pictures: [...document.images].map(picture => [picture.naturalWidth, picture.alt.length]),
    fetched: performance.getEntriesByType("resource").map(entry => entry.name),
    viewport: innerWidth, page: page.scrollWidth, body: document.body.scrollWidth,
    tables: [...document.querySelectorAll("table")].map(table => table.scrollWidth),
    scrolled: [...document.querySelectorAll(".scroll")].map(part => part.clientWidth),
    cues: [...document.querySelectorAll(".scroll")].filter(part => part.scrollWidth > part.clientWidth).map(part =>
      part.querySelector("img")
        ? getComputedStyle(part.nextElementSibling, "::before").content
        : getComputedStyle(part).backgroundImage),
    anchors: [...document.querySelectorAll("nav a")].map(
      link => document.getElementById(link.getAttribute("href").slice(1)) !== null),
  });
  parent.document.documentElement.setAttribute("data-said", said);
});</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser") / "study"
    cells = make_cells()
    study = write_study(folder, missing=cells[-1:], reason="FileNotFoundError: " + "/a_long_path" * 30)
    return write_report(study)


def _measure(page, tmp_path, width):
    # In a frame, because Chromium's window is at least 500 pixels wide.
    html = escape(page.read_text(encoding="utf-8").replace("<head>", f"<head>{SCRIPT}"))
    frame = f'<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{html}"></iframe>'
    (tmp_path / "frame.html").write_text(f'<!DOCTYPE html><html><meta charset="utf-8">{frame}</html>', encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,1000", "--dump-dom",
         (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    said = re.search(r'data-said="([^"]*)"', done.stdout)
    assert said is not None, done.stderr[-2000:]
    return json.loads(unescape(said[1]))


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1000])
def test_in_a_browser(page, tmp_path, width):
    said = _measure(page, tmp_path, width)
    assert len(said["pictures"]) == 6
    assert all(size > 600 and alt > 10 for size, alt in said["pictures"])
    assert all(name.startswith("data:") for name in said["fetched"])
    assert all(said["anchors"])
    assert said["viewport"] == width
    assert max(said["page"], said["body"]) <= width
    assert max(said["scrolled"]) <= width
    assert all("Swipe" in cue or "gradient" in cue for cue in said["cues"])
    if width == 400:
        assert max(said["tables"]) > width  # they scroll inside the page
        assert said["tables"][0] <= width  # not so the accuracies
        assert len(said["cues"]) > 6
