from __future__ import annotations

import re
import sqlite3
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.columns import density_columns
from tests.analysis.conftest import STUDY, simulated
from topograph.errors import InsufficientDataError
from trainers.study import measure_study, run_study


class Checker(HTMLParser):
    """Collects what a page would fetch, and that every tag is closed."""

    VOID = {"meta", "img", "br", "hr", "link", "input"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def made(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "deep" / "report.html"
    return analysis.report(analysis.load_frame(store), path)


def test_the_page_is_whole_and_needs_nothing_else(made):
    text = made.path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert "script" not in checker.tags
    assert all(source.startswith("data:image/svg+xml;base64,") for source in checker.sources)
    assert len(checker.sources) >= 8
    assert all('alt="' in tag or "alt='" in tag for tag in re.findall(r"<img [^>]*", text))


def test_it_answers_first_and_escapes_what_users_write(made):
    text = made.path.read_text(encoding="utf-8")
    assert "Is &lt;this&gt; &amp; that escaped?" in text
    assert text.index("with density held fixed") < text.index("<figure>")
    assert made.verdicts[0].startswith("Raw, ")
    assert str(made).endswith("\n".join(made.verdicts))
    assert "points of test accuracy" in made.effects["l1_normalized_gap"]
    assert text.index("points of test accuracy") < text.index("<figure>")
    assert made._repr_html_().startswith("<iframe")


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
