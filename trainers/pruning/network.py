"""`PrunableNetwork`: what a pruner sees of a network; and `ChainNetwork`, a topology with its initial weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import initial_weights
from trainers.pruning.edges import Scores
from trainers.pruning.layers import PrunableLayer

if TYPE_CHECKING:
    from trainers.pruning.differentiable import DifferentiableNetwork


class PrunableNetwork(Protocol):
    """A network whose edges can be chosen. Nothing that is done with it changes the caller's model."""

    @property
    def layers(self) -> tuple[PrunableLayer, ...]:
        """The layers to prune, in the order of the model."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Name → reason for all weights that are not pruned."""
        ...

    @property
    def is_sequence(self) -> bool:
        """Whether each layer reads what the one before it writes, and nothing else."""
        ...

    def weights(self) -> list[Scores]:
        """The weight at each possible edge of each layer, flat, in float64; 0 where there is no edge."""
        ...

    def differentiable(self, dtype: str | None = None) -> DifferentiableNetwork:
        """A copy that gives gradients, in another number type where one is named; it needs PyTorch."""
        ...


class ChainNetwork:
    """A topology with the initial weights that ``config`` gives it.

    A dense topology has the weights that its sparse parts keep when they are trained with
    ``config.initial_draws = "dense"``.

    Parameters
    ----------
    topology
        Its edges are the candidates.
    config
        Initial weights, activations and loss.
    """

    is_sequence = True
    left_out: Mapping[str, str] = {}

    def __init__(self, topology: Topology, config: TrainingConfig) -> None:
        self.topology, self.config = topology, config
        self.layers = tuple(PrunableLayer.of_chain(number, graph) for number, graph in enumerate(topology, start=1))

    @cached_property
    def _drawn(self) -> Sequence[Scores]:
        return [values.astype(np.float64) for values in initial_weights(self.topology, self.config)]

    def weights(self) -> list[Scores]:
        """See `PrunableNetwork`."""
        return on_candidates(self.layers, self._drawn)

    def differentiable(self, dtype: str | None = None) -> DifferentiableNetwork:
        """See `PrunableNetwork`."""
        from trainers.pruning.chain_module import differentiable_chain

        return differentiable_chain(self.layers, self.weights(), self.config, dtype or self.config.dtype)


def on_candidates(layers: Sequence[PrunableLayer], values: Sequence[Scores]) -> list[Scores]:
    """Values of the candidates, laid over all possible edges, with 0 elsewhere."""
    laid: list[Scores] = []
    for layer, drawn in zip(layers, values, strict=True):
        full = np.zeros(layer.possible)
        full[layer.candidates] = drawn
        laid.append(full)
    return laid
