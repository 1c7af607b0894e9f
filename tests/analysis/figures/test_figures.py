from __future__ import annotations

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import analysis
import topograph as tg
from analysis import figures
from analysis.figures import registry
from analysis.figures.style import construction_order, label, markers, palette
from analysis.frame import load_learning_curves
from topograph.errors import InsufficientDataError, InvalidParameterError, UnknownNameError


@pytest.fixture(scope="module")
def frame(store):
    return analysis.load_frame(store)


def axes():
    return Figure(layout="constrained").subplots()


def history():
    masks = {"fc$1": np.eye(9), "fc2": np.ones((9, 4))}
    tracker = tg.Tracker(masks, metrics=["density"])
    for step in range(4):
        masks["fc$1"][0, step] = step % 2
        tracker.update(step)
    return tracker.table()


@pytest.fixture(scope="module")
def material(frame, store):
    """An argument for every parameter without a default, by its name."""
    columns = ["l1_normalized_gap", "l2_normalized_gap"]
    return {
        "frame": frame.assign(dropout_hidden=np.where(frame["seed"] == 0, 0.2, 0.5)),
        "table": analysis.correlate(frame, "test_accuracy", columns, control=["l1_log_density"]),
        "fit": analysis.fit(frame, "test_accuracy ~ l1_log_density + C(construction)"),
        "prediction": analysis.predict_unseen(
            frame, {"density": ["l1_log_density"]}, held_out=["construction"], learners=["ridge"]
        ),
        "curves": load_learning_curves(store),
        "graph": tg.construct("regular_rotating", 784, 900, degree=30),
        "metrics": [*columns, "l1_density"],
        "history": history(),
        "which": "construction/ridge/density",
    }


@pytest.mark.parametrize("name", figures.FIGURES)
def test_each_figure_draws_on_the_given_axes_and_names_them(name, material):
    figure = figures.FIGURES[name]
    parameters = inspect.signature(figure).parameters
    given = {key: material[key] for key in parameters if key in material}
    ax = axes()
    assert figure(**given, ax=ax) is ax
    assert ax.get_xlabel() or ax.get_xticklabels()
    assert ax.get_ylabel() or ax.get_yticklabels() or ax.get_title()
    assert ax.has_data()
    ax.figure.canvas.draw()
    assert all(f"\n{key}\n    " in inspect.getdoc(figure) for key in parameters)
    assert name in figures.__all__


def test_options_of_single_figures(frame):
    assert figures.accuracy_by_degree(frame, axes(), layer=2).get_xlabel().startswith("degree of the inputs of layer 2")
    assert "up to 4" in figures.accuracy_by_construction(frame, axes(), highest_degree=4).get_xlabel()
    network = figures.node_link(tg.Topology.build("random_regular", [30, 20, 10], [5, 5]), axes())
    crowd = figures.node_link(tg.construct("random_regular", 300, 300, degree=30), axes())
    assert "4,000 of them drawn" in crowd.get_title()
    assert [tick.get_text() for tick in network.get_xticklabels()] == ["inputs (30)", "hidden 1 (20)", "outputs (10)"]


def test_the_history_of_masks_draws_each_layer_and_the_network():
    ax = figures.mask_history(history(), axes(), metric="n_edges")
    lines = {line.get_label(): line.get_ydata().tolist() for line in ax.get_lines()}
    assert lines == {r"fc\$1": [8, 9, 9, 10], "fc2": [36] * 4, "network": [44, 45, 45, 46]}
    assert len(figures.mask_history(history(), axes(), layers=["fc2"]).get_lines()) == 1
    with pytest.raises(UnknownNameError, match="did you mean 'turnover'"):
        figures.mask_history(history(), axes(), metric="turnovr")
    with pytest.raises(UnknownNameError, match="unknown layer 'fc3'"):
        figures.mask_history(history(), axes(), layers=["fc3"])
    with pytest.raises(InvalidParameterError, match="must be the table of a tracker"):
        figures.mask_history(pd.DataFrame({"a": [1]}), axes())


def test_a_new_figure_is_in_the_registry_and_its_columns_are_checked(monkeypatch):
    monkeypatch.setattr(registry, "FIGURES", registry.FIGURES.copy())

    @registry.figure("height")
    def mine(frame, ax, *, height="up"):
        """A figure.

        Parameters
        ----------
        height
            Column drawn upwards.
        """
        ax.plot(frame[height])

    table = pd.DataFrame({"up": [1.0, 2.0], "word": ["a", "b"]})
    assert registry.FIGURES["mine"](table, axes()).has_data()
    with pytest.raises(InvalidParameterError, match="must hold numbers"):
        mine(table, axes(), height="word")
    with pytest.raises(UnknownNameError, match="down"):
        mine(table, axes(), height="down")
    assert "height\n    Column drawn upwards." in mine.__doc__


