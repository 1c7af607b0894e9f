"""The course of a training: epochs, schedule, validation, early stopping, divergence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import batch_order, dropout_generator, validation_split
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.plan import gather_samples
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping, diverged


@dataclass(frozen=True)
class Trained:
    """A network after training, its course, and its accuracy on the samples it learnt from."""

    network: SparseNetwork
    history: dict[str, list[float]]
    train_accuracy: float


def fit(
    topology: Topology,
    x: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    config: TrainingConfig,
    watch: Callable[[SparseNetwork], dict[str, float]] = lambda network: {},
) -> Trained:
    """Train a network on samples in rows.

    Parameters
    ----------
    topology, x, labels, config
        The connections, the samples, their classes, and how to train.
    watch
        Called after each epoch; the values that it returns join the history.

    Raises
    ------
    TrainingDivergedError
        When the loss becomes NaN or infinite; the message names the epoch and the layer.
    """
    samples = gather_samples(x)
    learning, watched = validation_split(len(x), config)
    network = SparseNetwork(topology, config, skip_inputs=samples.sparse)
    history: dict[str, list[float]] = defaultdict(list)
    stopping, best = EarlyStopping(config), network.parameters()
    for epoch in range(config.epochs):
        order = learning[batch_order(len(learning), epoch, config)]
        rate = learning_rate_at(epoch, config)
        loss, accuracy = network.train_epoch(samples, labels, order, rate, dropout_generator(epoch, config))
        if not (np.isfinite(loss) and network.is_finite()):
            layer = f"{network.first_broken_layer()} of {len(topology)}"
            raise diverged(loss, epoch, config, f"a number that is not finite was first seen in layer {layer}; ")
        values = {"loss": loss, "train_accuracy": accuracy, **watch(network)}
        if len(watched):
            values["validation_loss"], values["validation_accuracy"] = network.evaluate(samples, labels, watched)
        for name, value in values.items():
            history[name].append(value)
        if stopping.improved(epoch, values.get("validation_loss", np.inf)):
            best = network.parameters()
        elif stopping.over(epoch):
            break
    if config.patience:
        network.set_parameters(best)
    return Trained(network, dict(history), network.evaluate(samples, labels, learning)[1])
