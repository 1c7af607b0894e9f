import numpy as np
import pytest

from trainers import TrainingConfig
from trainers.conformance.reference import DenseMasked
from trainers.result import sparse_weights


@pytest.mark.parametrize("zeros", [0.0, 0.8])
@pytest.mark.parametrize("setup", [{}, {"dropout_hidden": 0.3, "optimizer": "adam", "learning_rate": 0.01}], ids=str)
def test_threads_share_a_batch(topology, make_task, start, setup, zeros):
    config = TrainingConfig(**{"learning_rate": 0.3, "dtype": "float64", "batch_size": 150} | setup)
    x, labels = make_task(400, 40, 4, zeros)
    results = []
    for _ in range(2):
        network, _, train = start(topology, config, x, labels, threads=3)
        reference = DenseMasked(topology, config)
        for epoch in range(10):
            loss, _ = train(epoch)
            assert loss == pytest.approx(reference.train_epoch(x, labels, epoch), rel=1e-10)
        for sparse, dense in zip(sparse_weights(topology, network.weights()), reference.weights, strict=True):
            np.testing.assert_allclose(sparse.toarray(), dense, rtol=1e-8, atol=1e-12)
        results.append(network.state.weights.tobytes())
    assert results[0] == results[1]
