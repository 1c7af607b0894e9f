"""`SparseLayer`: weights on the connections of one layer pair, and nothing anywhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from topograph.graph import BipartiteGraph
from trainers.numpy_sparse import kernels

Float = npt.NDArray[np.floating[Any]]


class SparseLayer:
    """One layer: z = Wᵀ x + b with a weight on each connection, its gradient and its velocity.

    Parameters
    ----------
    graph
        The connections.
    weights
        Initial weights in the order of ``graph.edges()``; their dtype is the layer's.
    use_bias
        Whether the bias is trained.
    """

    def __init__(self, graph: BipartiteGraph, weights: Float, use_bias: bool) -> None:
        # numbering the edges lets one conversion carry the order: position in the walk -> position in graph.edges()
        numbered = sp.csr_array((np.arange(graph.n_edges), graph.indices, graph.indptr), shape=graph.shape).tocsc()
        self.graph = graph
        self.use_bias = use_bias
        self._order = numbered.data
        self._starts = numbered.indptr.astype(np.uint32 if graph.n_edges < 2**32 else np.uint64)
        self._inputs_of = numbered.indices.astype(np.uint32)
        self.weights = weights[self._order]
        self.bias = np.zeros(graph.n_right, dtype=weights.dtype)
        self.weight_gradient = np.zeros_like(self.weights)
        self.bias_gradient = np.zeros_like(self.bias)
        self._weight_velocity = np.zeros_like(self.weights)
        self._bias_velocity = np.zeros_like(self.bias)

    def forward(self, x: Float) -> Float:
        """Pre-activations, shape ``(n_right, n_samples)``."""
        z = np.empty((self.graph.n_right, x.shape[1]), dtype=x.dtype)
        kernels.forward(self._starts, self._inputs_of, self.weights, self.bias, x, z)
        return z

    def backward(self, x: Float, dz: Float, inputs_too: bool) -> Float | None:
        """Set the gradients; return the gradient at the inputs where it is wanted."""
        kernels.edge_gradient(self._starts, self._inputs_of, x, dz, self.weight_gradient)
        if self.use_bias:
            dz.sum(axis=1, out=self.bias_gradient)
        if not inputs_too:
            return None
        dx = np.zeros_like(x)
        kernels.backward(self._starts, self._inputs_of, self.weights, dz, dx)
        return dx

    def step(self, rate: float, momentum: float, nesterov: bool) -> None:
        """Move weights and bias against their gradients, with momentum."""
        kind = self.weights.dtype.type  # a Python float would widen the whole update to float64
        pairs = [(self.weights, self._weight_velocity, self.weight_gradient)]
        if self.use_bias:
            pairs.append((self.bias, self._bias_velocity, self.bias_gradient))
        for values, velocity, gradient in pairs:
            kernels.momentum_step(values, velocity, gradient, kind(rate), kind(momentum), nesterov)

    def in_edge_order(self, values: Float) -> Float:
        """Values on the connections, from the order of the walk to that of ``graph.edges()``."""
        result = np.empty_like(values)
        result[self._order] = values
        return result

    def to_csr(self) -> sp.csr_array:
        """The weights, inputs × outputs, every connection stored."""
        data = self.in_edge_order(self.weights)
        return sp.csr_array((data, self.graph.indices, self.graph.indptr), shape=self.graph.shape)
