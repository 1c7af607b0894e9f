"""`SparseNetwork`: a network on the edges of a topology, between the trainer and the compiled code."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.cores import available_cores
from topograph.tiles import LANES
from topograph.topology import Topology
from trainers.config import LEAK, TrainingConfig
from trainers.initialization import initial_weights
from trainers.numpy_sparse import flat, kernels
from trainers.numpy_sparse.draws import draws_of
from trainers.numpy_sparse.flat import Float, Rule, Setting, State, Work, aligned_rows, flatten
from trainers.numpy_sparse.samples import Samples, read_only
from trainers.numpy_sparse.team import Team
from trainers.rewiring.carried import Carried

_ACTIVATIONS = {
    "sigmoid": flat.SIGMOID,
    "tanh": flat.TANH,
    "relu": flat.RELU,
    "leaky_relu": flat.LEAKY_RELU,
    "linear": flat.LINEAR,
    "softmax": flat.SOFTMAX,
}
_LOSSES = {"mse": flat.MSE, "cross_entropy": flat.CROSS_ENTROPY}
_ADAM_DECAY, _ADAM_EPSILON = 0.999, 1e-8
_LARGE = 1_000_000  # edges that are worth a second thread


def available_threads() -> int:
    """``NUMBA_NUM_THREADS``, which also limits what numba itself starts, or else the cores."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, int(given)) if given.isdecimal() else available_cores()


