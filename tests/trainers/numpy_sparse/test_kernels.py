"""The portable code against what numba makes of the same source in this process."""

from __future__ import annotations

import numpy as np
import pytest

from trainers import TrainingConfig
from trainers.numpy_sparse import kernels
from trainers.numpy_sparse.network import available_threads
from trainers.numpy_sparse.samples import gather_samples

AGAIN = "NUMBA_CACHE_DIR=$(mktemp -d) python -m trainers.numpy_sparse.kernels"
SETTINGS = [
    {},
    {"optimizer": "adam", "dropout_input": 0.2, "dropout_hidden": 0.3, "learning_rate": 0.01, "batch_size": 50},
    {"activation": "leaky_relu", "output_activation": "softmax", "loss": "cross_entropy", "weight_decay": 1e-3},
]


def test_the_portable_code_is_that_of_the_sources():
    assert kernels.KERNELS.code is not None, f"a kernel has changed; run {AGAIN}"


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("zeros", [0.0, 0.8])
def test_portable_training_is_that_of_numba(topology, make_task, start, settings, zeros, monkeypatch):
    """To rounding: on some processors both may fuse other products with sums."""
    config = TrainingConfig(**{"learning_rate": 0.3} | settings)
    x, labels = make_task(90, 40, 4, zeros)

    def trained():
        results = []
        for threads in (None, 2):
            network, samples, train = start(topology, config, x, labels, threads)
            results += [*train(0), *train(1), *network.evaluate(samples, labels, np.arange(90))]
            results += [*network.predict(samples, np.arange(90)).ravel(), *np.concatenate(network.weights())]
        return np.array(results)

    ours = trained()
    monkeypatch.setattr(kernels.KERNELS, "find", lambda name, writes=False: None)
    assert ours == pytest.approx(trained(), rel=1e-3, abs=1e-5)


def test_all_that_a_training_calls_is_portable(topology, make_task, start, monkeypatch):
    find, missing = kernels.KERNELS.find, []

    def noted(name, writes=False):
        function = find(name, writes)
        if function is None:
            missing.append(name)
        return function

    monkeypatch.setattr(kernels.KERNELS, "find", noted)
    x, labels = make_task(90, 40, 4, 0.8)
    targets = np.eye(5, dtype=np.float32)[labels]
    targets[:, 4] = 1
    for given in (labels, targets):
        for threads in (1, 2):
            network, samples, train = start(topology, TrainingConfig(dropout_hidden=0.2), x, given, threads)
            train(0)
            network.evaluate(samples, given, np.arange(90))
            network.predict(samples, np.arange(90))
    assert not missing


def test_inputs_that_16_bits_do_not_count_are_left_to_numba():
    x = np.zeros((2, 2**16 + 1), np.float32)
    samples = gather_samples(x)
    assert samples.features.dtype == np.uint32
    arguments = x, samples.starts, samples.features, samples.entries
    assert kernels.KERNELS.find(f"compress_{kernels.flattened(arguments)[0]}") is None


@pytest.mark.parametrize(("given", "expected"), [("3", 3), ("0", 1), ("many", None), ("", None)])
def test_the_threads_are_numbas_or_the_cores(given, expected, monkeypatch):
    import trainers.numpy_sparse.network as network

    monkeypatch.setenv("NUMBA_NUM_THREADS", given)
    assert available_threads() == (network.available_cores() if expected is None else expected)
