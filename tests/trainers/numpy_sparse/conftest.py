import numpy as np
import pytest

import topograph as tg
from trainers.initialization import batch_order, dropout_generator
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples


@pytest.fixture
def make_task():
    """Samples in rows, of which a given share of entries is 0, and labels that they decide."""

    def make(n_samples, n_features, n_classes, zeros=0.0, seed=0):
        rng = np.random.default_rng(seed)
        x = rng.random((n_samples, n_features), dtype=np.float32)
        x[rng.random(x.shape) < zeros] = 0
        labels = (x @ rng.normal(size=(n_features, n_classes))).argmax(axis=1)
        return x, labels

    return make


@pytest.fixture
def start():
    """A network with its samples, and a function that trains it for one epoch."""

    def begin(topology, config, x, labels, threads=None):
        samples = gather_samples(x)
        network = SparseNetwork(topology, config, skip_inputs=samples.sparse, threads=threads)

        def train(epoch, rate=config.learning_rate):
            order, dropout = batch_order(len(x), epoch, config), dropout_generator(epoch, config)
            return network.train_epoch(samples, labels, order, rate, dropout)

        return network, samples, train

    return begin


@pytest.fixture
def topology():
    """A chain with a random, a rotating and a dense layer, and an output without edges."""
    first = tg.construct("random_regular", 40, 24, degree=5, seed=1)
    mask = tg.construct("random_edge", 24, 17, degree=6, seed=2).to_mask()
    mask[:, 3] = False
    return tg.Topology([first, mask, tg.construct("dense", 17, 4)])
