"""The course of a training, the same for every backend: epochs, schedule, split, early stopping, divergence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.errors import TrainingDivergedError
from topograph.masks.maskset import MaskSet
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.datasets import Dataset
from trainers.initialization import batch_order, validation_split
from trainers.result import TrainingResult, balanced_accuracy, sparse_weights
from trainers.schedule import learning_rate_at
from trainers.stopping import EarlyStopping, diverged

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


class Learner(Protocol):
    """A network together with its data: all that `run_course` asks of a backend."""

    def train_epoch(self, epoch: int, order: Integers, rate: float) -> tuple[float, float]:
        """Train on the training samples ``order``, batch after batch, with step size ``rate``.

        Returns the mean loss and the share of samples classified correctly, both as they ran.
        """
        ...

    def evaluate(self, samples: Integers) -> tuple[float, float]:
        """Mean loss and accuracy on the training samples with these numbers, without dropout."""
        ...

    def predict(self) -> Integers:
        """Predicted label of every test sample."""
        ...

    def parameters(self) -> Sequence[Floats]:
        """Copies of all weights and biases, as NumPy arrays."""
        ...

    def set_parameters(self, parameters: Sequence[Floats]) -> None:
        """Return to an earlier copy."""
        ...


class Recorder(Protocol):
    """What changes the edges while a network trains."""

    def record(self) -> dict[str, float]:
        """What the history keeps of an epoch's changes."""
        ...


@dataclass(frozen=True)
class Trained:
    """A network's course, and how well the network at its end does.

    Parameters
    ----------
    history
        Name → one value per epoch, as in `TrainingResult`.
    train_accuracy
        Accuracy on the samples that it learnt from.
    predicted
        Predicted labels of the test samples.
    """

    history: Mapping[str, Sequence[float]]
    train_accuracy: float
    predicted: Integers

    def to_result(
        self,
        trainer: str,
        topology: Topology | MaskSet,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        weights: Sequence[Floats],
        biases: Sequence[Floats],
        seconds: float,
        device: str,
        packages: Sequence[str],
        final: Topology | MaskSet | None = None,
        model: Any = None,
        n_parameters: Sequence[int] = (),
    ) -> TrainingResult:
        """The result that a trainer returns.

        Parameters
        ----------
        trainer, topology, dataset, config
            The trainer's name, and its arguments.
        weights
            One array per layer: weights of the edges in the order of ``graph.edges()``.
        biases
            One array per layer; zeros without biases.
        seconds, device
            As in `TrainingResult`.
        packages
            Installed distributions that determine the numbers, besides topograph; their versions are recorded.
        final
            The topology at the end, whose edges the weights lie on, where it changed while training or where
            compressed layers are written out.
        model
            The model that was trained, with its masks on, where it is more than a chain.
        n_parameters
            How many weights each layer learnt; by default one per edge.
        """
        return TrainingResult(
            trainer=trainer,
            config=config,
            correct=int(np.count_nonzero(self.predicted == dataset.y_test)),
            total=len(dataset.y_test),
            train_accuracy=self.train_accuracy,
            history={name: tuple(values) for name, values in self.history.items() if all(map(np.isfinite, values))},
            topology=topology if final is None else final,
            weights=sparse_weights(topology if final is None else final, weights),
            biases=tuple(biases),
            seconds=seconds,
            device=device,
            versions={package: version(package) for package in ("topograph", *packages)},
            balanced_accuracy=balanced_accuracy(self.predicted, dataset.y_test),
            model=model,
            n_parameters=tuple(n_parameters) or _edges(topology),
        )


def _edges(topology: Topology | MaskSet) -> tuple[int, ...]:
    return tuple(graph.n_edges for graph in topology) if isinstance(topology, Topology) else ()


class Progress:
    """One network's history, and whether its training goes on.

    Examples
    --------
    >>> progress = Progress(TrainingConfig(validation=0.1, patience=1))
    >>> progress.record(0, {"validation_loss": 0.5}), progress.record(1, {"validation_loss": 0.6}), progress.going
    (True, False, False)
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.history: dict[str, list[float]] = {}
        self.error: TrainingDivergedError | None = None
        self.going = True
        self._config, self._stopping = config, EarlyStopping(config)

    def check_finite(self, epoch: int, loss: float, finite: bool) -> None:
        """End the training with an error after a loss, or weights, that are not finite."""
        if self.going and not (finite and np.isfinite(loss)):
            self.error, self.going = diverged(loss, epoch, self._config), False

    def record(self, epoch: int, values: Mapping[str, float]) -> bool:
        """Add an epoch to the history; return whether its network is the best so far, to be kept."""
        for name, value in values.items():
            self.history.setdefault(name, []).append(value)
        improved = self._stopping.improved(epoch, values.get("validation_loss", np.inf))
        self.going = improved or not self._stopping.over(epoch)
        return improved


def run_course(
    learner: Learner,
    config: TrainingConfig,
    samples: int,
    test_labels: Integers | None = None,
    rewirer: Recorder | None = None,
) -> Trained:
    """Train for all epochs, or until early stopping, and evaluate.

    Parameters
    ----------
    learner
        The network with its data.
    config
        How to train.
    samples
        Number of training samples, before the validation split.
    test_labels
        Labels of the test samples; without them nothing is predicted.
    rewirer
        What changes the edges while the learner trains; its record goes into the history.

    Raises
    ------
    TrainingDivergedError
        When the loss or a weight becomes NaN or infinite.
    """
    learning, watched = validation_split(samples, config)
    progress, predicted = Progress(config), np.arange(0)
    best = learner.parameters()
    for epoch in range(config.epochs):
        order = learning[batch_order(len(learning), epoch, config)]
        loss, accuracy = learner.train_epoch(epoch, order, learning_rate_at(epoch, config))
        progress.check_finite(epoch, loss, all(np.isfinite(array).all() for array in learner.parameters()))
        if progress.error:
            raise progress.error
        values = {"loss": loss, "train_accuracy": accuracy}
        if test_labels is not None:
            predicted = learner.predict()
            values["test_accuracy"] = float(np.mean(predicted == test_labels))
        if len(watched):
            values["validation_loss"], values["validation_accuracy"] = learner.evaluate(watched)
        if rewirer is not None:
            values |= rewirer.record()
        if progress.record(epoch, values):
            best = learner.parameters()
        if not progress.going:
            break
    if config.patience:
        learner.set_parameters(best)
        predicted = predicted if test_labels is None else learner.predict()
    return Trained(progress.history, learner.evaluate(learning)[1], predicted)
