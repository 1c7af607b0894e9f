from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import topograph as tg
from topograph.errors import TopologyMismatchError, TrainingDivergedError
from trainers import Trainer, TrainingConfig, get_trainer, load_dataset
from trainers.conformance.reference import DenseMasked

ACTIVATIONS = ("sigmoid", "tanh", "relu", "linear")
OUTPUTS = (("mse", "sigmoid"), ("mse", "softmax"), ("mse", "linear"), ("mse", "tanh"), ("mse", "relu"))
LOSSES = (*OUTPUTS, ("cross_entropy", "softmax"), ("cross_entropy", "sigmoid"))


def samples(n, features, classes, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, features)), rng.integers(classes, size=n)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nesterov": False},
        {"momentum": 0.0, "bias": False},
        {"activation": "tanh", "loss": "cross_entropy", "output_activation": "softmax"},
        {"activation": "relu", "loss": "cross_entropy", "output_activation": "sigmoid"},
        {"dropout_input": 0.2, "dropout_hidden": 0.5},
        {"activation": "relu", "dropout_hidden": 0.3, "batch_size": 7},
    ],
)
@pytest.mark.parametrize("sizes", [[12, 4], [12, 9, 4], [12, 9, 8, 4]])
def test_step_by_step_equal_to_a_dense_masked_network(changes, sizes):
    config = TrainingConfig(**{"dtype": "float64", "epochs": 8, "batch_size": 10, "learning_rate": 0.3, **changes})
    topology = tg.Topology.build("random_edge", sizes, densities=0.5, seed=5)
    x, labels = samples(50, 12, 4, seed=6)
    data = load_dataset((x.astype(np.float32), labels, x[:5].astype(np.float32), labels[:5]))
    result = get_trainer("numpy").train(topology, data, config)
    reference = DenseMasked(topology, config)
    losses = [reference.train_epoch(data.x_train.astype(float), labels, epoch) for epoch in range(config.epochs)]
    for found, expected, mask in zip(result.weights, reference.weights, reference.masks, strict=True):
        np.testing.assert_allclose(found.toarray(), expected * mask, rtol=1e-9, atol=1e-12)
    for found, expected in zip(result.biases, reference.biases, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert result.history["loss"][-1] == pytest.approx(losses[-1], rel=1e-9)


def test_the_mask_is_exact_and_empty_neurons_do_no_harm():
    mask = np.zeros((64, 20))
    mask[:, :5] = np.random.default_rng(0).random((64, 5)) < 0.3
    topology = tg.Topology([mask, np.ones((20, 10))])
    config = TrainingConfig(epochs=3, learning_rate=0.5)
    result = get_trainer("numpy").train(topology, load_dataset("digits"), config)
    for weights, graph in zip(result.weights, topology, strict=True):
        assert tg.BipartiteGraph(*weights.shape, weights.indptr, weights.indices) == graph
    assert result.weights[0].dtype == np.float32


def test_same_seed_same_bits_other_seed_other_network():
    data = load_dataset("digits")
    topology = tg.Topology.build("random_regular", [64, 20, 10], 4)
    results = [
        get_trainer("numpy").train(topology, data, TrainingConfig(epochs=2, seed=seed, dropout_hidden=0.2))
        for seed in (0, 0, 1)
    ]
    assert (results[0].weights[0].data == results[1].weights[0].data).all()
    assert results[0].history == results[1].history
    assert (results[0].weights[0].data != results[2].weights[0].data).any()


def test_it_learns_the_digits_and_says_how():
    data = load_dataset("digits")
    topology = tg.Topology.build("fibonacci_rotating", [64, 50, 10], [8, 10])
    config = TrainingConfig(
        epochs=15, learning_rate=0.05, loss="cross_entropy", activation="tanh", output_activation="softmax"
    )
    result = get_trainer("numpy").train(topology, data, config)
    assert result.test_accuracy > 0.9
    assert result.correct / result.total == result.test_accuracy
    assert result.total == 360
    assert all(len(values) == 15 for values in result.history.values())
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert result.history["test_accuracy"][-1] == result.test_accuracy
    record = json.loads(json.dumps(result.to_record()))
    assert record["test_accuracy"] == result.test_accuracy
    assert list(result.weight_stats.columns) == ["min", "max", "mean", "std"]
    assert result.weight_stats.loc["l1", "max"] == result.weights[0].data.max()
    assert "test accuracy" in repr(result)
    assert "<table>" in result._repr_html_()


def test_cost_follows_the_edges_not_the_cells():
    """Work is counted, not timed: a layer of 4 million cells and 2,000 edges holds nothing of the size of its cells."""
    import tracemalloc

    topology = tg.Topology.build("random_regular", [2000, 2000, 10], [1, 10])
    x = np.zeros((4, 2000), dtype=np.float32)
    data = load_dataset((x, np.arange(4) % 10, x, np.array([9, 0, 0, 0])))
    get_trainer("numpy").train(topology, data, TrainingConfig(epochs=1))
    tracemalloc.start()
    get_trainer("numpy").train(topology, data, TrainingConfig(epochs=1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6e6  # a single dense float32 matrix would be 16e6


def test_what_does_not_fit_is_refused_before_any_work():
    data = load_dataset("digits")
    with pytest.raises(TopologyMismatchError, match="must begin with 64 and end with 10"):
        get_trainer("numpy").train(tg.Topology.build("dense", [10, 10]), data, TrainingConfig())


def test_divergence_is_an_error_that_names_the_epoch():
    data = load_dataset("digits")
    topology = tg.Topology.build("dense", [64, 30, 10])
    config = TrainingConfig(activation="relu", output_activation="linear", learning_rate=1e4, epochs=5)
    with pytest.raises(TrainingDivergedError, match=r"epoch \d of 5.*learning_rate"):
        get_trainer("numpy").train(topology, data, config)


def test_inputs_are_not_touched():
    data = load_dataset("digits")
    topology = tg.Topology.build("random_edge", [64, 20, 10], densities=0.2)
    before = data.content_hash, topology.content_hash, data.x_train.copy()
    get_trainer("numpy").train(topology, data, TrainingConfig(epochs=1, dropout_input=0.5))
    assert (data.x_train == before[2]).all()
    assert load_dataset("digits").content_hash == before[0]
    assert tg.Topology(list(topology)).content_hash == before[1]


def test_the_registry_and_the_protocol():
    trainer = get_trainer("numpy")
    assert isinstance(trainer, Trainer)
    assert get_trainer(trainer) is trainer
    with pytest.raises(tg.TopographError, match=r"unknown trainer 'nunpy'; did you mean 'numpy'"):
        get_trainer("nunpy")
    with pytest.raises(tg.TopographError, match="name and a method train"):
        get_trainer(42)


def test_every_combination_is_finite():
    data = load_dataset("digits")
    topology = tg.Topology.build("random_edge", [64, 10, 10], densities=0.5)
    for activation, (loss, output) in itertools.product(ACTIVATIONS, LOSSES):
        config = TrainingConfig(epochs=1, activation=activation, loss=loss, output_activation=output)
        assert np.isfinite(get_trainer("numpy").train(topology, data, config).history["loss"]).all()
