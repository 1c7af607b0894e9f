"""Compressed networks beside sparse ones: in the study, the frame, the comparison, the figures and the report."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import analysis
from analysis import figures
from analysis.frame.families import NOT_SPARSE, by_family
from analysis.frame.names import metric_columns, other_metric_columns
from analysis.reporting.findings import find
from topograph.errors import InsufficientDataError, SpecError
from trainers.study import Store, StudySpec, run_study

SPEC = {
    "name": "families",
    "metrics": ["sizes", "degrees", "normalized_gap", "stable_rank", "effective_rank"],
    "training": {
        "epochs": 1, "optimizer": "adam", "activation": "relu", "learning_rate": 0.01, "loss": "cross_entropy",
    },
    "grid": [
        {
            "trainers": "pytorch", "architectures": [64, 20, 10], "degrees": [[1, 10], [10, 10]],
            "constructions": ["random_regular", "regular_rotating"], "training_seeds": [0, 1, 2],
        },
        {
            "trainers": "pytorch", "architectures": [64, 20, 10], "degrees": [[1, 10], [10, 10]],
            "constructions": "regular_rotating", "training_seeds": [0, 1, 2],
            "compressions": ["low_rank", "circulant", "hashed"],
        },
        {
            "trainers": "pytorch", "architectures": [64, 20, 10], "constructions": "dense",
            "training_seeds": [0, 1, 2], "training": {"dropconnect": [0, 0.5]},
        },
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    path = tmp_path_factory.mktemp("families") / "s.sqlite"
    summary = run_study(StudySpec.from_mapping(SPEC), path, workers=1, progress=False)
    assert (summary.done, summary.failed) == (33, 3)
    return path


@pytest.fixture(scope="module")
def frame(store):
    return analysis.load_frame(store)


def made_up(gaps=None, seeds=6, noise=0.001):
    """Two constructions and a compression at three budgets; ``gaps`` says how much better it is than the better one."""
    rng, rows = np.random.default_rng(0), []
    for degrees, gap in (gaps or {"3-10": 0.02, "6-10": 0.0, "15-10": -0.02}).items():
        for family, level in (("sobol", 0.80), ("windows", 0.81), ("hashed", 0.81 + gap)):
            construction = "sobol" if family == "hashed" else family
            rows += [
                {"construction": construction, "family": family, "degrees": degrees, "seed": seed,
                 "test_accuracy": level + noise * rng.normal()}
                for seed in range(seeds)
            ]  # fmt: skip
    shared = {"dataset": "digits", "trainer": "pytorch", "architecture": "64-32-10", "topology_id": "a"}
    return pd.DataFrame(rows).assign(**shared)


def test_a_budget_below_the_least_is_kept_with_the_run_and_names_it(store):
    ((reason, count),) = Store(store).failures()
    assert count == 3
    assert "layer 1, whose edges are its budget: low_rank of a layer 64 × 20 has at least 84 parameters" in reason
    assert "budget=64" in reason


def test_every_run_has_its_family_and_what_its_layers_really_have(frame):
    assert set(frame["family"]) == {
        "random_regular", "regular_rotating", "low_rank", "circulant", "hashed", "dense", "dense + dropconnect",
    }  # fmt: skip
    sparse = frame["family"] == frame["construction"]
    np.testing.assert_array_equal(frame.loc[sparse, "l1_n_parameters"], frame.loc[sparse, "l1_n_edges"])
    compressed = frame["compression"] != "none"
    assert (
        frame.loc[compressed, "l1_n_parameters"] <= 64 * frame.loc[compressed, "degrees"].str[:-3].astype(int)
    ).all()
    assert (frame.loc[compressed, "l2_n_parameters"] == 200).all()
    assert frame.loc[frame["family"] == "low_rank", "l1_n_parameters"].unique().tolist() == [588]


def test_a_compressed_network_has_no_metrics_of_the_graph_that_gave_its_budget(frame):
    compressed = frame["compression"] != "none"
    for column in metric_columns(frame):
        if not column.endswith(("_n_left", "_n_right")):
            assert frame.loc[compressed, column].isna().all(), column
            assert NOT_SPARSE in frame.attrs["reasons"][column]
    assert frame.loc[~compressed, "l1_normalized_gap"].notna().all()
    assert not [name for name in other_metric_columns(frame) if name.startswith("final_")]


def test_the_ranks_are_those_of_the_trained_matrices(store, frame):
    run = frame[(frame["family"] == "low_rank") & (frame["degrees"] == "10-10")].iloc[0]
    assert run["final_l1_effective_rank"] <= 7 + 1e-6  # 588 parameters are rank 7
    sparse = frame[frame["family"] == "random_regular"]
    assert (sparse["final_l1_stable_rank"] > 1).all()


def test_cells_and_correlations_hold_the_compression_fixed(frame):
    assert "compression" in analysis.cells.cell_columns(frame)
    table = analysis.correlate(frame, "test_accuracy", ["l1_normalized_gap"], methods=["pearson"])
    assert int(table["n"].iloc[0]) == int((frame["compression"] == "none").sum())


def test_the_comparison_pairs_seeds_and_is_student_s():
    frame = made_up()
    found = analysis.compare_families(frame)
    wide = frame.pivot_table(index=["degrees", "seed"], columns="family", values="test_accuracy")
    for degrees, rows in wide.groupby(level="degrees"):
        gap = rows["hashed"] - rows["windows"]  # clearly the better construction, whichever seed is left out
        interval = stats.ttest_1samp(gap, 0).confidence_interval(0.95)
        row = found.differences.loc[("digits", "64-32-10", degrees, "hashed", "best")]
        assert (row["difference"], row["low"], row["high"]) == pytest.approx((gap.mean(), *interval))
        middle = rows["hashed"] - rows[["sobol", "windows"]].median(axis=1)
        row = found.differences.loc[("digits", "64-32-10", degrees, "hashed", "median")]
        assert row["difference"] == pytest.approx(middle.mean())
    assert "better at 1, worse at 1, not told apart at 1 of 3 budgets" in found.sentences[0]


def test_choosing_the_best_of_many_equal_constructions_does_not_flatter_it():
    rng, gaps = np.random.default_rng(1), []
    for _ in range(30):
        rows = [
            {"construction": "c0" if c == 8 else f"c{c}", "family": "hashed" if c == 8 else f"c{c}", "seed": seed,
             "test_accuracy": 0.8 + 0.01 * rng.normal()}
            for c in range(9)
            for seed in range(4)
        ]  # fmt: skip
        table = pd.DataFrame(rows).assign(dataset="d", trainer="t", architecture="a", degrees="3-10", topology_id="x")
        gaps.append(analysis.compare_families(table).differences["difference"].xs("best", level="against").iloc[0])
    assert abs(np.mean(gaps)) < 3 * np.std(gaps) / np.sqrt(30), "a maximum over eight would be 0.7 of a point higher"


def test_one_seed_gives_no_interval_and_no_best(frame):
    found = analysis.compare_families(made_up(seeds=1))
    assert set(found.differences.index.get_level_values("against")) == {"median"}
    assert "known from one seed only at 3 of 3 budgets" in found.sentences[0]


def test_without_compressed_or_sparse_runs_it_says_what_is_missing(frame):
    table = made_up()
    with pytest.raises(InsufficientDataError, match="no network of the frame is compressed"):
        analysis.compare_families(table[table["family"] != "hashed"])
    with pytest.raises(InsufficientDataError, match="no sparse construction"):
        analysis.compare_families(table[table["family"] == "hashed"])


def test_figures_and_report_show_families_beside_constructions(frame, tmp_path):
    matplotlib.use("Agg")
    labels = {text.get_text() for text in figures.accuracy_by_degree(frame).get_legend().get_texts()}
    assert {"hashed", "low_rank", "random_regular"} <= {label.replace(" ", "_") for label in labels}
    assert by_family(frame)["construction"].tolist() == frame["family"].tolist()
    path = tmp_path / "report.html"
    analysis.report(frame, path)
    text = path.read_text(encoding="utf-8")
    assert "Ways to spend the same number of parameters" in text
    assert "hashed against the best sparse construction of as many edges" in text


def test_an_unknown_compression_in_a_spec_is_refused_with_its_place():
    grid = {**SPEC["grid"][1], "compressions": ["lowrank"]}
    with pytest.raises(SpecError, match="did you mean 'low_rank'"):
        StudySpec.from_mapping({"name": "x", "grid": grid})
    with pytest.raises(SpecError, match="given twice: as compressions, and under training"):
        StudySpec.from_mapping({"name": "x", "grid": {**SPEC["grid"][1], "training": {"compression": "hashed"}}})


MODELS = {
    "name": "families of a model",
    "metrics": ["sizes", "degrees", "normalized_gap"],
    "training": {
        "epochs": 1, "optimizer": "adam", "learning_rate": 0.01, "loss": "cross_entropy",
        "output_activation": "softmax",
    },
    "grid": {
        "trainers": "pytorch", "models": {"name": "lenet5", "width": 3}, "constructions": ["erdos_renyi", "sobol"],
        "densities": [0.2, 0.5], "compressions": ["none", "hashed", "circulant", "tensor_train"],
        "training_seeds": [0, 1, 2], "topology_seeds": [0, 1, 2], "zip": ["topology_seeds", "training_seeds"],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    pytest.importorskip("torch", reason="PyTorch is not installed")
    path = tmp_path_factory.mktemp("families") / "models.sqlite"
    summary = run_study(StudySpec.from_mapping(MODELS), path, workers=1, progress=False, keep_weights=True)
    assert (summary.done, summary.failed) == (48, 0)
    return path


def test_a_study_crosses_models_with_compressions(models):
    frame = analysis.load_frame(models)
    assert set(frame["family"]) == {"erdos_renyi", "sobol", "hashed", "circulant", "tensor_train"}
    sparse = frame["family"] == frame["construction"]
    np.testing.assert_array_equal(frame.loc[sparse, "network_n_parameters"], frame.loc[sparse, "network_n_edges"])
    budgets = frame[sparse].groupby("density")["network_n_edges"].max()
    assert (frame["network_n_parameters"] <= frame["density"].map(budgets)).all()
    assert frame.loc[~sparse, "mean_normalized_gap"].isna().all()
    found = analysis.compare_families(frame)
    assert len(found.differences) == 2 * 3 * 2
    assert found.outcomes["parameters"].notna().all()


def test_a_compressed_model_s_weights_come_back_on_all_pairs_and_convolutions_on_their_masks(models):
    store = Store(models)
    runs = store.runs("done", ["run_id", "settings"])
    run = runs.loc[runs["settings"].str.contains("circulant"), "run_id"].iloc[0]
    first, last = store.topology(run), store.final_topology(run)
    weights, _ = store.weights(run)
    for (name, graph), layer in zip(first.items(), weights, strict=True):
        assert last[name] == graph if name.startswith("conv") else last[name].density == 1
        assert layer.nnz == last[name].n_edges


def test_the_report_of_a_study_of_mostly_compressed_networks_speaks_of_the_sparse_ones(models):
    found = find(analysis.load_frame(models))
    assert "mean_normalized_gap" in found.metrics
    assert found.families is not None
