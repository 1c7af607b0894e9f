"""`RewindableLearner`: a network that can be trained from given weights on, which methods that train need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from topograph.errors import UnsupportedSettingError
from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.course import Floats, Learner
from trainers.datasets import Dataset
from trainers.protocol import EVERYTHING, check_offered
from trainers.pruning.edges import Keep, Scores
from trainers.pruning.network import ChainNetwork, PrunableNetwork, on_candidates

MakeLearner = Callable[[Sequence[Keep], "Sequence[Floats] | None"], "RewindableLearner"]
CHAIN_TRAINERS = ("numpy", "pytorch")
"""Trainers that go on from given weights, for chains."""
_OF_MODULES = {
    name: values
    for name, values in EVERYTHING.items()
    if name not in ("bias", "dropout_input", "dropout_hidden", "dropout_draws")
}


class RewindableLearner(Learner, Protocol):
    """A learner that says which weight lies on which possible edge."""

    def edge_weights(self) -> list[Scores]:
        """The weight at each possible edge of each layer, flat; 0 where there is no edge."""
        ...

    def state(self) -> list[Floats]:
        """All that is learnt, in a form that does not depend on the edges: to make another learner from."""
        ...


def make_learners(network: PrunableNetwork, dataset: Dataset, config: TrainingConfig, trainer: str) -> MakeLearner:
    """A function that makes a learner with some of the edges, from the initial weights or from a state.

    Raises
    ------
    UnsupportedSettingError
        For a trainer that cannot go on from given weights, and for settings that it then does not offer.
    """
    if isinstance(network, ChainNetwork) and trainer == "numpy":
        chain = network
        check_offered("numpy, for pruning", config, EVERYTHING)

        def sparse(keep: Sequence[Keep], state: Sequence[Floats] | None) -> RewindableLearner:
            return _SparseChain(chain, keep, state, dataset, config)

        return sparse
    if isinstance(network, ChainNetwork) and trainer not in CHAIN_TRAINERS:
        raise UnsupportedSettingError(
            f"the trainer {trainer!r} does not go on from given weights, which rewinding needs (offered: "
            f"{', '.join(map(repr, CHAIN_TRAINERS))})"
        )

    check_offered("pytorch, for pruning", config, _OF_MODULES)

    def dense(keep: Sequence[Keep], state: Sequence[Floats] | None) -> RewindableLearner:
        from trainers.pruning.module_learner import ModuleLearner

        return ModuleLearner(network.differentiable(), keep, state, dataset, config)

    return dense


class _SparseChain:
    """The NumPy backend on some edges of a chain; its state holds weights at all possible edges, and biases."""

    def __init__(
        self,
        network: ChainNetwork,
        keep: Sequence[Keep],
        state: Sequence[Floats] | None,
        dataset: Dataset,
        config: TrainingConfig,
    ) -> None:
        from trainers.numpy_sparse.learner import SparseLearner
        from trainers.numpy_sparse.network import SparseNetwork
        from trainers.numpy_sparse.samples import gather_samples

        self._layers = tuple(layer.restricted(part) for layer, part in zip(network.layers, keep, strict=True))
        topology = Topology(layer.graph(layer.candidates) for layer in self._layers)
        depth = len(self._layers)
        values = network.weights() if state is None else state[:depth]
        sparse = SparseNetwork(
            topology,
            config,
            skip_inputs=gather_samples(dataset.x_train).sparse,
            weights=[
                full[layer.candidates].astype(config.dtype) for full, layer in zip(values, self._layers, strict=True)
            ],
            biases=() if state is None else state[depth:],
        )
        self._learner = SparseLearner(topology, config, dataset.x_train, dataset.y_train, dataset.x_test, sparse)

    def train_epoch(self, epoch: int, order: npt.NDArray[np.int64], rate: float) -> tuple[float, float]:
        return self._learner.train_epoch(epoch, order, rate)

    def evaluate(self, samples: npt.NDArray[np.int64]) -> tuple[float, float]:
        return self._learner.evaluate(samples)

    def predict(self) -> npt.NDArray[np.int64]:
        return self._learner.predict()

    def parameters(self) -> Sequence[Floats]:
        return self._learner.parameters()

    def set_parameters(self, parameters: Sequence[Floats]) -> None:
        self._learner.set_parameters(parameters)

    def edge_weights(self) -> list[Scores]:
        return on_candidates(self._layers, [values.astype(np.float64) for values in self._learner.network.weights()])

    def state(self) -> list[Any]:
        return [*self.edge_weights(), *self._learner.network.biases()]
