"""Samples reach the rows of the inputs as they are, whatever the size of a tile and the number of features."""

import numpy as np
import pytest

import topograph as tg
from trainers import TrainingConfig
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_features", [1, 15, 16, 17, 70])
@pytest.mark.parametrize("zeros", [0.0, 0.8])
def test_an_identity_gives_its_inputs_back(n_features, dtype, zeros):
    rng = np.random.default_rng(0)
    x = rng.random((67, n_features), dtype=np.float32)
    x[rng.random(x.shape) < zeros] = 0
    samples = gather_samples(x)
    topology = tg.Topology([tg.BipartiteGraph.from_mask(np.eye(n_features))])
    config = TrainingConfig(dtype=dtype, output_activation="linear")
    ones = [np.ones(n_features, dtype)]
    network = SparseNetwork(topology, config, skip_inputs=samples.sparse, weights=ones)
    for count in (67, 48, 32, 31, 17, 16, 5, 1):  # the rest of an earlier tile must not stay in place
        chosen = rng.permutation(67)[:count]
        np.testing.assert_array_equal(network.predict(samples, chosen), x[chosen].astype(dtype))
