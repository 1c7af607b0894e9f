from __future__ import annotations

import pytest
from matplotlib.figure import Figure

import analysis
from analysis import figures
from analysis.figures.style import construction_order, label, markers, palette
from topograph.errors import UnknownNameError


@pytest.fixture(scope="module")
def frame(store):
    return analysis.load_frame(store)


def axes():
    return Figure(layout="constrained").subplots()


def test_each_figure_draws_on_the_given_axes_and_names_them(frame):
    table = analysis.correlate(
        frame, "test_accuracy", ["l1_normalized_gap", "l2_normalized_gap"], control=["l1_log_density"], resamples=100
    )
    fitted = analysis.fit(frame, "test_accuracy ~ l1_log_density + C(construction)")
    drawn = [
        figures.accuracy_by_degree(frame, axes()),
        figures.accuracy_by_degree(frame, axes(), layer=2),
        figures.metric_by_degree(frame, axes(), metric="l1_normalized_gap"),
        figures.accuracy_against_metric(frame, axes(), metric="l1_normalized_gap"),
        figures.partial_regression(frame, axes(), metric="l1_normalized_gap", control=["l1_log_density"]),
        figures.correlation_forest(table, axes()),
        figures.coefficient_forest(fitted, axes()),
    ]
    for ax in drawn:
        assert ax.get_xlabel()
        assert ax.get_ylabel() or ax.get_yticklabels()
        assert len(ax.collections) + len(ax.lines) > 0
        ax.figure.canvas.draw()


def test_the_slope_drawn_is_the_coefficient_of_the_regression(frame):
    ax = figures.partial_regression(frame, axes(), metric="l1_normalized_gap", control=["l1_log_density"])
    (line,) = [line for line in ax.lines if len(line.get_xdata()) == 2]
    slope = (line.get_ydata()[1] - line.get_ydata()[0]) / (line.get_xdata()[1] - line.get_xdata()[0])
    fitted = analysis.fit(frame, "test_accuracy ~ l1_log_density + l1_normalized_gap")
    assert slope == pytest.approx(fitted.coefficients.loc["l1_normalized_gap", "estimate"])


def test_constructions_keep_their_colour_and_marker():
    names = ["dense", "zeta", "random_regular", "random_edge"]
    assert construction_order(names) == ["random_edge", "random_regular", "zeta", "dense"]
    assert len(set(map(tuple, palette(names).values()))) == 4
    assert len(set(markers(names).values())) == 4


def test_labels_are_words():
    assert label("l1_normalized_gap") == "normalized gap, layer 1"
    assert label("network_density") == "density, whole network"
    assert label("test_accuracy") == "test accuracy"


def test_unknown_columns_are_refused_in_words(frame):
    with pytest.raises(UnknownNameError, match="l1_normalized_gap"):
        figures.accuracy_against_metric(frame, axes(), metric="l1_normalised_gap")