def test_without_axes_a_figure_makes_its_own(frame):
    graph = tg.construct("regular_rotating", 20, 10, degree=3)
    made = [
        figures.mask_image(graph),
        figures.node_link(graph),
        figures.accuracy_by_construction(frame),
        figures.accuracy_by_degree(frame),
    ]
    assert len({ax.figure for ax in made}) == 4
    for ax in made:
        plt.close(ax.figure)


def test_the_slope_drawn_is_the_coefficient_of_the_regression(frame):
    ax = figures.partial_regression(frame, axes(), metric="l1_normalized_gap", control=["l1_log_density"])
    (line,) = [line for line in ax.lines if len(line.get_xdata()) == 2]
    slope = (line.get_ydata()[1] - line.get_ydata()[0]) / (line.get_xdata()[1] - line.get_xdata()[0])
    fitted = analysis.fit(frame, "test_accuracy ~ l1_log_density + l1_normalized_gap")
    assert slope == pytest.approx(fitted.coefficients.loc["l1_normalized_gap", "estimate"])


def test_settings_are_compared_at_the_degrees_that_all_were_tried_with(frame):
    rows = frame.assign(dropout_hidden=np.where(frame["seed"] == 0, 0.2, 0.5))
    rows["test_accuracy"] = np.where(rows["dropout_hidden"] == 0.2, 0.9, 0.8)
    unfair = rows.assign(
        test_accuracy=0.0, degrees=rows["degrees"].str.replace(r"-\d+$", "-3", regex=True), dropout_hidden=0.2
    )
    ax = figures.accuracy_by_setting(pd.concat([rows, unfair]), axes())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.2", "0.5"]
    heights = {round(float(y), 6) for line in ax.lines for y in line.get_ydata() if np.isfinite(y)}
    assert heights == {0.9, 0.8}
    deep = frame.assign(architecture=np.where(frame["seed"] == 0, "64-100-10", "64-20-10"))
    shown = figures.accuracy_by_setting(deep, axes(), setting="architecture")
    assert [tick.get_text() for tick in shown.get_xticklabels()] == ["64-20-10", "64-100-10"]
    with pytest.raises(InsufficientDataError, match="every dropout_hidden"):
        figures.accuracy_by_setting(rows.assign(degrees=np.where(rows["dropout_hidden"] == 0.2, "2-2", "4-4")), axes())
    with pytest.raises(UnknownNameError, match="dropout_hidden"):
        figures.accuracy_by_setting(rows, axes(), setting="dropout_hiden")


@pytest.mark.parametrize("model", ["ols", "binomial", "mixed", "beta"])
def test_residuals_are_what_was_seen_less_what_was_fitted(frame, model):
    fitted = analysis.fit(frame, "test_accuracy ~ l1_log_density", model=model)
    ax = figures.residuals_against_fitted(fitted, axes())
    across, up = ax.lines[0].get_xdata(), ax.lines[0].get_ydata()
    slack = 0.02 if model == "beta" else 1e-9  # beta regression moves shares away from 0 and 1
    assert np.asarray(across) + np.asarray(up) == pytest.approx(frame["test_accuracy"].to_numpy(), abs=slack)


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


def test_a_forest_of_three_methods_has_room_for_its_legend(frame):
    table = analysis.correlate(frame, "test_accuracy", ["l1_normalized_gap"], control=["l1_density"])
    ax = figures.correlation_forest(table)
    ax.figure.canvas.draw()
    legend, whole = ax.figure.legends[0].get_window_extent(), ax.figure.bbox
    plt.close(ax.figure)
    assert len(ax.figure.legends[0].get_texts()) == 3
    assert whole.x0 <= legend.x0 < legend.x1 <= whole.x1


def test_a_metric_alone_is_that_of_the_first_layer(frame):
    ax = figures.accuracy_against_metric(frame, axes(), metric="normalized_gap")
    points = np.vstack([c.get_offsets() for c in ax.collections if len(c.get_offsets())])
    assert set(points[:, 0]) == set(frame["l1_normalized_gap"])


def test_figures_of_models_show_the_mean_over_layers_by_default(frame):
    models = frame.drop(columns=[c for c in frame.columns if c.startswith(("l1_", "l2_"))]).assign(
        model="lstm(hidden=32)", mean_algebraic_connectivity=frame["l1_algebraic_connectivity"] / 2
    )
    ax = figures.accuracy_against_metric(models, axes())
    points = np.vstack([c.get_offsets() for c in ax.collections if len(c.get_offsets())])
    assert set(points[:, 0]) == set(models["mean_algebraic_connectivity"])
    models = models.assign(network_log_density=np.log(np.linspace(0.1, 0.2, len(models))))
    assert "mean of the layers" in figures.partial_regression(models, axes()).get_xlabel()


def test_an_unknown_metric_is_named(frame):
    with pytest.raises(UnknownNameError, match="'normalised_gap'"):
        figures.within_cell_scatter(frame, axes(), metric="normalised_gap")
