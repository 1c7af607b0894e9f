"""`SparseLearner`: a sparse network with its data, as `trainers.course` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import dropout_generator
from trainers.numpy_sparse.flat import Float
from trainers.numpy_sparse.network import SparseNetwork
from trainers.numpy_sparse.samples import gather_samples
from trainers.rewiring.carried import Carried
from trainers.rewiring.rewirer import Rewirer
from trainers.stopping import diverged


class SparseLearner:
    """A network to train on samples in rows.

    Parameters
    ----------
    topology, config
        The edges, and how to train.
    x, labels
        Training samples in rows, and their classes; or, instead of classes, rows of targets with a last column of
        weights whose mean is 1.
    x_test
        Samples to predict the labels of.
    network
        Network to go on with; a new one by default.
    rewirer
        What changes the edges while training; nothing by default.
    """

    def __init__(
        self,
        topology: Topology,
        config: TrainingConfig,
        x: npt.NDArray[np.float32],
        labels: npt.NDArray[Any],
        x_test: npt.NDArray[np.float32] | None = None,
        network: SparseNetwork | None = None,
        rewirer: Rewirer | None = None,
    ) -> None:
        self._config, self._labels = config, labels
        self._samples = gather_samples(x)
        self._test = None if x_test is None else gather_samples(x_test)
        self._tests = np.arange(0 if x_test is None else len(x_test))
        self.network = network or SparseNetwork(topology, config, skip_inputs=self._samples.sparse)
        self._rewirer = rewirer

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        """See `trainers.course.Learner`.

        Raises
        ------
        TrainingDivergedError
            When the loss or a weight becomes NaN or infinite; the message names the layer too.
        """
        if self._rewirer is not None:
            loss, accuracy = self._rewirer.train_epoch(self, epoch, order, rate)
        else:
            loss, accuracy = self.train_part(order, rate, dropout_generator(epoch, self._config))
        network = self.network
        if not (np.isfinite(loss) and network.is_finite()):
            layer = f"{network.first_broken_layer()} of {len(network.topology)}"
            raise diverged(loss, epoch, self._config, f"a number that is not finite was first seen in layer {layer}; ")
        return loss, accuracy

    def train_part(
        self, order: npt.NDArray[np.int64], rate: float, generator: np.random.Generator
    ) -> tuple[float, float]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        return self.network.train_epoch(self._samples, self._labels, order, rate, generator)

    @property
    def topology(self) -> Topology:
        """The edges that the network has now."""
        return self.network.topology

    def weights(self) -> Sequence[Float]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        return self.network.weights()

    def biases(self) -> Sequence[Float]:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        return self.network.biases()

    def rewire(self, carried: Sequence[Carried]) -> None:
        """See `trainers.rewiring.rewirer.RewirableLearner`."""
        self.network.rewire(carried)

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        """See `trainers.course.Learner`."""
        return self.network.evaluate(self._samples, self._labels, samples)

    def predict(self) -> npt.NDArray[np.int64]:
        """See `trainers.course.Learner`."""
        if self._test is None:
            return np.arange(0)
        outputs = self.network.predict(self._test, self._tests)
        return np.asarray(outputs.argmax(axis=1))

    def parameters(self) -> tuple[Float, ...]:
        """See `trainers.course.Learner`."""
        return self.network.parameters()

    def set_parameters(self, parameters: Sequence[Float]) -> None:
        """See `trainers.course.Learner`."""
        self.network.set_parameters(parameters)
