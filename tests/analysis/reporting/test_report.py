from __future__ import annotations

import html
import re
import sqlite3
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.columns import density_columns
from analysis.reporting import explorer, page
from analysis.reporting.explorer import Explorer
from analysis.reporting.methods import left_out
from analysis.reporting.slopes import cell_slopes
from tests.analysis.conftest import STUDY, simulated
from topograph.errors import InsufficientDataError
from trainers.study import measure_study, run_study


class Checker(HTMLParser):
    """Collects what a page would fetch, and that every tag is closed."""

    VOID = {"meta", "img", "br", "hr", "link", "input", "path"}  # noqa: RUF012
    CLOSED_BY_THE_NEXT = {"th", "td", "tr"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID | self.CLOSED_BY_THE_NEXT:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag in self.VOID | self.CLOSED_BY_THE_NEXT or self.open.pop() == tag


@pytest.fixture(scope="module")
def made(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
    return analysis.report(analysis.load_frame(store), path)


def test_the_page_is_whole_and_needs_nothing_else(made):
    text = made.path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert [source[:80] for source in checker.sources if not source.startswith(("data:", "#"))] == []
    assert sum(source.startswith("data:image/svg+xml;base64,") for source in checker.sources) >= 8
    assert sum(source.startswith("data:application/pdf;base64,") for source in checker.sources) >= 8
    assert sum(source.startswith("data:text/csv") for source in checker.sources) >= 5
    anchors = {source[1:] for source in checker.sources if source.startswith("#")}
    assert anchors == set(re.findall(r"<section id='([^']+)'", text))
    assert all('alt="' in tag or "alt='" in tag for tag in re.findall(r"<img [^>]*", text.partition("</main>")[0]))


def test_it_answers_first_and_escapes_what_users_write(made):
    text = made.path.read_text(encoding="utf-8")
    assert "Is &lt;this&gt; &amp; that escaped?" in text
    assert text.count("leaving out each topology in turn") == 2  # above the forest, and among the methods
    assert 1 <= len(made.answer.sentences) <= 3
    assert all(text.index(html.escape(sentence)) < text.index("<figure>") for sentence in made.answer.sentences)
    assert made.verdicts[0].startswith("Raw, ")
    assert "points of test accuracy" in made.effects["l1_normalized_gap"]
    assert text.index("points of test accuracy") < text.index("<figure>")
    shown = made._repr_html_()
    assert len(shown) < 5000
    assert "Is &lt;this&gt; &amp; that escaped?" in shown
    assert str(made.path) in shown


def test_what_it_found_is_also_there_to_use(made):
    # the number of edges that random_edge draws varies, so density varies within cells and is held fixed there, too
    assert {"pearson", "spearman", "partial", "within_cell", "within_cell_partial"} == set(made.correlations["method"])
    assert set(made.fits) == {
        "linear",
        "linear, with construction",
        "binomial, with construction",
    }
    assert made.comparison is not None
    assert made.prediction is not None
    assert "l1_normalized_gap" in made.comparison.added


def test_other_peoples_numbers_work_too(tmp_path):
    frame = simulated(0.02)
    found = analysis.report(frame, tmp_path / "r.html", metrics=["l1_normalized_gap"])
    assert "a link remains" in found.verdicts[1]
    assert (tmp_path / "r.html").exists()


def test_a_table_without_degrees_or_density_has_a_report_that_says_so(tmp_path):
    frame = simulated(0.02)
    table = frame[["test_accuracy", "construction", "topology_id", "l1_normalized_gap"]]
    table = analysis.load_frame(table.assign(l1_algebraic_connectivity=np.nan))
    found = analysis.report(table, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "against the degree" not in page
    assert "predicted from connectivity alone, each construction while it was held out" in page
    assert "from density" not in page
    assert found.prediction.table["features"].tolist()[:2] == ["connectivity", "all metrics"]
    with pytest.raises(InsufficientDataError, match="degrees look like 30-10"):
        analysis.figures.accuracy_by_degree(table)


def test_poor_studies_get_words_not_a_traceback(tmp_path):
    frame = simulated(0.02)
    one = analysis.report(frame.assign(construction="dense"), tmp_path / "one.html")
    assert one.comparison.folds.empty
    assert "There is one construction only" in (tmp_path / "one.html").read_text(encoding="utf-8")
    with pytest.raises(InsufficientDataError):
        analysis.report(frame.head(3), tmp_path / "few.html")
    with pytest.raises(InsufficientDataError, match="no metric varies"):
        analysis.report(frame.drop(columns="l1_normalized_gap"), tmp_path / "none.html")
    with pytest.raises(InsufficientDataError, match="same value"):
        analysis.report(frame.assign(test_accuracy=0.9), tmp_path / "flat.html")


def test_topologies_without_metrics_are_said_and_can_be_measured_again(tmp_path):
    path = tmp_path / "s.sqlite"
    run_study(STUDY | {"metrics": ["sizes", "spectral"]}, path, workers=1, progress=False)
    with sqlite3.connect(path) as connection:  # as if the measuring of one had been stopped
        (lost,) = connection.execute("SELECT topology_id FROM recipes WHERE construction = 'random_regular'").fetchone()
        connection.execute("DELETE FROM metrics WHERE topology_id = ?", (lost,))
        connection.execute("UPDATE recipes SET unmeasured = 'MemoryError: <much>' WHERE topology_id = ?", (lost,))
    frame = analysis.load_frame(path)
    assert frame.attrs["unmeasured"] == {"MemoryError: <much>": 1}
    analysis.report(frame, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "1 topologies: MemoryError: &lt;much&gt;" in page
    measure_study(path, ["sizes", "spectral"], workers=1, progress=False)
    whole = analysis.load_frame(path)
    assert whole.attrs["unmeasured"] == {}
    assert whole["l1_density"].notna().all()


def test_depths_share_the_columns_that_all_have():
    frame = simulated(0.01)
    deep = frame.assign(architecture="64-30-30-10", topology_id=frame["topology_id"] + "d")
    deep["l3_log_density"] = np.log(np.random.default_rng(0).uniform(size=len(deep)))
    both = pd.concat([frame.assign(architecture="64-30-10"), deep], ignore_index=True)
    assert density_columns(both) == ["l1_log_density"]
    assert density_columns(deep) == ["l1_log_density", "l3_log_density"]


def test_two_reports_of_one_table_are_the_same_bytes(tmp_path):
    frame = simulated(0.02, clusters=30)
    pages = []
    for name in ("one.html", "two.html"):
        np.random.seed(len(pages))  # noqa: NPY002  nothing may be drawn from the global generator
        analysis.report(frame, tmp_path / name)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("names", [["a$x$", "b$$", "$"], [0, 1, 2], [None, "", "c"]])
def test_a_report_takes_any_value_as_it_is(tmp_path, names):
    """Dollars are no formulas to matplotlib; numbers and nothing at all are constructions, too."""
    frame = simulated(0.02, clusters=30)
    frame["construction"] = [names[i % 3] for i in frame["topology_seed"]]
    frame["architecture"] = "5$-$4"
    frame = frame.rename(columns={"l1_normalized_gap": "gap$_$"})
    found = analysis.report(frame, tmp_path / "r.html", metrics=["gap$_$"])
    assert "gap$_$" in found.effects
    assert "Not drawn" not in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_a_test_set_of_no_samples_has_no_binomial_model(tmp_path):
    frame = simulated(0.02, clusters=30).assign(total=0, correct=0)
    assert "linear" in analysis.report(frame, tmp_path / "r.html").fits
    assert "The binomial, with construction regression could not be fitted" in (tmp_path / "r.html").read_text()


def test_a_report_that_fails_leaves_the_earlier_one(tmp_path):
    path = tmp_path / "r.html"
    analysis.report(simulated(0.02, clusters=30), path)
    before = path.read_bytes()
    with pytest.raises(InsufficientDataError):
        analysis.report(simulated(0.02).head(3), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_what_is_printed_fits_a_terminal(made):
    for width in (60, 80, 100):  # a terminal narrower than 80 wraps by itself
        lines = made.answer.lines(width)
        assert len(lines) <= 18
        assert max(map(len, lines)) <= max(width, 86)
    assert str(made).splitlines()[0] == "Study shared: Is <this> & that escaped?"


def test_the_clearest_comes_first_and_is_the_one_that_survives(tmp_path):
    rng = np.random.default_rng(0)
    frame = simulated(0.02)
    noise = {f"noise_{i}": rng.normal(size=frame["topology_id"].nunique())[frame["topology_seed"]] for i in range(8)}
    found = analysis.report(frame.assign(**noise), tmp_path / "r.html")
    assert found.answer.order[0] == "l1_normalized_gap"
    assert found.answer.clearest.loc[0, "survives"] == "Holm"
    assert len(found.answer.clearest) == 5
    table = found.correlations[found.correlations["method"] == "within_cell"].set_index("metric")
    assert list(found.answer.order)[:3] == list(table.sort_values("p_value").index[:3])


def test_what_is_left_out_in_turn_are_groups_where_topologies_are_many():
    assert left_out(pd.DataFrame({"topology_id": range(1000)})) == "each topology"
    assert left_out(pd.DataFrame({"topology_id": range(1001)})) == "each of 250 groups of topologies"


def test_slopes_in_cells_are_those_of_least_squares():
    frame = simulated(0.02)
    cells = ["degrees"]
    table = cell_slopes(frame, "l1_normalized_gap", "test_accuracy", cells, cells, 100.0).set_index("cell")
    rest = frame["l1_normalized_gap"] - frame.groupby("degrees")["l1_normalized_gap"].transform("mean")
    sd = float(np.sqrt((rest**2).mean()))
    for degrees, rows in frame.groupby("degrees"):
        slope, _ = np.polyfit(rows["l1_normalized_gap"], rows["test_accuracy"], 1)
        found = table.loc[f"degrees {degrees}"]
        assert found["slope"] == pytest.approx(100 * slope * sd)
        assert found["topologies"] == rows["topology_id"].nunique()


def test_figures_and_tables_are_saved_in_a_folder(tmp_path):
    folder = tmp_path / "figures"
    found = analysis.report(simulated(0.02, clusters=30), tmp_path / "r.html", figures=folder)
    assert set(found.figures) == set(folder.iterdir())
    starts = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".tex": b"\\begin{tabular}", ".csv": b""}
    assert {path.suffix for path in found.figures} == set(starts)
    for path in found.figures:
        assert path.read_bytes().startswith(starts[path.suffix])
    stem = next(path for path in found.figures if path.name.endswith("-correlations.csv"))
    table = pd.read_csv(stem, index_col=0)
    assert table["estimate"].tolist() == pytest.approx(found.correlations["estimate"].tolist(), abs=0)


def test_the_explorer_draws_whole_topologies_where_there_are_many(monkeypatch):
    frame = simulated(0.02)
    chart = Explorer(frame, ["l1_normalized_gap"], ["test_accuracy"], ["degrees"], "degrees")
    spec, shown = chart.spec()
    assert shown == len(spec["datasets"]["runs"]) == len(frame)
    assert len(spec["datasets"]["topologies"]) == frame["topology_id"].nunique()
    for point, (_, run) in zip(spec["datasets"]["runs"], frame.iterrows(), strict=True):
        assert spec["datasets"]["topologies"][point["t"]]["x"] == [pytest.approx(run["l1_normalized_gap"], rel=1e-4)]
        assert point["y"][0] == pytest.approx(run["test_accuracy"], rel=1e-4)
    monkeypatch.setattr(explorer, "_MOST_RUNS", 60)
    fewer, shown = chart.spec()
    counts = pd.Series([point["t"] for point in fewer["datasets"]["runs"]]).value_counts()
    assert shown == 60
    assert set(counts) == {3}
    if explorer.has_renderer():
        assert "Shown are 60 of 180 networks" in chart.html()


def test_without_its_renderer_the_page_says_which_extra_brings_the_explorer(tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "has_renderer", lambda: False)
    monkeypatch.setattr(page, "has_renderer", lambda: False)
    analysis.report(simulated(0.02, clusters=30), tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "pip install &#x27;topograph[report]&#x27;" in text or "pip install 'topograph[report]'" in text
    assert "explorer-spec" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
