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
