"""What a rewired network ended with is kept: its edges, and their metrics."""

import numpy as np
import pytest

import analysis
import topograph as tg
from trainers import TrainingConfig, TrainingResult, get_trainer, load_dataset
from trainers.study import run_study
from trainers.study.store import open_store

SPEC = {
    "name": "small",
    "grid": {
        "architectures": [64, 12, 10], "constructions": ["random_regular", "magnitude"], "densities": 0.25,
        "rewirings": ["none", "set"], "variants": ["plain", "shuffled_layers"],
    },
    "training": {"epochs": 2, "learning_rate": 1.0},
    "metrics": ["density", "normalized_gap"],
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "small.sqlite"
    summary = run_study(SPEC, path, workers=1, keep_weights=True)
    assert "8 trained now" in str(summary)
    return open_store(path)


def test_the_last_topology_and_its_metrics_are_kept_for_rewired_runs(store):
    frame = analysis.load_frame(store.path)
    rewired = frame[frame["rewiring"] == "set"]
    assert len(rewired) == 4
    for _, row in rewired.iterrows():
        first, last = store.topology(row["run_id"]), store.final_topology(row["run_id"])
        assert first != last
        assert [graph.n_edges for graph in first] == [graph.n_edges for graph in last]
        assert row["final_topology_id"] == last.content_hash[:20]
        gap = tg.measure(last, ["normalized_gap"])["normalized_gap"]
        assert row["final_l1_normalized_gap"] == pytest.approx(gap["l1"])
        weights, _ = store.weights(row["run_id"])
        assert np.array_equal(weights[0].indices, last[0].indices)
    fixed = frame[frame["rewiring"] == "none"]
    assert fixed["final_topology_id"].isna().all()
    assert store.final_topology(fixed["run_id"].iloc[0]) == store.topology(fixed["run_id"].iloc[0])
    assert set(analysis.drift(frame, "l1_normalized_gap").index) == {"set"}


def test_a_record_gives_the_last_topology_back():
    topology = tg.Topology.build("random_regular", [64, 12, 10], [3, 4], seed=0)
    config = TrainingConfig(epochs=3, rewiring="set")
    result = get_trainer("numpy").train(topology, load_dataset("digits"), config)
    assert TrainingResult.from_record(result.to_record()).topology == result.topology
    assert TrainingResult.from_record(result.to_record(weights=True)).weights[0].nnz == topology[0].n_edges
    assert (
        "topology"
        not in get_trainer("numpy").train(topology, load_dataset("digits"), config.replace(rewiring="none")).to_record()
    )


def test_a_study_that_names_no_metrics_says_nothing_of_the_end_of_its_networks(tmp_path):
    grid = {"architectures": [64, 8, 10], "constructions": "random_regular", "degrees": 2}
    run_study({"grid": grid, "training": {"epochs": 1}}, tmp_path / "s.sqlite", workers=1, progress=False)
    assert open_store(tmp_path / "s.sqlite").final_metrics().empty
