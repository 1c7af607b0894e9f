"""Gradients against finite differences of the loss, for each activation × loss × depth."""

import numpy as np
import pytest

import topograph as tg
from trainers import TrainingConfig
from trainers.config import ACTIVATIONS, OUTPUT_ACTIVATIONS
from trainers.initialization import dropout_generator

LOSSES = [("mse", name) for name in OUTPUT_ACTIVATIONS] + [("cross_entropy", name) for name in ("softmax", "sigmoid")]


def gradients(network, samples, labels, order):
    """What one step of plain descent with rate 1 takes away."""
    before = network.parameters()
    network.train_epoch(samples, labels, order, 1.0, np.random.default_rng(0))
    moved = [old - new for old, new in zip(before, network.parameters(), strict=True)]
    network.set_parameters(before)
    return moved


DEEP = [(hidden, depth) for depth in (2, 3) for hidden in ACTIVATIONS]


@pytest.mark.parametrize(("loss", "output"), LOSSES)
@pytest.mark.parametrize(("hidden", "depth"), [("sigmoid", 1), *DEEP])
def test_finite_differences(make_task, start, hidden, loss, output, depth):
    sizes = [7, 6, 5, 3][: depth + 1]
    topology = tg.Topology.build("random_edge", sizes, densities=0.6, seed=depth)
    classes = sizes[-1]
    config = TrainingConfig(
        activation=hidden, loss=loss, output_activation=output, momentum=0.0, batch_size=40, dtype="float64", seed=5
    )
    x, labels = make_task(40, 7, classes)
    network, samples, _ = start(topology, config, x, labels)
    order = np.arange(40)
    rng = np.random.default_rng(1)
    network.state.bias[7:] = rng.normal(size=sum(sizes[1:])) / 2  # away from the kinks of relu
    weights, biases = gradients(network, samples, labels, order)
    size = 1e-6
    for values, found, entries in (
        (network.state.weights, weights, range(topology.n_edges)),
        (network.state.bias, biases, range(7, sum(sizes))),
    ):
        for entry in entries:
            kept, losses = values[entry], []
            for shift in (size, -size):
                values[entry] = kept + shift
                losses.append(network.evaluate(samples, labels, order)[0])
            values[entry] = kept
            assert found[entry] == pytest.approx((losses[0] - losses[1]) / (2 * size), abs=2e-8, rel=1e-6)


def test_dropout_draws_what_initialization_draws(topology, make_task, start):
    config = TrainingConfig(dropout_hidden=0.5, dropout_input=0.25, batch_size=20, seed=9)
    x, labels = make_task(20, 40, 4)
    network, _, train = start(topology, config, x, labels)
    train(0)
    generator = dropout_generator(0, config)
    expected = [generator.random((n, 20), dtype=np.float32) >= rate for n, rate in ((40, 0.25), (24, 0.5), (17, 0.5))]
    assert np.array_equal(network.work.kept[:, :20], np.concatenate(expected))
