"""Step by step the same as a dense masked network."""

import numpy as np
import pytest

import topograph as tg
from trainers import TrainingConfig
from trainers.conformance.reference import DenseMasked
from trainers.numpy_sparse.flat import BLOCKS
from trainers.result import sparse_weights

SETUPS = {
    "paper": {},
    "momentum": {"nesterov": False, "activation": "tanh"},
    "plain": {"momentum": 0.0, "bias": False, "activation": "relu", "learning_rate": 0.05},
    "adam": {"optimizer": "adam", "learning_rate": 0.003, "activation": "leaky_relu"},
    "decay": {"weight_decay": 0.01, "loss": "cross_entropy", "output_activation": "softmax"},
    "dropout": {"dropout_input": 0.2, "dropout_hidden": 0.5, "loss": "cross_entropy"},
    "one tile and a bit": {"batch_size": 45, "dropout_hidden": 0.3, "activation": "tanh"},
    "many tiles": {"batch_size": 150, "optimizer": "adam", "dropout_input": 0.1, "learning_rate": 0.003},
    "one sample": {"batch_size": 1},
}


def largest_difference(network, reference):
    """Over all weights and biases, relative to the largest of the layer."""
    worst = 0.0
    weights = [layer.toarray() for layer in sparse_weights(network.topology, network.weights())]
    for sparse, dense in zip((*weights, *network.biases()), (*reference.weights, *reference.biases), strict=True):
        worst = max(worst, np.abs(sparse - dense).max() / max(np.abs(dense).max(), 1e-30))
    return worst


@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_two_hundred_steps(topology, make_task, start, setup, dtype, zeros):
    config = TrainingConfig(**{"learning_rate": 0.3, "dtype": dtype, "seed": 3} | SETUPS[setup])
    x, labels = make_task(4 * config.batch_size + 5, 40, 4, zeros)
    network, _, train = start(topology, config, x, labels)
    reference = DenseMasked(topology, config)
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    # Adam divides by the gradient's own size: where that is near 0, rounding is all there is, and grows
    adam32 = dtype == "float32" and config.optimizer == "adam"
    for epoch in range(2 if adam32 else 40):  # five batches each, the last of them of five samples
        loss, _ = train(epoch)
        assert loss == pytest.approx(reference.train_epoch(x, labels, epoch), rel=tolerance)
        assert largest_difference(network, reference) < tolerance
    assert adam32 or reference.steps >= 200


def test_blocks(make_task, start):
    """Layers too wide for the cache are walked in blocks, to the same end."""
    topology = tg.Topology.build("random_regular", [900, 1100, 700, 5], degrees=[60, 80, 3], seed=0)
    for zeros in (0.0, 0.7):
        config = TrainingConfig(dtype="float64", learning_rate=0.5, batch_size=40)
        x, labels = make_task(100, 900, 5, zeros)
        network, _, train = start(topology, config, x, labels)
        assert (network.flat.layers[:, BLOCKS] > 1).any()
        reference = DenseMasked(topology, config)
        for epoch in range(3):
            train(epoch)
            reference.train_epoch(x, labels, epoch)
        assert largest_difference(network, reference) < 1e-10


def test_predictions_match(topology, make_task, start):
    config = TrainingConfig(dtype="float64", activation="tanh", output_activation="softmax", loss="cross_entropy")
    x, labels = make_task(70, 40, 4)
    network, samples, _ = start(topology, config, x, labels)
    chosen = np.arange(5, 70)
    loss, accuracy = network.evaluate(samples, labels, chosen)
    expected = DenseMasked(topology, config).loss(x[chosen], labels[chosen])[0]
    assert loss == pytest.approx(expected, rel=1e-12)
    outputs = network.predict(samples, chosen)
    assert accuracy == np.mean(outputs.argmax(axis=1) == labels[chosen])
    np.testing.assert_allclose(outputs.sum(axis=1), 1)


def test_a_large_dense_layer(make_task, start):
    topology = tg.Topology.build("dense", [260, 270, 250, 3])
    for zeros, batch in ((0.0, 20), (0.7, 70)):
        config = TrainingConfig(dtype="float64", learning_rate=0.5, batch_size=batch, dropout_hidden=0.2)
        x, labels = make_task(150, 260, 3, zeros)
        network, _, train = start(topology, config, x, labels)
        reference = DenseMasked(topology, config)
        for epoch in range(3):
            train(epoch)
            reference.train_epoch(x, labels, epoch)
        assert largest_difference(network, reference) < 1e-10
