"""A batch through a sparse network in NumPy: what each layer read, and the derivatives of the loss by its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from trainers.config import LEAK, TrainingConfig
from trainers.rewiring.layer import Floats


def propagate(
    weights: Sequence[Any],
    biases: Sequence[Floats],
    x: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    config: TrainingConfig,
) -> list[tuple[Floats, Floats]]:
    """Inputs of each layer, and ∂L/∂z of its outputs z before their activation; one row per sample, no dropout.

    Parameters
    ----------
    weights
        Sparse arrays, inputs × outputs.
    biases
        One array per layer.
    x, labels
        The batch: samples in rows, and their classes.
    config
        Activations, loss and number type.
    """
    kind, last = np.dtype(config.dtype).type, len(weights) - 1
    values = [np.ascontiguousarray(x, dtype=config.dtype)]
    for number, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        name = config.output_activation if number == last else config.activation
        values.append(_activate(name, np.asarray((matrix.T @ values[-1].T).T) + bias))
    y = values[-1]
    target = np.zeros_like(y)
    target[np.arange(len(labels)), labels] = 1
    if config.loss == "mse":
        delta = _back(config.output_activation, y, (y - target) * kind(2 / y.size))
    else:  # the activation's derivative cancels against the loss's
        delta = (y - target) / kind(len(y))
    result = []
    for number in range(last, -1, -1):
        result.append((values[number], delta))
        if number:
            delta = _back(config.activation, values[number], np.asarray((weights[number] @ delta.T).T))
    return result[::-1]


def _activate(name: str, z: Floats) -> Floats:
    if name == "softmax":
        powers = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    if name == "leaky_relu":
        return np.where(z > 0, z, z.dtype.type(LEAK) * z)
    if name == "relu":
        return np.maximum(z, 0)
    return z if name == "linear" else np.asarray(np.tanh(z) if name == "tanh" else expit(z))


def _back(name: str, y: Floats, slope: Floats) -> Floats:
    """From the derivative at the values y to the one before their activation."""
    if name == "softmax":
        return np.asarray(y * (slope - (slope * y).sum(axis=1, keepdims=True)))
    if name == "linear":
        return slope
    if name in ("relu", "leaky_relu"):
        below = y.dtype.type(LEAK if name == "leaky_relu" else 0)
        return np.where(y > 0, slope, below * slope)
    return np.asarray(slope * (1 - y * y if name == "tanh" else y * (1 - y)))
