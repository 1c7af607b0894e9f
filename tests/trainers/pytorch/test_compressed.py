"""Chains with compressed layers, trained by the PyTorch trainer: the setting ``compression``."""

from __future__ import annotations

import numpy as np
import pytest

import topograph as tg
from topograph.errors import BudgetError, InvalidParameterError, UnknownNameError, UnsupportedSettingError
from trainers import TrainingConfig, TrainingResult, get_trainer, load_dataset
from trainers.initialization import batch_order, compression_generator, initial_weights

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from trainers.compression import (  # noqa: E402
    available_compressions,
    compressed_parameters,
    get_compression,
)

NAMES = available_compressions()
QUICK = TrainingConfig(
    epochs=6, optimizer="adam", learning_rate=0.01, activation="relu", loss="cross_entropy",
    output_activation="softmax", seed=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def topology():
    """A sparse first layer, which gives the budget, and a dense second one."""
    return tg.Topology.build(["random_regular", "dense"], [64, 30, 10], [10, 10], seed=0)


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits")


@pytest.mark.parametrize("name", NAMES)
def test_a_chain_with_compressed_layers_learns(name, topology, data):
    trainer, config = get_trainer("pytorch"), QUICK.replace(compression=name)
    result = trainer.train(topology, data, config)
    assert result.test_accuracy > 0.8
    assert result.n_parameters == compressed_parameters(topology, name)
    assert result.n_parameters[0] <= topology[0].n_edges
    assert result.n_parameters[1] == 300
    assert [layer.nnz for layer in result.weights] == [1920, 300]
    again = trainer.train(topology, data, config.replace(epochs=1))
    assert again.history["loss"][0] == result.history["loss"][0]
    record = TrainingResult.from_record(result.to_record(weights=True))
    assert record.n_parameters == result.n_parameters
    np.testing.assert_array_equal(record.weights[0].toarray(), result.weights[0].toarray())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "adam", "learning_rate": 0.01},
        {"nesterov": False, "weight_decay": 0.01},
        {
            "loss": "cross_entropy",
            "activation": "tanh",
            "dropout_hidden": 0.5,
            "dropout_input": 0.2,
            "learning_rate": 0.05,
        },
        {"bias": False, "schedule": "cosine", "dtype": "float32"},
    ],
)
def test_the_course_is_that_of_plain_autograd_and_the_formulas_of_the_contract(name, changes, topology, data):
    config = TrainingConfig(**{"epochs": 2, "learning_rate": 0.3, "dtype": "float64", "compression": name} | changes)
    result = get_trainer("pytorch").train(topology, data, config)
    losses, matrices = plain_course(topology, data, config)
    tolerance = 1e-3 if config.dtype == "float32" else 1e-8
    np.testing.assert_allclose(result.history["loss"], losses, rtol=tolerance)
    for layer, matrix in zip(result.weights, matrices, strict=True):
        np.testing.assert_allclose(layer.toarray(), matrix, atol=tolerance * np.abs(matrix).max())


def plain_course(topology, data, config):
    """The losses and the last matrices of a training that always writes the matrix out."""
    from trainers.conformance.reference import DenseMasked
    from trainers.initialization import dropout_generator
    from trainers.schedule import learning_rate_at

    generator = compression_generator(config, 0)
    form = get_compression(config.compression).build(*topology[0].shape, topology[0].n_edges, seed=generator)
    variance = 2 / sum(topology[0].shape)
    parameters = [torch.tensor(p.astype(config.dtype)) for p in form.initial(variance, generator)]
    second = initial_weights(topology, config)[1].reshape(topology[1].shape)
    dense = tg.Topology.build("dense", topology.sizes)
    network = DenseMasked(dense, config)  # for the gradients of matrices that are written out
    network.weights[1][...] = second
    sizes = [p.numel() for p in parameters]
    everything = [p.numpy() for p in parameters] + [network.weights[1]] + network.biases
    memory = [[np.zeros_like(p), np.zeros_like(p)] for p in everything]
    losses, steps, mu = [], 0, config.momentum
    for epoch in range(config.epochs):
        total, draws = 0.0, dropout_generator(epoch, config)
        order = batch_order(len(data.y_train), epoch, config)
        for start in range(0, len(order), config.batch_size):
            chosen = order[start : start + config.batch_size]
            network.weights[0][...] = form.dense(parameters).numpy()
            loss, weights, biases = network.loss(data.x_train[chosen], data.y_train[chosen], draws)
            total += loss * len(chosen)
            live = [p.clone().requires_grad_() for p in parameters]
            back = torch.autograd.grad(form.dense(live), live, torch.tensor(weights[0]))
            gradients = [g.numpy() for g in back] + [weights[1]] + biases
            steps += 1
            rate = learning_rate_at(epoch, config)
            for number, (p, g, (first, squares)) in enumerate(zip(everything, gradients, memory, strict=True)):
                if number > len(sizes) and not config.bias:
                    continue
                g = g + config.weight_decay * p if number <= len(sizes) else g
                if config.optimizer == "adam":
                    first[...] = mu * first + (1 - mu) * g
                    squares[...] = 0.999 * squares + 0.001 * g * g
                    p -= rate * first / (1 - mu**steps) / (np.sqrt(squares / (1 - 0.999**steps)) + 1e-8)
                else:
                    first[...] = mu * first - rate * g
                    p += mu * first - rate * g if config.nesterov else first
        losses.append(total / len(order))
    return losses, [form.dense(parameters).numpy(), network.weights[1]]


