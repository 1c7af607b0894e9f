"""Compiled loops over the connections of one layer.

Activations are ``(neurons, samples)`` with the batch contiguous; a layer's connections are walked output by output
(CSC of the biadjacency), so that each output's sum stays in cache. Index arrays are unsigned: with signed ones numba
checks every index for wrap-around. Importing this module imports numba, so it is imported on first use only.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.floating[Any]]
Index = npt.NDArray[np.uint32]

# sums may be reordered for vector instructions; NaN and infinity keep their meaning, so that divergence is seen
_FAST = {"reassoc", "contract", "nsz"}
_jit: Any = numba.njit(cache=True, fastmath=_FAST, nogil=True, error_model="numpy")


@_jit
def forward(starts: Index, inputs_of: Index, weights: Float, bias: Float, x: Float, z: Float) -> None:
    """z[j] = bias[j] + Σ over the inputs i of output j of w_ij x[i]."""
    samples = x.shape[1]
    for j in range(z.shape[0]):
        for s in range(samples):
            z[j, s] = bias[j]
        for e in range(starts[j], starts[j + 1]):
            i, w = inputs_of[e], weights[e]
            for s in range(samples):
                z[j, s] += w * x[i, s]


@_jit
def edge_gradient(starts: Index, inputs_of: Index, x: Float, dz: Float, gradient: Float) -> None:
    """gradient[e] = Σ over samples of x[i] dz[j] for each connection e = (i, j): never a full matrix."""
    samples = x.shape[1]
    for j in range(dz.shape[0]):
        for e in range(starts[j], starts[j + 1]):
            i = inputs_of[e]
            total = gradient[e] * 0
            for s in range(samples):
                total += x[i, s] * dz[j, s]
            gradient[e] = total


@_jit
def backward(starts: Index, inputs_of: Index, weights: Float, dz: Float, dx: Float) -> None:
    """dx[i] = Σ over the outputs j of input i of w_ij dz[j]; dx must hold zeros."""
    samples = dz.shape[1]
    for j in range(dz.shape[0]):
        for e in range(starts[j], starts[j + 1]):
            i, w = inputs_of[e], weights[e]
            for s in range(samples):
                dx[i, s] += w * dz[j, s]


@_jit
def momentum_step(
    weights: Float, velocity: Float, gradient: Float, rate: float, momentum: float, nesterov: bool
) -> None:
    """Update the velocity, v ← μ v − η g, and step along it: by μ v − η g when looking ahead, else by v."""
    for e in range(weights.shape[0]):
        velocity[e] = momentum * velocity[e] - rate * gradient[e]
        weights[e] += momentum * velocity[e] - rate * gradient[e] if nesterov else velocity[e]
