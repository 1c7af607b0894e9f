"""Compressed layers: their matrix, their gradients, their counts, their variance, and training with them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import topograph as tg
from topograph.errors import InvalidParameterError, UnknownNameError, UnsupportedSettingError
from trainers import TrainingConfig, load_dataset

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from trainers.compression import (  # noqa: E402
    CompressedTrainer,
    available_compressions,
    describe_compressions,
    get_compression,
    n_parameters,
)

NAMES = available_compressions()
SHAPES = [(12, 8), (8, 12), (7, 5), (30, 10), (1, 6), (16, 16)]


def forms(name):
    compression = get_compression(name)
    for n, m in SHAPES:
        least = compression.least(n, m)
        for budget in sorted({least, (least + n * m) // 2, n * m}):
            if least <= budget <= n * m:
                yield n, m, budget, compression.build(n, m, budget, seed=3)


def draw(form, seed=0):
    return [torch.tensor(array) for array in form.initial(1.0, np.random.default_rng(seed))]


@pytest.mark.parametrize("name", NAMES)
def test_the_product_is_that_of_the_matrix_written_out(name):
    for n, m, _, form in forms(name):
        parameters, x = draw(form), torch.tensor(np.random.default_rng(1).normal(size=(9, n)))
        matrix = form.dense(parameters)
        assert tuple(matrix.shape) == (n, m)
        np.testing.assert_allclose(form.product(x, parameters).numpy(), (x @ matrix).numpy(), atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_count_is_exact_and_within_the_budget(name):
    for n, m, budget, form in forms(name):
        parameters = draw(form)
        assert sum(p.numel() for p in parameters) == n_parameters(form) <= budget
        for p in parameters:
            p.requires_grad_()
        weights = torch.tensor(np.random.default_rng(2).normal(size=(n, m)))
        gradients = torch.autograd.grad((form.dense(parameters) * weights).sum(), parameters)
        assert all((gradient != 0).all() for gradient in gradients), "a parameter that the matrix does not use"


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_differences(name):
    for n, _, _, form in forms(name):
        parameters, x = draw(form, 5), torch.tensor(np.random.default_rng(6).normal(size=(4, n)))
        for p in parameters:
            p.requires_grad_()
        gradients = torch.autograd.grad(torch.tanh(form.product(x, parameters)).sum(), parameters)
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                for entry in range(0, p.numel(), max(1, p.numel() // 5)):
                    values = []
                    for shift in (1e-6, -1e-6):
                        p.view(-1)[entry] += shift
                        values.append(float(torch.tanh(form.product(x, parameters)).sum()))
                        p.view(-1)[entry] -= shift
                    assert float(gradient.view(-1)[entry]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_begins_with_the_variance_asked_for(name):
    form = get_compression(name).build(12, 10, 60, seed=0)
    rng = np.random.default_rng(0)
    draws = np.stack([form.dense([torch.tensor(a) for a in form.initial(0.09, rng)]).numpy() for _ in range(4000)])
    assert np.abs(draws.mean(axis=0)).max() < 0.05
    assert (draws**2).mean() == pytest.approx(0.09, rel=0.1)


def test_a_circulant_layer_and_its_blocks():
    single = get_compression("circulant").build(6, 6, 6)
    matrix = single.dense([torch.arange(6.0)]).numpy()
    for i, j in itertools.product(range(6), repeat=2):
        assert matrix[i, j] == (i - j) % 6
    blocks = get_compression("circulant").build(6, 6, 12)
    assert n_parameters(blocks) == 12
    matrix = blocks.dense([torch.arange(12.0)]).numpy()
    for i, j in itertools.product(range(6), repeat=2):
        assert matrix[i, j] == matrix[i // 3 * 3 + (i + 1) % 3, j // 3 * 3 + (j + 1) % 3]


def test_a_hashed_layer_uses_each_weight_equally_often():
    form = get_compression("hashed").build(20, 10, 50, seed=1)
    matrix = np.abs(form.dense([torch.arange(1.0, 51.0)]).numpy())
    assert np.unique(matrix, return_counts=True)[1].tolist() == [4] * 50


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_below_the_least_names_it(name):
    compression = get_compression(name)
    least = compression.least(30, 20)
    if least > 1:
        with pytest.raises(InvalidParameterError, match=rf"at least {least} parameters, but got budget={least - 1}"):
            compression.build(30, 20, least - 1)
    with pytest.raises(InvalidParameterError, match="budget=601"):
        compression.build(30, 20, 601)
    with pytest.raises(UnknownNameError, match="did you mean 'low_rank'"):
        get_compression("lowrank")
    assert set(describe_compressions().index) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_chain_with_compressed_layers_learns(name):
    topology = tg.Topology.build(["random_regular", "dense"], [64, 30, 10], [10, 10], seed=0)
    trainer, data = CompressedTrainer(name), load_dataset("digits")
    config = TrainingConfig(
        epochs=8, optimizer="adam", learning_rate=0.01, activation="relu", loss="cross_entropy",
        output_activation="softmax", seed=2,
    )  # fmt: skip
    result = trainer.train(topology, data, config)
    assert result.test_accuracy > 0.8
    assert trainer.parameters(topology)[0] <= topology[0].n_edges
    assert trainer.parameters(topology)[1] == 300
    again = trainer.train(topology, data, config.replace(epochs=1))
    assert again.history["loss"][0] == result.history["loss"][0]
    with pytest.raises(UnsupportedSettingError, match="dropout_hidden"):
        trainer.train(topology, data, config.replace(dropout_hidden=0.5))


def test_dense_layers_are_trained_as_by_the_pytorch_trainer():
    """The steps are the contract's: from its own weights, they are those of the reference."""
    from trainers.conformance.reference import DenseMasked

    topology, data = tg.Topology.build("dense", [64, 12, 10]), load_dataset("digits")
    for changes in ({}, {"optimizer": "adam", "learning_rate": 0.01}, {"nesterov": False, "weight_decay": 0.01}):
        config = TrainingConfig(**{"epochs": 2, "learning_rate": 0.3, "dtype": "float64", **changes})
        result = CompressedTrainer("low_rank").train(topology, data, config)
        network = DenseMasked(topology, config)
        for number, matrix in enumerate(network.weights):
            generator = np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=(4, number)))
            matrix[...] = np.sqrt(2 / sum(matrix.shape)) * generator.standard_normal(matrix.shape)
        losses = [network.train_epoch(data.x_train, data.y_train, epoch) for epoch in range(2)]
        np.testing.assert_allclose(result.history["loss"], losses, rtol=1e-8)
