from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import topograph as tg
from trainers import TrainingConfig
from trainers.initialization import batch_order, dropout_generator, dropout_mask, initial_weights


def test_glorot_normal_is_the_truncated_normal_of_the_dense_fans():
    topology = tg.Topology.build("random_regular", [784, 300], 60, seed=0)
    (weights,) = initial_weights(topology, TrainingConfig(dtype="float64"))
    scale = np.sqrt(2 / (784 + 300))
    assert weights.std() == pytest.approx(scale, rel=0.02)
    # Keras: a normal truncated at two of its own standard deviations, whose variance after truncation is the wanted one
    reference = stats.truncnorm(-2, 2, scale=scale / stats.truncnorm(-2, 2).std())
    assert np.abs(weights).max() <= reference.support()[1]
    assert stats.kstest(weights, reference.cdf).pvalue > 1e-3


def test_draws_depend_on_seed_layer_and_purpose_only():
    topology = tg.Topology.build("dense", [5, 5, 5])
    one, again, other = (initial_weights(topology, TrainingConfig(seed=s)) for s in (0, 0, 1))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert (one[0] != other[0]).any()
    assert (one[0] != one[1]).any()
    # how long a training lasts, or the size of its batches, moves nothing
    assert (initial_weights(topology, TrainingConfig(epochs=1, batch_size=7))[0] == one[0]).all()


def test_batch_order_is_a_permutation_that_changes_with_the_epoch():
    config = TrainingConfig(seed=2)
    orders = [batch_order(50, epoch, config) for epoch in (0, 0, 1)]
    assert sorted(orders[0].tolist()) == list(range(50))
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()


def test_dropout_keeps_the_mean():
    mask = dropout_mask(dropout_generator(0, TrainingConfig()), (200, 500), 0.2, "float64")
    assert set(np.unique(mask)) == {0.0, 1.25}
    assert mask.mean() == pytest.approx(1, abs=0.01)


def test_he_and_uniform_have_the_variance_they_should():
    topology = tg.Topology.build("random_regular", [784, 300], 60, seed=0)
    for name, variance in (("glorot", 2 / (784 + 300)), ("he", 2 / 784)):
        for distribution, bound in (("uniform", np.sqrt(3)), ("normal", 2 / stats.truncnorm(-2, 2).std())):
            config = TrainingConfig(initialization=f"{name}_{distribution}", dtype="float64")
            (weights,) = initial_weights(topology, config)
            assert weights.var() == pytest.approx(variance, rel=0.03)
            assert np.abs(weights).max() == pytest.approx(bound * np.sqrt(variance), rel=1e-3)
    assert stats.kstest(initial_weights(topology, config.replace(initialization="he_uniform"))[0],
                        stats.uniform(-np.sqrt(6 / 784), 2 * np.sqrt(6 / 784)).cdf).pvalue > 1e-3  # fmt: skip


def test_fans_of_the_actual_degrees_are_each_connections_own():
    mask = np.zeros((3, 2), dtype=bool)
    mask[0] = mask[1, 0] = mask[2, 0] = True  # output 0 hears 3 inputs, output 1 one; input 0 speaks to both
    one, dense = tg.Topology([mask]), tg.Topology([np.ones((3, 2), dtype=bool)])
    for name, fans in (
        ("he_uniform", np.array([3, 1, 3, 3])),
        ("glorot_normal", np.array([3 + 2, 1 + 2, 3 + 1, 3 + 1])),
    ):
        config = TrainingConfig(initialization=name, dtype="float64")
        by_degrees = initial_weights(one, config.replace(fans="degrees"))[0]
        by_layer = initial_weights(one, config)[0]
        of_layer = 3 if name.startswith("he") else 5
        np.testing.assert_allclose(by_degrees, by_layer * np.sqrt(of_layer / fans))
        # where every edge is there, both are the same
        full = initial_weights(dense, config.replace(fans="degrees"))[0]
        np.testing.assert_allclose(full, initial_weights(dense, config)[0])
