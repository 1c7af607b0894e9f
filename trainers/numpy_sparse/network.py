"""`SparseNetwork`: a chain of sparse layers that predicts, and learns from a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.topology import Topology
from trainers.config import TrainingConfig
from trainers.initialization import dropout_mask, initial_weights
from trainers.numpy_sparse.activations import activate, activation_backward, loss_and_gradient
from trainers.numpy_sparse.layer import SparseLayer

Float = npt.NDArray[np.floating[Any]]
_EVALUATION_BATCH = 512


class SparseNetwork:
    """A feed-forward network on the connections of a topology.

    Parameters
    ----------
    topology, config
        What it is made of, and how it starts and learns.
    """

    def __init__(self, topology: Topology, config: TrainingConfig) -> None:
        self.config = config
        self.layers = [
            SparseLayer(graph, weights, config.bias)
            for graph, weights in zip(topology, initial_weights(topology, config), strict=True)
        ]
        self._activations = [config.activation] * (len(self.layers) - 1) + [config.output_activation]

    def forward(self, x: Float, dropout: np.random.Generator | None = None) -> tuple[list[Float], list[Float | None]]:
        """What enters each layer and, last, the outputs; and the dropout factors of each layer's inputs.

        Parameters
        ----------
        x
            Shape ``(n_features, n_samples)``, the batch contiguous.
        dropout
            Where to draw dropout from; without it, nothing is dropped.
        """
        values, factors = [x], []
        for number, (layer, name) in enumerate(zip(self.layers, self._activations, strict=True)):
            rate = self.config.dropout_hidden if number else self.config.dropout_input
            factor = None
            if dropout is not None and rate:
                factor = dropout_mask(dropout, values[-1].shape, rate, self.config.dtype)
                values[-1] = values[-1] * factor
            factors.append(factor)
            values.append(activate(name, layer.forward(values[-1])))
        return values, factors

    def gradient(
        self, x: Float, labels: npt.NDArray[np.int64], dropout: np.random.Generator | None = None
    ) -> tuple[float, int]:
        """Set every layer's gradients for a batch; return its loss and the number of samples classified correctly."""
        values, factors = self.forward(x, dropout)
        loss, dz = loss_and_gradient(self.config.loss, self.config.output_activation, values[-1], labels)
        correct = int(np.count_nonzero(values[-1].argmax(axis=0) == labels))
        for number in reversed(range(len(self.layers))):
            dx = self.layers[number].backward(values[number], dz, inputs_too=number > 0)
            if dx is not None:
                factor = factors[number]
                y = values[number]
                if factor is not None:
                    # where a neuron is silent its gradient is 0, whatever y is; elsewhere y comes back unscaled
                    dx, y = dx * factor, y * y.dtype.type(1 - self.config.dropout_hidden)
                dz = activation_backward(self._activations[number - 1], y, dx)
        return loss, correct

    def step(self) -> None:
        """Move every weight and bias against its gradient."""
        for layer in self.layers:
            layer.step(self.config.learning_rate, self.config.momentum, self.config.nesterov)

    def predict(self, x: npt.NDArray[np.float32]) -> Float:
        """Outputs for samples in rows, shape ``(n_samples, n_classes)``."""
        blocks = []
        for start in range(0, len(x), _EVALUATION_BATCH):
            batch = np.ascontiguousarray(x[start : start + _EVALUATION_BATCH].T, dtype=self.config.dtype)
            blocks.append(self.forward(batch)[0][-1].T)
        return np.concatenate(blocks)

    def count_correct(self, x: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> int:
        """Number of samples in rows whose largest output is their label."""
        return int(np.count_nonzero(self.predict(x).argmax(axis=1) == labels))
