"""The backend behind the contract: results, exact masks, repeatability, divergence, early stopping."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidDatasetError, TopologyMismatchError, TrainingDivergedError, UnsupportedSettingError
from trainers import Dataset, TrainingConfig, get_trainer, load_dataset
from trainers.initialization import validation_split
from trainers.schedule import learning_rate_at

DIGITS = tg.Topology.build("random_regular", [64, 32, 10], degrees=[8, 10], seed=0)
QUICK = TrainingConfig(epochs=3, learning_rate=1.0)


def train(topology=DIGITS, config=QUICK, data="digits"):
    return get_trainer("numpy").train(topology, load_dataset(data), config)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_mask_is_exact(optimizer):
    result = train(config=TrainingConfig(epochs=5, learning_rate=0.01, optimizer=optimizer, weight_decay=1e-3))
    for weights, graph in zip(result.weights, DIGITS, strict=True):
        assert np.array_equal(weights.indptr, graph.indptr)
        assert np.array_equal(weights.indices, graph.indices)


def test_reruns_are_identical_to_the_bit():
    config = QUICK.replace(dropout_hidden=0.3, dropout_input=0.1, batch_size=50)
    first, second = train(config=config), train(config=config)
    assert first.history == second.history
    for one, other in zip((*first.weights, *first.biases), (*second.weights, *second.biases), strict=True):
        one, other = (getattr(a, "data", a) for a in (one, other))
        assert bytes(np.asarray(one)) == bytes(np.asarray(other))
    assert train(config=config.replace(seed=1)).history != first.history


def test_inputs_are_not_changed():
    data = load_dataset("digits")
    before = data.x_train.copy(), data.y_train.copy(), DIGITS[0].indices.copy()
    train(data=data)
    for kept, now in zip(before, (data.x_train, data.y_train, DIGITS[0].indices), strict=True):
        assert np.array_equal(kept, now)


def test_learns_and_counts():
    data = load_dataset("digits")
    result = train(config=TrainingConfig(epochs=20, learning_rate=2.0), data=data)
    assert result.test_accuracy > 0.9
    assert result.correct == round(result.history["test_accuracy"][-1] * result.total)
    y = data.x_test
    for weights, bias in zip(result.weights, result.biases, strict=True):
        y = 1 / (1 + np.exp(-(y @ weights + bias)))
    predicted = y.argmax(axis=1)
    assert np.count_nonzero(predicted == data.y_test) == result.correct
    recall = [np.mean(predicted[data.y_test == c] == c) for c in range(10)]
    assert result.balanced_accuracy == pytest.approx(np.mean(recall))
    assert result.to_record()["balanced_accuracy"] == result.balanced_accuracy


@pytest.mark.filterwarnings("error")
def test_divergence_names_epoch_and_layer():
    config = TrainingConfig(epochs=30, learning_rate=1e4, activation="relu", output_activation="linear")
    with pytest.raises(TrainingDivergedError, match=r"in epoch 1 of 30; .*first seen in layer [12] of 2.*10000"):
        train(config=config)


def test_a_last_step_that_breaks_a_weight_is_seen():
    data = load_dataset("digits")
    config = TrainingConfig(epochs=1, batch_size=2000, learning_rate=1e38, momentum=0.9, weight_decay=1e30)
    with pytest.raises(
        TrainingDivergedError, match=r"a weight became NaN or infinite in epoch 1 of 1; .*first seen in layer 1 of 2"
    ):
        train(config=config, data=data)


def test_odd_shapes():
    """No edges at all; one neuron; fewer samples than a batch; more classes than a group."""
    rng = np.random.default_rng(0)
    x, y = rng.random((9, 5), dtype=np.float32), np.arange(9) % 7
    data = Dataset("small", x, y, x[:1], y[:1])
    for masks in ([np.zeros((5, 3)), np.ones((3, 7))], [np.ones((5, 1)), np.ones((1, 7))], [np.ones((5, 7))]):
        result = train(tg.Topology(masks), QUICK, data)
        assert all(np.isfinite(weights.data).all() for weights in result.weights)
        assert np.isfinite(result.weight_stats["mean"].iloc[-1])


def test_a_broken_layer_is_found(topology, make_task, start):
    network, samples, _ = start(topology, QUICK, *make_task(10, 40, 4))
    network.predict(samples, np.arange(10))
    assert network.first_broken_layer() == 3  # nothing broken but the loss: the outputs are too large for it
    for layer, edge in ((2, -100), (1, 3)):
        network.state.weights[edge] = np.nan
        assert network.first_broken_layer() == layer


def test_early_stopping_returns_to_the_best():
    config = TrainingConfig(
        epochs=400, learning_rate=0.02, optimizer="adam", validation=0.25, patience=5, loss="cross_entropy"
    )
    small = load_dataset("digits")
    small = Dataset("small", small.x_train[:200], small.y_train[:200], small.x_test, small.y_test)
    result = train(config=config, data=small)
    losses = result.history["validation_loss"]
    assert 5 < len(losses) < 400
    assert int(np.argmin(losses)) == len(losses) - 1 - 5
    assert result.correct == round(result.history["test_accuracy"][np.argmin(losses)] * result.total)
    assert f"{len(losses)} epochs" in repr(result)


def test_validation_without_patience_only_watches():
    result = train(config=QUICK.replace(validation=0.2))
    assert len(result.history["validation_accuracy"]) == 3
    learning, watched = validation_split(1437, QUICK.replace(validation=0.2))
    assert sorted([*learning, *watched]) == list(range(1437))
    assert len(watched) == 287


def test_what_does_not_fit_is_refused_by_name():
    with pytest.raises(UnsupportedSettingError, match=r"patience=3 .* validation"):
        TrainingConfig(patience=3)
    with pytest.raises(TopologyMismatchError, match="64 inputs"):
        train(topology=tg.Topology.build("dense", [63, 10]))
    with pytest.raises(InvalidDatasetError, match="at least two"):
        validation_split(1, TrainingConfig(validation=0.5))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [2, 2, 2, 2]), ("linear", [2, 1.5, 1, 0.5]), ("cosine", [2, 1.7071068, 1, 0.2928932]),
     ("step", [2, 2, 0.2, 0.02])],
)  # fmt: skip
def test_schedules(schedule, expected):
    config = TrainingConfig(epochs=4, learning_rate=2.0, schedule=schedule)
    assert [learning_rate_at(epoch, config) for epoch in range(4)] == pytest.approx(expected)
    assert train(config=config).test_accuracy > 0.1


def test_memory_is_in_proportion_to_the_edges():
    """A layer pair whose n × m array would take 3.6 GB."""
    topology = tg.Topology.build("regular_rotating", [30_000, 30_000, 2], degrees=[3, 2])
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 30_000), dtype=np.float32), np.arange(64) % 2
    data = Dataset("wide", x, y, x, y)
    train(config=QUICK.replace(epochs=1))  # compile first
    tracemalloc.start()
    try:
        train(topology, QUICK.replace(epochs=1), data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100e6


def test_importing_trainers_does_not_import_numba():
    code = "import sys, trainers, trainers.numpy_sparse; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif("TOPOGRAPH_DATA" not in os.environ, reason="MNIST is looked for in TOPOGRAPH_DATA")
def test_mnist_learns():
    topology = tg.Topology.build("random_regular", [784, 300, 10], degrees=[30, 10], seed=0)
    config = TrainingConfig(
        epochs=1, learning_rate=0.02, activation="relu", output_activation="softmax", loss="cross_entropy"
    )
    result = train(topology, config, "mnist")
    assert result.test_accuracy > 0.9