class SparseNetwork:
    """A feed-forward network with a weight on each edge of a topology, and nothing anywhere else.

    Parameters
    ----------
    topology, config
        Topology and settings of the network.
    skip_inputs
        Whether to skip inputs that are 0 for all samples of a tile.
    weights, biases
        Initial values, as `weights` and `biases` return them; by default those of `trainers.initialization`.
    threads
        Number of threads that share the tiles of a batch; by default one, and for a million edges or more as many as
        ``NUMBA_NUM_THREADS`` and the tiles allow.
    """

    def __init__(
        self,
        topology: Topology,
        config: TrainingConfig,
        skip_inputs: bool = False,
        weights: Sequence[Float] | None = None,
        biases: Sequence[Float] = (),
        threads: int | None = None,
    ) -> None:
        self.topology, self.config, self._skip_inputs = topology, config, skip_inputs
        self._dtype = dtype = np.dtype(config.dtype)
        self.flat, self._positions = flatten(topology, dtype.itemsize, skip_inputs)
        self._first_edges = np.cumsum([0, *(graph.n_edges for graph in topology)])
        neurons, adam = sum(topology.sizes), config.optimizer == "adam"
        edges = topology.n_edges
        self.state = State(
            weights=np.empty(edges, dtype),
            gradient=np.zeros(edges, dtype),
            velocity=np.zeros(edges, dtype),
            second=np.zeros(edges if adam else 0, dtype),
            bias=np.zeros(neurons, dtype),
            bias_gradient=np.zeros(neurons, dtype),
            bias_velocity=np.zeros(neurons, dtype),
            bias_second=np.zeros(neurons if adam else 0, dtype),
        )
        values = initial_weights(topology, config) if weights is None else weights
        for layer, drawn in enumerate(values):
            self.state.weights[self._edges(layer)][self._positions[layer]] = drawn
        for bias, given in zip(self._biases(), biases, strict=False):
            bias[:] = given
        if threads is None:
            tiles = -(-config.batch_size // LANES)
            threads = min(available_threads(), tiles) if edges >= _LARGE else 1
        dropped = neurons - topology.sizes[-1] if config.dropout_input or config.dropout_hidden else 0
        self.work = Work(
            values=aligned_rows(neurons, dtype),
            deltas=aligned_rows(neurons, dtype),
            active=np.zeros(topology.sizes[0] + 1, np.uint32),
            marked=np.zeros(topology.sizes[0], np.uint8),
            kept=np.ones((dropped, config.batch_size if dropped else 0), np.bool_),
            losses=np.zeros(threads),
        )
        self.setting = Setting(
            activation=_ACTIVATIONS[config.activation],
            output_activation=_ACTIVATIONS[config.output_activation],
            loss=_LOSSES[config.loss],
            dropout_input=float(config.dropout_input),
            dropout_hidden=float(config.dropout_hidden),
            scale_input=dtype.type(1) / dtype.type(1 - config.dropout_input),
            scale_hidden=dtype.type(1) / dtype.type(1 - config.dropout_hidden),
            tiny=np.finfo(dtype).tiny,
            below_one=1 - np.finfo(dtype).epsneg,
            leak=dtype.type(LEAK),
        )
        self._steps = 0
        self._team = Team(threads, self.work)

    def train_epoch(
        self,
        samples: Samples,
        labels: npt.NDArray[Any],
        order: npt.NDArray[np.int64],
        rate: float,
        dropout: np.random.Generator,
    ) -> tuple[float, float]:
        """One pass over the samples of ``order``: the mean loss (not finite when it diverged), and the accuracy.

        ``labels`` holds classes, or rows of targets with a last column of weights.
        """
        loss, correct, self._steps = self._team.train_epoch(
            self.flat, self.state, self.setting, self.rule(rate), samples, read_only(labels), read_only(order),
            self.config.batch_size, self._steps, draws_of(dropout),
        )  # fmt: skip
        return loss / len(order), correct / len(order)

    def rule(self, rate: float) -> Rule:
        """How the optimizer steps, with step size ``rate``."""
        kind = self._dtype.type
        return Rule(
            adam=self.config.optimizer == "adam",
            nesterov=self.config.nesterov,
            bias=self.config.bias,
            rate=kind(rate),
            momentum=kind(self.config.momentum),
            second=_ADAM_DECAY,
            epsilon=kind(_ADAM_EPSILON),
            weight_decay=kind(self.config.weight_decay),
        )

    def predict(self, samples: Samples, order: npt.NDArray[np.int64]) -> Float:
        """Outputs for the samples of ``order``, shape ``(len(order), n_classes)``."""
        outputs = np.empty((len(order), self.topology.sizes[-1]), self._dtype)
        self._walk(samples, np.zeros(0, np.int64), order, outputs)
        return outputs

    def evaluate(self, samples: Samples, labels: npt.NDArray[Any], order: npt.NDArray[np.int64]) -> tuple[float, float]:
        """The mean loss over the samples of ``order``, and the accuracy."""
        loss, correct = self._walk(samples, labels, order, np.empty((0, self.topology.sizes[-1]), self._dtype))
        return loss / len(order), correct / len(order)

    def _walk(
        self, samples: Samples, labels: npt.NDArray[Any], order: npt.NDArray[np.int64], outputs: Float
    ) -> tuple[float, int]:
        """See `kernels.evaluate`."""
        summed: float
        correct: int
        summed, correct = kernels.evaluate(
            self.flat, self.state, self.work, self.setting, samples, read_only(labels), read_only(order), outputs
        )
        return summed, correct

    def parameters(self) -> tuple[Float, Float]:
        """A copy of all weights and biases."""
        return self.state.weights.copy(), self.state.bias.copy()

    def set_parameters(self, parameters: Sequence[Float]) -> None:
        """Return to an earlier copy."""
        self.state.weights[:], self.state.bias[:] = parameters

    def rewire(self, carried: Sequence[Carried]) -> None:
        """Go over to new edges, as many per layer: weights and the optimizer's memory move with those that stay.

        All arrays are written in place, since threads share them; the cost is in proportion to the edges.
        """
        old = self._positions
        self.topology = Topology(layer.graph for layer in carried)
        self.flat, self._positions = flatten(self.topology, self._dtype.itemsize, self._skip_inputs)
        for number, layer in enumerate(carried):
            edges = self._edges(number)
            for array in (self.state.weights, self.state.velocity, self.state.second):
                if len(array):
                    fresh = layer.fresh if array is self.state.weights else None
                    values = layer.values(array[edges][old[number]], fresh)
                    array[edges][self._positions[number]] = values

    def is_finite(self) -> bool:
        """Whether all weights and biases still are: a last step can break them after the last loss was taken."""
        return bool(np.isfinite(self.state.weights).all() and np.isfinite(self.state.bias).all())

    def first_broken_layer(self) -> int:
        """After a loss that is not finite: the first layer (from 1) whose weights or outputs are not, or the last."""
        for layer, graph in enumerate(self.topology):
            first = sum(self.topology.sizes[: layer + 1])
            outputs = slice(first, first + graph.n_right)
            for values in (
                self.state.weights[self._edges(layer)],
                self.state.bias[outputs],
                self.work.values[outputs],
            ):
                if not np.isfinite(values).all():
                    return layer + 1
        return len(self.topology)

    def weights(self) -> tuple[Float, ...]:
        """The weights of each layer, in the order of ``graph.edges()``."""
        return tuple(self.state.weights[self._edges(layer)][position] for layer, position in enumerate(self._positions))

    def biases(self) -> tuple[Float, ...]:
        """The biases of each layer."""
        return tuple(bias.copy() for bias in self._biases())

    def _biases(self) -> list[Float]:
        ends = np.cumsum(self.topology.sizes)
        return [self.state.bias[begin:end] for begin, end in itertools.pairwise(ends)]

    def _edges(self, layer: int) -> slice:
        return slice(int(self._first_edges[layer]), int(self._first_edges[layer + 1]))
