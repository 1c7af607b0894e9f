"""`NumpyTrainer`: the sparse NumPy backend behind the trainer contract."""

from __future__ import annotations

import time
from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from topograph.errors import TrainingDivergedError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import batch_order, dropout_generator, validation_split
from trainers.protocol import check_fit
from trainers.result import TrainingResult
from trainers.schedule import learning_rate_at

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
            When the loss becomes NaN or infinite; the message names the epoch and the layer.
        """
        check_fit(topology, dataset)
        with np.errstate(all="ignore"):  # a loss that leaves the numbers is reported as divergence
            return self._train(SparseNetwork(topology, config), dataset, config)

    def _train(self, network: SparseNetwork, dataset: Dataset, config: TrainingConfig) -> TrainingResult:
        started = time.perf_counter()
        # numba is imported here, on first use
        from trainers.numpy_sparse.network import SparseNetwork, classes_of, recalls
        from trainers.numpy_sparse.plan import gather_samples

        train, test = gather_samples(dataset.x_train), gather_samples(dataset.x_test)
        learning, watched = validation_split(len(dataset.x_train), config)
        network = SparseNetwork(topology, config, skip_inputs=train.sparse)
        history: dict[str, list[float]] = defaultdict(list)
        test_order = np.arange(len(dataset.x_test))
        best_loss, best_epoch, best = np.inf, 0, network.parameters()
        for epoch in range(config.epochs):
            order = learning[batch_order(len(learning), epoch, config)]
            rate = learning_rate_at(epoch, config)
            loss, accuracy = network.train_epoch(train, dataset.y_train, order, rate, dropout_generator(epoch, config))
            if not np.isfinite(loss):
                raise TrainingDivergedError(
                    f"the loss became {loss} in epoch {epoch + 1} of {config.epochs}, first seen in layer "
                    f"{network.first_broken_layer()} of {len(topology)}; lower learning_rate (now {rate:g}) or "
                    f"momentum (now {config.momentum:g})"
                )
            history["loss"].append(loss)
            history["train_accuracy"].append(accuracy)
            predicted = classes_of(network.predict(test, test_order))
            history["test_accuracy"].append(float(np.mean(predicted == dataset.y_test)))
            if len(watched):
                validation_loss, validation_accuracy = network.evaluate(train, dataset.y_train, watched)
                history["validation_loss"].append(validation_loss)
                history["validation_accuracy"].append(validation_accuracy)
                if validation_loss < best_loss:
                    best_loss, best_epoch, best = validation_loss, epoch, network.parameters()
                elif config.patience and epoch - best_epoch >= config.patience:
                    break
        if config.patience:
            network.set_parameters(best)
            predicted = classes_of(network.predict(test, test_order))
        correct = int(np.count_nonzero(predicted == dataset.y_test))
        return TrainingResult(
            trainer=self.name,
            config=config,
            correct=correct,
            total=len(dataset.y_test),
            train_accuracy=network.evaluate(train, dataset.y_train, learning)[1],
            history={name: tuple(values) for name, values in history.items()},
            weights=network.weights(),
            biases=network.biases(),
            seconds=time.perf_counter() - started,
            device="cpu",
            versions={package: version(package) for package in ("topograph", "numpy", "scipy", "numba")},
            balanced_accuracy=float(recalls(predicted, dataset.y_test).mean()),
        )
