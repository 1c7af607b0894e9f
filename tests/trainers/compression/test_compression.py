"""Compressed layers: their matrix, their gradients, their counts and their variance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from topograph.errors import InvalidParameterError, UnknownNameError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from trainers.compression import (  # noqa: E402
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


def test_the_products_of_a_tensor_train_are_the_same_by_its_cores_and_by_its_matrix():
    form = get_compression("tensor_train").build(64, 30, 300)
    parameters, rng = draw(form), np.random.default_rng(0)
    whole = form.multiplications_of_matrix()
    cost = [whole + size * 64 * 30 < size * form.multiplications_of_sample() for size in (1, 4000)]
    assert cost == [False, True], "both ways are taken"
    for size in (1, 4000):
        x = torch.tensor(rng.normal(size=(size, 64)))
        np.testing.assert_allclose(form.product(x, parameters).numpy(), (x @ form.dense(parameters)).numpy(), atol=1e-9)


def test_indices_beyond_what_single_precision_counts_stay_exact():
    from trainers.compression.circulant import Shared

    n = 2**24 + 3
    form = Shared(np.arange(n).reshape(n, 1))
    values = torch.zeros(n, dtype=torch.float32)
    values[n - 2] = 1
    assert int(form.dense([values]).ravel().argmax()) == n - 2
