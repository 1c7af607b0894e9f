"""`NumpyTrainer`: the sparse NumPy backend behind the trainer contract."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.protocol import EVERYTHING, check_fit, check_offered
from trainers.result import TrainingResult, balanced_accuracy

if TYPE_CHECKING:
    from trainers.numpy_sparse.network import SparseNetwork


class NumpyTrainer:
    """Trains on the connections only: forward, backward and update cost time in proportion to the edges.

    Compiled loops (numba) on one core. Only networks of a million connections and more, with batches of more than 32,
    share the tiles of a batch among ``NUMBA_NUM_THREADS`` threads (by default, the cores). The same inputs give the
    same bits with as many threads.

    Random draws are those of `trainers.initialization`. Every setting of `TrainingConfig` is offered.
    """

    name = "numpy"
    version = "2"  # of its numbers: since then they are the same to the bit whether code is compiled or read from disk

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`; what diverged names the layer too."""
        check_offered(self.name, config, EVERYTHING)
        check_fit(topology, dataset)
        started = time.perf_counter()
        # numba is imported here, on first use
        from trainers.numpy_sparse.plan import gather_samples
        from trainers.numpy_sparse.training import fit

        test, order = gather_samples(dataset.x_test), np.arange(len(dataset.x_test))

        def watch(network: SparseNetwork) -> dict[str, float]:
            predicted = network.predict(test, order).argmax(axis=1)
            return {"test_accuracy": float(np.mean(predicted == dataset.y_test))}

        trained = fit(topology, dataset.x_train, dataset.y_train, config, watch)
        predicted = trained.network.predict(test, order).argmax(axis=1)
        return TrainingResult(
            trainer=self.name,
            config=config,
            correct=int(np.count_nonzero(predicted == dataset.y_test)),
            total=len(dataset.y_test),
            train_accuracy=trained.train_accuracy,
            history={name: tuple(values) for name, values in trained.history.items()},
            weights=trained.network.weights(),
            biases=trained.network.biases(),
            seconds=time.perf_counter() - started,
            device="cpu",
            versions={package: version(package) for package in ("topograph", "numpy", "scipy", "numba")},
            balanced_accuracy=balanced_accuracy(predicted, dataset.y_test),
        )
