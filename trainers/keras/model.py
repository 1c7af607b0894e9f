"""The contract's network, loss and optimizers, in Keras.

Keras's own formula is used where it is the contract's; the others are written here. Only the trainer
imports this module, when it trains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from topograph.topology import Topology
from trainers.config import LEAK, TrainingConfig
from trainers.initialization import dropout_generator, initial_weights
from trainers.keras.layer import MaskedDense, keras
from trainers.keras.optimizers import make_optimizer


@dataclass(frozen=True)
class MaskedModel:
    """A network to train, and the same network for inference.

    Parameters
    ----------
    trained
        Model whose inputs are the samples and, where the contract draws dropout, the factors of each layer.
    inference
        Model of the same layers without dropout: samples → outputs, or logits with cross-entropy.
    layers
        The layers with weights.
    dropped
        Number of each layer whose inputs have dropout factors → the layer's width.
    """

    trained: Any
    inference: Any
    layers: tuple[Any, ...]
    dropped: Mapping[int, int]


def build_model(topology: Topology, config: TrainingConfig) -> MaskedModel:
    """A network with the initial weights of the contract, compiled."""
    samples = keras.Input((topology.sizes[0],), dtype=config.dtype)
    inputs, trained, inference = [samples], samples, samples
    layers, dropped = [], {}
    seeds = dropout_generator(0, config).integers(2**31, size=len(topology))
    for number, (graph, drawn) in enumerate(zip(topology, initial_weights(topology, config), strict=True)):
        layer = MaskedDense(
            graph.n_right, graph, _activation(number, topology, config), config.bias, "zeros", dtype=config.dtype
        )
        rate = config.dropout_hidden if number else config.dropout_input
        if rate and config.dropout_draws == "numpy":
            inputs.append(keras.Input((graph.n_left,), dtype=config.dtype))
            dropped[number] = graph.n_left
            trained = keras.layers.Multiply(dtype=config.dtype)([trained, inputs[-1]])
        elif rate:
            trained = keras.layers.Dropout(rate, seed=int(seeds[number]), dtype=config.dtype)(trained)
        trained = layer(trained)
        inference = layer(inference) if dropped else trained
        kernel = np.zeros(graph.shape, config.dtype)
        kernel[tuple(graph.edges().T)] = drawn
        layer.kernel.assign(kernel)
        layers.append(layer)
    model = keras.Model(inputs if dropped else samples, trained)
    model.compile(
        make_optimizer(config), Loss(config), metrics=[keras.metrics.CategoricalAccuracy("accuracy", dtype="float32")]
    )
    return MaskedModel(model, keras.Model(samples, inference) if dropped else model, tuple(layers), dropped)


def _activation(number: int, topology: Topology, config: TrainingConfig) -> Any:
    last = number == len(topology) - 1
    if last and config.loss == "cross_entropy":
        return None  # the loss takes logits: Keras would cut probabilities at 1e-7
    name = config.output_activation if last else config.activation
    return _leaky_relu if name == "leaky_relu" else name


def _leaky_relu(z: Any) -> Any:
    """Of slope 0.01 at 0 too, where Keras' own has the slope 1 on JAX."""
    return keras.ops.where(z > 0, z, LEAK * z)


class Loss(keras.losses.Loss):  # type: ignore[misc, unused-ignore]
    """The contract's loss of each sample, in the numbers of the network; with cross-entropy from logits."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(name=config.loss, dtype=config.dtype)
        self._kind = config.output_activation if config.loss == "cross_entropy" else "mse"

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample."""
        ops = keras.ops
        if self._kind == "mse":
            return ops.mean(ops.square(y_pred - y_true), axis=-1)
        if self._kind == "softmax":
            return ops.logsumexp(y_pred, axis=-1) - ops.sum(y_pred * y_true, axis=-1)
        return ops.sum(ops.softplus(y_pred) - y_pred * y_true, axis=-1)


def losses(outputs: npt.NDArray[Any], labels: npt.NDArray[np.int64], config: TrainingConfig) -> float:
    """The mean loss of samples from their outputs (logits with cross-entropy)."""
    target = np.eye(outputs.shape[1])[labels]
    y = outputs.astype(float)
    if config.loss == "mse":
        return float(np.mean((y - target) ** 2))
    if config.output_activation == "softmax":
        return float(np.mean(np.logaddexp.reduce(y, axis=1) - (y * target).sum(axis=1)))
    return float(np.mean((np.logaddexp(0, y) - y * target).sum(axis=1)))