def test_dense_layers_stay_as_they_are(data):
    topology = tg.Topology.build("dense", [64, 12, 10])
    config = TrainingConfig(epochs=2)
    plain, compressed = (
        get_trainer("pytorch").train(topology, data, config.replace(compression=name)) for name in ("none", "low_rank")
    )
    assert plain.history == compressed.history


def test_fans_by_degrees_are_those_of_the_matrix_which_has_all_pairs(topology, data):
    config = QUICK.replace(compression="hashed", epochs=1)
    by_degrees = get_trainer("pytorch").train(topology, data, config.replace(fans="degrees"))
    assert by_degrees.history == get_trainer("pytorch").train(topology, data, config).history


def test_early_stopping_returns_to_the_parameters_of_the_best_epoch(topology, data):
    config = QUICK.replace(compression="low_rank", validation=0.2, patience=2, epochs=30, learning_rate=0.05)
    result = get_trainer("pytorch").train(topology, data, config)
    best = int(np.argmin(result.history["validation_loss"]))
    until = get_trainer("pytorch").train(topology, data, config.replace(patience=0, epochs=best + 1))
    np.testing.assert_array_equal(result.weights[0].data, until.weights[0].data)


def test_many_compressed_networks_are_those_that_are_trained_alone(topology, data):
    trainer, config = get_trainer("pytorch"), QUICK.replace(compression="hashed", epochs=1)
    other = tg.Topology.build(["random_regular", "dense"], [64, 30, 10], [3, 10], seed=0)
    configs = [config, config.replace(seed=5)]
    many = trainer.train_many([topology, other], data, configs)
    for result, one, settings in zip(many, (topology, other), configs, strict=True):
        assert result.history == trainer.train(one, data, settings).history


def test_a_budget_that_is_too_small_for_one_network_costs_no_other(topology, data):
    small = tg.Topology.build(["random_regular", "dense"], [64, 30, 10], [1, 10], seed=0)
    config = QUICK.replace(compression="low_rank", epochs=1)
    first, error, last = get_trainer("pytorch").train_many([topology, small, topology], data, [config] * 3)
    assert isinstance(error, BudgetError)
    assert first.history == last.history


@pytest.mark.parametrize("name", [name for name in NAMES if name != "hashed"])
def test_a_budget_below_the_least_names_the_layer_and_the_least(name, data):
    topology = tg.Topology.build(["random_regular", "dense"], [64, 30, 10], [1, 10], seed=0)
    least = get_compression(name).least(64, 30)
    if least <= 64:
        pytest.skip(f"{name} needs {least} parameters only")
    with pytest.raises(InvalidParameterError, match=rf"layer 1.*at least {least} parameters, but got budget=64"):
        get_trainer("pytorch").train(topology, data, QUICK.replace(compression=name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rewiring": "set"}, "rewiring='set'"),
        ({"initial_draws": "dense"}, "initial_draws='dense'"),
        ({"dropconnect": 0.5}, "dropconnect=0.5"),
    ],
)
def test_settings_of_edges_are_refused_together_with_compression(changes, words):
    with pytest.raises(UnsupportedSettingError, match=words):
        TrainingConfig(compression="low_rank", **changes)


def test_an_unknown_compression_is_refused_with_a_suggestion():
    with pytest.raises(UnknownNameError, match="did you mean 'low_rank'"):
        TrainingConfig(compression="lowrank")


@pytest.mark.parametrize("trainer", ["numpy", "pytorch_sparse"])
def test_trainers_of_edges_refuse_compression_by_name(trainer, topology, data):
    with pytest.raises(UnsupportedSettingError, match="compression='low_rank'"):
        get_trainer(trainer).train(topology, data, TrainingConfig(epochs=1, compression="low_rank"))
