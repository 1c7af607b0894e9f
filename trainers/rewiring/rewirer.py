"""`Rewirer`: the edges of one network while it trains, by a rule; what changed, over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import dropout_generator, fresh_weights, rewiring_generator
from trainers.result import sparse_weights
from trainers.rewiring.carried import Carried, unchanged
from trainers.rewiring.changing import change_layer
from trainers.rewiring.gradient import propagate
from trainers.rewiring.layer import FactoredGradient, Floats, Integers
from trainers.rewiring.recording import metric_names, record_change
from trainers.rewiring.rule import NONE, read_options
from trainers.rewiring.schedule import RewiringSchedule


class RewirableLearner(Protocol):
    """What `Rewirer` asks of a backend that trains one network."""

    @property
    def topology(self) -> Topology:
        """The edges that the network has now."""
        ...

    def train_part(self, order: Integers, rate: float, generator: np.random.Generator) -> tuple[float, float]:
        """Train on these samples, batch after batch: mean loss and share that is right, as they ran."""
        ...

    def weights(self) -> Sequence[Floats]:
        """Weights of the edges of each layer, in the order of ``graph.edges()``."""
        ...

    def biases(self) -> Sequence[Floats]:
        """Biases of each layer."""
        ...

    def rewire(self, carried: Sequence[Carried]) -> None:
        """Go over to new edges: those that stay keep weight and velocity, new ones have their weight and velocity 0."""
        ...


class _NotFinite(ArithmeticError):
    """A gradient overflowed."""


class Rewirer:
    """One network's rule, schedule, and record of what changed.

    Parameters
    ----------
    config
        Settings of the training.
    topology
        Topology that the training begins with.
    x, labels
        Training samples in rows, and their classes.
    samples
        Number of samples that an epoch visits.
    """

    def __init__(
        self,
        config: TrainingConfig,
        topology: Topology,
        x: npt.NDArray[Any],
        labels: npt.NDArray[np.int64],
        samples: int,
    ) -> None:
        self._config, self.topology = config, topology
        self._x, self._labels = x, labels
        self._steps = math.ceil(samples / config.batch_size)
        self.schedule = RewiringSchedule.of(config, self._steps)
        self._options = read_options(self.schedule.rule, config.rewire_options)
        self._metrics = metric_names(config)
        self._before = topology

    def spends(self, step_of_epoch: int) -> bool:
        """Whether a change before this step of an epoch takes its place.

        The last step of an epoch always trains, so that no evaluation sees edges that were not trained with.
        """
        return self.schedule.rule.spends_batch and step_of_epoch < self._steps - 1

    def train_epoch(self, learner: RewirableLearner, epoch: int, order: Integers, rate: float) -> tuple[float, float]:
        """One pass over the samples of ``order``, with the changes that are due: mean loss and accuracy as they ran."""
        generator, size = dropout_generator(epoch, self._config), self._config.batch_size
        first, begin = epoch * self._steps, 0
        summed = np.zeros(3)

        def train(part: Integers) -> None:
            if len(part):
                summed[:] += np.array([*learner.train_part(part, rate, generator), 1.0]) * len(part)

        for step in range(self._steps):
            if self.schedule.is_due(first + step):
                train(order[begin * size : step * size])
                weights = learner.weights()
                if not all(np.isfinite(values).all() for values in (*weights, summed)):
                    break  # it has diverged: the learner says so
                batch = order[step * size : (step + 1) * size]
                learner.rewire(self.change(first + step, weights, learner.biases(), batch))
                begin = step + self.spends(step)
        else:
            train(order[begin * size :])
        loss, accuracy, total = summed
        return float(loss / total), float(accuracy / total)

    def change(self, step: int, weights: Sequence[Floats], biases: Sequence[Floats], batch: Integers) -> list[Carried]:
        """New edges for all layers; `topology` has them from now on.

        Raises
        ------
        ConformanceError
            When the rule's answer is impossible: the message names the rule and the layer.
        """
        share = self.schedule.share_at(step)
        matrices = sparse_weights(self.topology, weights)

        @lru_cache(maxsize=1)
        def propagated() -> list[FactoredGradient]:
            with np.errstate(over="ignore", invalid="ignore"):
                parts = propagate(matrices, biases, self._x[batch], self._labels[batch], self._config)
            if not all(np.isfinite(values).all() for part in parts for values in part):
                raise _NotFinite
            return [FactoredGradient(*part) for part in parts]

        try:
            carried = [
                self._change_layer(number, graph, values, share, step, propagated)
                for number, (graph, values) in enumerate(zip(self.topology, weights, strict=True))
            ]
        except _NotFinite:  # the training diverges, and ends at the next step that says so
            return [unchanged(graph, values) for graph, values in zip(self.topology, weights, strict=True)]
        self.topology = Topology(layer.graph for layer in carried)
        return carried

    def _change_layer(
        self, number: int, graph: BipartiteGraph, weights: Floats, share: float, step: int, propagated: Any
    ) -> Carried:
        generator = rewiring_generator(self._config, step, number)
        return change_layer(
            self.schedule.rule, graph, weights, share, generator, self._options,
            lambda: propagated()[number],
            lambda pairs: fresh_weights(graph, pairs, self._config, generator),
            number == len(self.topology) - 1,
            name=f"in layer {number + 1}",
        )  # fmt: skip

    def record(self) -> dict[str, float]:
        """Of the epoch that has ended: the share of edges that are new, in all and per layer; the chosen metrics."""
        names = [f"l{number}" for number in range(1, len(self.topology) + 1)]
        values = record_change(names, self._before, self.topology, self._metrics, self.topology)
        self._before = self.topology
        return values


def make_rewirer(
    config: TrainingConfig, topology: Topology, x: npt.NDArray[Any], labels: npt.NDArray[np.int64], samples: int
) -> Rewirer | None:
    """The rewirer of a training; None where its edges stay."""
    return None if config.rewiring == NONE else Rewirer(config, topology, x, labels, samples)
