"""The product of the layers of a network: how much of a signal on the inputs is left, and mixed, at the outputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from topograph.caching import computed_once
from topograph.metrics.adjacency import normalized
from topograph.metrics.metric import Value

if TYPE_CHECKING:
    from topograph.topology import Topology

_DENSE = 1 << 22  # numbers that a dense product may hold


@computed_once
def product_values(topology: Topology) -> tuple[Value, Value]:
    """The two largest singular values of the product of the normalised biadjacencies."""
    matrices = [normalized(graph) for graph in topology]
    n, m = topology.sizes[0], topology.sizes[-1]
    if n < m:  # begin at the narrow end
        n, m, matrices = m, n, [matrix.T for matrix in reversed(matrices)]
    if m > 2 and m * max(topology.sizes) > _DENSE:
        return _sparse_product(matrices, n, m)
    product = np.eye(m)
    for matrix in reversed(matrices):
        product = matrix @ product
    values = np.linalg.svd(product, compute_uv=False)
    error = 4 * float(np.finfo(float).eps) * math.sqrt(n) * len(matrices)
    return Value(float(values[0]), error), Value(float(values[1]) if values.size > 1 else 0.0, error)


def _sparse_product(matrices: list[Any], n: int, m: int) -> tuple[Value, Value]:
    from scipy.sparse.linalg import ArpackError, LinearOperator, svds

    def forward(vector: Any) -> Any:
        for matrix in reversed(matrices):
            vector = matrix @ vector
        return vector

    def backward(vector: Any) -> Any:
        for matrix in matrices:
            vector = matrix.T @ vector
        return vector

    operator = LinearOperator((n, m), matvec=forward, rmatvec=backward, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(min(n, m))
    try:
        left, values, right = svds(operator, k=2, v0=start, tol=1e-10)
    except ArpackError as error:
        failure = Value.undefined(f"the singular values of the product were not reached: {error}")
        return failure, failure
    found = []
    for place in np.argsort(-values):
        u, v, value = left[:, place], right[place], float(values[place])
        residual = max(np.linalg.norm(forward(v) - value * u), np.linalg.norm(backward(u) - value * v))
        found.append(Value(value, float(residual)))
    return found[0], found[1]
