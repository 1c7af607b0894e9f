from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import topograph as tg
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


@pytest.mark.parametrize(("threads", "batch"), [(2, 32), (2, 100), (3, 40), (4, 33), (5, 400)])
def test_a_team_trains_as_one_thread_does(make_task, start, threads, batch):
    """Also where workers have no samples, and on layers of several blocks, each with several parts."""
    topology = tg.Topology.build("random_regular", [40, 700, 200, 4], degrees=[140, 40, 4], seed=0)
    config = TrainingConfig(learning_rate=0.3, dtype="float64", batch_size=batch)
    x, labels = make_task(210, 40, 4, 0.5)
    alone, together = (start(topology, config, x, labels, threads=number) for number in (1, threads))
    for epoch in range(3):
        assert together[2](epoch) == pytest.approx(alone[2](epoch), rel=1e-10)
    np.testing.assert_allclose(together[0].state.weights, alone[0].state.weights, rtol=1e-8, atol=1e-12)


def test_all_workers_end_with_a_loss_that_is_not_finite(topology, make_task, start):
    config = TrainingConfig(learning_rate=1e30, activation="relu", output_activation="linear", batch_size=100)
    x, labels = make_task(400, 40, 4, 0.0)
    network, _, train = start(topology, config, x, labels, threads=3)
    loss, _ = train(0)
    assert not np.isfinite(loss)
    assert not network.is_finite()


def test_nobody_waits_for_a_worker_that_did_not_begin(topology, make_task, start, monkeypatch):
    x, labels = make_task(400, 40, 4, 0.0)
    network, _, train = start(topology, TrainingConfig(batch_size=100), x, labels, threads=3)
    submit, begun = ThreadPoolExecutor.submit, []

    def refused(pool, *arguments):
        if begun:
            raise RuntimeError("can't start new thread")
        begun.append(submit(pool, *arguments))
        return begun[0]

    with monkeypatch.context() as patched:
        patched.setattr(ThreadPoolExecutor, "submit", refused)
        with pytest.raises(RuntimeError, match="new thread"):
            train(0)
    before = network.state.weights.copy()
    assert np.isfinite(train(1)[0])
    assert not np.array_equal(network.state.weights, before)
