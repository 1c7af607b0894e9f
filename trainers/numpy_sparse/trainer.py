"""`NumpyTrainer`: the sparse NumPy backend behind the trainer contract."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from topograph.errors import TrainingDivergedError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import batch_order, dropout_generator
from trainers.protocol import check_fit
from trainers.result import TrainingResult

if TYPE_CHECKING:
    from trainers.numpy_sparse.network import SparseNetwork


class NumpyTrainer:
    """Trains on the connections only: forward, backward and update cost time in proportion to the edges.

    Compiled loops (numba) on one core; the same inputs give the same bits.
    """

    name = "numpy"

    def train(self, topology: Topology, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        """See `trainers.protocol.Trainer`.

        Raises
        ------
        TopologyMismatchError
            When the topology's ends do not match the data.
        TrainingDivergedError
            When the loss becomes NaN or infinite; the message names the epoch.
        """
        from trainers.numpy_sparse.network import SparseNetwork

        check_fit(topology, dataset)
        with np.errstate(all="ignore"):  # a loss that leaves the numbers is reported as divergence
            return self._train(SparseNetwork(topology, config), dataset, config)

    def _train(self, network: SparseNetwork, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        started = time.perf_counter()
        n_samples = len(dataset.x_train)
        history: dict[str, list[float]] = {"loss": [], "train_accuracy": [], "test_accuracy": []}
        for epoch in range(config.epochs):
            order = batch_order(n_samples, epoch, config)
            dropout = dropout_generator(epoch, config)
            loss, correct = 0.0, 0
            for start in range(0, n_samples, config.batch_size):
                chosen = order[start : start + config.batch_size]
                batch = np.ascontiguousarray(dataset.x_train[chosen].T, dtype=config.dtype)
                batch_loss, batch_correct = network.gradient(batch, dataset.y_train[chosen], dropout)
                if not np.isfinite(batch_loss):
                    raise TrainingDivergedError(
                        f"the loss became {batch_loss} in epoch {epoch + 1} of {config.epochs}; "
                        f"lower learning_rate (now {config.learning_rate:g}) or momentum (now {config.momentum:g})"
                    )
                network.step()
                loss += batch_loss * len(chosen)
                correct += batch_correct
            history["loss"].append(loss / n_samples)
            history["train_accuracy"].append(correct / n_samples)
            test_correct = network.count_correct(dataset.x_test, dataset.y_test)
            history["test_accuracy"].append(test_correct / len(dataset.y_test))
        return TrainingResult(
            trainer=self.name,
            config=config,
            correct=test_correct,
            total=len(dataset.y_test),
            train_accuracy=network.count_correct(dataset.x_train, dataset.y_train) / n_samples,
            history={name: tuple(values) for name, values in history.items()},
            weights=tuple(layer.to_csr() for layer in network.layers),
            biases=tuple(layer.bias for layer in network.layers),
            seconds=time.perf_counter() - started,
            device="cpu",
            versions={package: version(package) for package in ("topograph", "numpy", "scipy", "numba")},
        )
