"""Activations with their derivatives, and losses with theirs, on ``(neurons, samples)`` arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Float = npt.NDArray[np.floating[Any]]


def activate(name: str, z: Float) -> Float:
    """The activation of ``z``; softmax runs over the neurons of each sample."""
    if name == "sigmoid":
        return np.asarray(expit(z))
    if name == "tanh":
        return np.tanh(z)
    if name == "relu":
        return np.maximum(z, 0)
    if name == "softmax":
        shifted = np.exp(z - z.max(axis=0))
        return np.asarray(shifted / shifted.sum(axis=0))
    return z


def activation_backward(name: str, y: Float, dy: Float) -> Float:
    """The gradient at z from the gradient at ``y = activate(name, z)``."""
    if name == "sigmoid":
        return np.asarray(dy * y * (1 - y))
    if name == "tanh":
        return np.asarray(dy * (1 - y * y))
    if name == "relu":
        return np.asarray(dy * (y > 0))
    if name == "softmax":
        return np.asarray(y * (dy - (dy * y).sum(axis=0)))
    return dy


def loss_and_gradient(
    loss: str, output_activation: str, y: Float, labels: npt.NDArray[np.int64]
) -> tuple[float, Float]:
    """The loss of a batch and its gradient at the outputs' pre-activations z.

    Parameters
    ----------
    loss, output_activation
        As in `trainers.TrainingConfig`.
    y
        Outputs, shape ``(n_classes, n_samples)``.
    labels
        Shape ``(n_samples,)``.
    """
    classes, samples = y.shape
    difference = y.copy()
    difference[labels, np.arange(samples)] -= 1
    if loss == "mse":
        value = float(np.square(difference, dtype=np.float64).mean())
        return value, activation_backward(output_activation, y, difference * y.dtype.type(2 / (classes * samples)))
    # the activation's derivative cancels against the loss's: what is left is y − t
    tiny = np.finfo(y.dtype).tiny
    at_label = y[labels, np.arange(samples)].astype(np.float64)
    value = float(-np.log(np.maximum(at_label, tiny)).sum())
    if output_activation == "sigmoid":
        others = np.log1p(-np.minimum(y, 1 - np.finfo(y.dtype).epsneg).astype(np.float64))
        value -= float(others.sum() - others[labels, np.arange(samples)].sum())
    return value / samples, difference / y.dtype.type(samples)
