"""The page of a report in a real browser."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

import analysis
from analysis.reporting.explorer import has_renderer
from tests import browser
from tests.analysis.conftest import simulated
from tests.browser import Browser

pytestmark = [
    pytest.mark.skipif(browser.PROGRAM is None, reason="Chromium is not installed (Debian's package chromium)"),
    pytest.mark.skipif(not has_renderer(), reason="vl-convert-python is not installed (topograph[report])"),
]
EVIL = "<script>window.evil=1</script>"
IMAGE = "<img src=x onerror='window.evil=2'>"
EXPLORED = "document.documentElement.classList.contains('explored')"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    frame = simulated(0.02)
    rng = np.random.default_rng(0)
    frame["construction"] = frame["construction"].replace("random_edge", EVIL)
    frame["l2_normalized_gap"] = rng.normal(size=len(frame))
    frame["l2_algebraic_connectivity"] = rng.normal(size=len(frame))
    frame[f"mine {EVIL}{IMAGE}"] = rng.normal(size=60)[frame["topology_seed"]]
    frame[f"</script>{IMAGE}'\""] = rng.normal(size=60)[frame["topology_seed"]]
    frame.attrs["meta"] = {"spec": {"name": EVIL, "question": f"{IMAGE} why?"}}
    return analysis.report(frame, tmp_path_factory.mktemp("page") / "r.html").path


@pytest.fixture
def opened(made):
    with Browser() as page:
        page.open(made)
        page.wait_for(EXPLORED)
        yield page


def test_nothing_leaves_the_page_and_names_run_nothing(opened):
    assert opened.requests() == []
    assert opened.complaints() == []
    assert opened.run("typeof window.evil") == "undefined"
    assert opened.run("document.title").startswith("Study <script>")
    names = opened.run("[...document.querySelectorAll('.forest .name')].map(n => n.textContent).join('\\n')")
    assert EVIL in names


def test_a_script_that_was_smuggled_in_is_refused_by_the_policy(made, tmp_path):
    text = made.read_text(encoding="utf-8").replace("</main>", f"{EVIL}{IMAGE}<img src='http://127.0.0.1:9/x'></main>")
    (tmp_path / "r.html").write_text(text, encoding="utf-8")
    with Browser() as page:
        page.open(tmp_path / "r.html")
        page.wait_for(EXPLORED)
        assert page.run("typeof window.evil") == "undefined"
        assert any("Content Security Policy" in text for text in page.complaints())


def test_the_forest_is_filtered_and_its_rows_open(opened):
    shown = "[...document.querySelectorAll('.forest > details')].filter(row => row.offsetParent).length"
    choose = (
        "(() => {{ const c = document.querySelector(\"[data-filter='{}']\"); c.value = '{}';"
        "c.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )
    assert opened.run(shown) == 5
    opened.run(choose.format("layer", "layer 2"))
    assert opened.run(shown) == 2
    assert opened.run("document.querySelector('[data-count]').textContent") == "2 of 5 metrics"
    opened.run(choose.format("layer", ""))
    opened.run(choose.format("group", "spectral"))
    assert opened.run(shown) == 3
    opened.run("document.querySelector('.forest > details:not([hidden]) > summary').click()")
    words = opened.run("document.querySelector('.forest > details[open] .opened').innerText")
    assert "Definition." in words
    assert "topologies raw" in words
    assert "Slope in each cell" in words


def test_the_explorer_shows_what_is_chosen(opened):
    data = (
        "(async () => { const r = await window.vegaEmbed('#explorer-chart',"
        "JSON.parse(document.getElementById('explorer-spec').textContent), {ast: true});"
        "r.view.signal('view', 'fixed'); r.view.signal('metric', 1); await r.view.runAsync();"
        "return r.view.data('data_0').map(d => [d.across, d.up, d.k]); })()"
    )
    assert opened.run("document.querySelectorAll('#explorer-chart canvas').length") == 1
    assert opened.run("document.querySelectorAll('#explorer-controls select').length") >= 2
    rows = np.array(opened.run(data))
    assert len(rows) == 180
    for cell in np.unique(rows[:, 2]):
        assert abs(rows[rows[:, 2] == cell, :2].mean(axis=0)).max() < 1e-4


def test_the_legend_of_the_explorer_is_whole_on_a_phone(made):
    edges = (
        "(async () => { const r = await window.vegaEmbed('#explorer-chart',"
        "JSON.parse(document.getElementById('explorer-spec').textContent), {ast: true});"
        "const marks = r.view.scenegraph().root.items[0].items.filter(mark => mark.role === 'legend');"
        "return [marks.length, Math.max(...marks.map(mark => mark.items[0].bounds.x2)), r.view.width()]; })()"
    )
    with Browser() as page:
        page.open(made, width=390)
        page.wait_for(EXPLORED)
        count, right, width = page.run(edges)
    assert count == 1
    assert right <= width + 1


def test_sections_collapse_and_links_open_them(opened):
    regressions = "document.querySelector('#regressions > details').open"
    assert opened.run(regressions) is False
    opened.run("document.querySelector(\"nav a[href='#regressions']\").click()")
    opened.wait_for(regressions)
    opened.run("document.querySelector('#regressions > details > summary').click()")
    assert opened.run(regressions) is False


def test_a_figure_is_saved_as_an_image(opened):
    opened.run(
        "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href.slice(0, 30)]; }"
    )
    opened.run("document.querySelector(\"figure button[data-save='png']\").click()")
    assert opened.run("window.saved") == ["answer.png", "data:image/png;base64,iVBORw0K"]
    opened.run("document.querySelector(\"figure button[data-save='svg']\").click()")
    assert opened.run("window.saved[0]") == "answer.svg"


CONTRAST = """(() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const rgb = t => t.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('main *')) {
    const text = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!text || !e.offsetParent || e.closest('#explorer-chart') || e.closest('.mark')) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) poor.push(e.outerHTML.slice(0, 120));
  }
  return poor;
})()"""
UNNAMED = """[...document.querySelectorAll('input, select, button, img, nav, [role=region]')].filter(e =>
  !e.closest('#explorer-chart') && !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute('alt')
  && !e.getAttribute('aria-label') && !e.getAttribute('name')).map(e => e.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_legible_in_both_themes_on_a_screen_and_on_a_phone(made, width, dark):
    with Browser() as page:
        page.open(made, width=width, dark=dark)
        page.wait_for(EXPLORED)
        assert page.run("document.documentElement.scrollWidth") <= width
        assert page.run(CONTRAST) == []
        assert page.run(UNNAMED) == []
        assert page.run("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == page.run(
            "document.querySelectorAll('[id]').length"
        )
        levels = page.run("[...document.querySelectorAll('h1, h2, h3')].map(h => h.tagName)")
        assert levels[0] == "H1"
        assert levels.count("H1") == 1


def test_it_is_read_without_scripts(made):
    with Browser(scripts=False) as page:
        page.open(made)
        words = page.send("DOMSnapshot.captureSnapshot", computedStyles=[])["strings"]
    assert any("go with test accuracy" in word for word in words)
    assert any("The explorer needs scripts" in word for word in words)


def test_it_is_printed_on_at_most_eight_pages(made, tmp_path):
    with Browser() as page:
        page.open(made)
        page.wait_for(EXPLORED)
        (tmp_path / "r.pdf").write_bytes(page.printed())
    counter = shutil.which("pdfinfo")
    if counter is None:
        pytest.skip("pdfinfo is not installed (Debian's package poppler-utils)")
    words = subprocess.run([counter, tmp_path / "r.pdf"], capture_output=True, text=True, check=True).stdout
    assert int(words.split("Pages:")[1].split()[0]) <= 8
