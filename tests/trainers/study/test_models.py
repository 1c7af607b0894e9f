"""Studies of models, from the specification to the report."""

from __future__ import annotations

import numpy as np
import pytest

import analysis
from analysis.columns import find_columns
from analysis.frame import metric_columns
from analysis.frame.names import other_metric_columns
from tests.trainers.study.conftest import SMALL
from tests.trainers.study.toy_models import RAISES, TINY, model_study
from topograph.errors import SpecError, TrainingError
from trainers import get_trainer, load_dataset
from trainers.datasets import Dataset
from trainers.study import Store, forecast, run_study
from trainers.study.engine.worker import train_alone
from trainers.study.forecast import forecast_study
from trainers.study.store.store import open_store

torch = pytest.importorskip("torch")
GRID = {
    "densities": [0.4, 0.6],
    "allocations": ["uniform", "erk"],
    "zip": ["densities", "allocations"],
    "variants": ["plain", "rewired"],
    "topology_seeds": [0, 1, 2],
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Networks this small are slower with more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished study of the tiny model: two densities, each with an allocation, two variants, three seeds."""
    path = tmp_path_factory.mktemp("models") / "tiny.sqlite"
    summary = run_study(model_study(**GRID), path, workers=1, progress=False, keep_weights=True)
    assert (summary.planned, summary.failed) == (12, 0)
    return path


def test_what_is_done_is_not_done_again_and_a_larger_study_trains_the_rest(done):
    assert run_study(model_study(**GRID), done, workers=1, progress=False).trained == 0
    more = run_study(model_study(**{**GRID, "topology_seeds": [0, 1, 2, 3]}), done, workers=1, progress=False)
    assert (more.planned, more.trained) == (16, 4)


def test_the_store_gives_masks_weights_and_results_back(done):
    store = open_store(done)
    run = store.runs("done").iloc[0]
    masks = store.topology(run["run_id"])
    assert masks.content_hash[:20] == run["topology_id"]
    weights, biases = store.weights(run["run_id"])
    assert biases == ()
    for graph, layer in zip(masks.values(), weights, strict=True):
        assert (layer.indptr.tolist(), layer.indices.tolist()) == (graph.indptr.tolist(), graph.indices.tolist())
    # the same run by hand
    with store.writer() as writer:
        (_, _, job), *_ = writer.jobs([1])
    again = train_alone(get_trainer("pytorch"), job.recipe, masks, load_dataset("digits"), job.condition.config(0))
    assert again.correct == run["correct"]
    for first, second in zip(again.weights, weights, strict=True):
        assert np.array_equal(first.data, second.data)


def test_metrics_are_kept_by_the_names_of_layers_with_the_network(done):
    metrics = open_store(done).metrics()
    masks = open_store(done).topology(open_store(done).runs("done").iloc[0]["run_id"])
    assert list(dict.fromkeys(metrics["layer"])) == [*masks, "network"]
    edges = metrics[metrics["metric"] == "n_edges"].pivot_table(index="topology_id", columns="layer", values="value")
    assert edges["network"].tolist() == edges.drop(columns="network").sum(axis=1).tolist()


def test_the_frame_has_model_density_and_allocation_and_what_summarises_layers(done):
    frame = analysis.load_frame(done)
    assert set(frame["model"]) == {TINY}
    assert set(frame["density"]) == {0.4, 0.6}
    assert set(frame["allocation"]) == {"uniform", "erk"}
    assert not [name for name in frame.columns if name.startswith(("l1_", "l2_"))]
    store = open_store(done)
    long = store.metrics()
    one = frame.iloc[-1]
    rows = long[(long["topology_id"] == one["topology_id"]) & (long["metric"] == "algebraic_connectivity")]
    layers = rows.loc[rows["layer"] != "network", "value"]
    assert one["mean_algebraic_connectivity"] == pytest.approx(layers.mean())
    assert one["min_algebraic_connectivity"] == layers.min()
    assert one["max_algebraic_connectivity"] == layers.max()
    columns = find_columns(frame)
    assert columns.connectivity == ("mean_algebraic_connectivity", "mean_normalized_gap")
    assert columns.controls == ("network_log_density",)
    assert "min_normalized_gap" in metric_columns(frame)
    assert other_metric_columns(frame) == []
    described = analysis.describe_columns(frame)
    assert not (described["meaning"] == "a column of the user's, kept as it is").any()


def test_cells_hold_model_density_and_allocation_fixed(done):
    frame = analysis.load_frame(done)
    columns = find_columns(frame).cells
    assert columns == ("dataset", "trainer", "model", "density", "allocation")
    cells = frame.groupby(list(columns))
    assert cells.ngroups == 2


def test_the_experiment_at_fixed_degrees_and_the_report_run_on_models(done, tmp_path):
    frame = analysis.load_frame(done)
    found = analysis.experiment(frame)
    assert found.metric == "mean_algebraic_connectivity"
    assert "With density and allocation held fixed" in str(found)
    table = analysis.correlate(frame, "test_accuracy", ["mean_normalized_gap"], control=["network_log_density"])
    assert {"within_cell", "partial"} <= set(table["method"])
    analysis.report(frame, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "mean of the layers" in text
    assert "layer 1" not in text


def test_a_factory_that_fails_is_kept_with_its_runs_and_costs_no_other(tmp_path):
    content = model_study(models=[RAISES, TINY], topology_seeds=[0, 1])
    summary = run_study(content, tmp_path / "s.sqlite", workers=1, progress=False)
    assert (summary.trained, summary.failed) == (2, 2)
    runs = Store(tmp_path / "s.sqlite").runs("failed")
    assert runs["reason"].str.contains("toy_models:raises cannot be made").all()
    assert runs["reason"].str.contains("no such luck").all()


def test_masks_that_a_construction_cannot_make_name_the_layer(tmp_path):
    content = model_study(constructions="ramanujan")
    summary = run_study(content, tmp_path / "s.sqlite", workers=1, progress=False)
    assert summary.failed == 1
    assert "layer conv.weight" in Store(tmp_path / "s.sqlite").runs("failed")["reason"].item()


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"trainers": "numpy"}, r"trainers: the trainer 'numpy' trains chains .* model lenet5; .*'pytorch'"),
        ({"models": "keras_lenet5"}, r"keras_lenet5 is a model of keras, but the trainer 'pytorch' trains .* torch"),
    ],
)
def test_trainers_that_do_not_train_the_model_are_refused_before_there_is_a_store(tmp_path, grid, words):
    content = model_study(**{"models": "lenet5", **grid})
    for call in (run_study, forecast_study):
        with pytest.raises(SpecError, match=words):
            call(content, tmp_path / "s.sqlite", workers=1)
    assert not (tmp_path / "s.sqlite").exists()


def test_processes_of_their_own_with_limits_give_the_same_numbers(done, tmp_path):
    content = model_study(topology_seeds=[0, 1])
    summary = run_study(content, tmp_path / "s.sqlite", workers=2, memory=4 * 2**30, timeout=300, progress=False)
    assert (summary.trained, summary.failed) == (2, 0)
    known = open_store(done).runs("done").set_index("run_id")["correct"]
    found = open_store(tmp_path / "s.sqlite").runs("done").set_index("run_id")["correct"]
    assert known[found.index].tolist() == found.tolist()


def test_the_size_and_the_time_are_forecast_and_nothing_is_written(tmp_path):
    found = forecast_study(model_study(topology_seeds=[0, 1]), tmp_path / "s.sqlite", workers=1)
    assert (found.runs, found.topologies) == (2, 2)
    assert found.edges == 2 * round(0.4 * (36 + 72 + 4 * (4 * 6 + 6 * 6) + 6 * 10))
    assert found.seconds > 0
    assert not (tmp_path / "s.sqlite").exists()


def test_what_fails_when_it_is_timed_is_named_and_does_not_hide_the_rest(tmp_path):
    found = forecast_study(model_study(models=[TINY, RAISES], topology_seeds=[0]), tmp_path / "s.sqlite", workers=1)
    assert (found.runs, found.sampled, found.untimed) == (2, 1, 1)
    assert found.seconds > 0
    assert "no such luck" in found.reasons[0]
    assert "the time of 1 such networks is not in this" in str(found)
    with pytest.raises(TrainingError, match=r"no network could be timed: .*toy_models:raises.*no such luck"):
        forecast_study(model_study(models=RAISES, topology_seeds=[0]), tmp_path / "s.sqlite", workers=1)


def test_models_are_timed_on_one_thread_and_on_a_part_of_the_data(tmp_path, monkeypatch):
    seen = []

    def timed(trainer, recipe, masks, data, config):
        seen.append((data.n_train, data.n_classes, torch.get_num_threads()))
        return train_alone(trainer, recipe, masks, data, config)

    monkeypatch.setattr(forecast, "train_alone", timed)
    monkeypatch.setattr(forecast, "_ENOUGH", 100)
    torch.set_num_threads(2)
    forecast_study(model_study(topology_seeds=[0]), tmp_path / "s.sqlite", workers=1)
    torch.set_num_threads(1)
    assert {classes for _, classes, _ in seen} == {10}
    assert max(samples for samples, _, _ in seen) <= 101
    assert {threads for _, _, threads in seen} == {1}


def test_a_part_of_a_data_set_keeps_a_class_that_is_rare():
    labels = np.append(np.zeros(99, dtype=int), 7)
    x = np.random.default_rng(0).random((100, 4))
    part = forecast._part_of(Dataset("rare", x, labels, x, labels), 0.05)
    assert (part.n_train, part.n_classes) == (5, 8)


def test_chains_and_models_are_read_from_one_store(tmp_path):
    small = {"architectures": [64, 12, 10], "constructions": "random_regular", "degrees": [2, 4]}
    models = {"models": TINY, "constructions": "erdos_renyi", "densities": [0.4, 0.6]}
    training = {"epochs": 1, "loss": "cross_entropy", "output_activation": "softmax"}
    content = {**SMALL, "grid": [small, models], "training": training}
    run_study(content, tmp_path / "s.sqlite", workers=1, progress=False)
    frame = analysis.load_frame(tmp_path / "s.sqlite")
    assert frame["model"].isna().tolist() == frame["l1_density"].notna().tolist()
    assert frame["model"].isna().sum() == 2
    assert frame["mean_density"].notna().all()
    assert frame["l1_weight_std"].notna().tolist() == frame["model"].isna().tolist()
