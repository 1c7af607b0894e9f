"""`Rewirer`: the edges of one network while it trains, by a rule; what changed, over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.graph import BipartiteGraph
from topograph.metrics import measure
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import dropout_generator, fresh_weights, rewiring_generator
from trainers.result import sparse_weights
from trainers.rewiring.carried import Carried, carry, unchanged
from trainers.rewiring.gradient import propagate
from trainers.rewiring.layer import Floats, Integers, LayerState, edge_numbers
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
        self._metrics = [name for name in config.rewire_metrics.replace(",", " ").split() if name]
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
        def propagated() -> list[tuple[Floats, Floats]]:
            with np.errstate(over="ignore", invalid="ignore"):
                parts = propagate(matrices, biases, self._x[batch], self._labels[batch], self._config)
            if not all(np.isfinite(values).all() for part in parts for values in part):
                raise _NotFinite
            return parts

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
        empty = graph.n_left * graph.n_right - graph.n_edges
        count = min(round(share * graph.n_edges), empty)
        if count == 0:
            return unchanged(graph, weights)
        generator = rewiring_generator(self._config, step, number)

        def draw(pairs: Integers) -> Floats:
            return fresh_weights(graph, pairs, self._config, generator)

        rule = self.schedule.rule
        state = LayerState(
            graph, weights, count, generator, self._options, lambda: propagated()[number], draw,
            number == len(self.topology) - 1,
        )  # fmt: skip
        return carry(state, rule.change(state), f"the rewiring {rule.name!r}, in layer {number + 1}")

    def record(self) -> dict[str, float]:
        """Of the epoch that has ended: the share of edges that are new, in all and per layer; the chosen metrics."""
        new = [
            np.setdiff1d(edge_numbers(after), edge_numbers(before), assume_unique=True).size
            for before, after in zip(self._before, self.topology, strict=True)
        ]
        values = {"turnover": sum(new) / max(self.topology.n_edges, 1)}
        values |= {
            f"l{number}_turnover": count / max(graph.n_edges, 1)
            for number, (count, graph) in enumerate(zip(new, self.topology, strict=True), start=1)
        }
        if self._metrics:
            table = measure(self.topology, self._metrics, long=True, workers=1, progress=False)
            for layer, metric, value in zip(table["layer"], table["metric"], table["value"], strict=True):
                values[f"{layer}_{metric}"] = float(value)
        self._before = self.topology
        return values


def make_rewirer(
    config: TrainingConfig, topology: Topology, x: npt.NDArray[Any], labels: npt.NDArray[np.int64], samples: int
) -> Rewirer | None:
    """The rewirer of a training; None where its edges stay."""
    return None if config.rewiring == NONE else Rewirer(config, topology, x, labels, samples)
