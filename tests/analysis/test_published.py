"""Tables that other people published, where they are at hand: in the folder ``published`` of TOPOGRAPH_DATA, say."""

from __future__ import annotations

import pandas as pd
import pytest
from scipy import stats

import analysis
from tests.analysis.conftest import published

CELLS = ["model", "dataset", "sparsity"]


def test_sixty_cells_of_pruned_networks():
    """mge-snn (TMLR 2024): mean Spearman over 60 cells, density .198, iterative Δr .214, at fixed density .075."""
    frame = analysis.load_frame(published("mge-snn_networks.csv"), columns={"accuracy": "test_accuracy"})
    assert frame.attrs["reasons"]["delta_r"] == ["infinite in 81 rows"]
    found = analysis.correlate_per_cell(frame, "test_accuracy", ["mean_layer_density", "rimdb", "delta_r"], cells=CELLS)
    assert found.means["n_cells"].tolist() == [60, 60, 60]
    assert found.means["mean"].round(3).to_dict()["mean_layer_density"] == 0.198
    assert found.means["mean"].round(3).to_dict()["rimdb"] == 0.214
    by_hand = (
        frame.dropna(subset="delta_r")
        .groupby(CELLS)[["test_accuracy", "delta_r"]]
        .apply(lambda rows: stats.spearmanr(rows["test_accuracy"], rows["delta_r"]).statistic)
    )
    assert found.means.loc["delta_r", "mean"] == pytest.approx(by_hand.mean())
    partial = analysis.correlate_per_cell(frame, "test_accuracy", "rimdb", cells=CELLS, control="mean_layer_density")
    assert partial.means.loc["rimdb", "mean"] == pytest.approx(0.075, abs=0.001)


def test_nominal_sparsity_does_not_hold_layer_density_fixed():
    frame = analysis.load_frame(published("mge-snn_networks.csv"), columns={"accuracy": "test_accuracy"})
    alone = analysis.effect(frame, "delta_r", cells=CELLS)
    assert not alone.is_clear
    held = analysis.effect(frame, "delta_r", cells=CELLS, control="mean_layer_density")
    assert held.slope == pytest.approx(-0.03, abs=0.006)
    assert held.p_value < 0.01
    fitted = analysis.fit(frame, "test_accuracy ~ delta_r + mean_layer_density", absorb=CELLS)
    row = fitted.coefficients.loc["delta_r"]
    assert row["estimate"] == pytest.approx(held.slope, rel=1e-6)


def test_ten_cells_of_pruned_networks():
    """ramanujan-on-pai (ICLR 2023): mean |r| over 10 cells, layer density .873; raw over the 60 rows .456."""
    frame = analysis.load_frame(published("ramanujan-on-pai_main.csv"), outcome="acc")
    assert len(frame) == 60
    options = {"cells": ["model_type", "global_density"], "method": "pearson"}
    found = analysis.correlate_per_cell(frame, "acc", "sparsity_mean", **options)
    assert found.means.loc["sparsity_mean", "n_cells"] == 10
    assert found.means.loc["sparsity_mean", "mean_absolute"] == pytest.approx(0.873, abs=0.001)
    raw = analysis.correlate(frame, "acc", "sparsity_mean", methods=["pearson"])
    assert raw.loc[0, "estimate"] == pytest.approx(0.456, abs=0.001)


def test_path_length_is_simpsons_case():
    """graph2nn (ICML 2020): raw +.06 with accuracy, −.34 once the graph's density is held fixed."""
    frame = analysis.load_frame(
        published("graph2nn_mlp_cifar10.csv.gz"), columns={"graph": "topology_id", "acc": "test_accuracy"}
    )
    mean = frame.groupby("topology_id", as_index=False)[["test_accuracy", "L", "graph_sparsity"]].mean()
    table = analysis.correlate(
        mean, "test_accuracy", "L", control="graph_sparsity", methods=["pearson", "partial"]
    ).set_index("method")
    assert table.loc["pearson", "estimate"] > 0
    assert table.loc["partial", "estimate"] < -0.2
    assert table.loc["partial", "high"] < 0


@pytest.mark.parametrize("name", ["magnitude_pruning", "random_pruning", "variational_dropout", "l0_regularization"])
def test_a_table_that_knows_its_sparsity_only(name, tmp_path):
    """State of Sparsity (2019): every row was a cell of its own once, and the report took minutes."""
    path = published(f"sos_{name}.csv")
    accuracy = next(c for c in pd.read_csv(path, nrows=0).columns if c.lower() == "accuracy")
    frame = analysis.load_frame(path, columns={accuracy: "test_accuracy"})
    assert "sparsity" in frame.attrs["density_from"].lower()
    table = analysis.correlate(frame, "test_accuracy", "log_density")
    assert "no degrees" in table.attrs["not_computed"]["within_cell"]


def test_a_table_with_holes_units_and_text_is_read():
    frame = analysis.load_frame(published("shrinkbench_results.csv"), outcome="Top1")
    assert pd.api.types.is_float_dtype(frame["Top1"])
    assert "Name" in frame.columns
